// What muon-report tells at one level, to standard error.

// RUN: muon-opt %src_root/test/Pipelines/Inputs/step.mlir --muon-select-iteration --muon-report -o %t.out 2>&1 | FileCheck %s --check-prefix=STEP
// RUN: muon-opt %src_root/test/Pipelines/Inputs/step.mlir --muon-select-iteration | cmp - %t.out
// STEP:      updates
// STEP:      1 muon {{.*}} 48x16 {{.*}} blocks.0.w, …
// STEP:      iterations
// STEP:      1 right f32 gram 5 gram with restarts [2]:
// STEP:      work of one step
// STEP-NEXT: # parameters
// STEP-NEXT: 1 1.54 K {{[0-9.]+}} K 573 K - - - - -

// RUN: muon-opt %src_root/test/Pipelines/Inputs/step.mlir --muon-cpu-pipeline=to=buffers --muon-report=json -o /dev/null 2>&1 | FileCheck %s --check-prefix=BUFFERS
// BUFFERS:     "optimizer": "muon"
// BUFFERS-NOT: "flops"
// BUFFERS:     "stream": "look",
// BUFFERS:     "scratch_bytes": {{[1-9][0-9]*}},
// BUFFERS:     "slots": 32

// Before a choice was made, there is none to tell.
// RUN: muon-opt %src_root/test/Pipelines/Inputs/step.mlir --muon-report -o /dev/null 2>&1 | FileCheck %s --check-prefix=AUTO
// AUTO:     updates
// AUTO-NOT: iterations

// RUN: muon-opt %s --split-input-file --verify-diagnostics --muon-report

// A weight that is no argument of the step.
func.func @step(%m: tensor<8x4xf32>, %g: tensor<8x4xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>, %s: tensor<f32>) -> tensor<8x4xf32> {
  %w = tensor.empty() : tensor<8x4xf32>
  // expected-error @below {{expected an argument of the step as weight}}
  %w1, %m1 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%s : tensor<f32>) weight_decay(%s : tensor<f32>) beta(%s : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<cubic>}
  return %m1 : tensor<8x4xf32>
}

// -----

// expected-error @below {{expected a function 'step' with a body}}
module {
  func.func private @step()
}
