// RUN: muon-opt %s --split-input-file --verify-diagnostics

func.func @momentum_gradient(
    %g: tensor<4x6xi32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op operand #0 must be variadic of matrix, batch or stack of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<4x6xi32>'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xi32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_gradient_sums(
    %g: tensor<4x6xf32>, %gs: tensor<0xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op operand #1 must be variadic of static rank-1 tensor of f64, but got 'tensor<0xf64>'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<0xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_momentum_sums(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf32>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op operand #2 must be variadic of static rank-1 tensor of f64, but got 'tensor<1xf32>'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf32>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_beta(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<?xf32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op operand #3 must be variadic of tensor<f32>, but got 'tensor<?xf32>'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<?xf32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_clip(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %clip: tensor<1xf32>, %m: tensor<4x6xf32>,
    %x: tensor<1x4x6xf32>, %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op operand #4 must be variadic of tensor<f32>, but got 'tensor<1xf32>'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) clip(%clip : tensor<1xf32>)
      momentum(%m : tensor<4x6xf32>) x(%x : tensor<1x4x6xf32>)
      sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  return
}

// -----

func.func @momentum_when(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %ok: tensor<i8>, %m: tensor<4x6xf32>,
    %x: tensor<1x4x6xf32>, %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op operand #4 must be variadic of tensor<i1>, but got 'tensor<i8>'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) when(%ok : tensor<i8>)
      momentum(%m : tensor<4x6xf32>) x(%x : tensor<1x4x6xf32>)
      sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  return
}

// -----

func.func @momentum_momentum(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: !muon.stack<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op operand #4 must be variadic of matrix, batch or stack of f32, bf16 or f16 with a static, non-empty shape, but got '!muon.stack<4x6xf32>'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : !muon.stack<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_x(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op operand #5 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<4x6xf32>'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<4x6xf32>) sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  return
}

// -----

