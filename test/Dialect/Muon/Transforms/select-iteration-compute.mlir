// The target says what `auto` precision is; what is written stays.

// RUN: muon-opt --muon-select-iteration=compute=f16 %s | FileCheck %s
// RUN: not muon-opt --muon-select-iteration=compute=f64 %s 2>&1 | FileCheck %s --check-prefix=ERROR
// RUN: not muon-opt --muon-select-iteration=compute=auto %s 2>&1 | FileCheck %s --check-prefix=ERROR

// ERROR: error: 'muon-select-iteration' expected a precision, f32, tf32, bf16 or f16, found '{{f64|auto}}'

// CHECK: muon.update {{.*}}compute = #muon.compute<f16>
// CHECK: muon.update {{.*}}compute = #muon.compute<bf16>
func.func @update(
    %w: tensor<64x16xf32>, %g: tensor<64x16xf32>, %m: tensor<64x16xf32>, %w2: tensor<64x16xf32>, %m2: tensor<64x16xf32>,
    %gs: tensor<1xf64>, %ms: tensor<1xf64>, %lr: tensor<f32>) -> (tensor<64x16xf32>, tensor<64x16xf32>, tensor<64x16xf32>, tensor<64x16xf32>) {
  %0:2 = muon.update gradient(%g : tensor<64x16xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<64x16xf32>) momentum(%m : tensor<64x16xf32>)
    {schedule = #muon.schedule<keller_jordan>}
  %1:2 = muon.update gradient(%g : tensor<64x16xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w2 : tensor<64x16xf32>) momentum(%m2 : tensor<64x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, compute = #muon.compute<bf16>}
  return %0#0, %0#1, %1#0, %1#1 : tensor<64x16xf32>, tensor<64x16xf32>, tensor<64x16xf32>, tensor<64x16xf32>
}
