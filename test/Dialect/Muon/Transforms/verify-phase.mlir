// RUN: muon-opt --muon-verify-phase=phase=math --split-input-file --verify-diagnostics %s

// Every objection is at the operation itself; all of them are made.

func.func @math(
    %w: tensor<3x5xf32>, %g: tensor<3x5xf32>, %m: tensor<3x5xf32>,
    %gs: tensor<1xf64>, %ms: tensor<1xf64>, %lr: tensor<f32>,
    %wd: tensor<f32>, %beta: tensor<f32>, %x: tensor<1x3x5xf32>, %y: tensor<1x3x5xf32>, %z: tensor<1x3x5xf32>) {
  // expected-error @+1 {{'muon.update' op should have been decomposed in phase 'math'}}
  %0:2 = muon.update gradient(%g : tensor<3x5xf32>)
    gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
    lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>)
    weight(%w : tensor<3x5xf32>) momentum(%m : tensor<3x5xf32>)
    {schedule = #muon.schedule<keller_jordan>}
  // expected-error @+1 {{'muon.orthogonalize' op should have been decomposed in phase 'math'}}
  %1 = muon.orthogonalize x(%x : tensor<1x3x5xf32>) out(%y : tensor<1x3x5xf32>) {schedule = #muon.schedule<you>, steps = 5 : i64}
  // expected-error @+1 {{'muon.polynomial_step' op should have been decomposed in phase 'math'}}
  %2 = muon.polynomial_step x(%1 : tensor<1x3x5xf32>) out(%z : tensor<1x3x5xf32>) {a = 3.5 : f64, b = -4.75 : f64, c = 2.0 : f64, side = #muon.side<left>}
  return
}

// -----

func.func @optimize(
    %w: tensor<3x5xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]},
    %g: tensor<3x5xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"]}) {
  // expected-error @+1 {{'muon.optimize' op should have been decomposed in phase 'math'}}
  %0 = muon.optimize weight(%w) gradient(%g) : tensor<3x5xf32>, tensor<3x5xf32>
  return
}

// -----

// What belongs there.

func.func @fine(%t: tensor<i64>, %x: tensor<1x3x5xf32>, %o: tensor<1x3x3xf32>) {
  %0 = muon.advance step(%t : tensor<i64>)
  %1 = muon.symmetric_product x(%x : tensor<1x3x5xf32>) out(%o : tensor<1x3x3xf32>) {side = #muon.side<left>}
  return
}
