// RUN: muon-opt %s | muon-opt | FileCheck %s
// RUN: muon-opt %s --mlir-print-op-generic | muon-opt | FileCheck %s

// CHECK-LABEL: func.func @reduce(
// CHECK-NEXT:    muon_gpu.reduce partials(%{{.+}} : memref<12xf64>) sums(%{{.+}} : memref<2xf64>){{$}}
// CHECK-NEXT:    muon_gpu.reduce partials(%{{.+}} : memref<12xf64>) sums(%{{.+}} : memref<2xf64>) {scale = 2.500000e-01 : f64}
func.func @reduce(%p: memref<12xf64>, %s: memref<2xf64>) {
  muon_gpu.reduce partials(%p : memref<12xf64>) sums(%s : memref<2xf64>)
  muon_gpu.reduce partials(%p : memref<12xf64>) sums(%s : memref<2xf64>) {scale = 0.25 : f64}
  return
}

// CHECK-LABEL: func.func @unit(
// CHECK-NEXT:    muon_gpu.unit gradient_sums(%{{.+}} : memref<2xf64>) momentum_sums(%{{.+}} : memref<2xf64>) beta(%{{.+}} : memref<f32>) unit(%{{.+}} : memref<2xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
// CHECK-NEXT:    muon_gpu.unit gradient_sums(%{{.+}} : memref<2xf64>) momentum_sums(%{{.+}} : memref<2xf64>) beta(%{{.+}} : memref<f32>) clip(%{{.+}} : memref<f32>) unit(%{{.+}} : memref<2xf64>) {half, momentum_form = #muon.momentum_form<heavy_ball>, nesterov = false}
func.func @unit(%g: memref<2xf64>, %m: memref<2xf64>, %b: memref<f32>, %c: memref<f32>, %u: memref<2xf64>) {
  muon_gpu.unit gradient_sums(%g : memref<2xf64>) momentum_sums(%m : memref<2xf64>) beta(%b : memref<f32>) unit(%u : memref<2xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  muon_gpu.unit gradient_sums(%g : memref<2xf64>) momentum_sums(%m : memref<2xf64>) beta(%b : memref<f32>) clip(%c : memref<f32>) unit(%u : memref<2xf64>) {momentum_form = #muon.momentum_form<heavy_ball>, nesterov = false, half}
  return
}

// CHECK-LABEL: func.func @bias_correction(
// CHECK-NEXT:    muon_gpu.bias_correction step(%{{.+}} : memref<i64>) corrections(%{{.+}}, %{{.+}} : memref<f32>, memref<f32>) {beta1 = 0.000000e+00 : f64, beta2 = 8.750000e-01 : f64}
func.func @bias_correction(%t: memref<i64>, %c1: memref<f32>, %c2: memref<f32>) {
  muon_gpu.bias_correction step(%t : memref<i64>) corrections(%c1, %c2 : memref<f32>, memref<f32>) {beta1 = 0.0 : f64, beta2 = 0.875 : f64}
  return
}
