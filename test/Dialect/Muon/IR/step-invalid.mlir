// RUN: muon-opt %s --split-input-file --verify-diagnostics

func.func @optimize_shapes(%w: tensor<4x6xf32>, %g: tensor<6x4xf32>) {
  // expected-error @below {{'muon.optimize' op expected weight and gradient of one shape, found 'tensor<4x6xf32>' and 'tensor<6x4xf32>'}}
  %0 = muon.optimize weight(%w) gradient(%g) : tensor<4x6xf32>, tensor<6x4xf32>
  return
}

// -----

func.func @optimize_ranks(%w: tensor<4x6xf32>, %g: tensor<24xf32>) {
  // expected-error @below {{'muon.optimize' op expected weight and gradient of one shape, found 'tensor<4x6xf32>' and 'tensor<24xf32>'}}
  %0 = muon.optimize weight(%w) gradient(%g) : tensor<4x6xf32>, tensor<24xf32>
  return
}

// -----

func.func @optimize_stack(
    %w: !muon.stack<2x4x6xf32>, %g: !muon.stack<2x4x6xf32>) {
  // expected-error @below {{invalid kind of type specified: expected builtin.tensor, but found '!muon.stack<2x4x6xf32>'}}
  %0 = muon.optimize weight(%w) gradient(%g) : !muon.stack<2x4x6xf32>, !muon.stack<2x4x6xf32>
  return
}

// -----

func.func @optimize_result(%w: tensor<4x6xbf16>, %g: tensor<4x6xf32>) {
  // expected-error @below {{'muon.optimize' op failed to verify that all of {weight, result} have same type}}
  %0 = "muon.optimize"(%w, %g) : (tensor<4x6xbf16>, tensor<4x6xf32>) -> tensor<4x6xf32>
  return
}

// -----

func.func @sum_squares_too_many(%v: tensor<4x6xf32>, %s: tensor<4xf64>) {
  // expected-error @below {{'muon.sum_squares' op expected one number for each of 1 matrices, found 'tensor<4xf64>'}}
  %0 = muon.sum_squares value(%v : tensor<4x6xf32>) sums(%s : tensor<4xf64>)
  return
}

// -----

func.func @sum_squares_of_batch(%v: tensor<3x4x6xf32>, %s: tensor<1xf64>) {
  // expected-error @below {{'muon.sum_squares' op expected one number for each of 3 matrices, found 'tensor<1xf64>'}}
  %0 = muon.sum_squares value(%v : tensor<3x4x6xf32>) sums(%s : tensor<1xf64>)
  return
}

// -----

func.func @sum_squares_of_vector(%v: tensor<24xf32>, %s: tensor<24xf64>) {
  // expected-error @below {{'muon.sum_squares' op expected one number for each of 1 matrices, found 'tensor<24xf64>'}}
  %0 = muon.sum_squares value(%v : tensor<24xf32>) sums(%s : tensor<24xf64>)
  return
}

// -----

func.func @sum_squares_of_stack(%v: !muon.stack<2x4x6xf32>, %s: tensor<1xf64>) {
  // expected-error @below {{'muon.sum_squares' op expected one number for each of 2 matrices, found 'tensor<1xf64>'}}
  %0 = muon.sum_squares value(%v : !muon.stack<2x4x6xf32>)
      sums(%s : tensor<1xf64>)
  return
}

// -----

func.func @sum_squares_of_stack_of_batches(
    %v: !muon.stack<2x3x4x6xf32>, %s: tensor<2xf64>) {
  // expected-error @below {{'muon.sum_squares' op expected one number for each of 6 matrices, found 'tensor<2xf64>'}}
  %0 = muon.sum_squares value(%v : !muon.stack<2x3x4x6xf32>)
      sums(%s : tensor<2xf64>)
  return
}

// -----

func.func @sum_squares_of_table(%v: !muon.table<2x4x6xf32>, %s: memref<3xf64>) {
  // expected-error @below {{'muon.sum_squares' op expected one number for each of 2 matrices, found 'memref<3xf64>'}}
  muon.sum_squares value(%v : !muon.table<2x4x6xf32>) sums(%s : memref<3xf64>)
  return
}

// -----