func.func @momentum_sums(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1x1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op operand #6 must be variadic of static rank-1 tensor of f64, but got 'tensor<1x1xf64>'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1x1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_unit(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>, %u: memref<?xf64>) {
  // expected-error @below {{'muon.momentum' op operand #7 must be variadic of static rank-1 tensor of f64, but got 'memref<?xf64>'}}
  %0:3 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : memref<?xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @normalize_sums(%s: f64, %u: tensor<1xf64>, %f: tensor<1xf32>) {
  // expected-error @below {{'muon.normalize' op operand #0 must be variadic of static rank-1 tensor of f64, but got 'f64'}}
  %0 = muon.normalize sums(%s : f64) unit(%u : tensor<1xf64>)
      factor(%f : tensor<1xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  return
}

// -----

func.func @normalize_unit(
    %s: tensor<1xf64>, %u: tensor<f64>, %f: tensor<1xf32>) {
  // expected-error @below {{'muon.normalize' op operand #1 must be variadic of static rank-1 tensor of f64, but got 'tensor<f64>'}}
  %0 = muon.normalize sums(%s : tensor<1xf64>) unit(%u : tensor<f64>)
      factor(%f : tensor<1xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  return
}

// -----

func.func @normalize_factor(
    %s: tensor<1xf64>, %u: tensor<1xf64>, %f: tensor<1xf64>) {
  // expected-error @below {{'muon.normalize' op operand #2 must be variadic of static rank-1 tensor of f32, but got 'tensor<1xf64>'}}
  %0 = muon.normalize sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      factor(%f : tensor<1xf64>) {eps = 0.0 : f64, safety = 1.0 : f64}
  return
}

// -----

func.func @orthogonalize_x(%x: tensor<1x4x6xf64>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op operand #0 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<1x4x6xf64>'}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf64>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64}
  return
}

// -----

func.func @orthogonalize_factor(
    %x: tensor<1x4x6xf32>, %f: tensor<?xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op operand #1 must be variadic of static rank-1 tensor of f32, but got 'tensor<?xf32>'}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) factor(%f : tensor<?xf32>)
      out(%o : tensor<1x4x6xf32>) {schedule = #muon.schedule<you>,
      steps = 5 : i64}
  return
}

// -----

func.func @orthogonalize_out(%x: tensor<1x4x6xf32>, %o: tensor<?x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op operand #1 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<?x4x6xf32>'}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<?x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64}
  return
}

// -----

func.func @polynomial_step_x(%x: tensor<1x4x0xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.polynomial_step' op operand #0 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<1x4x0xf32>'}}
  %0 = muon.polynomial_step x(%x : tensor<1x4x0xf32>)
      out(%o : tensor<1x4x6xf32>) {a = 3.0 : f64, b = -4.0 : f64, c = 2.0 : f64,
      side = #muon.side<left>}
  return
}

// -----

func.func @polynomial_step_factor(
    %x: tensor<1x4x6xf32>, %f: tensor<f32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.polynomial_step' op operand #1 must be variadic of static rank-1 tensor of f32, but got 'tensor<f32>'}}
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf32>) factor(%f : tensor<f32>)
      out(%o : tensor<1x4x6xf32>) {a = 3.0 : f64, b = -4.0 : f64, c = 2.0 : f64,
      side = #muon.side<left>}
  return
}

// -----

func.func @polynomial_step_out(
    %x: tensor<1x4x6xf32>, %o: !muon.stack<1x4x6xf32>) {
  // expected-error @below {{'muon.polynomial_step' op operand #1 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got '!muon.stack<1x4x6xf32>'}}
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf32>)
      out(%o : !muon.stack<1x4x6xf32>) {a = 3.0 : f64, b = -4.0 : f64,
      c = 2.0 : f64, side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_product_x(%x: memref<1x1x4x6xf32>, %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.symmetric_product' op operand #0 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got 'memref<1x1x4x6xf32>'}}
  %0 = muon.symmetric_product x(%x : memref<1x1x4x6xf32>)
      out(%o : tensor<1x4x4xf32>) {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_product_addend(
    %x: tensor<1x4x6xf32>, %c: memref<1x?x6xf32>, %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.symmetric_product' op operand #1 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got 'memref<1x?x6xf32>'}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      addend(%c : memref<1x?x6xf32>) out(%o : tensor<1x4x4xf32>)
      {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_product_factor(
    %x: tensor<1x4x6xf32>, %f: memref<1x1xf32>, %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.symmetric_product' op operand #1 must be variadic of static rank-1 tensor of f32, but got 'memref<1x1xf32>'}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      factor(%f : memref<1x1xf32>) out(%o : tensor<1x4x4xf32>)
      {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_product_out(%x: tensor<1x4x6xf32>, %o: tensor<4x6xf32>) {
  // expected-error @below {{'muon.symmetric_product' op operand #1 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<4x6xf32>'}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<4x6xf32>) {side = #muon.side<left>}
  return
}

// -----

func.func @commuting_product_lhs(
    %a: tensor<1x4x4xi32>, %b: tensor<1x4x4xf32>, %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.commuting_product' op operand #0 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<1x4x4xi32>'}}
  %0 = muon.commuting_product lhs(%a : tensor<1x4x4xi32>)
      rhs(%b : tensor<1x4x4xf32>) out(%o : tensor<1x4x4xf32>)
  return
}

// -----

func.func @commuting_product_rhs(
    %a: tensor<1x4x4xf32>, %b: tensor<4x4xf32>, %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.commuting_product' op operand #1 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<4x4xf32>'}}
  %0 = muon.commuting_product lhs(%a : tensor<1x4x4xf32>)
      rhs(%b : tensor<4x4xf32>) out(%o : tensor<1x4x4xf32>)
  return
}

// -----

func.func @commuting_product_out(
    %a: tensor<1x4x4xf32>, %b: tensor<1x4x4xf32>, %o: !muon.stack<1x4x4xf32>) {
  // expected-error @below {{'muon.commuting_product' op operand #2 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got '!muon.stack<1x4x4xf32>'}}
  %0 = muon.commuting_product lhs(%a : tensor<1x4x4xf32>)
      rhs(%b : tensor<1x4x4xf32>) out(%o : !muon.stack<1x4x4xf32>)
  return
}

// -----

func.func @symmetric_apply_s(
    %s: tensor<1x4x4xf64>, %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.symmetric_apply' op operand #0 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<1x4x4xf64>'}}
  %0 = muon.symmetric_apply s(%s : tensor<1x4x4xf64>) x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_apply_x(
    %s: tensor<1x4x4xf32>, %x: tensor<?x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.symmetric_apply' op operand #1 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<?x4x6xf32>'}}
  %0 = muon.symmetric_apply s(%s : tensor<1x4x4xf32>) x(%x : tensor<?x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_apply_factor(
    %s: tensor<1x4x4xf32>, %x: tensor<1x4x6xf32>, %f: tensor<1xf64>,
    %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.symmetric_apply' op operand #2 must be variadic of static rank-1 tensor of f32, but got 'tensor<1xf64>'}}
  %0 = muon.symmetric_apply s(%s : tensor<1x4x4xf32>) x(%x : tensor<1x4x6xf32>)
      factor(%f : tensor<1xf64>) out(%o : tensor<1x4x6xf32>)
      {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_apply_out(
    %s: tensor<1x4x4xf32>, %x: tensor<1x4x6xf32>, %o: tensor<1x4x0xf32>) {
  // expected-error @below {{'muon.symmetric_apply' op operand #2 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<1x4x0xf32>'}}
  %0 = muon.symmetric_apply s(%s : tensor<1x4x4xf32>) x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x0xf32>) {side = #muon.side<left>}
  return
}

// -----

func.func @apply_x(
    %x: !muon.stack<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xf32>) {
  // expected-error @below {{'muon.apply' op operand #0 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got '!muon.stack<1x4x6xf32>'}}
  %0 = muon.apply x(%x : !muon.stack<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xf32>)
      {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_lr(
    %x: tensor<1x4x6xf32>, %lr: tensor<f64>, %wd: tensor<f32>,
    %w: tensor<4x6xf32>) {
  // expected-error @below {{'muon.apply' op operand #1 must be variadic of tensor<f32>, but got 'tensor<f64>'}}
  %0 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f64>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xf32>)
      {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_weight_decay(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: f32, %w: tensor<4x6xf32>) {
  // expected-error @below {{'muon.apply' op operand #2 must be variadic of tensor<f32>, but got 'f32'}}
  %0 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : f32) weight(%w : tensor<4x6xf32>) {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_when(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %ok: tensor<1xi1>, %w: tensor<4x6xf32>) {
  // expected-error @below {{'muon.apply' op operand #3 must be variadic of tensor<i1>, but got 'tensor<1xi1>'}}
  %0 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) when(%ok : tensor<1xi1>)
      weight(%w : tensor<4x6xf32>) {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_weight(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<*xf32>) {
  // expected-error @below {{'muon.apply' op operand #3 must be variadic of matrix, batch or stack of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<*xf32>'}}
  %0 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<*xf32>)
      {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_master(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xbf16>, %master: tensor<4x6xf64>) {
  // expected-error @below {{'muon.apply' op operand #4 must be variadic of matrix, batch or stack of f32, bf16 or f16 with a static, non-empty shape, but got 'tensor<4x6xf64>'}}
  %0:2 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xbf16>)
      master(%master : tensor<4x6xf64>) {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_update_sums(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xf32>, %us: tensor<?xf64>) {
  // expected-error @below {{'muon.apply' op operand #4 must be variadic of static rank-1 tensor of f64, but got 'tensor<?xf64>'}}
  %0:2 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xf32>)
      update_sums(%us : tensor<?xf64>) {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_weight_sums(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xf32>, %ws: tensor<0xf64>) {
  // expected-error @below {{'muon.apply' op operand #4 must be variadic of static rank-1 tensor of f64, but got 'tensor<0xf64>'}}
  %0:2 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xf32>)
      weight_sums(%ws : tensor<0xf64>) {scale = 1.0 : f64}
  return
}
