// RUN: muon-opt %s | muon-opt | FileCheck %s

// CHECK-LABEL: module
// CHECK-SAME:    muon.frozen = ["embed", "head"]
module attributes {muon.frozen = ["embed", "head"]} {

// CHECK-LABEL: func.func private @tensors(
// CHECK-SAME:    tensor<16x64xbf16> {muon.names = ["w"], muon.role = #muon.role<weight>}, tensor<16x64xf32> {muon.names = ["w"], muon.role = #muon.role<gradient>}, tensor<16x64xf32> {muon.names = ["w"], muon.role = #muon.role<momentum>}, tensor<16x64xf32> {muon.names = ["w"], muon.role = #muon.role<exp_avg>}, tensor<16x64xf32> {muon.names = ["w"], muon.role = #muon.role<exp_avg_sq>}, tensor<16x64xf32> {muon.names = ["w"], muon.role = #muon.role<master>})
func.func private @tensors(
    tensor<16x64xbf16> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    tensor<16x64xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]},
    tensor<16x64xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    tensor<16x64xf32> {muon.role = #muon.role<exp_avg>, muon.names = ["w"]},
    tensor<16x64xf32> {muon.role = #muon.role<exp_avg_sq>, muon.names = ["w"]},
    tensor<16x64xf32> {muon.role = #muon.role<master>, muon.names = ["w"]})

// CHECK-LABEL: func.func private @stack(
// CHECK-SAME:    !muon.stack<2x16x64xf32> {muon.names = ["w0", "w1"], muon.role = #muon.role<weight>})
func.func private @stack(
    !muon.stack<2x16x64xf32> {muon.role = #muon.role<weight>,
                              muon.names = ["w0", "w1"]})

// CHECK-LABEL: func.func private @table(
// CHECK-SAME:    !muon.table<2x16x64xf32> {muon.names = ["w0", "w1"], muon.role = #muon.role<weight>})
func.func private @table(
    !muon.table<2x16x64xf32> {muon.role = #muon.role<weight>,
                              muon.names = ["w0", "w1"]})

// CHECK-LABEL: func.func private @buffer(
// CHECK-SAME:    memref<16x64xf32> {muon.names = ["w"], muon.role = #muon.role<weight>})
func.func private @buffer(
    memref<16x64xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]})

// Row blocks and whole tensors in one stack.
// CHECK-LABEL: func.func private @rows(
// CHECK-SAME:    !muon.stack<3x48x16xf32> {muon.names = [#muon.rows<"qkv", 0 to 48 of 144>, #muon.rows<"qkv", 96 to 144 of 144>, "proj"], muon.role = #muon.role<weight>})
func.func private @rows(
    !muon.stack<3x48x16xf32> {
        muon.role = #muon.role<weight>,
        muon.names = [#muon.rows<"qkv", 0 to 48 of 144>,
                      #muon.rows<"qkv", 96 to 144 of 144>, "proj"]})

// A weight that no optimizer updates has any element type.
// CHECK-LABEL: func.func private @integers(
// CHECK-SAME:    tensor<7xi64> {muon.names = ["positions"], muon.role = #muon.role<weight>})
func.func private @integers(
    tensor<7xi64> {muon.role = #muon.role<weight>, muon.names = ["positions"]})

// CHECK-LABEL: func.func private @scalars(
// CHECK-SAME:    tensor<f32> {muon.default = 2.000000e-02 : f64, muon.group = "muon", muon.role = #muon.role<lr>}, tensor<f32> {muon.group = "muon", muon.role = #muon.role<weight_decay>}, tensor<f32> {muon.group = "muon", muon.role = #muon.role<beta>}, tensor<f32> {muon.default = 1.000000e+00 : f64, muon.role = #muon.role<clip_limit>}, tensor<f32> {muon.role = #muon.role<clip>}, tensor<i1> {muon.role = #muon.role<ok>}, tensor<i64> {muon.role = #muon.role<step>})
func.func private @scalars(
    tensor<f32> {muon.role = #muon.role<lr>, muon.group = "muon",
                 muon.default = 0.02 : f64},
    tensor<f32> {muon.role = #muon.role<weight_decay>, muon.group = "muon"},
    tensor<f32> {muon.role = #muon.role<beta>, muon.group = "muon"},
    tensor<f32> {muon.role = #muon.role<clip_limit>, muon.default = 1.0 : f64},
    tensor<f32> {muon.role = #muon.role<clip>},
    tensor<i1> {muon.role = #muon.role<ok>},
    tensor<i64> {muon.role = #muon.role<step>})

// CHECK-LABEL: func.func private @scalar_buffers(
// CHECK-SAME:    memref<f32> {muon.group = "muon", muon.role = #muon.role<lr>}, memref<i1> {muon.role = #muon.role<ok>}, memref<i64> {muon.role = #muon.role<step>})
func.func private @scalar_buffers(
    memref<f32> {muon.role = #muon.role<lr>, muon.group = "muon"},
    memref<i1> {muon.role = #muon.role<ok>},
    memref<i64> {muon.role = #muon.role<step>})

// A parameter of rank 3 has one name and one sum for each of its matrices.
// CHECK-LABEL: func.func private @sums(
// CHECK-SAME:    tensor<1xf64> {muon.names = ["w"], muon.role = #muon.role<gradient_sums>}, tensor<1xf64> {muon.names = ["w"], muon.role = #muon.role<momentum_sums>}, tensor<8xf64> {muon.names = ["experts"], muon.role = #muon.role<update_sums>}, memref<2xf64> {muon.names = ["w0", "w1"], muon.role = #muon.role<weight_sums>})
func.func private @sums(
    tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]},
    tensor<8xf64> {muon.role = #muon.role<update_sums>,
                   muon.names = ["experts"]},
    memref<2xf64> {muon.role = #muon.role<weight_sums>,
                   muon.names = ["w0", "w1"]})
}