func.func @look_two_limits(
    %limit0: tensor<f32>, %limit1: tensor<f32>, %ok: tensor<i1>,
    %clip: tensor<f32>) {
  // expected-error @below {{'muon.look' op 'limit' expected at most one value, found 2}}
  %0:2 = muon.look limit(%limit0, %limit1 : tensor<f32>, tensor<f32>)
      ok(%ok : tensor<i1>) clip(%clip : tensor<f32>)
  return
}

// -----

func.func @look_two_flags(
    %ok0: tensor<i1>, %ok1: tensor<i1>, %clip: tensor<f32>) {
  // expected-error @below {{'muon.look' op 'ok' expected one value, found 2}}
  %0:3 = muon.look ok(%ok0, %ok1 : tensor<i1>, tensor<i1>)
      clip(%clip : tensor<f32>)
  return
}

// -----

func.func @update_gradient_shape(
    %g: tensor<6x4xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op expected parameters of one shape, found 'tensor<4x6xf32>' and 'tensor<6x4xf32>'}}
  %0:2 = muon.update gradient(%g : tensor<6x4xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_momentum_shape(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x7xf32>) {
  // expected-error @below {{'muon.update' op expected parameters of one shape, found 'tensor<4x6xf32>' and 'tensor<4x7xf32>'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x7xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_momentum_rank(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.update' op expected parameters of one shape, found 'tensor<4x6xf32>' and 'tensor<1x4x6xf32>'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<1x4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_master_shape(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: tensor<4x6xbf16>, %m: tensor<4x6xf32>, %master: tensor<4x5xf32>) {
  // expected-error @below {{'muon.update' op expected parameters of one shape, found 'tensor<4x6xbf16>' and 'tensor<4x5xf32>'}}
  %0:3 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xbf16>)
      momentum(%m : tensor<4x6xf32>) master(%master : tensor<4x5xf32>)
      {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_tensor_with_stack(
    %g: !muon.stack<1x4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: tensor<1x4x6xf32>, %m: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.update' op expected parameters of one shape, found 'tensor<1x4x6xf32>' and '!muon.stack<1x4x6xf32>'}}
  %0:2 = muon.update gradient(%g : !muon.stack<1x4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<1x4x6xf32>)
      momentum(%m : tensor<1x4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_stack_count(
    %g: !muon.stack<2x4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: !muon.stack<2x4x6xf32>, %m: !muon.stack<3x4x6xf32>) {
  // expected-error @below {{'muon.update' op expected parameters of one shape, found '!muon.stack<2x4x6xf32>' and '!muon.stack<3x4x6xf32>'}}
  %0:2 = muon.update gradient(%g : !muon.stack<2x4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : !muon.stack<2x4x6xf32>)
      momentum(%m : !muon.stack<3x4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_master_bf16(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf16>,
    %m: tensor<4x6xf32>, %master: tensor<4x6xbf16>) {
  // expected-error @below {{'muon.update' op expected an f32 master of a bf16 or f16 weight, found 'tensor<4x6xbf16>' and 'tensor<4x6xf16>'}}
  %0:3 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf16>)
      momentum(%m : tensor<4x6xf32>) master(%master : tensor<4x6xbf16>)
      {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_master_of_f32(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>, %master: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op expected an f32 master of a bf16 or f16 weight, found 'tensor<4x6xf32>' and 'tensor<4x6xf32>'}}
  %0:3 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) master(%master : tensor<4x6xf32>)
      {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_gradient_sums(
    %g: tensor<4x6xf32>, %gs: tensor<2xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op expected one number for each of 1 matrices, found 'tensor<2xf64>'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_momentum_sums(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<3xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op expected one number for each of 1 matrices, found 'tensor<3xf64>'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<3xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_update_sums(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>, %us: tensor<4xf64>) {
  // expected-error @below {{'muon.update' op expected one number for each of 1 matrices, found 'tensor<4xf64>'}}
  %0:3 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) update_sums(%us : tensor<4xf64>)
      {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_weight_sums(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>, %ws: tensor<5xf64>) {
  // expected-error @below {{'muon.update' op expected one number for each of 1 matrices, found 'tensor<5xf64>'}}
  %0:3 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) weight_sums(%ws : tensor<5xf64>)
      {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_sums_of_batch(
    %g: tensor<3x4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: tensor<3x4x6xf32>, %m: tensor<3x4x6xf32>) {
  // expected-error @below {{'muon.update' op expected one number for each of 3 matrices, found 'tensor<1xf64>'}}
  %0:2 = muon.update gradient(%g : tensor<3x4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<3x4x6xf32>)
      momentum(%m : tensor<3x4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_same_destination(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op expected distinct destinations}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%w : tensor<4x6xf32>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_same_sums(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>, %us: tensor<1xf64>) {
  // expected-error @below {{'muon.update' op expected distinct destinations}}
  %0:4 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) update_sums(%us : tensor<1xf64>)
      weight_sums(%us : tensor<1xf64>) {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @update_no_schedule(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op requires attribute 'schedule'}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>)
  return
}

// -----

func.func @update_no_steps(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op 'steps' expected an integer from 1 to 100, found 0}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      steps = 0 : i64}
  return
}

// -----

func.func @update_negative_steps(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op 'steps' expected an integer from 1 to 100, found -5}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      steps = -5 : i64}
  return
}

// -----

func.func @update_too_many_steps(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op 'steps' expected an integer from 1 to 100, found 101}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      steps = 101 : i64}
  return
}

// -----

func.func @update_steps_i32(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op attribute 'steps' failed to satisfy constraint: 64-bit signless integer attribute}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      steps = 5 : i32}
  return
}

// -----

func.func @update_safety_zero(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op 'safety' expected a positive finite number, found 0}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      safety = 0.0 : f64}
  return
}

// -----

func.func @update_safety_negative(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op 'safety' expected a positive finite number, found -1.5}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      safety = -1.5 : f64}
  return
}

