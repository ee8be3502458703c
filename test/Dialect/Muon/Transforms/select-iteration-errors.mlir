// RUN: muon-opt --muon-select-iteration --split-input-file --verify-diagnostics %s

func.func @gram(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) -> tensor<1x16x64xf32> {
  // expected-error @+1 {{'iteration' expected auto or direct for the CPU target, found gram}}
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<you>, steps = 5 : i64, iteration = #muon.iteration<gram>}
  return %0 : tensor<1x16x64xf32>
}

// -----

func.func @bf16(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) -> tensor<1x16x64xf32> {
  // expected-error @+1 {{'compute' expected auto or f32 for the CPU target, found bf16}}
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<you>, steps = 5 : i64, compute = #muon.compute<bf16>}
  return %0 : tensor<1x16x64xf32>
}

// -----

func.func @tf32(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) -> tensor<1x16x64xf32> {
  // expected-error @+1 {{'compute' expected auto or f32 for the CPU target, found tf32}}
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>) {schedule = #muon.schedule<you>, steps = 5 : i64, compute = #muon.compute<tf32>}
  return %0 : tensor<1x16x64xf32>
}
