// RUN: muon-opt %s --split-input-file --verify-diagnostics

func.func @momentum_gradient_shape(
    %g: tensor<6x4xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op expected parameters of one shape, found 'tensor<4x6xf32>' and 'tensor<6x4xf32>'}}
  %0:4 = muon.momentum gradient(%g : tensor<6x4xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_tensor_with_stack(
    %g: !muon.stack<1x4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op expected parameters of one shape, found 'tensor<4x6xf32>' and '!muon.stack<1x4x6xf32>'}}
  %0:4 = muon.momentum gradient(%g : !muon.stack<1x4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_x_transposed(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x6x4xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op 'x' expected shape 1x4x6 for the matrices of 'tensor<4x6xf32>', found 'tensor<1x6x4xf32>'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x6x4xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_x_of_batch(
    %g: tensor<3x4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<3x4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op 'x' expected shape 3x4x6 for the matrices of 'tensor<3x4x6xf32>', found 'tensor<1x4x6xf32>'}}
  %0:4 = muon.momentum gradient(%g : tensor<3x4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<3x4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_x_of_stack(
    %g: !muon.stack<2x3x4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: !muon.stack<2x3x4x6xf32>, %x: tensor<2x4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op 'x' expected shape 6x4x6 for the matrices of '!muon.stack<2x3x4x6xf32>', found 'tensor<2x4x6xf32>'}}
  %0:4 = muon.momentum gradient(%g : !muon.stack<2x3x4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : !muon.stack<2x3x4x6xf32>)
      x(%x : tensor<2x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_gradient_sums(
    %g: tensor<4x6xf32>, %gs: tensor<2xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op expected one number for each of 1 matrices, found 'tensor<2xf64>'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_momentum_sums(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<3xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op expected one number for each of 1 matrices, found 'tensor<3xf64>'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<3xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_sums(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<4xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op expected one number for each of 1 matrices, found 'tensor<4xf64>'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<4xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_unit(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<5xf64>) {
  // expected-error @below {{'muon.momentum' op expected one number for each of 1 matrices, found 'tensor<5xf64>'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<5xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_same_destination(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op expected distinct destinations}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%s : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// -----

func.func @momentum_no_form(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op requires attribute 'momentum_form'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {nesterov = true}
  return
}

// -----

func.func @momentum_no_nesterov(
    %g: tensor<4x6xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>) {
  // expected-error @below {{'muon.momentum' op requires attribute 'nesterov'}}
  %0:4 = muon.momentum gradient(%g : tensor<4x6xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>}
  return
}

// -----

func.func @normalize_unit(
    %s: tensor<1xf64>, %u: tensor<2xf64>, %f: tensor<1xf32>) {
  // expected-error @below {{'muon.normalize' op expected one number for each of 1 matrices, found 'tensor<2xf64>'}}
  %0 = muon.normalize sums(%s : tensor<1xf64>) unit(%u : tensor<2xf64>)
      factor(%f : tensor<1xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  return
}

// -----

func.func @normalize_factor(
    %s: tensor<1xf64>, %u: tensor<1xf64>, %f: tensor<3xf32>) {
  // expected-error @below {{'muon.normalize' op expected one number for each of 1 matrices, found 'tensor<3xf32>'}}
  %0 = muon.normalize sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      factor(%f : tensor<3xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  return
}

// -----

func.func @normalize_safety_zero(
    %s: tensor<1xf64>, %u: tensor<1xf64>, %f: tensor<1xf32>) {
  // expected-error @below {{'muon.normalize' op 'safety' expected a positive finite number, found 0}}
  %0 = muon.normalize sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      factor(%f : tensor<1xf32>) {eps = 0.0 : f64, safety = 0.0 : f64}
  return
}

// -----

func.func @normalize_safety_negative(
    %s: tensor<1xf64>, %u: tensor<1xf64>, %f: tensor<1xf32>) {
  // expected-error @below {{'muon.normalize' op 'safety' expected a positive finite number, found -2}}
  %0 = muon.normalize sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      factor(%f : tensor<1xf32>) {eps = 0.0 : f64, safety = -2.0 : f64}
  return
}

// -----

func.func @normalize_safety_infinite(
    %s: tensor<1xf64>, %u: tensor<1xf64>, %f: tensor<1xf32>) {
  // expected-error @below {{'muon.normalize' op 'safety' expected a positive finite number, found +Inf}}
  %0 = muon.normalize sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      factor(%f : tensor<1xf32>) {eps = 0.0 : f64,
      safety = 0x7FF0000000000000 : f64}
  return
}

// -----

func.func @normalize_safety_nan(
    %s: tensor<1xf64>, %u: tensor<1xf64>, %f: tensor<1xf32>) {
  // expected-error @below {{'muon.normalize' op 'safety' expected a positive finite number, found NaN}}
  %0 = muon.normalize sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      factor(%f : tensor<1xf32>) {eps = 0.0 : f64,
      safety = 0x7FF8000000000000 : f64}
  return
}

// -----

func.func @normalize_eps_negative(
    %s: tensor<1xf64>, %u: tensor<1xf64>, %f: tensor<1xf32>) {
  // expected-error @below {{'muon.normalize' op 'eps' expected a finite number of at least 0, found -0.5}}
  %0 = muon.normalize sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      factor(%f : tensor<1xf32>) {eps = -0.5 : f64, safety = 1.0 : f64}
  return
}

// -----

func.func @normalize_eps_infinite(
    %s: tensor<1xf64>, %u: tensor<1xf64>, %f: tensor<1xf32>) {
  // expected-error @below {{'muon.normalize' op 'eps' expected a finite number of at least 0, found +Inf}}
  %0 = muon.normalize sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      factor(%f : tensor<1xf32>) {eps = 0x7FF0000000000000 : f64,
      safety = 1.0 : f64}
  return
}

// -----

func.func @normalize_eps_nan(
    %s: tensor<1xf64>, %u: tensor<1xf64>, %f: tensor<1xf32>) {
  // expected-error @below {{'muon.normalize' op 'eps' expected a finite number of at least 0, found NaN}}
  %0 = muon.normalize sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      factor(%f : tensor<1xf32>) {eps = 0x7FF8000000000000 : f64,
      safety = 1.0 : f64}
  return
}

// -----

func.func @normalize_no_safety(
    %s: tensor<1xf64>, %u: tensor<1xf64>, %f: tensor<1xf32>) {
  // expected-error @below {{'muon.normalize' op requires attribute 'safety'}}
  %0 = muon.normalize sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      factor(%f : tensor<1xf32>) {eps = 0.0 : f64}
  return
}

// -----

func.func @normalize_no_eps(
    %s: tensor<1xf64>, %u: tensor<1xf64>, %f: tensor<1xf32>) {
  // expected-error @below {{'muon.normalize' op requires attribute 'eps'}}
  %0 = muon.normalize sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      factor(%f : tensor<1xf32>) {safety = 1.0 : f64}
  return
}

// -----

func.func @orthogonalize_out_transposed(
    %x: tensor<1x4x6xf32>, %o: tensor<1x6x4xf32>) {
  // expected-error @below {{'muon.orthogonalize' op expected 'out' of the shape of 'x', found 'tensor<1x6x4xf32>' and 'tensor<1x4x6xf32>'}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x6x4xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64}
  return
}

// -----

func.func @orthogonalize_factor(
    %x: tensor<1x4x6xf32>, %f: tensor<4xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op expected one number for each of 1 matrices, found 'tensor<4xf32>'}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) factor(%f : tensor<4xf32>)
      out(%o : tensor<1x4x6xf32>) {schedule = #muon.schedule<you>,
      steps = 5 : i64}
  return
}

// -----

func.func @orthogonalize_no_steps(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op requires attribute 'steps'}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>}
  return
}

// -----

func.func @orthogonalize_zero_steps(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op 'steps' expected an integer from 1 to 100, found 0}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 0 : i64}
  return
}

// -----

func.func @orthogonalize_negative_steps(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op 'steps' expected an integer from 1 to 100, found -1}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = -1 : i64}
  return
}

