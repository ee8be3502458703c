// RUN: muon-opt --muon-select-iteration --split-input-file --verify-diagnostics %s

// bf16 loses too much even with as many restarts as keep growth small:
// a² u = 3.4445² · 2⁻⁸ = 0.046.

func.func @bf16(%x: tensor<1x16x64xbf16>, %o: tensor<1x16x64xf32>) {
  // expected-warning @+1 {{'iteration' gram in bf16 with restarts [1, 3] adds a relative error of about 5e-02 on decaying spectra}}
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xbf16>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<gram>}
  return
}

// -----

// It is said whatever the restarts are.

func.func @bf16_all(%x: tensor<1x16x64xbf16>, %o: tensor<1x16x64xf32>) {
  // expected-warning @+1 {{'iteration' gram in bf16 with restarts [1, 2, 3, 4] adds a relative error of about 4e-03 on decaying spectra}}
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xbf16>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<gram>, restarts = array<i64: 1, 2, 3, 4>}
  return
}

// -----

// Five steps without a restart: a⁸ u = 3.4445⁸ · 2⁻²⁴ = 1.2e-3.

func.func @f32_none(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) {
  // expected-warning @+1 {{'iteration' gram in f32 with restarts [] adds a relative error of about 1e-03 on decaying spectra}}
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<gram>, restarts = array<i64>}
  return
}

// -----

// a⁴ u = 3.4445⁴ · 2⁻¹¹ = 0.069.

func.func @f16_one(%x: tensor<1x16x64xf16>, %o: tensor<1x16x64xf32>) {
  // expected-warning @+1 {{'iteration' gram in f16 with restarts [2] adds a relative error of about 7e-02 on decaying spectra}}
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf16>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<gram>, restarts = array<i64: 2>}
  return
}

// -----

// The same in tf32.

func.func @tf32_one(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) {
  // expected-warning @+1 {{'iteration' gram in tf32 with restarts [2] adds a relative error of about 7e-02 on decaying spectra}}
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<gram>, compute = #muon.compute<tf32>, restarts = array<i64: 2>}
  return
}

// -----

// Also where the pass chose the iteration, but not the restarts: a⁶ u = 0.82.

func.func @auto(%x: tensor<1x16x64xf16>, %o: tensor<1x16x64xf32>) {
  // expected-warning @+1 {{'iteration' gram in f16 with restarts [4] adds a relative error of about 8e-01 on decaying spectra}}
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf16>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, restarts = array<i64: 4>}
  return
}

// -----

// No warning: four steps in f32 (a⁶ u = 9.95e-5), and restarts that the pass
// chose.

func.func @f32_four(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<gram>, restarts = array<i64: 4>}
  return
}

// -----

func.func @f16_chosen(%x: tensor<1x16x64xf16>, %o: tensor<1x16x64xf32>) {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf16>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<gram>}
  return
}

// -----

func.func @tf32_chosen(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, iteration = #muon.iteration<gram>, compute = #muon.compute<tf32>}
  return
}

// -----

// bf16 is direct, so that restarts mean nothing.

func.func @bf16_auto(%x: tensor<1x16x64xbf16>, %o: tensor<1x16x64xf32>) {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xbf16>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, restarts = array<i64: 1>}
  return
}

// -----

// An update that is computed in bf16.

func.func @update(
    %w: tensor<64x16xf32>, %g: tensor<64x16xf32>, %m: tensor<64x16xf32>,
    %gs: tensor<1xf64>, %ms: tensor<1xf64>, %lr: tensor<f32>) -> (tensor<64x16xf32>, tensor<64x16xf32>) {
  // expected-warning @+1 {{'iteration' gram in bf16 with restarts [1, 3] adds a relative error of about 5e-02 on decaying spectra}}
  %0:2 = muon.update gradient(%g : tensor<64x16xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<64x16xf32>) momentum(%m : tensor<64x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, compute = #muon.compute<bf16>, iteration = #muon.iteration<gram>}
  return %0#0, %0#1 : tensor<64x16xf32>, tensor<64x16xf32>
}
