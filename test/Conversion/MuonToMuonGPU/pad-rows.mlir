// RUN: muon-opt --convert-muon-to-muon-gpu %s | FileCheck %s

// Rows of scratch matrices start at multiples of 16 bytes: 8 halves, 4 floats.

// CHECK-LABEL: func.func @halves(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x3x8xbf16>)
// CHECK:         %[[A:.+]] = memref.alloc() : memref<2x3x8xbf16>
// CHECK-NEXT:    %[[V:.+]] = memref.subview %[[A]][0, 0, 0] [2, 3, 3] [1, 1, 1] : memref<2x3x8xbf16> to memref<2x3x3xbf16, strided<[24, 8, 1]>>
// CHECK-NEXT:    muon_gpu.matmul {{.*}} outs(%[[V]] : memref<2x3x3xbf16, strided<[24, 8, 1]>>)
func.func @halves(%x: memref<2x3x8xbf16>) {
  %a = memref.alloc() : memref<2x3x3xbf16>
  muon.symmetric_product x(%x : memref<2x3x8xbf16>) out(%a : memref<2x3x3xbf16>) {side = #muon.side<left>}
  return
}

// CHECK-LABEL: func.func @floats(
// CHECK:         %[[A:.+]] = memref.alloc() : memref<2x3x8xf32>
// CHECK-NEXT:    memref.subview %[[A]][0, 0, 0] [2, 3, 5] [1, 1, 1] : memref<2x3x8xf32> to memref<2x3x5xf32, strided<[24, 8, 1]>>
func.func @floats() {
  %a = memref.alloc() : memref<2x3x5xf32>
  return
}

// Rows that fit, and what is no operand of a product, stay.

// CHECK-LABEL: func.func @others(
// CHECK:         memref.alloc() : memref<2x3x8xf16>
// CHECK-NEXT:    memref.alloc() : memref<2x3x4xf32>
// CHECK-NEXT:    memref.alloc() : memref<3x3xf32>
// CHECK-NEXT:    memref.alloc() : memref<2x3x3xf64>
// CHECK-NEXT:    return
func.func @others() {
  %a = memref.alloc() : memref<2x3x8xf16>
  %b = memref.alloc() : memref<2x3x4xf32>
  %c = memref.alloc() : memref<3x3xf32>
  %d = memref.alloc() : memref<2x3x3xf64>
  return
}
