// RUN: muon-opt %s --split-input-file --verify-diagnostics

func.func @compute_f32(
    %x: tensor<1x4x6xf16>, %o: tensor<1x4x6xf16>) {
  // expected-error @below {{'muon.orthogonalize' op 'compute' f32 expected 'x' of 'f32', found 'tensor<1x4x6xf16>'}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf16>) out(%o : tensor<1x4x6xf16>)
      {schedule = #muon.schedule<you>, steps = 5 : i64, compute = #muon.compute<f32>}
  return
}

// -----

func.func @compute_tf32(
    %x: tensor<1x4x6xbf16>, %o: tensor<1x4x6xbf16>) {
  // expected-error @below {{'muon.orthogonalize' op 'compute' tf32 expected 'x' of 'f32', found 'tensor<1x4x6xbf16>'}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xbf16>) out(%o : tensor<1x4x6xbf16>)
      {schedule = #muon.schedule<you>, steps = 5 : i64, compute = #muon.compute<tf32>}
  return
}

// -----

func.func @compute_bf16(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op 'compute' bf16 expected 'x' of 'bf16', found 'tensor<1x4x6xf32>'}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64, compute = #muon.compute<bf16>}
  return
}

// -----

func.func @compute_f16(
    %x: tensor<1x4x6xbf16>, %o: tensor<1x4x6xbf16>) {
  // expected-error @below {{'muon.orthogonalize' op 'compute' f16 expected 'x' of 'f16', found 'tensor<1x4x6xbf16>'}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xbf16>) out(%o : tensor<1x4x6xbf16>)
      {schedule = #muon.schedule<you>, steps = 5 : i64, compute = #muon.compute<f16>}
  return
}

// -----

func.func @orthogonalize_out(
    %x: tensor<1x4x6xf16>, %o: tensor<1x4x6xbf16>) {
  // expected-error @below {{'muon.orthogonalize' op expected 'out' of the type of 'x' or of f32, found 'tensor<1x4x6xbf16>' and 'tensor<1x4x6xf16>'}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf16>) out(%o : tensor<1x4x6xbf16>)
      {schedule = #muon.schedule<you>, steps = 5 : i64}
  return
}

// -----

func.func @orthogonalize_narrower_out(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf16>) {
  // expected-error @below {{'muon.orthogonalize' op expected 'out' of the type of 'x' or of f32, found 'tensor<1x4x6xf16>' and 'tensor<1x4x6xf32>'}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf16>)
      {schedule = #muon.schedule<you>, steps = 5 : i64}
  return
}

// -----

func.func @polynomial_step_out(
    %x: tensor<1x4x6xbf16>, %o: tensor<1x4x6xf16>) {
  // expected-error @below {{'muon.polynomial_step' op expected 'out' of the type of 'x' or of f32, found 'tensor<1x4x6xf16>' and 'tensor<1x4x6xbf16>'}}
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xbf16>) out(%o : tensor<1x4x6xf16>)
      {a = 3.0 : f64, b = -4.0 : f64, c = 2.0 : f64, side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_apply_out(
    %s: tensor<1x4x4xf16>, %x: tensor<1x4x6xf16>, %o: tensor<1x4x6xbf16>) {
  // expected-error @below {{'muon.symmetric_apply' op expected 'out' of the type of 'x' or of f32, found 'tensor<1x4x6xbf16>' and 'tensor<1x4x6xf16>'}}
  %0 = muon.symmetric_apply s(%s : tensor<1x4x4xf16>) x(%x : tensor<1x4x6xf16>) out(%o : tensor<1x4x6xbf16>)
      {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_apply_s(
    %s: tensor<1x4x4xf32>, %x: tensor<1x4x6xf16>, %o: tensor<1x4x6xf16>) {
  // expected-error @below {{'muon.symmetric_apply' op expected operands and symmetric results of one element type, found 'tensor<1x4x6xf16>' and 'tensor<1x4x4xf32>'}}
  %0 = muon.symmetric_apply s(%s : tensor<1x4x4xf32>) x(%x : tensor<1x4x6xf16>) out(%o : tensor<1x4x6xf16>)
      {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_apply_alpha(
    %s: tensor<1x4x4xf32>, %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.symmetric_apply' op 'alpha' expected a finite number, found NaN}}
  %0 = muon.symmetric_apply s(%s : tensor<1x4x4xf32>) x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {alpha = 0x7FF8000000000000 : f64, side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_product_out(
    %x: tensor<1x4x6xf16>, %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.symmetric_product' op expected operands and symmetric results of one element type, found 'tensor<1x4x6xf16>' and 'tensor<1x4x4xf32>'}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf16>) out(%o : tensor<1x4x4xf32>)
      {side = #muon.side<left>}
  return
}

// -----

func.func @symmetric_product_addend(
    %x: tensor<1x4x6xf16>, %a: tensor<1x4x4xbf16>, %o: tensor<1x4x4xf16>) {
  // expected-error @below {{'muon.symmetric_product' op expected operands and symmetric results of one element type, found 'tensor<1x4x6xf16>' and 'tensor<1x4x4xbf16>'}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf16>)
      addend(%a : tensor<1x4x4xbf16>) out(%o : tensor<1x4x4xf16>)
      {beta = 1.0 : f64, side = #muon.side<left>}
  return
}

// -----

func.func @polynomial_step_tf32(
    %x: tensor<1x4x6xf16>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.polynomial_step' op 'tf32' expected operands of f32, found 'tensor<1x4x6xf16>'}}
  %0 = muon.polynomial_step x(%x : tensor<1x4x6xf16>) out(%o : tensor<1x4x6xf32>)
      {a = 3.0 : f64, b = -4.0 : f64, c = 2.0 : f64, side = #muon.side<left>, tf32}
  return
}

// -----

func.func @symmetric_product_tf32(
    %x: tensor<1x4x6xbf16>, %o: tensor<1x4x4xbf16>) {
  // expected-error @below {{'muon.symmetric_product' op 'tf32' expected operands of f32, found 'tensor<1x4x6xbf16>'}}
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xbf16>) out(%o : tensor<1x4x4xbf16>)
      {side = #muon.side<left>, tf32}
  return
}

// -----

func.func @symmetric_apply_tf32(
    %s: tensor<1x4x4xf16>, %x: tensor<1x4x6xf16>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.symmetric_apply' op 'tf32' expected operands of f32, found 'tensor<1x4x6xf16>'}}
  %0 = muon.symmetric_apply s(%s : tensor<1x4x4xf16>) x(%x : tensor<1x4x6xf16>) out(%o : tensor<1x4x6xf32>)
      {side = #muon.side<left>, tf32}
  return
}
