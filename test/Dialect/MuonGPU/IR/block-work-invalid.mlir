// RUN: muon-opt %s -split-input-file -verify-diagnostics

func.func @partials(%p: memref<5xf64>, %s: memref<2xf64>) {
  // expected-error@+1 {{expected a multiple of 2 partial sums, found 5}}
  muon_gpu.reduce partials(%p : memref<5xf64>) sums(%s : memref<2xf64>)
  return
}

// -----

func.func @gradient_sums(%g: memref<3xf64>, %m: memref<2xf64>, %b: memref<f32>, %u: memref<2xf64>) {
  // expected-error@+1 {{expected lists of 2 numbers, found 'memref<3xf64>'}}
  muon_gpu.unit gradient_sums(%g : memref<3xf64>) momentum_sums(%m : memref<2xf64>) beta(%b : memref<f32>) unit(%u : memref<2xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  return
}

// -----

func.func @momentum_sums(%g: memref<2xf64>, %m: memref<1xf64>, %b: memref<f32>, %u: memref<2xf64>) {
  // expected-error@+1 {{expected lists of 2 numbers, found 'memref<1xf64>'}}
  muon_gpu.unit gradient_sums(%g : memref<2xf64>) momentum_sums(%m : memref<1xf64>) beta(%b : memref<f32>) unit(%u : memref<2xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  return
}

// -----

func.func @wide_beta(%g: memref<2xf64>, %b: memref<f64>, %u: memref<2xf64>) {
  // expected-error@+1 {{operand #2 must be memref<f32>, but got 'memref<f64>'}}
  muon_gpu.unit gradient_sums(%g : memref<2xf64>) momentum_sums(%g : memref<2xf64>) beta(%b : memref<f64>) unit(%u : memref<2xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  return
}

// -----

func.func @beta1_too_large(%t: memref<i64>, %c: memref<f32>) {
  // expected-error@+1 {{expected 0 <= beta < 1, found 1}}
  muon_gpu.bias_correction step(%t : memref<i64>) corrections(%c, %c : memref<f32>, memref<f32>) {beta1 = 1.0 : f64, beta2 = 0.95 : f64}
  return
}

// -----

func.func @beta2_negative(%t: memref<i64>, %c: memref<f32>) {
  // expected-error@+1 {{expected 0 <= beta < 1, found -5.000000e-01}}
  muon_gpu.bias_correction step(%t : memref<i64>) corrections(%c, %c : memref<f32>, memref<f32>) {beta1 = 0.9 : f64, beta2 = -0.5 : f64}
  return
}

// -----

func.func @beta2_nan(%t: memref<i64>, %c: memref<f32>) {
  // expected-error@+1 {{expected 0 <= beta < 1, found nan}}
  muon_gpu.bias_correction step(%t : memref<i64>) corrections(%c, %c : memref<f32>, memref<f32>) {beta1 = 0.9 : f64, beta2 = 0x7FF8000000000000 : f64}
  return
}

// -----

func.func @counter(%t: memref<i32>, %c: memref<f32>) {
  // expected-error@+1 {{operand #0 must be memref<i64>, but got 'memref<i32>'}}
  muon_gpu.bias_correction step(%t : memref<i32>) corrections(%c, %c : memref<f32>, memref<f32>) {beta1 = 0.9 : f64, beta2 = 0.95 : f64}
  return
}
