// RUN: muon-opt %s --split-input-file --verify-diagnostics

func.func @sum_squares_value(%v: tensor<4x?xf32>, %s: tensor<1xf64>) {
  // expected-error @below {{'muon.sum_squares' op operand #0 must be variadic of tensor or stack of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<4x?xf32>'}}
  %0 = muon.sum_squares value(%v : tensor<4x?xf32>) sums(%s : tensor<1xf64>)
  return
}

// -----

func.func @sum_squares_sums(%v: tensor<4x6xf32>, %s: tensor<f64>) {
  // expected-error @below {{'muon.sum_squares' op operand #1 must be variadic of static rank-1 tensor of f64, but got 'tensor<f64>'}}
  %0 = muon.sum_squares value(%v : tensor<4x6xf32>) sums(%s : tensor<f64>)
  return
}

// -----

func.func @look_gradients(
    %gs0: tensor<?xf64>, %ok: tensor<i1>, %clip: tensor<f32>) {
  // expected-error @below {{'muon.look' op operand #0 must be variadic of static rank-1 tensor of f64, but got 'tensor<?xf64>'}}
  %0:2 = muon.look gradients(%gs0 : tensor<?xf64>) ok(%ok : tensor<i1>)
      clip(%clip : tensor<f32>)
  return
}

// -----

func.func @look_momenta(
    %ms0: tensor<0xf64>, %ok: tensor<i1>, %clip: tensor<f32>) {
  // expected-error @below {{'muon.look' op operand #0 must be variadic of static rank-1 tensor of f64, but got 'tensor<0xf64>'}}
  %0:2 = muon.look momenta(%ms0 : tensor<0xf64>) ok(%ok : tensor<i1>)
      clip(%clip : tensor<f32>)
  return
}

// -----

func.func @look_limit(
    %limit: tensor<1xf32>, %ok: tensor<i1>, %clip: tensor<f32>) {
  // expected-error @below {{'muon.look' op operand #0 must be variadic of tensor<f32>, but got 'tensor<1xf32>'}}
  %0:2 = muon.look limit(%limit : tensor<1xf32>) ok(%ok : tensor<i1>)
      clip(%clip : tensor<f32>)
  return
}

// -----

func.func @look_ok(%ok: tensor<i8>, %clip: tensor<f32>) {
  // expected-error @below {{'muon.look' op operand #0 must be variadic of tensor<i1>, but got 'tensor<i8>'}}
  %0:2 = muon.look ok(%ok : tensor<i8>) clip(%clip : tensor<f32>)
  return
}

// -----

func.func @look_clip(%ok: tensor<i1>, %clip: tensor<f64>) {
  // expected-error @below {{'muon.look' op operand #1 must be variadic of tensor<f32>, but got 'tensor<f64>'}}
  %0:2 = muon.look ok(%ok : tensor<i1>) clip(%clip : tensor<f64>)
  return
}

// -----

func.func @advance_when(%ok: tensor<1xi1>, %t: tensor<i64>) {
  // expected-error @below {{'muon.advance' op operand #0 must be variadic of tensor<i1>, but got 'tensor<1xi1>'}}
  %0 = muon.advance when(%ok : tensor<1xi1>) step(%t : tensor<i64>)
  return
}

// -----

func.func @advance_step(%t: tensor<i32>) {
  // expected-error @below {{'muon.advance' op operand #0 must be variadic of tensor<i64>, but got 'tensor<i32>'}}
  %0 = muon.advance step(%t : tensor<i32>)
  return
}

// -----

