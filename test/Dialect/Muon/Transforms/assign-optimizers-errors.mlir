// RUN: muon-opt --muon-assign-optimizers --split-input-file --verify-diagnostics %s
// RUN: not muon-opt --muon-assign-optimizers=rules=%t.none.json %s 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: error: {{.*}}none.json: cannot open the rules file: No such file or directory

func.func @scratch(%g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"]}, %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]}) {
  %0 = muon.optimize weight(%w) gradient(%g) : tensor<8x4xf32>, tensor<8x4xf32>
  // expected-error @+1 {{'muon.optimize' op expected arguments of the function as weight}}
  %1 = muon.optimize weight(%0) gradient(%g) : tensor<8x4xf32>, tensor<8x4xf32>
  return
}

// -----

func.func @no_role(%w: tensor<8x4xf32>, %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"]}) {
  // expected-error @+1 {{'muon.optimize' op expected argument #0 with role weight and one name in 'muon.names'}}
  %0 = muon.optimize weight(%w) gradient(%g) : tensor<8x4xf32>, tensor<8x4xf32>
  return
}

// -----

func.func @two_names(%w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]}, %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"]}) {
  // expected-error @+1 {{'muon.optimize' op expected weight and gradient of one parameter, found "a" and "b"}}
  %0 = muon.optimize weight(%w) gradient(%g) : tensor<8x4xf32>, tensor<8x4xf32>
  return
}

// -----

func.func @others(%w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]}, %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"]}) {
  // expected-error @+1 {{'tensor.empty' op is beside muon.optimize, which expects a function of its own}}
  %x = tensor.empty() : tensor<8x4xf32>
  %0 = muon.optimize weight(%w) gradient(%g) : tensor<8x4xf32>, tensor<8x4xf32>
  return
}

// -----

// expected-error @+1 {{every parameter is frozen; nothing to optimize}}
func.func @frozen(%w: tensor<8xi32> {muon.role = #muon.role<weight>, muon.names = ["a"]}, %g: tensor<8xi32> {muon.role = #muon.role<gradient>, muon.names = ["a"]}) {
  %0 = muon.optimize weight(%w) gradient(%g) : tensor<8xi32>, tensor<8xi32>
  return
}

// -----

func.func @rank_4(%w: tensor<8x4x3x3xf32> {muon.role = #muon.role<weight>, muon.names = ["conv"]}, %g: tensor<8x4x3x3xf32> {muon.role = #muon.role<gradient>, muon.names = ["conv"]}) {
  // expected-error @+1 {{tensor "conv": its shape [8, 4, 3, 3] has rank 4, for which there is no default; add a rule with "optimizer": "adamw" or "frozen"}}
  %0 = muon.optimize weight(%w) gradient(%g) : tensor<8x4x3x3xf32>, tensor<8x4x3x3xf32>
  return
}

// -----

func.func @f64(%w: tensor<8xf64> {muon.role = #muon.role<weight>, muon.names = ["d"]}, %g: tensor<8xf64> {muon.role = #muon.role<gradient>, muon.names = ["d"]}) {
  // expected-error @+1 {{tensor "d": its element type is a floating-point type other than f32, bf16 and f16; a rule with "optimizer": "frozen" leaves the tensor alone}}
  %0 = muon.optimize weight(%w) gradient(%g) : tensor<8xf64>, tensor<8xf64>
  return
}
