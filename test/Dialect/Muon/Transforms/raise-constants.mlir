// RUN: muon-opt --muon-raise --split-input-file --remarks-filter=muon-raise %s -o %t.mlir 2> %t.remarks
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: FileCheck %s --input-file=%t.remarks --check-prefix=REMARK --implicit-check-not=remark:

// Where constants come from. These are not folded before.

// By splat, broadcast, fill, and arithmetic on scalars.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @scalars
// CHECK: muon.orthogonalize {{.*}}<[2.500000e+00, -1.500000e+00, 5.000000e-01]>
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @scalars(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %two = arith.constant 2.0 : f32
  %half = arith.constant 0.5 : f32
  %sum = arith.addf %two, %half : f32
  %difference = arith.subf %half, %two : f32
  %a = tensor.splat %sum : tensor<4x6xf32>
  %one = tensor.empty() : tensor<f32>
  %b0 = linalg.fill ins(%difference : f32) outs(%one : tensor<f32>) -> tensor<f32>
  %be = tensor.empty() : tensor<4x4xf32>
  %b = linalg.broadcast ins(%b0 : tensor<f32>) outs(%be : tensor<4x4xf32>) dimensions = [0, 1]
  %c = linalg.fill ins(%half : f32) outs(%be : tensor<4x4xf32>) -> tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %e44 = tensor.empty() : tensor<4x4xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = linalg.mul ins(%b, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %cgg = linalg.mul ins(%c, %gg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %p = linalg.add ins(%bg, %cgg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %ax = linalg.mul ins(%a, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// Out of a list: slices of it, and elements.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @list
// CHECK: muon.orthogonalize {{.*}}<[2.000000e+00, -1.500000e+00, 2.500000e-01]>
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @list(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %list = arith.constant dense<[2.0, -1.5, 0.25]> : tensor<3xf32>
  %table = arith.constant dense<[[7.0, 8.0], [9.0, 0.25]]> : tensor<2x2xf32>
  %i0 = arith.constant 0 : index
  %i1 = arith.constant 1 : index
  %a0 = tensor.extract %list[%i0] : tensor<3xf32>
  %a = tensor.splat %a0 : tensor<4x6xf32>
  %b0 = tensor.extract_slice %list[1] [1] [1] : tensor<3xf32> to tensor<1xf32>
  %b1 = tensor.collapse_shape %b0 [] : tensor<1xf32> into tensor<f32>
  %be = tensor.empty() : tensor<4x4xf32>
  %b = linalg.broadcast ins(%b1 : tensor<f32>) outs(%be : tensor<4x4xf32>) dimensions = [0, 1]
  %c0 = tensor.extract %table[%i1, %i1] : tensor<2x2xf32>
  %c = linalg.fill ins(%c0 : f32) outs(%be : tensor<4x4xf32>) -> tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %e44 = tensor.empty() : tensor<4x4xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = linalg.mul ins(%b, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %cgg = linalg.mul ins(%c, %gg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %p = linalg.add ins(%bg, %cgg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %ax = linalg.mul ins(%a, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// A generic that broadcasts one of several constants by what it computes.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @generic
// CHECK: muon.orthogonalize {{.*}}<[2.000000e+00, -5.000000e-01, 2.500000e-01]>
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
#none = affine_map<(i, j) -> ()>
#id = affine_map<(i, j) -> (i, j)>
func.func @generic(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %a = arith.constant dense<2.0> : tensor<4x6xf32>
  %c = arith.constant dense<0.25> : tensor<4x4xf32>
  %half = arith.constant dense<0.5> : tensor<f32>
  %be = tensor.empty() : tensor<4x4xf32>
  %b = linalg.generic {indexing_maps = [#none, #id], iterator_types = ["parallel", "parallel"]}
      ins(%half : tensor<f32>) outs(%be : tensor<4x4xf32>) {
  ^bb0(%in: f32, %old: f32):
    %v = arith.negf %in : f32
    linalg.yield %v : f32
  } -> tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %e44 = tensor.empty() : tensor<4x4xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = linalg.mul ins(%b, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %cgg = linalg.mul ins(%c, %gg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %p = linalg.add ins(%bg, %cgg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %ax = linalg.mul ins(%a, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// Elements that are read where they are broadcast.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @inside
// CHECK: muon.orthogonalize {{.*}}<[2.000000e+00, -1.500000e+00, 2.500000e-01]>
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>
func.func @inside(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %list = arith.constant dense<[2.0, -1.5, 0.25]> : tensor<3xf32>
  %a = arith.constant dense<2.0> : tensor<4x6xf32>
  %c = arith.constant dense<0.25> : tensor<4x4xf32>
  %be = tensor.empty() : tensor<4x4xf32>
  %b = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%be : tensor<4x4xf32>) {
  ^bb0(%old: f32):
    %i1 = arith.constant 1 : index
    %v = tensor.extract %list[%i1] : tensor<3xf32>
    linalg.yield %v : f32
  } -> tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %e44 = tensor.empty() : tensor<4x4xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = linalg.mul ins(%b, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %cgg = linalg.mul ins(%c, %gg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %p = linalg.add ins(%bg, %cgg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %ax = linalg.mul ins(%a, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// Which element is not the same everywhere.

// REMARK: remark: [Missed] {{.*}}has a coefficient that is no constant"

// CHECK-LABEL: func.func @by_index
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>
func.func @by_index(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %list = arith.constant dense<[2.0, -1.5, 0.25, 1.0]> : tensor<4xf32>
  %a = arith.constant dense<2.0> : tensor<4x6xf32>
  %c = arith.constant dense<0.25> : tensor<4x4xf32>
  %be = tensor.empty() : tensor<4x4xf32>
  %b = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%be : tensor<4x4xf32>) {
  ^bb0(%old: f32):
    %i = linalg.index 0 : index
    %v = tensor.extract %list[%i] : tensor<4xf32>
    linalg.yield %v : f32
  } -> tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %e44 = tensor.empty() : tensor<4x4xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = linalg.mul ins(%b, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %cgg = linalg.mul ins(%c, %gg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %p = linalg.add ins(%bg, %cgg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %ax = linalg.mul ins(%a, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// Rounded to bf16 as it is done, and what f32 makes of 3.4445.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @rounded
// CHECK: muon.orthogonalize {{.*}}<[3.437500e+00, -4.7750000953674316, 2.0315001010894775]>
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @rounded(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %a0 = arith.constant 3.4445 : f32
  %a1 = arith.truncf %a0 : f32 to bf16
  %a2 = arith.extf %a1 : bf16 to f32
  %a = tensor.splat %a2 : tensor<4x6xf32>
  %b = arith.constant dense<-4.7750> : tensor<4x4xf32>
  %c = arith.constant dense<2.0315> : tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %e44 = tensor.empty() : tensor<4x4xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = linalg.mul ins(%b, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %cgg = linalg.mul ins(%c, %gg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %p = linalg.add ins(%bg, %cgg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %ax = linalg.mul ins(%a, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// The list has different elements, and which one is not known.

// REMARK: [[#@LINE+22]]:9: remark: [Missed] NewtonSchulz | {{.*}}"no Newton–Schulz step, though a matrix is multiplied by its transpose: has a coefficient that is no constant"

// CHECK-LABEL: func.func @unknown_element
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @unknown_element(%x: tensor<4x6xf32>, %i: index) -> tensor<4x6xf32> {
  %list = arith.constant dense<[2.0, -1.5, 0.25]> : tensor<3xf32>
  %a0 = tensor.extract %list[%i] : tensor<3xf32>
  %a = tensor.splat %a0 : tensor<4x6xf32>
  %b = arith.constant dense<-1.5> : tensor<4x4xf32>
  %c = arith.constant dense<0.25> : tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %e44 = tensor.empty() : tensor<4x4xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = linalg.mul ins(%b, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %cgg = linalg.mul ins(%c, %gg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %p = linalg.add ins(%bg, %cgg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %ax = linalg.mul ins(%a, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// One whose elements are not all the same is no coefficient.

// REMARK: remark: [Missed] {{.*}}"no Newton–Schulz step, though a matrix is multiplied by its transpose: has a coefficient that is no constant"

// CHECK-LABEL: func.func @mask
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
#rows = affine_map<(i, j) -> (i)>
#id = affine_map<(i, j) -> (i, j)>
func.func @mask(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %b = arith.constant dense<-1.5> : tensor<4x4xf32>
  %c = arith.constant dense<0.25> : tensor<4x4xf32>
  %list = arith.constant dense<[2.0, 2.0, 2.0, 3.0]> : tensor<4xf32>
  %ae = tensor.empty() : tensor<4x6xf32>
  %a = linalg.broadcast ins(%list : tensor<4xf32>) outs(%ae : tensor<4x6xf32>) dimensions = [1]
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %e44 = tensor.empty() : tensor<4x4xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = linalg.mul ins(%b, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %cgg = linalg.mul ins(%c, %gg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %p = linalg.add ins(%bg, %cgg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %ax = linalg.mul ins(%a, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}
