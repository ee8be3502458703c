// RUN: muon-opt --convert-muon-gpu-to-nvvm --canonicalize --cse --mlir-print-elementsattrs-with-hex-if-larger=-1 %s | FileCheck %s

// Parts of what is in the arena start where their types say. From 256: element 11
// of the part; element 10 more of its own part; and element 6 of the whole, as a
// reinterpreted part counts from there.

func.func @views() {
  %c256 = arith.constant 256 : index
  %arena = muon.arena : memref<4096xi8>
  %x = memref.view %arena[%c256][] : memref<4096xi8> to memref<2x4x8xbf16>
  %p = memref.subview %x[0, 1, 3] [2, 2, 4] [1, 1, 1] : memref<2x4x8xbf16> to memref<2x2x4xbf16, strided<[32, 8, 1], offset: 11>>
  %q = memref.subview %p[0, 1, 2] [2, 1, 2] [1, 1, 1] : memref<2x2x4xbf16, strided<[32, 8, 1], offset: 11>> to memref<2x1x2xbf16, strided<[32, 8, 1], offset: 21>>
  %r = memref.reinterpret_cast %p to offset: [6], sizes: [2, 1, 2], strides: [32, 2, 1] : memref<2x2x4xbf16, strided<[32, 8, 1], offset: 11>> to memref<2x1x2xbf16, strided<[32, 2, 1], offset: 6>>
  muon_gpu.launch {
    muon_gpu.stream ins(%q : memref<2x1x2xbf16, strided<[32, 8, 1], offset: 21>>) outs(%r : memref<2x1x2xbf16, strided<[32, 2, 1], offset: 6>>) {
    ^bb0(%v: bf16):
      muon_gpu.yield %v : bf16
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 1, unroll = 1, chunk = 128>}
  } {phase = "views"}
  muon_gpu.launch {
    muon_gpu.stream ins(%p : memref<2x2x4xbf16, strided<[32, 8, 1], offset: 11>>) outs(%p : memref<2x2x4xbf16, strided<[32, 8, 1], offset: 11>>) {
    ^bb0(%v: bf16):
      muon_gpu.yield %v : bf16
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 1, unroll = 1, chunk = 128>}
  } {phase = "in_place"}
  return
}

// A part of an argument that starts with it is fine; matrices are as far apart as
// in the argument.

func.func @argument(%x: memref<2x4x8xf32>) {
  %p = memref.subview %x[0, 0, 0] [2, 4, 5] [1, 1, 1] : memref<2x4x8xf32> to memref<2x4x5xf32, strided<[32, 8, 1]>>
  muon_gpu.launch {
    muon_gpu.stream ins(%p : memref<2x4x5xf32, strided<[32, 8, 1]>>) {
    ^bb0(%v: f32):
      muon_gpu.yield
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 1, unroll = 1, chunk = 128>}
  } {phase = "argument"}
  return
}

// CHECK: @muon_problems(dense<[
// CHECK-SAME: 298, 0, 0, 2147483647, 64, 268, 0, 0, 2147483647, 64,
// CHECK-SAME: 278, 0, 0, 2147483647, 64, 278, 0, 0, 2147483647, 64,
// CHECK-SAME: -1, 0, 0, 2147483647, 128]>