// -----

func.func @orthogonalize_too_many_steps(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op 'steps' expected an integer from 1 to 100, found 101}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 101 : i64}
  return
}

// -----

func.func @orthogonalize_no_schedule(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op requires attribute 'schedule'}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {steps = 5 : i64}
  return
}

// -----

func.func @polynomial_step_out_shape(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x7xf32>) {
  // expected-error @below {{'muon.polynomial_step' op expected 'out' of the shape of 'x', found 'tensor<1x4x7xf32>' and 'tensor<1x4x6xf32>'}}
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x7xf32>) {a = 3.0 : f64, b = -4.0 : f64, c = 2.0 : f64,
      side = #muon.side<left>}
  return
}

// -----

func.func @polynomial_step_out_batch(
    %x: tensor<1x4x6xf32>, %o: tensor<2x4x6xf32>) {
  // expected-error @below {{'muon.polynomial_step' op expected 'out' of the shape of 'x', found 'tensor<2x4x6xf32>' and 'tensor<1x4x6xf32>'}}
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<2x4x6xf32>) {a = 3.0 : f64, b = -4.0 : f64, c = 2.0 : f64,
      side = #muon.side<left>}
  return
}

// -----

func.func @polynomial_step_factor(
    %x: tensor<1x4x6xf32>, %f: tensor<6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.polynomial_step' op expected one number for each of 1 matrices, found 'tensor<6xf32>'}}
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf32>) factor(%f : tensor<6xf32>)
      out(%o : tensor<1x4x6xf32>) {a = 3.0 : f64, b = -4.0 : f64, c = 2.0 : f64,
      side = #muon.side<left>}
  return
}

