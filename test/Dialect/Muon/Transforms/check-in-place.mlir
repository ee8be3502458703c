// RUN: muon-opt --muon-check-in-place --split-input-file --verify-diagnostics %s

// Reading before the update is fine, and so is going on with the updated value.

func.func @fine(%t: tensor<i64>, %ok: tensor<i1>) -> tensor<i64> {
  %0 = tensor.extract %t[] : tensor<i64>
  %1 = muon.advance when(%ok : tensor<i1>) step(%t : tensor<i64>)
  %2 = tensor.extract %1[] : tensor<i64>
  %3 = muon.advance when(%ok : tensor<i1>) step(%1 : tensor<i64>)
  return %3 : tensor<i64>
}

// -----

// A function of its own rules: only public functions are steps.

func.func private @helper(%t: tensor<i64>) -> (tensor<i64>, tensor<4xf32>) {
  %0 = tensor.empty() : tensor<4xf32>
  return %t, %0 : tensor<i64>, tensor<4xf32>
}

// -----

func.func @use_after_update(%t: tensor<i64>) -> tensor<i64> {
  // expected-note @+1 {{updated here as 'step'}}
  %0 = muon.advance step(%t : tensor<i64>)
  // expected-error @+1 {{'tensor.extract' op uses a value after it was updated in place; use the updated value}}
  %1 = tensor.extract %t[] : tensor<i64>
  return %0 : tensor<i64>
}

// -----

func.func @updated_twice(%v: tensor<4xf32>, %w: tensor<4xf32>, %s: tensor<1xf64>) -> tensor<1xf64> {
  // expected-note @+1 {{updated here as 'sums'}}
  %0 = muon.sum_squares value(%v : tensor<4xf32>) sums(%s : tensor<1xf64>)
  // expected-error @+1 {{'muon.sum_squares' op uses a value after it was updated in place}}
  %1 = muon.sum_squares value(%w : tensor<4xf32>) sums(%s : tensor<1xf64>)
  return %1 : tensor<1xf64>
}

// -----

// The gradient of one update is the weight of an earlier one.

func.func @stack(
    %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: !muon.stack<2x4xf32>, %g: !muon.stack<2x4xf32>, %m: !muon.stack<2x4xf32>, %v: !muon.stack<2x4xf32>,
    %w2: !muon.stack<2x4xf32>, %m2: !muon.stack<2x4xf32>, %v2: !muon.stack<2x4xf32>)
    -> (!muon.stack<2x4xf32>, !muon.stack<2x4xf32>) {
  // expected-note @+1 {{updated here as 'weight'}}
  %0:3 = muon.adamw_update gradient(%g : !muon.stack<2x4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%w : !muon.stack<2x4xf32>) exp_avg(%m : !muon.stack<2x4xf32>) exp_avg_sq(%v : !muon.stack<2x4xf32>)
  // expected-error @+1 {{'muon.adamw_update' op uses a value after it was updated in place}}
  %1:3 = muon.adamw_update gradient(%w : !muon.stack<2x4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%w2 : !muon.stack<2x4xf32>) exp_avg(%m2 : !muon.stack<2x4xf32>) exp_avg_sq(%v2 : !muon.stack<2x4xf32>)
  return %0#0, %1#0 : !muon.stack<2x4xf32>, !muon.stack<2x4xf32>
}

// -----

// An operand that is a destination of the same operation.

func.func @same_op(
    %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>, %w: tensor<4xf32>,
    %m: tensor<4xf32>, %v: tensor<4xf32>) -> tensor<4xf32> {
  // expected-note @+2 {{updated here as 'weight'}}
  // expected-error @+1 {{'muon.adamw_update' op uses a value after it was updated in place}}
  %0:3 = muon.adamw_update gradient(%w : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%w : tensor<4xf32>) exp_avg(%m : tensor<4xf32>) exp_avg_sq(%v : tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

// In a region after the update.

func.func @nested(%t: tensor<i64>, %c: i1) -> tensor<i64> {
  // expected-note @+1 {{updated here as 'step'}}
  %0 = muon.advance step(%t : tensor<i64>)
  %1 = scf.if %c -> i64 {
    // expected-error @+1 {{'tensor.extract' op uses a value after it was updated in place}}
    %2 = tensor.extract %t[] : tensor<i64>
    scf.yield %2 : i64
  } else {
    %3 = arith.constant 0 : i64
    scf.yield %3 : i64
  }
  return %0 : tensor<i64>
}

// -----

func.func @returns_scratch(%g: tensor<4xf32>) -> tensor<1xf64> {
  %0 = tensor.empty() : tensor<1xf64>
  %1 = muon.sum_squares value(%g : tensor<4xf32>) sums(%0 : tensor<1xf64>)
  // expected-error @+1 {{'func.return' op result #0 expected an updated argument of the step, found}}
  return %1 : tensor<1xf64>
}

// -----

func.func @returns_twice(%t: tensor<i64>) -> (tensor<i64>, tensor<i64>) {
  %0 = muon.advance step(%t : tensor<i64>)
  // expected-error @+1 {{'func.return' op result #1 updates argument #0 a second time}}
  return %0, %0 : tensor<i64>, tensor<i64>
}
