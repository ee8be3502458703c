// RUN: muon-opt --muon-overlap-collectives --split-input-file %s | FileCheck %s

// The start goes up to what writes what is sent, the wait down to what needs what
// is received. Between them is what has nothing to do with it.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @both(
// CHECK-SAME: %[[A:[a-z0-9]+]]: memref<4xf64>, %[[B:[a-z0-9]+]]: memref<4xf64>, %[[C:[a-z0-9]+]]: memref<4xf64>, %[[D:[a-z0-9]+]]: memref<4xf64>)
// CHECK-NEXT: muon.place value(%[[C]] : memref<4xf64>) out(%[[A]] : memref<4xf64>)
// CHECK-NEXT: muon.all_reduce value(%[[A]] : memref<4xf64>) out(%[[B]] : memref<4xf64>) {{{.*}}handle = 0 : i64
// CHECK-NEXT: muon.place value(%[[C]] : memref<4xf64>) out(%[[D]] : memref<4xf64>)
// CHECK-NEXT: muon.place value(%[[A]] : memref<4xf64>) out(%[[D]] : memref<4xf64>)
// CHECK-NEXT: muon.wait value(%[[A]] : memref<4xf64>) out(%[[B]] : memref<4xf64>) {handle = 0 : i64}
// CHECK-NEXT: muon.place value(%[[B]] : memref<4xf64>) out(%[[D]] : memref<4xf64>)
// CHECK-NEXT: return
func.func @both(%a: memref<4xf64>, %b: memref<4xf64>, %c: memref<4xf64>, %d: memref<4xf64>) {
  muon.place value(%c : memref<4xf64>) out(%a : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  muon.place value(%c : memref<4xf64>) out(%d : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  muon.all_reduce value(%a : memref<4xf64>) out(%b : memref<4xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon.place value(%a : memref<4xf64>) out(%d : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  muon.place value(%b : memref<4xf64>) out(%d : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  return
}
}

// -----

// What is sent may be read but not written; what is received neither. A wait is
// not after the end.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @writes_what_is_sent(
// CHECK: muon.all_reduce {{.*}}handle = 0
// CHECK-NEXT: muon.place value(%{{.+}}) out(%arg2
// CHECK-NEXT: muon.wait
// CHECK-NEXT: muon.place value(%{{.+}}) out(%arg0
// CHECK-NEXT: return
func.func @writes_what_is_sent(%a: memref<4xf64>, %b: memref<4xf64>, %c: memref<4xf64>) {
  muon.all_reduce value(%a : memref<4xf64>) out(%b : memref<4xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon.place value(%a : memref<4xf64>) out(%c : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  muon.place value(%c : memref<4xf64>) out(%a : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  return
}

// CHECK-LABEL: func.func @end(
// CHECK-NEXT: muon.all_reduce {{.*}}handle = 1
// CHECK-NEXT: muon.place
// CHECK-NEXT: muon.wait
// CHECK-NEXT: return
func.func @end(%a: memref<4xf64>, %b: memref<4xf64>, %c: memref<4xf64>) {
  muon.place out(%c : memref<4xf64>) {from = array<i64>, to = array<i64>, counts = array<i64>}
  muon.all_reduce value(%a : memref<4xf64>) out(%b : memref<4xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}

// Nothing is beside it: it stays one operation.

// CHECK-LABEL: func.func @nothing(
// CHECK-NEXT: muon.place
// CHECK-NEXT: muon.all_reduce
// CHECK-NOT: handle
// CHECK-NEXT: muon.place
// CHECK-NOT: muon.wait
func.func @nothing(%a: memref<4xf64>, %b: memref<4xf64>) {
  muon.place value(%b : memref<4xf64>) out(%a : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  muon.all_reduce value(%a : memref<4xf64>) out(%b : memref<4xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon.place value(%b : memref<4xf64>) out(%a : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  return
}
}

// -----

// Starts keep their order, which all ranks share, though the second could go to
// the top; waits do not keep theirs.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @order(
// CHECK-NEXT: muon.place value(%arg4 {{.*}}) out(%arg0
// CHECK-NEXT: muon.all_reduce value(%arg0 {{.*}}handle = 0
// CHECK-NEXT: muon.all_reduce value(%arg2 {{.*}}handle = 1
// CHECK-NEXT: muon.place out(%arg4
// CHECK-NEXT: muon.wait value(%arg2 {{.*}}handle = 1
// CHECK-NEXT: muon.place value(%arg3
// CHECK-NEXT: muon.wait value(%arg0 {{.*}}handle = 0
// CHECK-NEXT: muon.place value(%arg1
func.func @order(%a: memref<4xf64>, %b: memref<4xf64>, %c: memref<4xf64>, %d: memref<4xf64>, %e: memref<4xf64>) {
  muon.place value(%e : memref<4xf64>) out(%a : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  muon.all_reduce value(%a : memref<4xf64>) out(%b : memref<4xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon.place out(%e : memref<4xf64>) {from = array<i64>, to = array<i64>, counts = array<i64>}
  muon.all_reduce value(%c : memref<4xf64>) out(%d : memref<4xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon.place value(%d : memref<4xf64>) out(%e : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  muon.place value(%b : memref<4xf64>) out(%e : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  return
}
}

// -----

// A region needs what is used in it, and views are of what they view. Foreign
// operations may write what they get.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
func.func private @foreign(memref<4xf64>)
// CHECK-LABEL: func.func @inside(
// CHECK: muon.all_reduce {{.*}}handle = 0
// CHECK-NEXT: muon.place out(%arg2
// CHECK-NEXT: muon.wait
// CHECK-NEXT: scf.if
func.func @inside(%a: memref<4xf64>, %b: memref<4xf64>, %c: memref<4xf64>, %ok: i1) {
  muon.all_reduce value(%a : memref<4xf64>) out(%b : memref<4xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  muon.place out(%c : memref<4xf64>) {from = array<i64>, to = array<i64>, counts = array<i64>}
  scf.if %ok {
    muon.place value(%b : memref<4xf64>) out(%c : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  }
  return
}

// CHECK-LABEL: func.func @beside(
// CHECK: muon.all_reduce {{.*}}handle = 1
// CHECK-NEXT: scf.if
// CHECK-NEXT: muon.place
// CHECK-NEXT: {{^ *[}]$}}
// CHECK-NEXT: muon.wait
func.func @beside(%a: memref<4xf64>, %b: memref<4xf64>, %c: memref<4xf64>, %ok: i1) {
  muon.all_reduce value(%a : memref<4xf64>) out(%b : memref<4xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  scf.if %ok {
    muon.place value(%a : memref<4xf64>) out(%c : memref<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  }
  return
}

// CHECK-LABEL: func.func @view(
// CHECK: muon.all_reduce {{.*}}handle = 2
// CHECK-NEXT: memref.cast
// CHECK-NEXT: muon.wait
// CHECK-NEXT: memref.load
func.func @view(%a: memref<4xf64>, %b: memref<4xf64>, %i: index) -> f64 {
  muon.all_reduce value(%a : memref<4xf64>) out(%b : memref<4xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  %v = memref.cast %b : memref<4xf64> to memref<?xf64>
  %0 = memref.load %v[%i] : memref<?xf64>
  return %0 : f64
}

// CHECK-LABEL: func.func @call(
// CHECK: muon.all_reduce {{.*}}
// CHECK-NOT: handle
// CHECK-NEXT: call @foreign(%arg0)
func.func @call(%a: memref<4xf64>, %b: memref<4xf64>) {
  muon.all_reduce value(%a : memref<4xf64>) out(%b : memref<4xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  call @foreign(%a) : (memref<4xf64>) -> ()
  return
}
}

// -----

// An allocation keeps no start from going up: all go to the top.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @allocation(
// CHECK-NEXT: memref.alloc()
// CHECK-NEXT: muon.all_reduce {{.*}}handle = 0
// CHECK-NEXT: muon.place
// CHECK-NEXT: muon.wait
func.func @allocation(%a: memref<4xf64>, %c: memref<4xf64>) {
  muon.place out(%c : memref<4xf64>) {from = array<i64>, to = array<i64>, counts = array<i64>}
  %b = memref.alloc() : memref<4xf64>
  muon.all_reduce value(%a : memref<4xf64>) out(%b : memref<4xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}
}

// -----

// On tensors, and where there is a handle already, nothing happens.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
// CHECK-LABEL: func.func @started(
// CHECK-NEXT: muon.place
// CHECK-NEXT: muon.all_reduce {{.*}}handle = 5
// CHECK-NEXT: muon.wait {{.*}}handle = 5
// CHECK-NEXT: muon.place
// CHECK-NEXT: return
func.func @started(%a: memref<4xf64>, %b: memref<4xf64>, %c: memref<4xf64>) {
  muon.place out(%c : memref<4xf64>) {from = array<i64>, to = array<i64>, counts = array<i64>}
  muon.all_reduce value(%a : memref<4xf64>) out(%b : memref<4xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>, handle = 5 : i64}
  muon.wait value(%a : memref<4xf64>) out(%b : memref<4xf64>) {handle = 5 : i64}
  muon.place out(%c : memref<4xf64>) {from = array<i64>, to = array<i64>, counts = array<i64>}
  return
}

// CHECK-LABEL: func.func @tensors(
// CHECK-NEXT: muon.place
// CHECK-NEXT: muon.all_reduce
// CHECK-NOT: muon.wait
func.func @tensors(%a: tensor<4xf64>, %b: tensor<4xf64>, %c: tensor<4xf64>) -> (tensor<4xf64>, tensor<4xf64>) {
  %0 = muon.place value(%c : tensor<4xf64>) out(%c : tensor<4xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 4>}
  %1 = muon.all_reduce value(%a : tensor<4xf64>) out(%b : tensor<4xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  return %0, %1 : tensor<4xf64>, tensor<4xf64>
}
}
