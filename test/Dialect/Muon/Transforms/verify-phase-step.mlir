// RUN: muon-opt --muon-verify-phase=phase=step --verify-diagnostics %s

func.func @step(%w: tensor<4xf32>, %g: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{'muon.optimize' op should have got an optimizer in phase 'step'}}
  %0 = muon.optimize weight(%w) gradient(%g) : tensor<4xf32>, tensor<4xf32>
  return %0 : tensor<4xf32>
}
