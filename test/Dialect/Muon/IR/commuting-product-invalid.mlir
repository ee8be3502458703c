// RUN: muon-opt %s --split-input-file --verify-diagnostics

func.func @not_square(
    %a: tensor<1x4x6xf32>, %b: tensor<1x4x6xf32>,
    %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.commuting_product' op 'lhs' expected square matrices, found 'tensor<1x4x6xf32>'}}
  %0 = muon.commuting_product lhs(%a : tensor<1x4x6xf32>) rhs(%b : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>)
  return
}

// -----

func.func @rhs_size(
    %a: tensor<1x4x4xf32>, %b: tensor<1x6x6xf32>,
    %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.commuting_product' op expected matrices of one shape, found 'tensor<1x4x4xf32>' and 'tensor<1x6x6xf32>'}}
  %0 = muon.commuting_product lhs(%a : tensor<1x4x4xf32>) rhs(%b : tensor<1x6x6xf32>)
      out(%o : tensor<1x4x4xf32>)
  return
}

// -----

func.func @out_batch(
    %a: tensor<1x4x4xf32>, %b: tensor<1x4x4xf32>,
    %o: tensor<2x4x4xf32>) {
  // expected-error @below {{'muon.commuting_product' op expected matrices of one shape, found 'tensor<1x4x4xf32>' and 'tensor<2x4x4xf32>'}}
  %0 = muon.commuting_product lhs(%a : tensor<1x4x4xf32>) rhs(%b : tensor<1x4x4xf32>)
      out(%o : tensor<2x4x4xf32>)
  return
}

// -----

func.func @rhs_type(
    %a: tensor<1x4x4xf32>, %b: tensor<1x4x4xbf16>,
    %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.commuting_product' op expected operands and symmetric results of one element type, found 'tensor<1x4x4xf32>' and 'tensor<1x4x4xbf16>'}}
  %0 = muon.commuting_product lhs(%a : tensor<1x4x4xf32>) rhs(%b : tensor<1x4x4xbf16>)
      out(%o : tensor<1x4x4xf32>)
  return
}

// -----

func.func @out_type(
    %a: tensor<1x4x4xf16>, %b: tensor<1x4x4xf16>,
    %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.commuting_product' op expected operands and symmetric results of one element type, found 'tensor<1x4x4xf16>' and 'tensor<1x4x4xf32>'}}
  %0 = muon.commuting_product lhs(%a : tensor<1x4x4xf16>) rhs(%b : tensor<1x4x4xf16>)
      out(%o : tensor<1x4x4xf32>)
  return
}

// -----

func.func @alpha_infinite(
    %a: tensor<1x4x4xf32>, %b: tensor<1x4x4xf32>,
    %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.commuting_product' op 'alpha' expected a finite number, found +Inf}}
  %0 = muon.commuting_product lhs(%a : tensor<1x4x4xf32>) rhs(%b : tensor<1x4x4xf32>)
      out(%o : tensor<1x4x4xf32>) {alpha = 0x7FF0000000000000 : f64}
  return
}

// -----

func.func @lhs_shift_nan(
    %a: tensor<1x4x4xf32>, %b: tensor<1x4x4xf32>,
    %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.commuting_product' op 'lhs_shift' expected a finite number, found NaN}}
  %0 = muon.commuting_product lhs(%a : tensor<1x4x4xf32>) rhs(%b : tensor<1x4x4xf32>)
      out(%o : tensor<1x4x4xf32>) {lhs_shift = 0x7FF8000000000000 : f64}
  return
}

// -----

func.func @rhs_shift_infinite(
    %a: tensor<1x4x4xf32>, %b: tensor<1x4x4xf32>,
    %o: tensor<1x4x4xf32>) {
  // expected-error @below {{'muon.commuting_product' op 'rhs_shift' expected a finite number, found -Inf}}
  %0 = muon.commuting_product lhs(%a : tensor<1x4x4xf32>) rhs(%b : tensor<1x4x4xf32>)
      out(%o : tensor<1x4x4xf32>) {rhs_shift = 0xFFF0000000000000 : f64}
  return
}

// -----

func.func @tf32_of_bf16(
    %a: tensor<1x4x4xbf16>, %b: tensor<1x4x4xbf16>,
    %o: tensor<1x4x4xbf16>) {
  // expected-error @below {{'muon.commuting_product' op 'tf32' expected operands of f32, found 'tensor<1x4x4xbf16>'}}
  %0 = muon.commuting_product lhs(%a : tensor<1x4x4xbf16>) rhs(%b : tensor<1x4x4xbf16>)
      out(%o : tensor<1x4x4xbf16>) {tf32}
  return
}
