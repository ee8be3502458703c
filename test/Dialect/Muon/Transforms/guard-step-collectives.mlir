// RUN: muon-opt --muon-guard-step --split-input-file %s | FileCheck %s

// Ranks start and end collectives whatever happens: also one whose result only
// what is guarded needs. What is beside it is guarded still.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @between(
// CHECK: scf.if
// CHECK-NEXT: muon.advance
// CHECK-NEXT: {{^ +}}}
// CHECK-NEXT: muon.all_reduce
// CHECK: scf.if
// CHECK-NEXT: muon.advance
// CHECK-NEXT: {{^ +}}}
// CHECK-NEXT: return
func.func @between(%ok: memref<i1>, %t: memref<i64>, %u: memref<i64>, %g: memref<4xf32>) {
  %0 = memref.alloc() : memref<4xf32>
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  muon.all_reduce value(%g : memref<4xf32>) out(%0 : memref<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon.advance when(%ok : memref<i1>) step(%u : memref<i64>)
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @started(
// CHECK: scf.if
// CHECK-NEXT: muon.advance
// CHECK-NEXT: {{^ +}}}
// CHECK-NEXT: muon.all_reduce
// CHECK: scf.if
// CHECK-NEXT: muon.advance
// CHECK-NEXT: {{^ +}}}
// CHECK-NEXT: muon.wait
// CHECK: scf.if
// CHECK-NEXT: muon.advance
func.func @started(%ok: memref<i1>, %t: memref<i64>, %u: memref<i64>, %v: memref<i64>, %g: memref<4xf32>) {
  %0 = memref.alloc() : memref<4xf32>
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  muon.all_reduce value(%g : memref<4xf32>) out(%0 : memref<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>, handle = 0 : i64}
  muon.advance when(%ok : memref<i1>) step(%u : memref<i64>)
  muon.wait value(%g : memref<4xf32>) out(%0 : memref<4xf32>) {handle = 0 : i64}
  muon.advance when(%ok : memref<i1>) step(%v : memref<i64>)
  return
}

// CHECK-LABEL: func.func @calls(
// CHECK: scf.if
// CHECK-NEXT: muon.advance
// CHECK-NEXT: {{^ +}}}
// CHECK-NEXT: muon.start_collective
// CHECK-NEXT: muon.wait_collective
// CHECK: scf.if
// CHECK-NEXT: muon.advance
func.func @calls(%ok: memref<i1>, %t: memref<i64>, %u: memref<i64>, %g: memref<4xf32>) {
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  muon.start_collective 0(%g) : memref<4xf32>
  muon.wait_collective 0
  muon.advance when(%ok : memref<i1>) step(%u : memref<i64>)
  return
}
}