// -----

func.func @update_safety_infinite(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op 'safety' expected a positive finite number, found +Inf}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      safety = 0x7FF0000000000000 : f64}
  return
}

// -----

func.func @update_safety_nan(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op 'safety' expected a positive finite number, found NaN}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      safety = 0x7FF8000000000000 : f64}
  return
}

// -----

func.func @update_safety_f32(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op attribute 'safety' failed to satisfy constraint: 64-bit float attribute}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      safety = 1.0 : f32}
  return
}

// -----

func.func @update_eps_negative(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op 'eps' expected a finite number of at least 0, found -0.5}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      eps = -0.5 : f64}
  return
}

// -----

func.func @update_eps_infinite(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op 'eps' expected a finite number of at least 0, found +Inf}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      eps = 0x7FF0000000000000 : f64}
  return
}

// -----

func.func @update_eps_nan(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op 'eps' expected a finite number of at least 0, found NaN}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      eps = 0x7FF8000000000000 : f64}
  return
}

// -----

func.func @update_lr_multiplier_infinite(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op 'lr_multiplier' expected a finite number, found -Inf}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      lr_multiplier = 0xFFF0000000000000 : f64}
  return
}

// -----

func.func @update_lr_multiplier_nan(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %w: tensor<4x6xf32>,
    %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op 'lr_multiplier' expected a finite number, found NaN}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      lr_multiplier = 0x7FF8000000000000 : f64}
  return
}

// -----

func.func @adamw_gradient_shape(
    %g: tensor<6x4xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op expected parameters of one shape, found 'tensor<4x6xf32>' and 'tensor<6x4xf32>'}}
  %0:3 = muon.adamw_update gradient(%g : tensor<6x4xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>)
  return
}

// -----

func.func @adamw_exp_avg_shape(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<24xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op expected parameters of one shape, found 'tensor<4x6xf32>' and 'tensor<24xf32>'}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<24xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>)
  return
}

// -----

func.func @adamw_exp_avg_sq_shape(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4xf32>) {
  // expected-error @below {{'muon.adamw_update' op expected parameters of one shape, found 'tensor<4x6xf32>' and 'tensor<4xf32>'}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4xf32>)
  return
}

// -----

func.func @adamw_master_shape(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xbf16>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>,
    %master: tensor<f32>) {
  // expected-error @below {{'muon.adamw_update' op expected parameters of one shape, found 'tensor<4x6xbf16>' and 'tensor<f32>'}}
  %0:4 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xbf16>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) master(%master : tensor<f32>)
  return
}

// -----

