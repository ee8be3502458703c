// RUN: not muon-opt --convert-muon-to-linalg --split-input-file %s 2>&1 | FileCheck %s
// RUN: not muon-opt --convert-muon-to-runtime --split-input-file %s 2>&1 | FileCheck %s --check-prefix=RUNTIME

// The lowerings take buffers for whole and contiguous. Part of one, which is
// what a slice of a tensor becomes, must be refused or treated as what it is:
// not read from where the whole begins.

// CHECK: error: {{.*}}strided<[16, 1], offset: 256>
func.func @rows(%g: memref<48x16xf32>, %s: memref<1xf64>) {
  %0 = memref.subview %g[16, 0] [16, 16] [1, 1] : memref<48x16xf32> to memref<16x16xf32, strided<[16, 1], offset: 256>>
  muon.sum_squares value(%0 : memref<16x16xf32, strided<[16, 1], offset: 256>>) sums(%s : memref<1xf64>)
  return
}

// -----

// CHECK: error: {{.*}}strided<[8, 1]>
func.func @columns(%g: memref<8x8xf32>, %s: memref<1xf64>) {
  %0 = memref.subview %g[0, 0] [4, 4] [1, 1] : memref<8x8xf32> to memref<4x4xf32, strided<[8, 1]>>
  muon.sum_squares value(%0 : memref<4x4xf32, strided<[8, 1]>>) sums(%s : memref<1xf64>)
  return
}

// -----

// CHECK: error: {{.*}}strided<[1], offset: 1>
func.func @list(%g: memref<4x4xf32>, %s: memref<4xf64>) {
  %0 = memref.subview %s[1] [1] [1] : memref<4xf64> to memref<1xf64, strided<[1], offset: 1>>
  muon.sum_squares value(%g : memref<4x4xf32>) sums(%0 : memref<1xf64, strided<[1], offset: 1>>)
  return
}

// -----

// RUNTIME: error: {{.*}}strided<[64, 8, 1], offset: 64>
func.func @product(%x: memref<8x8x8xf32>, %o: memref<1x4x4xf32>) {
  %0 = memref.subview %x[1, 0, 0] [1, 4, 4] [1, 1, 1] : memref<8x8x8xf32> to memref<1x4x4xf32, strided<[64, 8, 1], offset: 64>>
  muon.symmetric_product x(%0 : memref<1x4x4xf32, strided<[64, 8, 1], offset: 64>>) out(%o : memref<1x4x4xf32>) {side = #muon.side<left>}
  return
}
