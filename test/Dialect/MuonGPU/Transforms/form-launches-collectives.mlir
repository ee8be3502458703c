// RUN: muon-opt --muon-gpu-form-launches %s | FileCheck %s

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)

// Launches end at a collective, though one could serve both sides.

// CHECK-LABEL: func.func @boundary(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: {{.*}}, %[[B:[a-z0-9]+]]: {{.*}}, %[[C:[a-z0-9]+]]: memref<4x4xf32>, %[[D:[a-z0-9]+]]:
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%[[A]] :
// CHECK:           muon_gpu.stream ins(%[[C]] :
// CHECK:         } {phase = "stream"}
// CHECK-NEXT:    muon.all_reduce value(%[[A]] : {{.*}}) out(%[[B]] :
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%[[D]] :
// CHECK:         } {phase = "stream"}
// CHECK-NEXT:    muon.wait
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%[[D]] :
// CHECK:         return
func.func @boundary(%a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x4xf32>, %d: memref<4x4xf32>) {
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%a : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%c : memref<4x4xf32>) outs(%c : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon.all_reduce value(%a : memref<4x4xf32>) out(%b : memref<4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>, handle = 0 : i64}
  muon_gpu.stream ins(%d : memref<4x4xf32>) outs(%d : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon.wait value(%a : memref<4x4xf32>) out(%b : memref<4x4xf32>) {handle = 0 : i64}
  muon_gpu.stream ins(%d : memref<4x4xf32>) outs(%d : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// The condition of who reads goes back across a collective of others.

// CHECK-LABEL: func.func @backward(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>
// CHECK:         muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK:         muon.all_reduce
// CHECK:         muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK:         return
func.func @backward(%ok: memref<i1>, %a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x4xf32>) {
  %s = memref.alloc() : memref<4x4xf32>
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%s : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon.all_reduce value(%a : memref<4x4xf32>) out(%b : memref<4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon_gpu.stream ins(%s : memref<4x4xf32>) outs(%c : memref<4x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// A collective has none: what it sends is computed in any case.

// CHECK-LABEL: func.func @sent(
// CHECK:         muon_gpu.launch {
// CHECK:         muon.all_reduce
// CHECK:         muon_gpu.launch when(
// CHECK:         return
func.func @sent(%ok: memref<i1>, %a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x4xf32>) {
  %s = memref.alloc() : memref<4x4xf32>
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%s : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon.all_reduce value(%s : memref<4x4xf32>) out(%b : memref<4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon_gpu.stream ins(%s : memref<4x4xf32>) outs(%c : memref<4x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Unless that was not computed itself: what reads scratch memory that is written
// under a condition only has that condition, and so has what reads that. Not what
// reads what was received.

// CHECK-LABEL: func.func @forward(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>
// CHECK:         muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:      muon_gpu.stream {{.*}} outs(%{{.+}}, %[[S:.+]] : memref<4x4xf32>, memref<4x4xf32>)
// CHECK:         muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:      muon_gpu.stream ins(%[[S]] : {{.*}}) outs(%[[T:.+]] :
// CHECK:         muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:      muon_gpu.stream ins(%[[T]] : {{.*}}) outs(%[[U:.+]] :
// CHECK:         muon.all_reduce value(%[[U]] : memref<4x4xf32>) out(%[[V:.+]] :
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%[[V]] :
func.func @forward(%ok: memref<i1>, %a: memref<4x4xf32>, %b: memref<4x4xf32>, %m: memref<4x4xf32>) {
  %s = memref.alloc() : memref<4x4xf32>
  %t = memref.alloc() : memref<4x4xf32>
  %u = memref.alloc() : memref<4x4xf32>
  %v = memref.alloc() : memref<4x4xf32>
  %w = memref.alloc() : memref<4x4xf32>
  muon_gpu.stream ins(%a, %m : memref<4x4xf32>, memref<4x4xf32>) outs(%m, %s : memref<4x4xf32>, memref<4x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32, %y: f32):
    muon_gpu.yield %x, %y : f32, f32
  }
  muon_gpu.stream ins(%s : memref<4x4xf32>) outs(%t : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%t : memref<4x4xf32>) outs(%u : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon.all_reduce value(%u : memref<4x4xf32>) out(%v : memref<4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon_gpu.stream ins(%v : memref<4x4xf32>) outs(%w : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Across a collective as well.

// CHECK-LABEL: func.func @forward_across(
// CHECK:         muon_gpu.launch when(
// CHECK:         muon.all_reduce
// CHECK-NEXT:    muon_gpu.launch when(
// CHECK:         muon.all_reduce
func.func @forward_across(%ok: memref<i1>, %a: memref<4x4xf32>, %b: memref<4x4xf32>) {
  %s = memref.alloc() : memref<4x4xf32>
  %t = memref.alloc() : memref<4x4xf32>
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%s : memref<4x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon.all_reduce value(%a : memref<4x4xf32>) out(%b : memref<4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon_gpu.stream ins(%s : memref<4x4xf32>) outs(%t : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon.all_reduce value(%t : memref<4x4xf32>) out(%b : memref<4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}

// Not what writes an argument, nor what reads memory that something writes in any
// case, be it a collective.

// CHECK-LABEL: func.func @not_forward(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>, %[[A:[a-z0-9]+]]: memref<4x4xf32>, %[[B:[a-z0-9]+]]:
// CHECK:         muon.all_reduce
// CHECK-NEXT:    muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK-NOT:     when(
// CHECK:         return
func.func @not_forward(%ok: memref<i1>, %a: memref<4x4xf32>, %b: memref<4x4xf32>) {
  %s = memref.alloc() : memref<4x4xf32>
  %t = memref.alloc() : memref<4x4xf32>
  %u = memref.alloc() : memref<4x4xf32>
  muon.all_reduce value(%a : memref<4x4xf32>) out(%t : memref<4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%s, %t : memref<4x4xf32>, memref<4x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x, %x : f32, f32
  }
  muon_gpu.stream ins(%s : memref<4x4xf32>) outs(%b : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%t : memref<4x4xf32>) outs(%u : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon.all_reduce value(%u : memref<4x4xf32>) out(%b : memref<4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}

// In whatever order they write.

// CHECK-LABEL: func.func @written_again(
// CHECK:         muon_gpu.launch when(
// CHECK:         muon.all_reduce
// CHECK-NOT:     when(
// CHECK:         return
func.func @written_again(%ok: memref<i1>, %a: memref<4x4xf32>, %b: memref<4x4xf32>) {
  %t = memref.alloc() : memref<4x4xf32>
  %u = memref.alloc() : memref<4x4xf32>
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%t : memref<4x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon.all_reduce value(%a : memref<4x4xf32>) out(%t : memref<4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon_gpu.stream ins(%t : memref<4x4xf32>) outs(%u : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon.all_reduce value(%u : memref<4x4xf32>) out(%b : memref<4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}

// Nor under one of two conditions.

// CHECK-LABEL: func.func @two_conditions(
// CHECK-COUNT-2: muon_gpu.launch when(
// CHECK:         muon_gpu.launch {
// CHECK:         muon.all_reduce
func.func @two_conditions(%ok: memref<i1>, %other: memref<i1>, %a: memref<4x4xf32>, %b: memref<4x4xf32>) {
  %t = memref.alloc() : memref<4x4xf32>
  %u = memref.alloc() : memref<4x4xf32>
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%t : memref<4x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%t : memref<4x4xf32>) when(%other : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%t : memref<4x4xf32>) outs(%u : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon.all_reduce value(%u : memref<4x4xf32>) out(%b : memref<4x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 16>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}

// Triangles are in launches of their own, one for each kernel; lists of sums share
// that of other work of one block.

// CHECK-LABEL: func.func @kinds(
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon.pack_triangle
// CHECK-NEXT:      muon.pack_triangle
// CHECK-NEXT:    } {phase = "pack"}
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon.unpack_triangle
// CHECK-NEXT:    } {phase = "unpack"}
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.reduce
// CHECK-NEXT:      muon.place
// CHECK-NEXT: {{^ *[}]$}}
func.func @kinds(%x: memref<2x3x3xf32>, %y: memref<1x4x4xf32>, %z: memref<1x4x4xf32>, %t: memref<2x1x6xf32>, %u: memref<1x1x10xf32>, %v: memref<1x1x10xf32>, %p: memref<8xf64>, %s: memref<2xf64>, %l: memref<4xf64>) {
  muon.pack_triangle x(%x : memref<2x3x3xf32>) out(%t : memref<2x1x6xf32>)
  muon.unpack_triangle x(%v : memref<1x1x10xf32>) out(%z : memref<1x4x4xf32>)
  muon.pack_triangle x(%y : memref<1x4x4xf32>) out(%u : memref<1x1x10xf32>)
  muon_gpu.launch {
    muon_gpu.reduce partials(%p : memref<8xf64>) sums(%s : memref<2xf64>)
  }
  muon.place value(%s : memref<2xf64>) out(%l : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 1>, counts = array<i64: 2>}
  return
}
}
