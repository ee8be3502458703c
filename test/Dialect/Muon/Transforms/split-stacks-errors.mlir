// RUN: muon-opt --muon-split-stacks=scratch-limit=900 --split-input-file --verify-diagnostics %s
// RUN: not muon-opt --muon-split-stacks=scratch-limit=-1 %s 2>&1 | FileCheck %s

// CHECK: error: 'muon-split-stacks' expected a scratch limit of at least 0 bytes, found -1

// One matrix of 16×16 needs x, the result, its square and a factor.

func.func @one_matrix(
    %w: !muon.table<2x16x16xf32>, %g: !muon.table<2x16x16xf32>, %m: !muon.table<2x16x16xf32>,
    %gs: memref<2xf64>, %ms: memref<2xf64>, %us: memref<2xf64>, %lr: memref<f32>, %ok: memref<i1>) {
  %x = memref.alloc() : memref<2x16x16xf32>
  %s = memref.alloc() : memref<2xf64>
  %u = memref.alloc() : memref<2xf64>
  // expected-error @+1 {{'muon.momentum' op needs 3136 bytes of scratch memory for one matrix of '!muon.table<2x16x16xf32>', more than the scratch limit of 900}}
  muon.momentum gradient(%g : !muon.table<2x16x16xf32>) gradient_sums(%gs : memref<2xf64>) momentum_sums(%ms : memref<2xf64>) beta(%lr : memref<f32>) when(%ok : memref<i1>) momentum(%m : !muon.table<2x16x16xf32>) x(%x : memref<2x16x16xf32>) sums(%s : memref<2xf64>) unit(%u : memref<2xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  %f = memref.alloc() : memref<2xf32>
  muon.normalize sums(%s : memref<2xf64>) unit(%u : memref<2xf64>) factor(%f : memref<2xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  %p = memref.alloc() : memref<2x16x16xf32>
  muon.symmetric_product x(%x : memref<2x16x16xf32>) factor(%f : memref<2xf32>) out(%p : memref<2x16x16xf32>) {side = #muon.side<left>}
  %o = memref.alloc() : memref<2x16x16xf32>
  muon.symmetric_apply s(%p : memref<2x16x16xf32>) x(%x : memref<2x16x16xf32>) factor(%f : memref<2xf32>) out(%o : memref<2x16x16xf32>) {side = #muon.side<left>}
  muon.apply x(%o : memref<2x16x16xf32>) lr(%lr : memref<f32>) weight_decay(%lr : memref<f32>) when(%ok : memref<i1>) weight(%w : !muon.table<2x16x16xf32>) update_sums(%us : memref<2xf64>) {scale = 1.0 : f64}
  return
}

// -----

// Members are not divided.

func.func @one_member(
    %w: !muon.table<2x4x4x6xf32>, %g: !muon.table<2x4x4x6xf32>, %m: !muon.table<2x4x4x6xf32>,
    %gs: memref<8xf64>, %ms: memref<8xf64>, %us: memref<8xf64>, %lr: memref<f32>, %ok: memref<i1>) {
  %x = memref.alloc() : memref<8x4x6xf32>
  %s = memref.alloc() : memref<8xf64>
  %u = memref.alloc() : memref<8xf64>
  // expected-error @+1 {{'muon.momentum' op needs 1088 bytes of scratch memory for one member of '!muon.table<2x4x4x6xf32>', more than the scratch limit of 900}}
  muon.momentum gradient(%g : !muon.table<2x4x4x6xf32>) gradient_sums(%gs : memref<8xf64>) momentum_sums(%ms : memref<8xf64>) beta(%lr : memref<f32>) when(%ok : memref<i1>) momentum(%m : !muon.table<2x4x4x6xf32>) x(%x : memref<8x4x6xf32>) sums(%s : memref<8xf64>) unit(%u : memref<8xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  %f = memref.alloc() : memref<8xf32>
  muon.normalize sums(%s : memref<8xf64>) unit(%u : memref<8xf64>) factor(%f : memref<8xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  %p = memref.alloc() : memref<8x4x4xf32>
  muon.symmetric_product x(%x : memref<8x4x6xf32>) factor(%f : memref<8xf32>) out(%p : memref<8x4x4xf32>) {side = #muon.side<left>}
  %o = memref.alloc() : memref<8x4x6xf32>
  muon.symmetric_apply s(%p : memref<8x4x4xf32>) x(%x : memref<8x4x6xf32>) factor(%f : memref<8xf32>) out(%o : memref<8x4x6xf32>) {side = #muon.side<left>}
  muon.apply x(%o : memref<8x4x6xf32>) lr(%lr : memref<f32>) weight_decay(%lr : memref<f32>) when(%ok : memref<i1>) weight(%w : !muon.table<2x4x4x6xf32>) update_sums(%us : memref<8xf64>) {scale = 1.0 : f64}
  return
}

// -----

// What is between the operations might look at what they write.

func.func @between(
    %w: !muon.table<7x4x6xf32>, %g: !muon.table<7x4x6xf32>, %m: !muon.table<7x4x6xf32>,
    %gs: memref<7xf64>, %ms: memref<7xf64>, %us: memref<7xf64>, %lr: memref<f32>, %ok: memref<i1>,
    %n: memref<f32>, %v: f32) {
  %x = memref.alloc() : memref<7x4x6xf32>
  %s = memref.alloc() : memref<7xf64>
  %u = memref.alloc() : memref<7xf64>
  // expected-error @+1 {{'muon.momentum' op needs 1920 bytes of scratch memory and cannot be split; the scratch limit is 900}}
  muon.momentum gradient(%g : !muon.table<7x4x6xf32>) gradient_sums(%gs : memref<7xf64>) momentum_sums(%ms : memref<7xf64>) beta(%lr : memref<f32>) when(%ok : memref<i1>) momentum(%m : !muon.table<7x4x6xf32>) x(%x : memref<7x4x6xf32>) sums(%s : memref<7xf64>) unit(%u : memref<7xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  %f = memref.alloc() : memref<7xf32>
  muon.normalize sums(%s : memref<7xf64>) unit(%u : memref<7xf64>) factor(%f : memref<7xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  memref.store %v, %n[] : memref<f32>
  %p = memref.alloc() : memref<7x4x4xf32>
  muon.symmetric_product x(%x : memref<7x4x6xf32>) factor(%f : memref<7xf32>) out(%p : memref<7x4x4xf32>) {side = #muon.side<left>}
  %o = memref.alloc() : memref<7x4x6xf32>
  muon.symmetric_apply s(%p : memref<7x4x4xf32>) x(%x : memref<7x4x6xf32>) factor(%f : memref<7xf32>) out(%o : memref<7x4x6xf32>) {side = #muon.side<left>}
  muon.apply x(%o : memref<7x4x6xf32>) lr(%lr : memref<f32>) weight_decay(%lr : memref<f32>) when(%ok : memref<i1>) weight(%w : !muon.table<7x4x6xf32>) update_sums(%us : memref<7xf64>) {scale = 1.0 : f64}
  return
}

// -----

// Some of the operations in a loop.

func.func @other_block(
    %w: !muon.table<7x4x6xf32>, %g: !muon.table<7x4x6xf32>, %m: !muon.table<7x4x6xf32>,
    %gs: memref<7xf64>, %ms: memref<7xf64>, %us: memref<7xf64>, %lr: memref<f32>, %ok: memref<i1>,
    %i: index) {
  %x = memref.alloc() : memref<7x4x6xf32>
  %s = memref.alloc() : memref<7xf64>
  %u = memref.alloc() : memref<7xf64>
  // expected-error @+1 {{bytes of scratch memory and cannot be split; the scratch limit is 900}}
  muon.momentum gradient(%g : !muon.table<7x4x6xf32>) gradient_sums(%gs : memref<7xf64>) momentum_sums(%ms : memref<7xf64>) beta(%lr : memref<f32>) when(%ok : memref<i1>) momentum(%m : !muon.table<7x4x6xf32>) x(%x : memref<7x4x6xf32>) sums(%s : memref<7xf64>) unit(%u : memref<7xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  %f = memref.alloc() : memref<7xf32>
  scf.for %j = %i to %i step %i {
    muon.normalize sums(%s : memref<7xf64>) unit(%u : memref<7xf64>) factor(%f : memref<7xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  }
  %p = memref.alloc() : memref<7x4x4xf32>
  muon.symmetric_product x(%x : memref<7x4x6xf32>) factor(%f : memref<7xf32>) out(%p : memref<7x4x4xf32>) {side = #muon.side<left>}
  %o = memref.alloc() : memref<7x4x6xf32>
  muon.symmetric_apply s(%p : memref<7x4x4xf32>) x(%x : memref<7x4x6xf32>) factor(%f : memref<7xf32>) out(%o : memref<7x4x6xf32>) {side = #muon.side<left>}
  muon.apply x(%o : memref<7x4x6xf32>) lr(%lr : memref<f32>) weight_decay(%lr : memref<f32>) when(%ok : memref<i1>) weight(%w : !muon.table<7x4x6xf32>) update_sums(%us : memref<7xf64>) {scale = 1.0 : f64}
  return
}

// -----

// What has no effect may stay between them.

func.func @pure_between(
    %w: !muon.table<7x4x6xf32>, %g: !muon.table<7x4x6xf32>, %m: !muon.table<7x4x6xf32>,
    %gs: memref<7xf64>, %ms: memref<7xf64>, %us: memref<7xf64>, %lr: memref<f32>, %ok: memref<i1>) {
  %x = memref.alloc() : memref<7x4x6xf32>
  %s = memref.alloc() : memref<7xf64>
  %u = memref.alloc() : memref<7xf64>
  muon.momentum gradient(%g : !muon.table<7x4x6xf32>) gradient_sums(%gs : memref<7xf64>) momentum_sums(%ms : memref<7xf64>) beta(%lr : memref<f32>) when(%ok : memref<i1>) momentum(%m : !muon.table<7x4x6xf32>) x(%x : memref<7x4x6xf32>) sums(%s : memref<7xf64>) unit(%u : memref<7xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  %f = memref.alloc() : memref<7xf32>
  muon.normalize sums(%s : memref<7xf64>) unit(%u : memref<7xf64>) factor(%f : memref<7xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  %c = arith.constant 1.0 : f32
  %p = memref.alloc() : memref<7x4x4xf32>
  muon.symmetric_product x(%x : memref<7x4x6xf32>) factor(%f : memref<7xf32>) out(%p : memref<7x4x4xf32>) {side = #muon.side<left>}
  %o = memref.alloc() : memref<7x4x6xf32>
  muon.symmetric_apply s(%p : memref<7x4x4xf32>) x(%x : memref<7x4x6xf32>) factor(%f : memref<7xf32>) out(%o : memref<7x4x6xf32>) {side = #muon.side<left>}
  muon.apply x(%o : memref<7x4x6xf32>) lr(%lr : memref<f32>) weight_decay(%lr : memref<f32>) when(%ok : memref<i1>) weight(%w : !muon.table<7x4x6xf32>) update_sums(%us : memref<7xf64>) {scale = 1.0 : f64}
  return
}
