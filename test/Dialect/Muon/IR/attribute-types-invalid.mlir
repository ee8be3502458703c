// An attribute of the wrong type is an error in either syntax; it must not
// give way to the default.
// RUN: muon-opt %s --split-input-file --verify-diagnostics

func.func @integer_for_bool(%ok: tensor<i1>, %c: tensor<f32>) {
  // expected-error @below {{attribute 'skip_nonfinite' failed to satisfy constraint: bool attribute}}
  %0:2 = muon.look ok(%ok : tensor<i1>) clip(%c : tensor<f32>) {skip_nonfinite = 0 : i64}
  return
}

// -----

func.func @integer_for_bool_generic(%ok: tensor<i1>, %c: tensor<f32>) {
  // expected-error @below {{'muon.look' op attribute 'skip_nonfinite' failed to satisfy constraint: bool attribute}}
  %0:2 = "muon.look"(%ok, %c) {operandSegmentSizes = array<i32: 0, 0, 0, 1, 1>, skip_nonfinite = 0 : i64} : (tensor<i1>, tensor<f32>) -> (tensor<i1>, tensor<f32>)
  return
}

// -----

func.func @integer_for_bool_property(%ok: tensor<i1>, %c: tensor<f32>) {
  // expected-error @below {{Invalid attribute `skip_nonfinite` in property conversion: 0 : i64}}
  %0:2 = "muon.look"(%ok, %c) <{operandSegmentSizes = array<i32: 0, 0, 0, 1, 1>, skip_nonfinite = 0 : i64}> : (tensor<i1>, tensor<f32>) -> (tensor<i1>, tensor<f32>)
  return
}

// -----

func.func @integer_for_float(%s: tensor<1xf64>, %u: tensor<1xf64>, %f: tensor<1xf32>) {
  // expected-error @below {{attribute 'eps' failed to satisfy constraint: 64-bit float attribute}}
  %0 = muon.normalize sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>) factor(%f : tensor<1xf32>) {safety = 1.0 : f64, eps = 1 : i64}
  return
}

// -----

func.func @integer_for_default_float(%x: tensor<1x4x6xf32>, %p: tensor<1x4x4xf32>) {
  // expected-error @below {{attribute 'alpha' failed to satisfy constraint: 64-bit float attribute}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>) out(%p : tensor<1x4x4xf32>) {alpha = 2 : i64, side = #muon.side<left>}
  return
}

// -----

func.func @string_for_enum(%x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{attribute 'side' failed to satisfy constraint: side of X that its Gram matrix stands on}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>) {schedule = #muon.schedule<you>, steps = 5 : i64, side = "left"}
  return
}

// -----

func.func @enum_for_another_enum(%x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{attribute 'iteration' failed to satisfy constraint: space of the iteration}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>) {schedule = #muon.schedule<you>, steps = 5 : i64, iteration = #muon.side<left>}
  return
}

// -----

func.func @string_for_schedule(%x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{attribute 'schedule' failed to satisfy constraint: coefficients (a, b, c) of each polynomial step}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>) {schedule = "you", steps = 5 : i64}
  return
}

// -----

func.func @number_for_scale(%g: tensor<4x6xf32>, %s: tensor<1xf64>, %h: tensor<f32>, %w: tensor<4x6xf32>, %m: tensor<4x6xf32>) {
  // expected-error @below {{attribute 'scale' failed to satisfy constraint: scale rule of an update}}
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>) gradient_sums(%s : tensor<1xf64>) momentum_sums(%s : tensor<1xf64>) lr(%h : tensor<f32>) weight_decay(%h : tensor<f32>) beta(%h : tensor<f32>) weight(%w : tensor<4x6xf32>) momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>, scale = 0.5 : f64}
  return
}

// -----

func.func @number_for_scale_generic(%g: tensor<4x6xf32>, %s: tensor<1xf64>, %h: tensor<f32>, %w: tensor<4x6xf32>, %m: tensor<4x6xf32>) {
  // expected-error @below {{'muon.update' op attribute 'scale' failed to satisfy constraint: scale rule of an update}}
  %0:2 = "muon.update"(%g, %s, %s, %h, %h, %h, %w, %m) {operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0>, schedule = #muon.schedule<you>, scale = 0.5 : f64} : (tensor<4x6xf32>, tensor<1xf64>, tensor<1xf64>, tensor<f32>, tensor<f32>, tensor<f32>, tensor<4x6xf32>, tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>)
  return
}