func.func @update_gradient(
    %g: tensor<24xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op operand #0 must be variadic of matrix, batch or stack of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<24xf32>'}}
  %0:2 = muon.update gradient(%g : tensor<24xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_gradient_sums(
    %g: tensor<4x6xf32>, %gs: tensor<1xf32>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op operand #1 must be variadic of static rank-1 tensor of f64, but got 'tensor<1xf32>'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf32>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_momentum_sums(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1x1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op operand #2 must be variadic of static rank-1 tensor of f64, but got 'tensor<1x1xf64>'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1x1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_lr(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>, %lr: f32,
    %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op operand #3 must be variadic of tensor<f32>, but got 'f32'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : f32) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>)
      weight(%w : tensor<4x6xf32>) momentum(%m : tensor<4x6xf32>)
      {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_weight_decay(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: memref<bf16>, %beta: tensor<f32>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op operand #4 must be variadic of tensor<f32>, but got 'memref<bf16>'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : memref<bf16>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_beta(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<?xf32>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op operand #5 must be variadic of tensor<f32>, but got 'tensor<?xf32>'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<?xf32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_clip(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %clip: tensor<1xf32>, %w: tensor<4x6xf32>, %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op operand #6 must be variadic of tensor<f32>, but got 'tensor<1xf32>'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) clip(%clip : tensor<1xf32>)
      weight(%w : tensor<4x6xf32>) momentum(%m : tensor<4x6xf32>)
      {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_when(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %ok: i1,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op operand #6 must be variadic of tensor<i1>, but got 'i1'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) when(%ok : i1) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_weight(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: tensor<1x1x4x6xf32>, %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op operand #6 must be variadic of matrix, batch or stack of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<1x1x4x6xf32>'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<1x1x4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_momentum(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<?x6xf32>) {
  // expected-error @below {{'muon.update' op operand #7 must be variadic of matrix, batch or stack of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<?x6xf32>'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<?x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_master(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: tensor<4x6xbf16>, %m: tensor<4x6xf32>, %master: tensor<0x6xf32>) {
  // expected-error @below {{'muon.update' op operand #8 must be variadic of matrix, batch or stack of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<0x6xf32>'}}
  %0:3 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xbf16>)
      momentum(%m : tensor<4x6xf32>) master(%master : tensor<0x6xf32>)
      {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_update_sums(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>, %us: memref<?xf64>) {
  // expected-error @below {{'muon.update' op operand #8 must be variadic of static rank-1 tensor of f64, but got 'memref<?xf64>'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) update_sums(%us : memref<?xf64>)
      {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_weight_sums(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>, %ws: f64) {
  // expected-error @below {{'muon.update' op operand #8 must be variadic of static rank-1 tensor of f64, but got 'f64'}}
  %0:3 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) weight_sums(%ws : f64)
      {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @adamw_update_gradient(
    %g: tensor<4x0xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op operand #0 must be variadic of tensor or stack of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<4x0xf32>'}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x0xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>)
  return
}

// -----

func.func @adamw_update_lr(
    %g: tensor<4x6xf32>, %lr: tensor<f64>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op operand #1 must be variadic of tensor<f32>, but got 'tensor<f64>'}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f64>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>)
  return
}

// -----

func.func @adamw_update_weight_decay(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: f32, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op operand #2 must be variadic of tensor<f32>, but got 'f32'}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : f32) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>)
  return
}

// -----

func.func @adamw_update_step(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<1xi64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op operand #3 must be variadic of tensor<i64>, but got 'tensor<1xi64>'}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<1xi64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>)
  return
}

// -----

func.func @adamw_update_clip(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %clip: memref<bf16>, %w: tensor<4x6xf32>, %m: tensor<4x6xf32>,
    %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op operand #4 must be variadic of tensor<f32>, but got 'memref<bf16>'}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      clip(%clip : memref<bf16>) weight(%w : tensor<4x6xf32>)
      exp_avg(%m : tensor<4x6xf32>) exp_avg_sq(%v : tensor<4x6xf32>)
  return
}

// -----

func.func @adamw_update_when(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %ok: memref<i8>, %w: tensor<4x6xf32>, %m: tensor<4x6xf32>,
    %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op operand #4 must be variadic of tensor<i1>, but got 'memref<i8>'}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      when(%ok : memref<i8>) weight(%w : tensor<4x6xf32>)
      exp_avg(%m : tensor<4x6xf32>) exp_avg_sq(%v : tensor<4x6xf32>)
  return
}

// -----

func.func @adamw_update_weight(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf64>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op operand #4 must be variadic of tensor or stack of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<4x6xf64>'}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf64>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>)
  return
}

// -----

func.func @adamw_update_exp_avg(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<*xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op operand #5 must be variadic of tensor or stack of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<*xf32>'}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<*xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>)
  return
}

// -----

func.func @adamw_update_exp_avg_sq(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: f32) {
  // expected-error @below {{'muon.adamw_update' op operand #6 must be variadic of tensor or stack of f32, bf16 or f16 with a static, non-empty shape, but got 'f32'}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : f32)
  return
}

// -----

func.func @adamw_update_master(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xbf16>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>,
    %master: memref<4x6xi32>) {
  // expected-error @below {{'muon.adamw_update' op operand #7 must be variadic of tensor or stack of f32, bf16 or f16 with a static, non-empty shape, but got 'memref<4x6xi32>'}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xbf16>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) master(%master : memref<4x6xi32>)
  return
}

// -----

func.func @adamw_update_update_sums(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>,
    %us: tensor<f64>) {
  // expected-error @below {{'muon.adamw_update' op operand #7 must be variadic of static rank-1 tensor of f64, but got 'tensor<f64>'}}
  %0:4 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) update_sums(%us : tensor<f64>)
  return
}

// -----

func.func @adamw_update_weight_sums(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>,
    %ws: tensor<?xf64>) {
  // expected-error @below {{'muon.adamw_update' op operand #7 must be variadic of static rank-1 tensor of f64, but got 'tensor<?xf64>'}}
  %0:4 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) weight_sums(%ws : tensor<?xf64>)
  return
}
