// The generic form, which shows operand groups as segment sizes and every
// attribute, defaults included.
// RUN: muon-opt %s --mlir-print-op-generic | FileCheck %s
// RUN: muon-opt %s --mlir-print-op-generic | muon-opt --mlir-print-op-generic | FileCheck %s

// CHECK: sym_name = "step_ops"
func.func @step_ops(
    %w: tensor<4x6xf32>, %h: tensor<4x6xbf16>, %m: tensor<4x6xf32>,
    %v: tensor<4x6xf32>, %s0: tensor<1xf64>, %s1: tensor<1xf64>,
    %a: tensor<f32>, %ok: tensor<i1>, %t: tensor<i64>) {
  // CHECK: "muon.optimize"(%{{[a-z0-9]+}}, %{{[a-z0-9]+}}) : (tensor<4x6xbf16>, tensor<4x6xf32>) -> tensor<4x6xbf16>
  %0 = muon.optimize weight(%h) gradient(%w)
      : tensor<4x6xbf16>, tensor<4x6xf32>
  // CHECK: "muon.sum_squares"({{.*}}) <{operandSegmentSizes = array<i32: 1, 1>}> : (tensor<4x6xf32>, tensor<1xf64>) -> tensor<1xf64>
  %1 = muon.sum_squares value(%w : tensor<4x6xf32>) sums(%s0 : tensor<1xf64>)
  // CHECK: "muon.look"({{.*}}) <{operandSegmentSizes = array<i32: 0, 0, 0, 1, 1>, skip_nonfinite = true}> : (tensor<i1>, tensor<f32>) -> (tensor<i1>, tensor<f32>)
  %2:2 = muon.look ok(%ok : tensor<i1>) clip(%a : tensor<f32>)
  // CHECK: "muon.look"({{.*}}) <{operandSegmentSizes = array<i32: 2, 1, 1, 1, 1>, skip_nonfinite = true}> : (tensor<1xf64>, tensor<1xf64>, tensor<1xf64>, tensor<f32>, tensor<i1>, tensor<f32>) -> (tensor<i1>, tensor<f32>)
  %3:2 = muon.look gradients(%s0, %s1 : tensor<1xf64>, tensor<1xf64>)
      momenta(%s0 : tensor<1xf64>) limit(%a : tensor<f32>)
      ok(%ok : tensor<i1>) clip(%a : tensor<f32>)
  // CHECK: "muon.advance"({{.*}}) <{operandSegmentSizes = array<i32: 0, 1>}> : (tensor<i64>) -> tensor<i64>
  %4 = muon.advance step(%t : tensor<i64>)
  // CHECK: "muon.advance"({{.*}}) <{operandSegmentSizes = array<i32: 1, 1>}> : (tensor<i1>, tensor<i64>) -> tensor<i64>
  %5 = muon.advance when(%ok : tensor<i1>) step(%t : tensor<i64>)
  // CHECK: "muon.update"({{.*}}) <{compute = #muon.compute<auto>, eps = 0.000000e+00 : f64, iteration = #muon.iteration<auto>, lr_multiplier = 1.000000e+00 : f64, momentum_form = #muon.momentum_form<heavy_ball>, nesterov = true, operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 0>, safety = 1.000000e+00 : f64, schedule = #muon.schedule<you>, side = #muon.side<auto>, steps = 5 : i64, transposed = false}>
  %6:2 = muon.update gradient(%w : tensor<4x6xf32>)
      gradient_sums(%s0 : tensor<1xf64>) momentum_sums(%s1 : tensor<1xf64>)
      lr(%a : tensor<f32>) weight_decay(%a : tensor<f32>)
      beta(%a : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>}
  // CHECK: "muon.update"({{.*}}) <{{.*}}operandSegmentSizes = array<i32: 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1>{{.*}}-> (tensor<4x6xbf16>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<1xf64>, tensor<1xf64>)
  %7:5 = muon.update gradient(%w : tensor<4x6xf32>)
      gradient_sums(%s0 : tensor<1xf64>) momentum_sums(%s1 : tensor<1xf64>)
      lr(%a : tensor<f32>) weight_decay(%a : tensor<f32>)
      beta(%a : tensor<f32>) clip(%a : tensor<f32>) when(%ok : tensor<i1>)
      weight(%h : tensor<4x6xbf16>) momentum(%m : tensor<4x6xf32>)
      master(%w : tensor<4x6xf32>) update_sums(%s0 : tensor<1xf64>)
      weight_sums(%s1 : tensor<1xf64>) {schedule = #muon.schedule<you>}
  // CHECK: "muon.adamw_update"({{.*}}) <{beta1 = 9.000000e-01 : f64, beta2 = 0.94999999999999996 : f64, eps = 1.000000e-08 : f64, lr_multiplier = 1.000000e+00 : f64, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0, 0>}>
  %8:3 = muon.adamw_update gradient(%w : tensor<4x6xf32>) lr(%a : tensor<f32>)
      weight_decay(%a : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<4x6xf32>) exp_avg(%m : tensor<4x6xf32>)
      exp_avg_sq(%v : tensor<4x6xf32>)
  return
}

// CHECK: sym_name = "math_ops"
func.func @math_ops(
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>, %x: tensor<1x4x6xf32>,
    %o: tensor<1x4x6xf32>, %p: tensor<1x4x4xf32>, %s0: tensor<1xf64>,
    %s1: tensor<1xf64>, %f: tensor<1xf32>, %a: tensor<f32>) {
  // CHECK: "muon.momentum"({{.*}}) <{momentum_form = #muon.momentum_form<ema>, nesterov = false, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0, 0, 1, 1, 1, 1>}>
  %0:4 = muon.momentum gradient(%w : tensor<4x6xf32>)
      gradient_sums(%s0 : tensor<1xf64>) momentum_sums(%s1 : tensor<1xf64>)
      beta(%a : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf32>) sums(%s0 : tensor<1xf64>)
      unit(%s1 : tensor<1xf64>)
      {momentum_form = #muon.momentum_form<ema>, nesterov = false}
  // CHECK: "muon.normalize"({{.*}}) <{eps = 0.000000e+00 : f64, operandSegmentSizes = array<i32: 1, 1, 1>, safety = 1.000000e+00 : f64}> : (tensor<1xf64>, tensor<1xf64>, tensor<1xf32>) -> tensor<1xf32>
  %1 = muon.normalize sums(%s0 : tensor<1xf64>) unit(%s1 : tensor<1xf64>)
      factor(%f : tensor<1xf32>) {eps = 0.0 : f64, safety = 1.0 : f64}
  // CHECK: "muon.orthogonalize"({{.*}}) <{compute = #muon.compute<auto>, iteration = #muon.iteration<auto>, operandSegmentSizes = array<i32: 1, 0, 1>, schedule = #muon.schedule<cubic>, side = #muon.side<auto>, steps = 3 : i64}> : (tensor<1x4x6xf32>, tensor<1x4x6xf32>) -> tensor<1x4x6xf32>
  %2 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<cubic>, steps = 3 : i64}
  // CHECK: "muon.polynomial_step"({{.*}}) <{a = 3.000000e+00 : f64, b = -4.000000e+00 : f64, c = 2.000000e+00 : f64, operandSegmentSizes = array<i32: 1, 1, 1>, side = #muon.side<left>}> : (tensor<1x4x6xf32>, tensor<1xf32>, tensor<1x4x6xf32>) -> tensor<1x4x6xf32>
  %3 = muon.polynomial_step x(%x : tensor<1x4x6xf32>) factor(%f : tensor<1xf32>)
      out(%o : tensor<1x4x6xf32>)
      {a = 3.0 : f64, b = -4.0 : f64, c = 2.0 : f64, side = #muon.side<left>}
  // CHECK: "muon.symmetric_product"({{.*}}) <{alpha = 1.000000e+00 : f64, beta = 0.000000e+00 : f64, operandSegmentSizes = array<i32: 1, 0, 0, 1>, side = #muon.side<left>}> : (tensor<1x4x6xf32>, tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  %4 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      out(%p : tensor<1x4x4xf32>) {side = #muon.side<left>}
  // CHECK: "muon.symmetric_apply"({{.*}}) <{alpha = 1.000000e+00 : f64, beta = 0.000000e+00 : f64, operandSegmentSizes = array<i32: 1, 1, 0, 1>, side = #muon.side<left>}> : (tensor<1x4x4xf32>, tensor<1x4x6xf32>, tensor<1x4x6xf32>) -> tensor<1x4x6xf32>
  %5 = muon.symmetric_apply s(%p : tensor<1x4x4xf32>) x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {side = #muon.side<left>}
  // CHECK: "muon.commuting_product"({{.*}}) <{alpha = 1.000000e+00 : f64, lhs_shift = 0.000000e+00 : f64, operandSegmentSizes = array<i32: 1, 1, 1>, rhs_shift = 0.000000e+00 : f64}> : (tensor<1x4x4xf32>, tensor<1x4x4xf32>, tensor<1x4x4xf32>) -> tensor<1x4x4xf32>
  %7 = muon.commuting_product lhs(%4 : tensor<1x4x4xf32>)
      rhs(%4 : tensor<1x4x4xf32>) out(%p : tensor<1x4x4xf32>)
  // CHECK: "muon.apply"({{.*}}) <{operandSegmentSizes = array<i32: 1, 1, 1, 0, 1, 0, 0, 0>, scale = 2.000000e-01 : f64}> : (tensor<1x4x6xf32>, tensor<f32>, tensor<f32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  %6 = muon.apply x(%x : tensor<1x4x6xf32>) lr(%a : tensor<f32>)
      weight_decay(%a : tensor<f32>) weight(%w : tensor<4x6xf32>)
      {scale = 0.2 : f64}
  return
}

// CHECK: sym_name = "runtime_ops"
func.func @runtime_ops(%table: !muon.table<2x4x6xf32>, %i: index) {
  // CHECK: "muon.member"({{.*}}) : (!muon.table<2x4x6xf32>, index) -> memref<4x6xf32>
  %0 = muon.member %table[%i] : !muon.table<2x4x6xf32> -> memref<4x6xf32>
  // CHECK: "muon.slot"() <{index = 3 : i64}> : () -> memref<f32>
  %1 = muon.slot 3 : memref<f32>
  // CHECK: "muon.arena"() : () -> memref<64xi8>
  %2 = muon.arena : memref<64xi8>
  // CHECK: "muon.slice"({{.*}}) : (!muon.table<2x4x6xf32>, index) -> !muon.table<1x4x6xf32>
  %3 = muon.slice %table[%i] : !muon.table<2x4x6xf32> to !muon.table<1x4x6xf32>
  return
}

// CHECK: sym_name = "host_call"
func.func @host_call(%t: i32, %n: i64, %f: f64, %x: memref<1x4x4xf32>) {
  // CHECK: "muon.host_call"({{.*}}) <{callee = "commuting_product"}> : (i32, i64, i64, f64, f64, f64, memref<1x4x4xf32>, memref<1x4x4xf32>, memref<1x4x4xf32>) -> ()
  muon.host_call "commuting_product"(%t, %n, %n, %f, %f, %f, %x, %x, %x)
      : i32, i64, i64, f64, f64, f64, memref<1x4x4xf32>, memref<1x4x4xf32>,
        memref<1x4x4xf32>
  return
}

// CHECK: sym_name = "parallel"
func.func @parallel(%x: memref<4xf32>, %s: memref<2xf64>) {
  // CHECK: "muon.parallel"({{[^)]*}}) <{count = 4 : i64, group = 2 : i64}> ({
  // CHECK: }) : (memref<2xf64>) -> ()
  muon.parallel sums(%s : memref<2xf64>) {
  ^bb0(%i: index, %p: memref<f64>):
  } {count = 4 : i64, group = 2 : i64}
  // CHECK: "muon.parallel_call"({{.*}}) <{callee = @body, count = 4 : i64, group = 2 : i64, operandSegmentSizes = array<i32: 1, 1>}> : (memref<4xf32>, memref<2xf64>) -> ()
  muon.parallel_call @body(%x) : memref<4xf32> sums(%s : memref<2xf64>)
      {count = 4 : i64, group = 2 : i64}
  return
}
func.func private @body(memref<4xf32>, index, memref<f64>)
