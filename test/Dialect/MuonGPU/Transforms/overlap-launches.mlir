// RUN: muon-opt --muon-overlap-collectives %s | FileCheck %s

// Launches stand between start and wait like anything else. What they write is
// what their work says: a launch that reads what is sent does not end it.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)

// CHECK-LABEL: func.func @reads(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>, %[[A:[a-z0-9]+]]: memref<4x4xf32>, %[[B:[a-z0-9]+]]: memref<4x4xf32>, %[[C:[a-z0-9]+]]: memref<4x4xf32>, %[[D:[a-z0-9]+]]:
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%[[C]] : {{.*}}) outs(%[[A]] :
// CHECK:         muon.all_reduce value(%[[A]] : {{.*}}) out(%[[B]] : {{.*}}handle = 0
// CHECK-NEXT:    muon_gpu.launch when(%[[OK]]
// CHECK-NEXT:      muon_gpu.stream ins(%[[C]] : {{.*}}) outs(%[[D]] :
// CHECK:         muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%[[A]], %[[C]] : {{.*}}) outs(%[[D]] :
// CHECK:         muon.wait value(%[[A]] : {{.*}}) out(%[[B]] : {{.*}}handle = 0
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%[[B]] :
// CHECK:         return
func.func @reads(%ok: memref<i1>, %a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x4xf32>, %d: memref<4x4xf32>) {
  muon_gpu.launch {
    muon_gpu.stream ins(%c : memref<4x4xf32>) outs(%a : memref<4x4xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    }
  }
  muon_gpu.launch when(%ok : memref<i1>) {
    muon_gpu.stream ins(%c : memref<4x4xf32>) outs(%d : memref<4x4xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    }
  }
  muon.all_reduce value(%a : memref<4x4xf32>) out(%b : memref<4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon_gpu.launch {
    muon_gpu.stream ins(%a, %c : memref<4x4xf32>, memref<4x4xf32>) outs(%d : memref<4x4xf32>) {
    ^bb0(%x: f32, %y: f32):
      muon_gpu.yield %x : f32
    }
  }
  muon_gpu.launch {
    muon_gpu.stream ins(%b : memref<4x4xf32>) outs(%c : memref<4x4xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    }
  }
  return
}

// What is sent is written: by a stream, and sums of one.

// CHECK-LABEL: func.func @writes(
// CHECK:         muon.all_reduce {{.*}}handle = 1
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon.pack_triangle
// CHECK-NEXT:    }
// CHECK-NEXT:    muon.wait {{.*}}handle = 1
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins({{.*}}) sums(%[[A:[a-z0-9]+]] :
func.func @writes(%a: memref<1xf64>, %b: memref<1xf64>, %x: memref<1x4x4xf32>, %t: memref<1x1x10xf32>) {
  muon.all_reduce value(%a : memref<1xf64>) out(%b : memref<1xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 1>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon_gpu.launch {
    muon.pack_triangle x(%x : memref<1x4x4xf32>) out(%t : memref<1x1x10xf32>)
  }
  muon_gpu.launch {
    muon_gpu.stream ins(%x : memref<1x4x4xf32>) sums(%a : memref<1xf64>) {
    ^bb0(%v: f32):
      %0 = arith.extf %v : f32 to f64
      muon_gpu.yield %0 : f64
    }
  }
  return
}

// A scalar is read: the wait for it comes first.

// CHECK-LABEL: func.func @scalar(
// CHECK:         muon.broadcast {{.*}}handle = 2
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon.pack_triangle
// CHECK-NEXT:    }
// CHECK-NEXT:    muon.wait {{.*}}handle = 2
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream scalars(
func.func @scalar(%f: memref<1xf32>, %x: memref<1x4x4xf32>, %t: memref<1x1x10xf32>) {
  muon.broadcast out(%f : memref<1xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 1>, root = 1 : i64, sends = array<i64>, receives = array<i64: 0>}
  muon_gpu.launch {
    muon.pack_triangle x(%x : memref<1x4x4xf32>) out(%t : memref<1x1x10xf32>)
  }
  muon_gpu.launch {
    muon_gpu.stream scalars(%f : memref<1xf32>) outs(%x : memref<1x4x4xf32>) {
    ^bb0(%v: f32):
      muon_gpu.yield %v : f32
    }
  }
  return
}
}
