// RUN: muon-opt --convert-muon-to-muon-gpu %s | FileCheck %s

// A stream for each block, between a view of the matrices and one of the list,
// where the blocks of a matrix follow one another: 12 elements, then 8.

// CHECK-LABEL: func.func @assemble(
// CHECK-SAME:    %[[B:[a-z0-9]+]]: memref<2x4x5xbf16>, %[[OUT:[a-z0-9]+]]: memref<2x4x5xbf16>)
// CHECK-NEXT:    %[[B0:.+]] = memref.reinterpret_cast %[[B]] to offset: [0], sizes: [2, 4, 3], strides: [20, 3, 1]
// CHECK-NEXT:    %[[P0:.+]] = memref.subview %[[OUT]][0, 0, 0] [2, 4, 3] [1, 1, 1]
// CHECK-NEXT:    muon_gpu.stream ins(%[[B0]] : memref<2x4x3xbf16, strided<[20, 3, 1]>>) outs(%[[P0]] : memref<2x4x3xbf16, strided<[20, 5, 1]>>) {
// CHECK-NEXT:    ^bb0(%[[X0:.+]]: bf16):
// CHECK-NEXT:      muon_gpu.yield %[[X0]] : bf16
// CHECK-NEXT:    }
// CHECK-NEXT:    %[[B1:.+]] = memref.reinterpret_cast %[[B]] to offset: [12], sizes: [2, 4, 2], strides: [20, 2, 1]
// CHECK-NEXT:    %[[P1:.+]] = memref.subview %[[OUT]][0, 0, 3] [2, 4, 2] [1, 1, 1]
// CHECK-NEXT:    muon_gpu.stream ins(%[[B1]] : memref<2x4x2xbf16, strided<[20, 2, 1], offset: 12>>) outs(%[[P1]] : memref<2x4x2xbf16, strided<[20, 5, 1], offset: 3>>) {
// CHECK-NEXT:    ^bb0(%[[X1:.+]]: bf16):
// CHECK-NEXT:      muon_gpu.yield %[[X1]] : bf16
// CHECK-NEXT:    }
// CHECK-NEXT:    return
func.func @assemble(%b: memref<2x4x5xbf16>, %out: memref<2x4x5xbf16>) {
  muon.assemble blocks(%b : memref<2x4x5xbf16>) out(%out : memref<2x4x5xbf16>) {row_offsets = array<i64: 0, 0>, col_offsets = array<i64: 0, 3>, rows = array<i64: 4, 4>, cols = array<i64: 3, 2>}
  return
}

// Back, of a part that starts in row 1, column 2: element 7 of a matrix of 20.

// CHECK-LABEL: func.func @divide(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<3x4x5xf32>, %[[B:[a-z0-9]+]]: memref<3x2x3xf32>)
// CHECK-DAG:     %[[TO:.+]] = memref.reinterpret_cast %[[B]] to offset: [0], sizes: [3, 2, 3], strides: [6, 3, 1]
// CHECK-DAG:     %[[FROM:.+]] = memref.subview %[[X]][0, 1, 2] [3, 2, 3] [1, 1, 1]
// CHECK:         muon_gpu.stream ins(%[[FROM]] : memref<3x2x3xf32, strided<[20, 5, 1], offset: 7>>) outs(%[[TO]] : memref<3x2x3xf32, strided<[6, 3, 1]>>) {
// CHECK-NOT:     muon_gpu.stream
// CHECK:         return
func.func @divide(%x: memref<3x4x5xf32>, %b: memref<3x2x3xf32>) {
  muon.divide x(%x : memref<3x4x5xf32>) blocks(%b : memref<3x2x3xf32>) {row_offsets = array<i64: 1>, col_offsets = array<i64: 2>, rows = array<i64: 2>, cols = array<i64: 3>}
  return
}

// Lists of sums are for a kernel of one block, triangles have one of their own.

// CHECK-LABEL: func.func @others(
// CHECK-NEXT:    muon.place value(
// CHECK-NEXT:    muon.pack_triangle x(
// CHECK-NEXT:    muon.unpack_triangle x(
// CHECK-NEXT:    return
func.func @others(%a: memref<2xf64>, %out: memref<5xf64>, %x: memref<2x3x3xf32>, %t: memref<2x1x6xf32>) {
  muon.place value(%a : memref<2xf64>) out(%out : memref<5xf64>) {from = array<i64: 0>, to = array<i64: 3>, counts = array<i64: 2>}
  muon.pack_triangle x(%x : memref<2x3x3xf32>) out(%t : memref<2x1x6xf32>)
  muon.unpack_triangle x(%t : memref<2x1x6xf32>) out(%x : memref<2x3x3xf32>)
  return
}

// Tensors stay for who bufferizes them.

// CHECK-LABEL: func.func @tensors(
// CHECK-NEXT:    muon.assemble
// CHECK-NEXT:    muon.divide
// CHECK-NEXT:    return
func.func @tensors(%b: tensor<2x4x5xf32>, %x: tensor<2x4x5xf32>) -> (tensor<2x4x5xf32>, tensor<2x4x5xf32>) {
  %0 = muon.assemble blocks(%b : tensor<2x4x5xf32>) out(%x : tensor<2x4x5xf32>) {row_offsets = array<i64: 0, 0>, col_offsets = array<i64: 0, 3>, rows = array<i64: 4, 4>, cols = array<i64: 3, 2>}
  %1 = muon.divide x(%0 : tensor<2x4x5xf32>) blocks(%b : tensor<2x4x5xf32>) {row_offsets = array<i64: 0, 0>, col_offsets = array<i64: 0, 3>, rows = array<i64: 4, 4>, cols = array<i64: 3, 2>}
  return %0, %1 : tensor<2x4x5xf32>, tensor<2x4x5xf32>
}
