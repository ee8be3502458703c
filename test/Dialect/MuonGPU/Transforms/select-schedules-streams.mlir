// RUN: muon-opt --muon-gpu-select-schedules --remarks-filter=muon-gpu-select-schedules %s -o %t.mlir 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK --implicit-check-not=remark:
// RUN: FileCheck %s --input-file=%t.mlir

// Streams go over a matrix without regard to rows where those lie close: 2x6 are
// 12 elements. Up to two inputs have four accesses each under way, more two.

// CHECK-LABEL: func.func @close_rows(
// CHECK:         schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 4, chunk = 65536>
func.func @close_rows(%a: memref<3x2x6xf16>, %b: !muon.table<3x2x6xf32>) {
  muon_gpu.stream ins(%a, %b : memref<3x2x6xf16>, !muon.table<3x2x6xf32>) {
  ^bb0(%x: f16, %y: f32):
    muon_gpu.yield
  }
  return
}

// CHECK-LABEL: func.func @three_inputs(
// CHECK:         schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 2, chunk = 65536>
func.func @three_inputs(%a: memref<4x8xf32>) {
  muon_gpu.stream ins(%a, %a, %a : memref<4x8xf32>, memref<4x8xf32>, memref<4x8xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    muon_gpu.yield
  }
  return
}

// CHECK-LABEL: func.func @padded_rows(
// CHECK:         schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 4, chunk = 65536>
func.func @padded_rows(%a: memref<1x4x8xf32, strided<[48, 12, 1]>>) {
  muon_gpu.stream ins(%a : memref<1x4x8xf32, strided<[48, 12, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield
  }
  return
}

// REMARK: select-schedules-streams.mlir:[[#@LINE+5]]:3: remark: [Missed] Schedule | Category:muon-gpu-select-schedules | {{.*}}"element by element: {{.*}}memref<1x4x6xf32, strided<[32, 8, 1]>> has no rows of a multiple of 4 elements"

// CHECK-LABEL: func.func @padded_odd_rows(
// CHECK:         schedule = #muon_gpu.stream_schedule<threads = 256, width = 1, unroll = 4, chunk = 65536>
func.func @padded_odd_rows(%a: memref<1x4x6xf32, strided<[32, 8, 1]>>) {
  muon_gpu.stream ins(%a : memref<1x4x6xf32, strided<[32, 8, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield
  }
  return
}

// REMARK: [[#@LINE+5]]:3: remark: [Missed] Schedule | {{.*}}"element by element: {{.*}}!muon.table<2x3x5xf32> has no rows of a multiple of 4 elements"

// CHECK-LABEL: func.func @odd_elements(
// CHECK:         width = 1,
func.func @odd_elements(%a: !muon.table<2x3x5xf32>) {
  muon_gpu.stream ins(%a : !muon.table<2x3x5xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield
  }
  return
}

// Outputs count too.

// REMARK: [[#@LINE+5]]:3: remark: [Missed] Schedule | {{.*}}"element by element: {{.*}}memref<1x4x8xf32, strided<[36, 9, 1]>> has no rows of a multiple of 4 elements"

// CHECK-LABEL: func.func @odd_output(
// CHECK:         width = 1,
func.func @odd_output(%a: memref<1x4x8xf32>, %o: memref<1x4x8xf32, strided<[36, 9, 1]>>) {
  muon_gpu.stream ins(%a : memref<1x4x8xf32>) outs(%o : memref<1x4x8xf32, strided<[36, 9, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// A tensor starts where four elements can be taken at once. A block of its rows
// does if what comes before are as many as fit: two rows of 6 do, one does not.

// CHECK-LABEL: func.func @even_block(
// CHECK:         width = 4,
func.func @even_block(%a: !muon.table<2x4x6xf32> {muon.names = ["p", #muon.rows<"qkv", 2 to 6 of 8>], muon.role = #muon.role<gradient>}) {
  muon_gpu.stream ins(%a : !muon.table<2x4x6xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield
  }
  return
}

// REMARK: [[#@LINE+5]]:3: remark: [Missed] Schedule | {{.*}}"element by element: {{.*}}a block of rows of {{.*}}!muon.table<2x4x6xf32> starts at an odd address"

// CHECK-LABEL: func.func @odd_block(
// CHECK:         width = 1,
func.func @odd_block(%a: !muon.table<2x4x6xf32> {muon.names = ["p", #muon.rows<"qkv", 1 to 5 of 8>], muon.role = #muon.role<gradient>}) {
  muon_gpu.stream ins(%a : !muon.table<2x4x6xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield
  }
  return
}

// Parts of scratch memory start where their types say: element 4 of 16 bytes, and
// element 10.

// CHECK-LABEL: func.func @aligned_part(
// CHECK:         width = 4,
func.func @aligned_part() {
  %s = memref.alloc() : memref<2x4x8xf32>
  %p = memref.subview %s[0, 0, 4] [2, 4, 4] [1, 1, 1] : memref<2x4x8xf32> to memref<2x4x4xf32, strided<[32, 8, 1], offset: 4>>
  muon_gpu.stream ins(%p : memref<2x4x4xf32, strided<[32, 8, 1], offset: 4>>) {
  ^bb0(%x: f32):
    muon_gpu.yield
  }
  return
}

// REMARK: [[#@LINE+7]]:3: remark: [Missed] Schedule | {{.*}}"a part of scratch memory starts at an odd address"

// CHECK-LABEL: func.func @odd_part(
// CHECK:         width = 1,
func.func @odd_part() {
  %s = memref.alloc() : memref<2x4x8xf32>
  %p = memref.subview %s[0, 1, 2] [2, 3, 4] [1, 1, 1] : memref<2x4x8xf32> to memref<2x3x4xf32, strided<[32, 8, 1], offset: 10>>
  muon_gpu.stream ins(%p : memref<2x3x4xf32, strided<[32, 8, 1], offset: 10>>) {
  ^bb0(%x: f32):
    muon_gpu.yield
  }
  return
}
