// RUN: muon-opt --muon-split-stacks=scratch-limit=900 --split-input-file %s | FileCheck %s
// RUN: muon-opt --muon-split-stacks=scratch-limit=900 --remarks-filter=muon-split-stacks --split-input-file %s -o %t.mlir 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK --implicit-check-not=remark:
// RUN: muon-opt --muon-split-stacks --split-input-file %s | FileCheck %s --check-prefix=NONE
// RUN: muon-opt --muon-split-stacks=scratch-limit=2112 --split-input-file %s | FileCheck %s --check-prefix=NONE

// A matrix of 4×6 takes 96 bytes, its square one 64; each buffer is a multiple
// of 64 bytes. Most is alive when the result is written: for three matrices x,
// factors, squares and result, 320 + 64 + 192 + 320 = 896, for four 1,088, for
// seven 1,920.

// Without a limit, or with enough, nothing changes.

// NONE-COUNT-5: func.func @
// NONE-NOT: muon.slice
// NONE-NOT: scf.for

// Seven are two passes over three and one over the one that remains: tables,
// lists and buffers alike, and buffers for no more than that.

// REMARK: split-stacks.mlir:[[#@LINE+34]]:3: remark: [Passed] Split | Category:muon-split-stacks | {{.*}}"3 passes over 3 of 7 matrices: all at once need 1920 bytes"
// CHECK-LABEL: func.func @remainder(
// CHECK-SAME: %[[W:[a-z0-9]+]]: !muon.table<7x4x6xf32>, %[[G:[a-z0-9]+]]: !muon.table<7x4x6xf32>, %[[M:[a-z0-9]+]]: !muon.table<7x4x6xf32>, %[[GS:[a-z0-9]+]]: memref<7xf64>, %[[MS:[a-z0-9]+]]: memref<7xf64>, %[[US:[a-z0-9]+]]: memref<7xf64>, %[[LR:[a-z0-9]+]]: memref<f32>, %[[OK:[a-z0-9]+]]: memref<i1>)
// CHECK-NOT: memref.alloc
// CHECK-DAG: %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG: %[[C6:.+]] = arith.constant 6 : index
// CHECK-DAG: %[[C3:.+]] = arith.constant 3 : index
// CHECK: scf.for %[[I:.+]] = %[[C0]] to %[[C6]] step %[[C3]] {
// CHECK-COUNT-6: memref.alloc() : memref<3x
// CHECK-DAG: %[[G3:.+]] = muon.slice %[[G]][%[[I]]] : !muon.table<7x4x6xf32> to !muon.table<3x4x6xf32>
// CHECK-DAG: %[[GS3:.+]] = muon.slice %[[GS]][%[[I]]] : memref<7xf64> to memref<3xf64>
// CHECK-DAG: %[[MS3:.+]] = muon.slice %[[MS]][%[[I]]] : memref<7xf64> to memref<3xf64>
// CHECK-DAG: %[[M3:.+]] = muon.slice %[[M]][%[[I]]] : !muon.table<7x4x6xf32> to !muon.table<3x4x6xf32>
// CHECK-DAG: %[[W3:.+]] = muon.slice %[[W]][%[[I]]] : !muon.table<7x4x6xf32> to !muon.table<3x4x6xf32>
// CHECK-DAG: %[[US3:.+]] = muon.slice %[[US]][%[[I]]] : memref<7xf64> to memref<3xf64>
// CHECK: muon.momentum gradient(%[[G3]] : !muon.table<3x4x6xf32>) gradient_sums(%[[GS3]] : memref<3xf64>) momentum_sums(%[[MS3]] : memref<3xf64>) beta(%[[LR]] : memref<f32>) when(%[[OK]] : memref<i1>) momentum(%[[M3]] : !muon.table<3x4x6xf32>) x(%[[X:.+]] : memref<3x4x6xf32>)
// CHECK: muon.normalize
// CHECK: muon.symmetric_product x(%[[X]] : memref<3x4x6xf32>)
// CHECK: muon.symmetric_apply {{.*}} x(%[[X]] : memref<3x4x6xf32>) {{.*}} out(%[[O:.+]] : memref<3x4x6xf32>)
// CHECK: muon.apply x(%[[O]] : memref<3x4x6xf32>) {{.*}} weight(%[[W3]] : !muon.table<3x4x6xf32>) update_sums(%[[US3]] : memref<3xf64>)
// CHECK-NEXT: {{^ +}}}
// CHECK: %[[LAST:.+]] = arith.constant 6 : index
// CHECK-COUNT-6: memref.alloc() : memref<1x
// CHECK: %[[G1:.+]] = muon.slice %[[G]][%[[LAST]]] : !muon.table<7x4x6xf32> to !muon.table<1x4x6xf32>
// CHECK: muon.momentum gradient(%[[G1]] : !muon.table<1x4x6xf32>)
// CHECK: muon.apply x(%{{.+}} : memref<1x4x6xf32>)
// CHECK-NOT: {{^ +}}muon.
// CHECK: return
func.func @remainder(
    %w: !muon.table<7x4x6xf32>, %g: !muon.table<7x4x6xf32>, %m: !muon.table<7x4x6xf32>,
    %gs: memref<7xf64>, %ms: memref<7xf64>, %us: memref<7xf64>, %lr: memref<f32>, %ok: memref<i1>) {
  %x = memref.alloc() : memref<7x4x6xf32>
  %s = memref.alloc() : memref<7xf64>
  %u = memref.alloc() : memref<7xf64>
  muon.momentum gradient(%g : !muon.table<7x4x6xf32>) gradient_sums(%gs : memref<7xf64>) momentum_sums(%ms : memref<7xf64>) beta(%lr : memref<f32>) when(%ok : memref<i1>) momentum(%m : !muon.table<7x4x6xf32>) x(%x : memref<7x4x6xf32>) sums(%s : memref<7xf64>) unit(%u : memref<7xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  %f = memref.alloc() : memref<7xf32>
  muon.normalize sums(%s : memref<7xf64>) unit(%u : memref<7xf64>) factor(%f : memref<7xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  %p = memref.alloc() : memref<7x4x4xf32>
  muon.symmetric_product x(%x : memref<7x4x6xf32>) factor(%f : memref<7xf32>) out(%p : memref<7x4x4xf32>) {side = #muon.side<left>}
  %o = memref.alloc() : memref<7x4x6xf32>
  muon.symmetric_apply s(%p : memref<7x4x4xf32>) x(%x : memref<7x4x6xf32>) factor(%f : memref<7xf32>) out(%o : memref<7x4x6xf32>) {side = #muon.side<left>}
  muon.apply x(%o : memref<7x4x6xf32>) lr(%lr : memref<f32>) weight_decay(%lr : memref<f32>) when(%ok : memref<i1>) weight(%w : !muon.table<7x4x6xf32>) update_sums(%us : memref<7xf64>) {scale = 1.0 : f64}
  return
}

// -----

// Six are two passes over three, with nothing left.

// REMARK: [[#@LINE+14]]:3: remark: [Passed] Split | {{.*}}"2 passes over 3 of 6 matrices: all at once need 1600 bytes"
// CHECK-LABEL: func.func @exact(
// CHECK: %[[C6:.+]] = arith.constant 6 : index
// CHECK: scf.for %{{.+}} = %{{.+}} to %[[C6]] step %{{.+}} {
// CHECK-COUNT-1: muon.momentum
// CHECK: muon.apply
// CHECK-NEXT: {{^ +}}}
// CHECK-NEXT: return
func.func @exact(
    %w: !muon.table<6x4x6xf32>, %g: !muon.table<6x4x6xf32>, %m: !muon.table<6x4x6xf32>,
    %gs: memref<6xf64>, %ms: memref<6xf64>, %us: memref<6xf64>, %lr: memref<f32>, %ok: memref<i1>) {
  %x = memref.alloc() : memref<6x4x6xf32>
  %s = memref.alloc() : memref<6xf64>
  %u = memref.alloc() : memref<6xf64>
  muon.momentum gradient(%g : !muon.table<6x4x6xf32>) gradient_sums(%gs : memref<6xf64>) momentum_sums(%ms : memref<6xf64>) beta(%lr : memref<f32>) when(%ok : memref<i1>) momentum(%m : !muon.table<6x4x6xf32>) x(%x : memref<6x4x6xf32>) sums(%s : memref<6xf64>) unit(%u : memref<6xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  %f = memref.alloc() : memref<6xf32>
  muon.normalize sums(%s : memref<6xf64>) unit(%u : memref<6xf64>) factor(%f : memref<6xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  %p = memref.alloc() : memref<6x4x4xf32>
  muon.symmetric_product x(%x : memref<6x4x6xf32>) factor(%f : memref<6xf32>) out(%p : memref<6x4x4xf32>) {side = #muon.side<left>}
  %o = memref.alloc() : memref<6x4x6xf32>
  muon.symmetric_apply s(%p : memref<6x4x4xf32>) x(%x : memref<6x4x6xf32>) factor(%f : memref<6xf32>) out(%o : memref<6x4x6xf32>) {side = #muon.side<left>}
  muon.apply x(%o : memref<6x4x6xf32>) lr(%lr : memref<f32>) weight_decay(%lr : memref<f32>) when(%ok : memref<i1>) weight(%w : !muon.table<6x4x6xf32>) update_sums(%us : memref<6xf64>) {scale = 1.0 : f64}
  return
}

// -----

// Five are a pass over three and one over two; a single pass needs no loop.

// REMARK: [[#@LINE+17]]:3: remark: [Passed] Split | {{.*}}"2 passes over 3 of 5 matrices
// CHECK-LABEL: func.func @one_and_rest(
// CHECK-NOT: scf.for
// CHECK: %[[FIRST:.+]] = arith.constant 0 : index
// CHECK: muon.slice %{{.+}}[%[[FIRST]]] : !muon.table<5x4x6xf32> to !muon.table<3x4x6xf32>
// CHECK: muon.apply {{.*}} weight(%{{.+}} : !muon.table<3x4x6xf32>)
// CHECK: %[[SECOND:.+]] = arith.constant 3 : index
// CHECK: muon.slice %{{.+}}[%[[SECOND]]] : !muon.table<5x4x6xf32> to !muon.table<2x4x6xf32>
// CHECK: muon.apply {{.*}} weight(%{{.+}} : !muon.table<2x4x6xf32>)
// CHECK-NOT: scf.for
// CHECK: return
func.func @one_and_rest(
    %w: !muon.table<5x4x6xf32>, %g: !muon.table<5x4x6xf32>, %m: !muon.table<5x4x6xf32>,
    %gs: memref<5xf64>, %ms: memref<5xf64>, %us: memref<5xf64>, %lr: memref<f32>, %ok: memref<i1>) {
  %x = memref.alloc() : memref<5x4x6xf32>
  %s = memref.alloc() : memref<5xf64>
  %u = memref.alloc() : memref<5xf64>
  muon.momentum gradient(%g : !muon.table<5x4x6xf32>) gradient_sums(%gs : memref<5xf64>) momentum_sums(%ms : memref<5xf64>) beta(%lr : memref<f32>) when(%ok : memref<i1>) momentum(%m : !muon.table<5x4x6xf32>) x(%x : memref<5x4x6xf32>) sums(%s : memref<5xf64>) unit(%u : memref<5xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  %f = memref.alloc() : memref<5xf32>
  muon.normalize sums(%s : memref<5xf64>) unit(%u : memref<5xf64>) factor(%f : memref<5xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  %p = memref.alloc() : memref<5x4x4xf32>
  muon.symmetric_product x(%x : memref<5x4x6xf32>) factor(%f : memref<5xf32>) out(%p : memref<5x4x4xf32>) {side = #muon.side<left>}
  %o = memref.alloc() : memref<5x4x6xf32>
  muon.symmetric_apply s(%p : memref<5x4x4xf32>) x(%x : memref<5x4x6xf32>) factor(%f : memref<5xf32>) out(%o : memref<5x4x6xf32>) {side = #muon.side<left>}
  muon.apply x(%o : memref<5x4x6xf32>) lr(%lr : memref<f32>) weight_decay(%lr : memref<f32>) when(%ok : memref<i1>) weight(%w : !muon.table<5x4x6xf32>) update_sums(%us : memref<5xf64>) {scale = 1.0 : f64}
  return
}

// -----

// A batch in one buffer is divided like a table.

// REMARK: [[#@LINE+12]]:3: remark: [Passed] Split | {{.*}}"2 passes over 3 of 6 matrices
// CHECK-LABEL: func.func @batch(
// CHECK-SAME: %[[W:[a-z0-9]+]]: memref<6x4x6xf32>, %[[G:[a-z0-9]+]]: memref<6x4x6xf32>,
// CHECK: scf.for %[[I:.+]] =
// CHECK: muon.slice %[[G]][%[[I]]] : memref<6x4x6xf32> to memref<3x4x6xf32>
// CHECK: muon.slice %[[W]][%[[I]]] : memref<6x4x6xf32> to memref<3x4x6xf32>
func.func @batch(
    %w: memref<6x4x6xf32>, %g: memref<6x4x6xf32>, %m: memref<6x4x6xf32>,
    %gs: memref<6xf64>, %ms: memref<6xf64>, %us: memref<6xf64>, %lr: memref<f32>, %ok: memref<i1>) {
  %x = memref.alloc() : memref<6x4x6xf32>
  %s = memref.alloc() : memref<6xf64>
  %u = memref.alloc() : memref<6xf64>
  muon.momentum gradient(%g : memref<6x4x6xf32>) gradient_sums(%gs : memref<6xf64>) momentum_sums(%ms : memref<6xf64>) beta(%lr : memref<f32>) when(%ok : memref<i1>) momentum(%m : memref<6x4x6xf32>) x(%x : memref<6x4x6xf32>) sums(%s : memref<6xf64>) unit(%u : memref<6xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  %f = memref.alloc() : memref<6xf32>
  muon.normalize sums(%s : memref<6xf64>) unit(%u : memref<6xf64>) factor(%f : memref<6xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  %p = memref.alloc() : memref<6x4x4xf32>
  muon.symmetric_product x(%x : memref<6x4x6xf32>) factor(%f : memref<6xf32>) out(%p : memref<6x4x4xf32>) {side = #muon.side<left>}
  %o = memref.alloc() : memref<6x4x6xf32>
  muon.symmetric_apply s(%p : memref<6x4x4xf32>) x(%x : memref<6x4x6xf32>) factor(%f : memref<6xf32>) out(%o : memref<6x4x6xf32>) {side = #muon.side<left>}
  muon.apply x(%o : memref<6x4x6xf32>) lr(%lr : memref<f32>) weight_decay(%lr : memref<f32>) when(%ok : memref<i1>) weight(%w : memref<6x4x6xf32>) update_sums(%us : memref<6xf64>) {scale = 1.0 : f64}
  return
}

// -----

// A table of batches is divided between members, not inside of them: of four
// members of two matrices, one at a time. Lists and buffers count matrices.

// REMARK: [[#@LINE+16]]:3: remark: [Passed] Split | {{.*}}"4 passes over 2 of 8 matrices
// CHECK-LABEL: func.func @members(
// CHECK-SAME: %[[W:[a-z0-9]+]]: !muon.table<4x2x4x6xf32>, %[[G:[a-z0-9]+]]: !muon.table<4x2x4x6xf32>, %{{.+}}: !muon.table<4x2x4x6xf32>, %[[GS:[a-z0-9]+]]: memref<8xf64>,
// CHECK-DAG: %[[C8:.+]] = arith.constant 8 : index
// CHECK-DAG: %[[C2:.+]] = arith.constant 2 : index
// CHECK: scf.for %[[I:.+]] = %{{.+}} to %[[C8]] step %[[C2]] {
// CHECK: %[[TWO:.+]] = arith.constant 2 : index
// CHECK: %[[MEMBER:.+]] = arith.divui %[[I]], %[[TWO]] : index
// CHECK: muon.slice %[[G]][%[[MEMBER]]] : !muon.table<4x2x4x6xf32> to !muon.table<1x2x4x6xf32>
// CHECK: muon.slice %[[GS]][%[[I]]] : memref<8xf64> to memref<2xf64>
func.func @members(
    %w: !muon.table<4x2x4x6xf32>, %g: !muon.table<4x2x4x6xf32>, %m: !muon.table<4x2x4x6xf32>,
    %gs: memref<8xf64>, %ms: memref<8xf64>, %us: memref<8xf64>, %lr: memref<f32>, %ok: memref<i1>) {
  %x = memref.alloc() : memref<8x4x6xf32>
  %s = memref.alloc() : memref<8xf64>
  %u = memref.alloc() : memref<8xf64>
  muon.momentum gradient(%g : !muon.table<4x2x4x6xf32>) gradient_sums(%gs : memref<8xf64>) momentum_sums(%ms : memref<8xf64>) beta(%lr : memref<f32>) when(%ok : memref<i1>) momentum(%m : !muon.table<4x2x4x6xf32>) x(%x : memref<8x4x6xf32>) sums(%s : memref<8xf64>) unit(%u : memref<8xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  %f = memref.alloc() : memref<8xf32>
  muon.normalize sums(%s : memref<8xf64>) unit(%u : memref<8xf64>) factor(%f : memref<8xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  %p = memref.alloc() : memref<8x4x4xf32>
  muon.symmetric_product x(%x : memref<8x4x6xf32>) factor(%f : memref<8xf32>) out(%p : memref<8x4x4xf32>) {side = #muon.side<left>}
  %o = memref.alloc() : memref<8x4x6xf32>
  muon.symmetric_apply s(%p : memref<8x4x4xf32>) x(%x : memref<8x4x6xf32>) factor(%f : memref<8xf32>) out(%o : memref<8x4x6xf32>) {side = #muon.side<left>}
  muon.apply x(%o : memref<8x4x6xf32>) lr(%lr : memref<f32>) weight_decay(%lr : memref<f32>) when(%ok : memref<i1>) weight(%w : !muon.table<4x2x4x6xf32>) update_sums(%us : memref<8xf64>) {scale = 1.0 : f64}
  return
}
