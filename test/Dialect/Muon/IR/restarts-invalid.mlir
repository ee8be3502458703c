// RUN: muon-opt %s --split-input-file --verify-diagnostics

func.func @restarts_zero(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op 'restarts' expected increasing integers from 1 to steps - 1 = 4, found [0]}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64,
       iteration = #muon.iteration<gram>, restarts = array<i64: 0>}
  return
}

// -----

func.func @restarts_negative(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op 'restarts' expected increasing integers from 1 to steps - 1 = 4, found [-1, 2]}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64,
       iteration = #muon.iteration<gram>, restarts = array<i64: -1, 2>}
  return
}

// -----

func.func @restarts_steps(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op 'restarts' expected increasing integers from 1 to steps - 1 = 4, found [2, 5]}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64,
       iteration = #muon.iteration<gram>, restarts = array<i64: 2, 5>}
  return
}

// -----

func.func @restarts_equal(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op 'restarts' expected increasing integers from 1 to steps - 1 = 4, found [2, 2]}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64,
       iteration = #muon.iteration<gram>, restarts = array<i64: 2, 2>}
  return
}

// -----

func.func @restarts_decreasing(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op 'restarts' expected increasing integers from 1 to steps - 1 = 4, found [3, 1]}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64,
       iteration = #muon.iteration<gram>, restarts = array<i64: 3, 1>}
  return
}

// -----

func.func @restarts_one_step(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op 'restarts' expected increasing integers from 1 to steps - 1 = 0, found [1]}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 1 : i64,
       iteration = #muon.iteration<gram>, restarts = array<i64: 1>}
  return
}

// -----

func.func @restarts_of_auto(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op 'restarts' expected increasing integers from 1 to steps - 1 = 4, found [7]}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64,
       restarts = array<i64: 7>}
  return
}

// -----

func.func @restarts_of_direct(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op 'restarts' expected none with a direct iteration, which has no use for them}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64,
       iteration = #muon.iteration<direct>, restarts = array<i64: 2>}
  return
}

// -----

func.func @update_restarts_beyond(
    %g: tensor<4x6xf32>, %s: tensor<1xf64>, %lr: tensor<f32>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op 'restarts' expected increasing integers from 1 to steps - 1 = 2, found [1, 3]}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%s : tensor<1xf64>) momentum_sums(%s : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>)
      beta(%lr : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      steps = 3 : i64, restarts = array<i64: 1, 3>}
  return
}

// -----

func.func @update_restarts_of_direct(
    %g: tensor<4x6xf32>, %s: tensor<1xf64>, %lr: tensor<f32>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op 'restarts' expected none with a direct iteration, which has no use for them}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%s : tensor<1xf64>) momentum_sums(%s : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>)
      beta(%lr : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      iteration = #muon.iteration<direct>, restarts = array<i64: 1>}
  return
}

// -----

func.func @update_restarts_type(
    %g: tensor<4x6xf32>, %s: tensor<1xf64>, %lr: tensor<f32>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op attribute 'restarts' failed to satisfy constraint: i64 dense array attribute}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%s : tensor<1xf64>) momentum_sums(%s : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>)
      beta(%lr : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      restarts = [1, 3]}
  return
}