// -----

func.func @polynomial_step_auto(%x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.polynomial_step' op 'side' expected left or right, found auto}}
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {a = 1.0 : f64, b = 1.0 : f64, c = 1.0 : f64,
      side = #muon.side<auto>}
  return
}

// -----

func.func @polynomial_step_no_side(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.polynomial_step' op requires attribute 'side'}}
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {a = 1.0 : f64, b = 1.0 : f64, c = 1.0 : f64}
  return
}

// -----

func.func @polynomial_step_no_c(%x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.polynomial_step' op requires attribute 'c'}}
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {a = 1.0 : f64, b = 1.0 : f64,
      side = #muon.side<left>}
  return
}

// -----

func.func @polynomial_step_a_infinite(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.polynomial_step' op 'a' expected a finite number, found +Inf}}
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {a = 0x7FF0000000000000 : f64, b = 1.0 : f64,
      c = 1.0 : f64, side = #muon.side<left>}
  return
}

// -----

func.func @polynomial_step_b_infinite(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.polynomial_step' op 'b' expected a finite number, found -Inf}}
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {a = 1.0 : f64, b = 0xFFF0000000000000 : f64,
      c = 1.0 : f64, side = #muon.side<left>}
  return
}

// -----

func.func @polynomial_step_c_nan(%x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.polynomial_step' op 'c' expected a finite number, found NaN}}
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {a = 1.0 : f64, b = 1.0 : f64,
      c = 0x7FF8000000000000 : f64, side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_product_out_left(
    %x: tensor<1x4x6xf32>, %o: tensor<1x6x6xf32>) {
  // expected-error @below {{'muon.symmetric_product' op expected symmetric matrices of shape 1x4x4, found 'tensor<1x6x6xf32>'}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x6x6xf32>) {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_product_out_right(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.symmetric_product' op expected symmetric matrices of shape 1x6x6, found 'tensor<1x4x4xf32>'}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x4xf32>) {side = #muon.side<right>}
  return
}

// -----

func.func @symmetric_product_out_batch(
    %x: tensor<1x4x6xf32>, %o: tensor<2x4x4xf32>) {
  // expected-error @below {{'muon.symmetric_product' op expected symmetric matrices of shape 1x4x4, found 'tensor<2x4x4xf32>'}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<2x4x4xf32>) {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_product_addend_shape(
    %x: tensor<1x4x6xf32>, %c: tensor<1x6x6xf32>, %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.symmetric_product' op expected symmetric matrices of shape 1x4x4, found 'tensor<1x6x6xf32>'}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      addend(%c : tensor<1x6x6xf32>) out(%o : tensor<1x4x4xf32>)
      {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_product_factor(
    %x: tensor<1x4x6xf32>, %f: tensor<2xf32>, %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.symmetric_product' op expected one number for each of 1 matrices, found 'tensor<2xf32>'}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      factor(%f : tensor<2xf32>) out(%o : tensor<1x4x4xf32>)
      {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_product_auto(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.symmetric_product' op 'side' expected left or right, found auto}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x4xf32>) {side = #muon.side<auto>}
  return
}

// -----

func.func @symmetric_product_beta_without_addend(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.symmetric_product' op 'beta' expected 0 without an addend}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x4xf32>) {beta = 0.5 : f64, side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_product_alpha_infinite(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.symmetric_product' op 'alpha' expected a finite number, found +Inf}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x4xf32>) {alpha = 0x7FF0000000000000 : f64,
      side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_product_beta_nan(
    %x: tensor<1x4x6xf32>, %c: tensor<1x4x4xf32>, %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.symmetric_product' op 'beta' expected a finite number, found NaN}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      addend(%c : tensor<1x4x4xf32>) out(%o : tensor<1x4x4xf32>)
      {beta = 0x7FF8000000000000 : f64, side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_apply_s_left(
    %s: tensor<1x6x6xf32>, %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.symmetric_apply' op 's' expected shape 1x4x4, found 'tensor<1x6x6xf32>'}}
  %0 = muon.symmetric_apply s(%s : tensor<1x6x6xf32>) x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_apply_s_right(
    %s: tensor<1x4x4xf32>, %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.symmetric_apply' op 's' expected shape 1x6x6, found 'tensor<1x4x4xf32>'}}
  %0 = muon.symmetric_apply s(%s : tensor<1x4x4xf32>) x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {side = #muon.side<right>}
  return
}

// -----

func.func @symmetric_apply_s_batch(
    %s: tensor<2x4x4xf32>, %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.symmetric_apply' op 's' expected shape 1x4x4, found 'tensor<2x4x4xf32>'}}
  %0 = muon.symmetric_apply s(%s : tensor<2x4x4xf32>) x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_apply_out_shape(
    %s: tensor<1x4x4xf32>, %x: tensor<1x4x6xf32>, %o: tensor<1x6x4xf32>) {
  // expected-error @below {{'muon.symmetric_apply' op expected 'out' of the shape of 'x', found 'tensor<1x6x4xf32>' and 'tensor<1x4x6xf32>'}}
  %0 = muon.symmetric_apply s(%s : tensor<1x4x4xf32>) x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x6x4xf32>) {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_apply_factor(
    %s: tensor<1x4x4xf32>, %x: tensor<1x4x6xf32>, %f: tensor<2xf32>,
    %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.symmetric_apply' op expected one number for each of 1 matrices, found 'tensor<2xf32>'}}
  %0 = muon.symmetric_apply s(%s : tensor<1x4x4xf32>) x(%x : tensor<1x4x6xf32>)
      factor(%f : tensor<2xf32>) out(%o : tensor<1x4x6xf32>)
      {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_apply_auto(
    %s: tensor<1x4x4xf32>, %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.symmetric_apply' op 'side' expected left or right, found auto}}
  %0 = muon.symmetric_apply s(%s : tensor<1x4x4xf32>) x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {side = #muon.side<auto>}
  return
}

// -----

func.func @symmetric_apply_beta_infinite(
    %s: tensor<1x4x4xf32>, %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.symmetric_apply' op 'beta' expected a finite number, found +Inf}}
  %0 = muon.symmetric_apply s(%s : tensor<1x4x4xf32>) x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {beta = 0x7FF0000000000000 : f64,
      side = #muon.side<left>}
  return
}

// -----

func.func @apply_master_shape(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xbf16>, %master: tensor<6x4xf32>) {
  // expected-error @below {{'muon.apply' op expected parameters of one shape, found 'tensor<4x6xbf16>' and 'tensor<6x4xf32>'}}
  %0:2 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xbf16>)
      master(%master : tensor<6x4xf32>) {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_master_with_stack(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xbf16>, %master: !muon.stack<1x4x6xf32>) {
  // expected-error @below {{'muon.apply' op expected parameters of one shape, found 'tensor<4x6xbf16>' and '!muon.stack<1x4x6xf32>'}}
  %0:2 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xbf16>)
      master(%master : !muon.stack<1x4x6xf32>) {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_master_bf16(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xf16>, %master: tensor<4x6xbf16>) {
  // expected-error @below {{'muon.apply' op expected an f32 master of a bf16 or f16 weight, found 'tensor<4x6xbf16>' and 'tensor<4x6xf16>'}}
  %0:2 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xf16>)
      master(%master : tensor<4x6xbf16>) {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_master_of_f32(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xf32>, %master: tensor<4x6xf32>) {
  // expected-error @below {{'muon.apply' op expected an f32 master of a bf16 or f16 weight, found 'tensor<4x6xf32>' and 'tensor<4x6xf32>'}}
  %0:2 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xf32>)
      master(%master : tensor<4x6xf32>) {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_x_transposed(
    %x: tensor<1x6x4xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xf32>) {
  // expected-error @below {{'muon.apply' op 'x' expected shape 1x4x6 for the matrices of 'tensor<4x6xf32>', found 'tensor<1x6x4xf32>'}}
  %0 = muon.apply x(%x : tensor<1x6x4xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xf32>)
      {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_x_of_stack(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: !muon.stack<2x4x6xf32>) {
  // expected-error @below {{'muon.apply' op 'x' expected shape 2x4x6 for the matrices of '!muon.stack<2x4x6xf32>', found 'tensor<1x4x6xf32>'}}
  %0 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : !muon.stack<2x4x6xf32>)
      {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_update_sums(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xf32>, %us: tensor<4xf64>) {
  // expected-error @below {{'muon.apply' op expected one number for each of 1 matrices, found 'tensor<4xf64>'}}
  %0:2 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xf32>)
      update_sums(%us : tensor<4xf64>) {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_weight_sums(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xf32>, %ws: tensor<5xf64>) {
  // expected-error @below {{'muon.apply' op expected one number for each of 1 matrices, found 'tensor<5xf64>'}}
  %0:2 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xf32>)
      weight_sums(%ws : tensor<5xf64>) {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_same_destination(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xf32>, %us: tensor<1xf64>) {
  // expected-error @below {{'muon.apply' op expected distinct destinations}}
  %0:3 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xf32>)
      update_sums(%us : tensor<1xf64>) weight_sums(%us : tensor<1xf64>)
      {scale = 1.0 : f64}
  return
}

// -----

func.func @apply_scale_infinite(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xf32>) {
  // expected-error @below {{'muon.apply' op 'scale' expected a finite number, found +Inf}}
  %0 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xf32>)
      {scale = 0x7FF0000000000000 : f64}
  return
}

// -----

func.func @apply_scale_nan(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xf32>) {
  // expected-error @below {{'muon.apply' op 'scale' expected a finite number, found NaN}}
  %0 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xf32>)
      {scale = 0x7FF8000000000000 : f64}
  return
}

// -----

func.func @apply_no_scale(
    %x: tensor<1x4x6xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<4x6xf32>) {
  // expected-error @below {{'muon.apply' op requires attribute 'scale'}}
  %0 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<4x6xf32>)
  return
}
