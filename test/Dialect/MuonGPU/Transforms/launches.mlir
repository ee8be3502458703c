// What a step becomes: the weight update in the last product, two shapes in one
// launch, everything after the look under its condition.

// RUN: muon-opt --muon-gpu-pipeline=to=launches %s | FileCheck %s
// RUN: muon-opt --muon-gpu-pipeline=to=launches %s | grep -c muon_gpu.launch | FileCheck %s --check-prefix=COUNT
// RUN: muon-opt '--muon-gpu-pipeline=to=launches scratch-limit=12000' %s | grep -c muon_gpu.launch | FileCheck %s --check-prefix=LIMITED

// Two for the look, three up to the factors, 17 products, of which the last is
// the update, and what nobody waits for. With less memory each shape has streams,
// factors and products to itself.
// COUNT: {{^}}23{{$}}
// LIMITED: {{^}}42{{$}}

// The look: one stream over gradients and momenta of both shapes.
// CHECK-LABEL: func.func @step(
// CHECK: muon_gpu.launch {
// CHECK-COUNT-4: muon_gpu.stream ins(%{{.*}}) sums(
// CHECK: } {phase = "look"}
// CHECK: muon.look
// The last products update the weights.
// CHECK: muon_gpu.launch when(
// CHECK: muon_gpu.matmul {{.*}} tiles(%[[W:[^ ]*]] : memref<16x64xf32>) outs(%[[W]] : memref<16x64xf32>) sums(
// CHECK: } {phase = "update"}
// What nobody waits for comes last.
// CHECK: muon_gpu.launch when(%{{.*}} : memref<i1>) {
// CHECK-NEXT: muon.advance
// CHECK-NEXT: muon_gpu.reduce
func.func @step(
    %w0: tensor<16x64xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]},
    %g0: tensor<16x64xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"]},
    %w1: tensor<16x32xf32> {muon.role = #muon.role<weight>, muon.names = ["b"]},
    %g1: tensor<16x32xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"]})
    -> (tensor<16x64xf32>, tensor<16x32xf32>) {
  %0 = muon.optimize weight(%w0) gradient(%g0) : tensor<16x64xf32>, tensor<16x64xf32>
  %1 = muon.optimize weight(%w1) gradient(%g1) : tensor<16x32xf32>, tensor<16x32xf32>
  return %0, %1 : tensor<16x64xf32>, tensor<16x32xf32>
}