func.func @adamw_tensor_with_stack(
    %g: !muon.stack<1x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %t: tensor<i64>, %w: tensor<6xf32>, %m: tensor<6xf32>, %v: tensor<6xf32>) {
  // expected-error @below {{'muon.adamw_update' op expected parameters of one shape, found 'tensor<6xf32>' and '!muon.stack<1x6xf32>'}}
  %0:3 = muon.adamw_update gradient(%g : !muon.stack<1x6xf32>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      step(%t : tensor<i64>) weight(%w : tensor<6xf32>)
      exp_avg(%m : tensor<6xf32>) exp_avg_sq(%v : tensor<6xf32>)
  return
}

// -----

func.func @adamw_master_f16(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xbf16>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>,
    %master: tensor<4x6xf16>) {
  // expected-error @below {{'muon.adamw_update' op expected an f32 master of a bf16 or f16 weight, found 'tensor<4x6xf16>' and 'tensor<4x6xbf16>'}}
  %0:4 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xbf16>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) master(%master : tensor<4x6xf16>)
  return
}

// -----

func.func @adamw_master_of_f32(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>,
    %master: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op expected an f32 master of a bf16 or f16 weight, found 'tensor<4x6xf32>' and 'tensor<4x6xf32>'}}
  %0:4 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) master(%master : tensor<4x6xf32>)
  return
}

// -----

func.func @adamw_update_sums(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>,
    %us: tensor<4xf64>) {
  // expected-error @below {{'muon.adamw_update' op expected one number for each of 1 matrices, found 'tensor<4xf64>'}}
  %0:4 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) update_sums(%us : tensor<4xf64>)
  return
}

// -----

func.func @adamw_weight_sums(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>,
    %ws: tensor<5xf64>) {
  // expected-error @below {{'muon.adamw_update' op expected one number for each of 1 matrices, found 'tensor<5xf64>'}}
  %0:4 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) weight_sums(%ws : tensor<5xf64>)
  return
}

// -----

func.func @adamw_same_destination(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op expected distinct destinations}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%m : tensor<4x6xf32>)
  return
}

// -----

func.func @adamw_beta1_one(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op 'beta1' expected a number from 0 to less than 1, found 1}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) {beta1 = 1.0 : f64}
  return
}

// -----

func.func @adamw_beta1_negative(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op 'beta1' expected a number from 0 to less than 1, found -0.5}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) {beta1 = -0.5 : f64}
  return
}

// -----

func.func @adamw_beta1_nan(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op 'beta1' expected a number from 0 to less than 1, found NaN}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) {beta1 = 0x7FF8000000000000 : f64}
  return
}

// -----

func.func @adamw_beta2_one(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op 'beta2' expected a number from 0 to less than 1, found 1}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) {beta2 = 1.0 : f64}
  return
}

// -----

func.func @adamw_beta2_negative(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op 'beta2' expected a number from 0 to less than 1, found -0.25}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) {beta2 = -0.25 : f64}
  return
}

// -----

func.func @adamw_beta2_infinite(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op 'beta2' expected a number from 0 to less than 1, found +Inf}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) {beta2 = 0x7FF0000000000000 : f64}
  return
}

// -----

func.func @adamw_eps_negative(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op 'eps' expected a finite number of at least 0, found -0.5}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) {eps = -0.5 : f64}
  return
}

// -----

func.func @adamw_eps_infinite(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op 'eps' expected a finite number of at least 0, found +Inf}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) {eps = 0x7FF0000000000000 : f64}
  return
}

// -----

func.func @adamw_eps_nan(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op 'eps' expected a finite number of at least 0, found NaN}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>) {eps = 0x7FF8000000000000 : f64}
  return
}

// -----

func.func @adamw_lr_multiplier_infinite(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op 'lr_multiplier' expected a finite number, found +Inf}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>)
      {lr_multiplier = 0x7FF0000000000000 : f64}
  return
}

// -----

func.func @adamw_lr_multiplier_nan(
    %g: tensor<4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %v: tensor<4x6xf32>) {
  // expected-error @below {{'muon.adamw_update' op 'lr_multiplier' expected a finite number, found NaN}}
  %0:3 = muon.adamw_update gradient(%g : tensor<4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>)
      {lr_multiplier = 0x7FF8000000000000 : f64}
  return
}
