// RUN: muon-opt --muon-gpu-form-launches %s | FileCheck %s

// Two streams into parts of one buffer share a launch if the types say that the
// parts have no element in common.

// Rows 0 to 2, and 2 to 4.

// CHECK-LABEL: func.func @rows(
// CHECK-COUNT-1: muon_gpu.launch
// CHECK-NOT:     muon_gpu.launch
// CHECK:         return
func.func @rows(%a: memref<2x2x8xf32>) {
  %s = memref.alloc() : memref<2x4x8xf32>
  %p = memref.subview %s[0, 0, 0] [2, 2, 8] [1, 1, 1] : memref<2x4x8xf32> to memref<2x2x8xf32, strided<[32, 8, 1]>>
  %q = memref.subview %s[0, 2, 0] [2, 2, 8] [1, 1, 1] : memref<2x4x8xf32> to memref<2x2x8xf32, strided<[32, 8, 1], offset: 16>>
  muon_gpu.stream ins(%a : memref<2x2x8xf32>) outs(%p : memref<2x2x8xf32, strided<[32, 8, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%a : memref<2x2x8xf32>) outs(%q : memref<2x2x8xf32, strided<[32, 8, 1], offset: 16>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Columns of a part with padding.

// CHECK-LABEL: func.func @columns(
// CHECK-COUNT-1: muon_gpu.launch
// CHECK-NOT:     muon_gpu.launch
// CHECK:         return
func.func @columns(%a: memref<2x4x3xf32>, %b: memref<2x4x2xf32>) {
  %s = memref.alloc() : memref<2x4x8xf32>
  %v = memref.subview %s[0, 0, 0] [2, 4, 5] [1, 1, 1] : memref<2x4x8xf32> to memref<2x4x5xf32, strided<[32, 8, 1]>>
  %p = memref.subview %v[0, 0, 0] [2, 4, 3] [1, 1, 1] : memref<2x4x5xf32, strided<[32, 8, 1]>> to memref<2x4x3xf32, strided<[32, 8, 1]>>
  %q = memref.subview %v[0, 0, 3] [2, 4, 2] [1, 1, 1] : memref<2x4x5xf32, strided<[32, 8, 1]>> to memref<2x4x2xf32, strided<[32, 8, 1], offset: 3>>
  muon_gpu.stream ins(%a : memref<2x4x3xf32>) outs(%p : memref<2x4x3xf32, strided<[32, 8, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%b : memref<2x4x2xf32>) outs(%q : memref<2x4x2xf32, strided<[32, 8, 1], offset: 3>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Blocks of a list, with rows of different length.

// CHECK-LABEL: func.func @list(
// CHECK-COUNT-1: muon_gpu.launch
// CHECK-NOT:     muon_gpu.launch
// CHECK:         return
func.func @list(%a: memref<2x4x3xf32>, %b: memref<2x4x2xf32>) {
  %s = memref.alloc() : memref<2x4x5xf32>
  %p = memref.reinterpret_cast %s to offset: [0], sizes: [2, 4, 3], strides: [20, 3, 1] : memref<2x4x5xf32> to memref<2x4x3xf32, strided<[20, 3, 1]>>
  %q = memref.reinterpret_cast %s to offset: [12], sizes: [2, 4, 2], strides: [20, 2, 1] : memref<2x4x5xf32> to memref<2x4x2xf32, strided<[20, 2, 1], offset: 12>>
  muon_gpu.stream ins(%a : memref<2x4x3xf32>) outs(%p : memref<2x4x3xf32, strided<[20, 3, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%b : memref<2x4x2xf32>) outs(%q : memref<2x4x2xf32, strided<[20, 2, 1], offset: 12>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// What reads one part does not wait for what writes another.

// CHECK-LABEL: func.func @read_and_written(
// CHECK-COUNT-1: muon_gpu.launch
// CHECK-NOT:     muon_gpu.launch
// CHECK:         return
func.func @read_and_written(%a: memref<2x4x4xf32>, %b: memref<2x4x4xf32>) {
  %s = memref.alloc() : memref<2x4x8xf32>
  %p = memref.subview %s[0, 0, 0] [2, 4, 4] [1, 1, 1] : memref<2x4x8xf32> to memref<2x4x4xf32, strided<[32, 8, 1]>>
  %q = memref.subview %s[0, 0, 4] [2, 4, 4] [1, 1, 1] : memref<2x4x8xf32> to memref<2x4x4xf32, strided<[32, 8, 1], offset: 4>>
  %r = memref.subview %s[0, 0, 0] [2, 4, 4] [1, 1, 1] : memref<2x4x8xf32> to memref<2x4x4xf32, strided<[32, 8, 1]>>
  muon_gpu.stream ins(%q : memref<2x4x4xf32, strided<[32, 8, 1], offset: 4>>) outs(%q : memref<2x4x4xf32, strided<[32, 8, 1], offset: 4>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%p : memref<2x4x4xf32, strided<[32, 8, 1]>>) outs(%p : memref<2x4x4xf32, strided<[32, 8, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// But for what writes the same one, by another view.

// CHECK-LABEL: func.func @same_part(
// CHECK-COUNT-2: muon_gpu.launch
// CHECK:         return
func.func @same_part(%a: memref<2x4x4xf32>, %b: memref<2x4x4xf32>) {
  %s = memref.alloc() : memref<2x4x8xf32>
  %p = memref.subview %s[0, 0, 4] [2, 4, 4] [1, 1, 1] : memref<2x4x8xf32> to memref<2x4x4xf32, strided<[32, 8, 1], offset: 4>>
  %q = memref.subview %s[0, 0, 4] [2, 4, 4] [1, 1, 1] : memref<2x4x8xf32> to memref<2x4x4xf32, strided<[32, 8, 1], offset: 4>>
  muon_gpu.stream ins(%a : memref<2x4x4xf32>) outs(%p : memref<2x4x4xf32, strided<[32, 8, 1], offset: 4>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%q : memref<2x4x4xf32, strided<[32, 8, 1], offset: 4>>) outs(%b : memref<2x4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// One column in common.

// CHECK-LABEL: func.func @overlap(
// CHECK-COUNT-2: muon_gpu.launch
// CHECK:         return
func.func @overlap(%a: memref<2x4x4xf32>, %b: memref<2x4x5xf32>) {
  %s = memref.alloc() : memref<2x4x8xf32>
  %p = memref.subview %s[0, 0, 0] [2, 4, 4] [1, 1, 1] : memref<2x4x8xf32> to memref<2x4x4xf32, strided<[32, 8, 1]>>
  %q = memref.subview %s[0, 0, 3] [2, 4, 5] [1, 1, 1] : memref<2x4x8xf32> to memref<2x4x5xf32, strided<[32, 8, 1], offset: 3>>
  muon_gpu.stream ins(%a : memref<2x4x4xf32>) outs(%p : memref<2x4x4xf32, strided<[32, 8, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%b : memref<2x4x5xf32>) outs(%q : memref<2x4x5xf32, strided<[32, 8, 1], offset: 3>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Rows that end in the first columns of the next.

// CHECK-LABEL: func.func @around(
// CHECK-COUNT-2: muon_gpu.launch
// CHECK:         return
func.func @around(%a: memref<1x3x4xf32>) {
  %s = memref.alloc() : memref<1x4x8xf32>
  %p = memref.subview %s[0, 0, 0] [1, 3, 4] [1, 1, 1] : memref<1x4x8xf32> to memref<1x3x4xf32, strided<[32, 8, 1]>>
  %q = memref.reinterpret_cast %s to offset: [6], sizes: [1, 3, 4], strides: [32, 8, 1] : memref<1x4x8xf32> to memref<1x3x4xf32, strided<[32, 8, 1], offset: 6>>
  muon_gpu.stream ins(%a : memref<1x3x4xf32>) outs(%p : memref<1x3x4xf32, strided<[32, 8, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%a : memref<1x3x4xf32>) outs(%q : memref<1x3x4xf32, strided<[32, 8, 1], offset: 6>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// The end of one matrix and the beginning of the next.

// CHECK-LABEL: func.func @next_matrix(
// CHECK-COUNT-2: muon_gpu.launch
// CHECK:         return
func.func @next_matrix(%a: memref<2x2x8xf32>) {
  %s = memref.alloc() : memref<3x4x8xf32>
  %p = memref.subview %s[0, 0, 0] [2, 2, 8] [1, 1, 1] : memref<3x4x8xf32> to memref<2x2x8xf32, strided<[32, 8, 1]>>
  %q = memref.reinterpret_cast %s to offset: [24], sizes: [2, 2, 8], strides: [32, 8, 1] : memref<3x4x8xf32> to memref<2x2x8xf32, strided<[32, 8, 1], offset: 24>>
  muon_gpu.stream ins(%a : memref<2x2x8xf32>) outs(%p : memref<2x2x8xf32, strided<[32, 8, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%a : memref<2x2x8xf32>) outs(%q : memref<2x2x8xf32, strided<[32, 8, 1], offset: 24>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Matrices of other sizes, of which nothing is concluded.

// CHECK-LABEL: func.func @other_matrices(
// CHECK-COUNT-2: muon_gpu.launch
// CHECK:         return
func.func @other_matrices(%a: memref<2x1x8xf32>) {
  %s = memref.alloc() : memref<2x4x8xf32>
  %p = memref.reinterpret_cast %s to offset: [0], sizes: [2, 1, 8], strides: [16, 8, 1] : memref<2x4x8xf32> to memref<2x1x8xf32, strided<[16, 8, 1]>>
  %q = memref.reinterpret_cast %s to offset: [16], sizes: [2, 1, 8], strides: [32, 8, 1] : memref<2x4x8xf32> to memref<2x1x8xf32, strided<[32, 8, 1], offset: 16>>
  muon_gpu.stream ins(%a : memref<2x1x8xf32>) outs(%p : memref<2x1x8xf32, strided<[16, 8, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%a : memref<2x1x8xf32>) outs(%q : memref<2x1x8xf32, strided<[32, 8, 1], offset: 16>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Slices, whose types do not say where they are.

// CHECK-LABEL: func.func @slices(
// CHECK-COUNT-2: muon_gpu.launch
// CHECK:         return
func.func @slices(%a: memref<1x4x4xf32>, %i: index) {
  %s = memref.alloc() : memref<2x4x8xf32>
  %t = muon.slice %s[%i] : memref<2x4x8xf32> to memref<1x4x8xf32>
  %p = memref.subview %s[0, 0, 0] [1, 4, 4] [1, 1, 1] : memref<2x4x8xf32> to memref<1x4x4xf32, strided<[32, 8, 1]>>
  %q = memref.subview %t[0, 0, 4] [1, 4, 4] [1, 1, 1] : memref<1x4x8xf32> to memref<1x4x4xf32, strided<[32, 8, 1], offset: 4>>
  muon_gpu.stream ins(%a : memref<1x4x4xf32>) outs(%p : memref<1x4x4xf32, strided<[32, 8, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%a : memref<1x4x4xf32>) outs(%q : memref<1x4x4xf32, strided<[32, 8, 1], offset: 4>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}
