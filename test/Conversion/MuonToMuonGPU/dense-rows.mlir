// RUN: muon-opt --convert-muon-to-muon-gpu %s | FileCheck %s

// Collectives, triangles and lists of blocks have no gaps between rows, which
// products want where rows are no multiples of 16 bytes.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)

// What nobody multiplies stays without.

// CHECK-LABEL: func.func @received(
// CHECK-NEXT:    %[[B:.+]] = memref.alloc() : memref<2x3x5xf32>
// CHECK-NEXT:    muon.all_to_all {{.*}} out(%[[B]] : memref<2x3x5xf32>)
// CHECK-NEXT:    return
func.func @received(%a: memref<2x3x5xf32>) {
  %b = memref.alloc() : memref<2x3x5xf32>
  muon.all_to_all value(%a : memref<2x3x5xf32>) out(%b : memref<2x3x5xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 30>, from = array<i64: 0>, to = array<i64: 0>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}

// CHECK-LABEL: func.func @waited_for(
// CHECK-NEXT:    %[[B:.+]] = memref.alloc() : memref<2x3x5xf32>
// CHECK-NEXT:    muon.wait {{.*}} out(%[[B]] : memref<2x3x5xf32>)
// CHECK-NEXT:    return
func.func @waited_for(%a: memref<2x3x5xf32>) {
  %b = memref.alloc() : memref<2x3x5xf32>
  muon.wait value(%a : memref<2x3x5xf32>) out(%b : memref<2x3x5xf32>) {handle = 0 : i64}
  return
}

// CHECK-LABEL: func.func @triangles(
// CHECK-NEXT:    %[[S:.+]] = memref.alloc() : memref<2x5x5xf32>
// CHECK-NEXT:    muon.unpack_triangle {{.*}} out(%[[S]] : memref<2x5x5xf32>)
// CHECK-NEXT:    %[[T:.+]] = memref.alloc() : memref<2x1x15xf32>
// CHECK-NEXT:    muon.pack_triangle x(%[[S]] : memref<2x5x5xf32>) out(%[[T]] : memref<2x1x15xf32>)
// CHECK-NEXT:    return
func.func @triangles(%t: memref<2x1x15xf32>) {
  %s = memref.alloc() : memref<2x5x5xf32>
  muon.unpack_triangle x(%t : memref<2x1x15xf32>) out(%s : memref<2x5x5xf32>)
  %u = memref.alloc() : memref<2x1x15xf32>
  muon.pack_triangle x(%s : memref<2x5x5xf32>) out(%u : memref<2x1x15xf32>)
  return
}

// Lists of blocks stay, matrices that consist of them get padding.

// CHECK-LABEL: func.func @blocks(
// CHECK:         %[[B:.+]] = memref.alloc() : memref<2x3x5xf32>
// CHECK-NEXT:    %[[X:.+]] = memref.alloc() : memref<2x3x8xf32>
// CHECK-NEXT:    %[[PART:.+]] = memref.subview %[[X]][0, 0, 0] [2, 3, 5]
// CHECK-NEXT:    %[[LIST:.+]] = memref.reinterpret_cast %[[B]] to offset: [0], sizes: [2, 3, 5], strides: [15, 5, 1]
// CHECK-NEXT:    %[[P:.+]] = memref.subview %[[PART]][0, 0, 0] [2, 3, 5]
// CHECK-NEXT:    muon_gpu.stream ins(%[[LIST]] : {{.*}}) outs(%[[P]] : memref<2x3x5xf32, strided<[24, 8, 1]>>)
// CHECK:         %[[BACK:.+]] = memref.alloc() : memref<2x3x5xf32>
// CHECK-NEXT:    memref.reinterpret_cast %[[BACK]] to offset: [0], sizes: [2, 3, 5], strides: [15, 5, 1]
func.func @blocks() {
  %b = memref.alloc() : memref<2x3x5xf32>
  %x = memref.alloc() : memref<2x3x5xf32>
  muon.assemble blocks(%b : memref<2x3x5xf32>) out(%x : memref<2x3x5xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 0>, rows = array<i64: 3>, cols = array<i64: 5>}
  %c = memref.alloc() : memref<2x3x5xf32>
  muon.divide x(%x : memref<2x3x5xf32>) blocks(%c : memref<2x3x5xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 0>, rows = array<i64: 3>, cols = array<i64: 5>}
  return
}

// What is multiplied as well has padding, and goes through another buffer: copied
// before what reads it,

// CHECK-LABEL: func.func @sent_product(
// CHECK-NEXT:    %[[B:.+]] = memref.alloc() : memref<2x5x8xf32>
// CHECK-NEXT:    %[[V:.+]] = memref.subview %[[B]][0, 0, 0] [2, 5, 5]
// CHECK-NEXT:    muon_gpu.matmul {{.*}} outs(%[[V]] : memref<2x5x5xf32, strided<[40, 8, 1]>>)
// CHECK:         %[[DENSE:.+]] = memref.alloc() : memref<2x5x5xf32>
// CHECK-NEXT:    muon_gpu.stream ins(%[[V]] : memref<2x5x5xf32, strided<[40, 8, 1]>>) outs(%[[DENSE]] : memref<2x5x5xf32>) {
// CHECK-NEXT:    ^bb0(%[[X:.+]]: f32):
// CHECK-NEXT:      muon_gpu.yield %[[X]] : f32
// CHECK-NEXT:    }
// CHECK-NEXT:    muon.all_reduce value(%[[DENSE]] : memref<2x5x5xf32>)
// CHECK-NEXT:    return
func.func @sent_product(%y: memref<2x5x8xf32>, %out: memref<2x5x5xf32>) {
  %b = memref.alloc() : memref<2x5x5xf32>
  muon.symmetric_product x(%y : memref<2x5x8xf32>) out(%b : memref<2x5x5xf32>) {side = #muon.side<left>}
  muon.all_reduce value(%b : memref<2x5x5xf32>) out(%out : memref<2x5x5xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 50>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}

// after what writes it.

// CHECK-LABEL: func.func @received_operand(
// CHECK-NEXT:    %[[B:.+]] = memref.alloc() : memref<2x5x8xf32>
// CHECK-NEXT:    %[[V:.+]] = memref.subview %[[B]][0, 0, 0] [2, 5, 5]
// CHECK-NEXT:    %[[DENSE:.+]] = memref.alloc() : memref<2x5x5xf32>
// CHECK-NEXT:    muon.all_reduce value(%{{.+}}) out(%[[DENSE]] : memref<2x5x5xf32>)
// CHECK-NEXT:    muon_gpu.stream ins(%[[DENSE]] : memref<2x5x5xf32>) outs(%[[V]] : memref<2x5x5xf32, strided<[40, 8, 1]>>) {
// CHECK:         muon_gpu.matmul lhs(%[[V]] : {{.*}}) rhs(%[[V]] : {{.*}})
func.func @received_operand(%y: memref<2x5x5xf32>, %out: memref<2x5x5xf32>) {
  %b = memref.alloc() : memref<2x5x5xf32>
  muon.all_reduce value(%y : memref<2x5x5xf32>) out(%b : memref<2x5x5xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 50>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon.symmetric_product x(%b : memref<2x5x5xf32>) out(%out : memref<2x5x5xf32>) {side = #muon.side<left>}
  return
}

// CHECK-LABEL: func.func @triangles_of_products(
// CHECK:         %[[V:.+]] = memref.subview %{{.+}}[0, 0, 0] [2, 5, 5] {{.*}} to memref<2x5x5xf32, strided<[40, 8, 1]>>
// CHECK-NEXT:    %[[FROM:.+]] = memref.alloc() : memref<2x5x5xf32>
// CHECK-NEXT:    muon.unpack_triangle x(%{{.+}}) out(%[[FROM]] : memref<2x5x5xf32>)
// CHECK-NEXT:    muon_gpu.stream ins(%[[FROM]] : {{.*}}) outs(%[[V]] :
// CHECK:         muon_gpu.matmul lhs(%[[V]] :
// CHECK:         %[[TO:.+]] = memref.alloc() : memref<2x5x5xf32>
// CHECK-NEXT:    muon_gpu.stream ins(%[[V]] : {{.*}}) outs(%[[TO]] :
// CHECK:         muon.pack_triangle x(%[[TO]] : memref<2x5x5xf32>)
func.func @triangles_of_products(%t: memref<2x1x15xf32>, %out: memref<2x5x5xf32>) {
  %b = memref.alloc() : memref<2x5x5xf32>
  muon.unpack_triangle x(%t : memref<2x1x15xf32>) out(%b : memref<2x5x5xf32>)
  muon.commuting_product lhs(%b : memref<2x5x5xf32>) rhs(%b : memref<2x5x5xf32>) out(%out : memref<2x5x5xf32>)
  muon.pack_triangle x(%b : memref<2x5x5xf32>) out(%t : memref<2x1x15xf32>)
  return
}

// Where rows fit there is nothing to copy.

// CHECK-LABEL: func.func @fits(
// CHECK-NEXT:    %[[B:.+]] = memref.alloc() : memref<2x5x8xf32>
// CHECK-NEXT:    muon.all_reduce {{.*}} out(%[[B]] : memref<2x5x8xf32>)
// CHECK-NEXT:    muon_gpu.matmul lhs(%[[B]] :
func.func @fits(%y: memref<2x5x8xf32>, %out: memref<2x5x5xf32>) {
  %b = memref.alloc() : memref<2x5x8xf32>
  muon.all_reduce value(%y : memref<2x5x8xf32>) out(%b : memref<2x5x8xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 80>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon.symmetric_product x(%b : memref<2x5x8xf32>) out(%out : memref<2x5x5xf32>) {side = #muon.side<left>}
  return
}
}
