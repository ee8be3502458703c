// RUN: muon-opt --muon-decompose-updates --split-input-file %s | FileCheck %s

// The definition of muon.update: every optional operand ends up where its
// meaning is, results keep their order, and scratch is one empty tensor each: x
// has the type of the products, their result that of the weight's arithmetic.

// CHECK-LABEL: func.func @full(
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<16x64xbf16>, %[[G:[a-z0-9]+]]: tensor<16x64xf16>,
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<16x64xf32>, %[[MASTER:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME: %[[GS:[a-z0-9]+]]: tensor<1xf64>, %[[MS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME: %[[US:[a-z0-9]+]]: tensor<1xf64>, %[[WS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME: %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>, %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME: %[[CLIP:[a-z0-9]+]]: tensor<f32>, %[[OK:[a-z0-9]+]]: tensor<i1>)
// CHECK: %[[X:.+]] = tensor.empty() : tensor<1x16x64xbf16>
// CHECK: %[[S:.+]] = tensor.empty() : tensor<1xf64>
// CHECK: %[[U:.+]] = tensor.empty() : tensor<1xf64>
// CHECK: %[[MOM:.+]]:4 = muon.momentum gradient(%[[G]] : tensor<16x64xf16>)
// CHECK-SAME: gradient_sums(%[[GS]] : tensor<1xf64>) momentum_sums(%[[MS]] : tensor<1xf64>)
// CHECK-SAME: beta(%[[BETA]] : tensor<f32>) clip(%[[CLIP]] : tensor<f32>) when(%[[OK]] : tensor<i1>)
// CHECK-SAME: momentum(%[[M]] : tensor<16x64xf32>) x(%[[X]] : tensor<1x16x64xbf16>)
// CHECK-SAME: sums(%[[S]] : tensor<1xf64>) unit(%[[U]] : tensor<1xf64>)
// CHECK-SAME: {momentum_form = #muon.momentum_form<ema>, nesterov = false}
// CHECK: %[[F:.+]] = tensor.empty() : tensor<1xf32>
// CHECK: %[[FACTOR:.+]] = muon.normalize sums(%[[MOM]]#2 : tensor<1xf64>) unit(%[[MOM]]#3 : tensor<1xf64>)
// CHECK-SAME: factor(%[[F]] : tensor<1xf32>) {eps = 1.250000e-01 : f64, safety = 1.500000e+00 : f64}
// CHECK: %[[O:.+]] = tensor.empty() : tensor<1x16x64xf32>
// CHECK: %[[DIRECTION:.+]] = muon.orthogonalize x(%[[MOM]]#1 : tensor<1x16x64xbf16>) factor(%[[FACTOR]] : tensor<1xf32>)
// CHECK-SAME: out(%[[O]] : tensor<1x16x64xf32>)
// CHECK-SAME: compute = #muon.compute<bf16>
// CHECK-SAME: iteration = #muon.iteration<gram>, restarts = array<i64: 1>
// CHECK-SAME: schedule = #muon.schedule<you>, side = #muon.side<right>, steps = 3 : i64
// CHECK: %[[NEW:.+]]:4 = muon.apply x(%[[DIRECTION]] : tensor<1x16x64xf32>) lr(%[[LR]] : tensor<f32>)
// CHECK-SAME: weight_decay(%[[WD]] : tensor<f32>) when(%[[OK]] : tensor<i1>) weight(%[[W]] : tensor<16x64xbf16>)
// CHECK-SAME: master(%[[MASTER]] : tensor<16x64xf32>) update_sums(%[[US]] : tensor<1xf64>) weight_sums(%[[WS]] : tensor<1xf64>)
// 2 = lr_multiplier 4 times the constant 0.5
// CHECK-SAME: {scale = 2.000000e+00 : f64}
// CHECK: return %[[NEW]]#0, %[[MOM]]#0, %[[NEW]]#1, %[[NEW]]#2, %[[NEW]]#3
func.func @full(
    %w: tensor<16x64xbf16>, %g: tensor<16x64xf16>, %m: tensor<16x64xf32>,
    %master: tensor<16x64xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %us: tensor<1xf64>, %ws: tensor<1xf64>, %lr: tensor<f32>,
    %wd: tensor<f32>, %beta: tensor<f32>, %clip: tensor<f32>, %ok: tensor<i1>)
    -> (tensor<16x64xbf16>, tensor<16x64xf32>, tensor<16x64xf32>, tensor<1xf64>, tensor<1xf64>) {
  %0:5 = muon.update gradient(%g : tensor<16x64xf16>)
    gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
    lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>)
    clip(%clip : tensor<f32>) when(%ok : tensor<i1>) weight(%w : tensor<16x64xbf16>)
    momentum(%m : tensor<16x64xf32>) master(%master : tensor<16x64xf32>)
    update_sums(%us : tensor<1xf64>) weight_sums(%ws : tensor<1xf64>)
    {momentum_form = #muon.momentum_form<ema>, nesterov = false, safety = 1.5 : f64,
     eps = 0.125 : f64, schedule = #muon.schedule<you>, steps = 3 : i64,
     iteration = #muon.iteration<gram>, restarts = array<i64: 1>, side = #muon.side<right>,
     compute = #muon.compute<bf16>, scale = #muon.scale<constant 0.5>,
     lr_multiplier = 4.0 : f64}
  return %0#0, %0#1, %0#2, %0#3, %0#4 : tensor<16x64xbf16>, tensor<16x64xf32>, tensor<16x64xf32>, tensor<1xf64>, tensor<1xf64>
}

// -----

// Without options nothing is invented: no clip, no condition, scale 1.

// CHECK-LABEL: func.func @least(
// CHECK: muon.momentum
// CHECK-NOT: clip(
// CHECK-NOT: when(
// CHECK-SAME: {momentum_form = #muon.momentum_form<heavy_ball>, nesterov = true}
// CHECK: muon.normalize
// CHECK-SAME: {eps = 0.000000e+00 : f64, safety = 1.000000e+00 : f64}
// CHECK: muon.orthogonalize
// CHECK-SAME: compute = #muon.compute<auto>, iteration = #muon.iteration<auto>
// CHECK-SAME: side = #muon.side<auto>, steps = 5 : i64
// CHECK: muon.apply
// CHECK-NOT: when(
// CHECK-NOT: sums(
// CHECK-SAME: {scale = 1.000000e+00 : f64}
// CHECK-NOT: muon.update
func.func @least(
    %w: tensor<3x5xf32>, %g: tensor<3x5xf32>, %m: tensor<3x5xf32>,
    %gs: tensor<1xf64>, %ms: tensor<1xf64>, %lr: tensor<f32>,
    %wd: tensor<f32>, %beta: tensor<f32>) -> (tensor<3x5xf32>, tensor<3x5xf32>) {
  %0:2 = muon.update gradient(%g : tensor<3x5xf32>)
    gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
    lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>)
    weight(%w : tensor<3x5xf32>) momentum(%m : tensor<3x5xf32>)
    {schedule = #muon.schedule<keller_jordan>}
  return %0#0, %0#1 : tensor<3x5xf32>, tensor<3x5xf32>
}

// -----

// Stacks and batches share one contiguous scratch: 2 members of 3 matrices are
// 6 matrices.

// CHECK-LABEL: func.func @stack_of_batches(
// CHECK: tensor.empty() : tensor<6x8x4xf32>
// CHECK: tensor.empty() : tensor<6xf64>
// CHECK: muon.momentum gradient(%{{.*}} : !muon.stack<2x3x8x4xf32>)
// CHECK-SAME: x(%{{.*}} : tensor<6x8x4xf32>)
// CHECK: muon.apply x(%{{.*}} : tensor<6x8x4xf32>)
// CHECK-SAME: weight(%{{.*}} : !muon.stack<2x3x8x4xf32>)
func.func @stack_of_batches(
    %w: !muon.stack<2x3x8x4xf32>, %g: !muon.stack<2x3x8x4xf32>,
    %m: !muon.stack<2x3x8x4xf32>, %gs: tensor<6xf64>, %ms: tensor<6xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>)
    -> (!muon.stack<2x3x8x4xf32>, !muon.stack<2x3x8x4xf32>) {
  %0:2 = muon.update gradient(%g : !muon.stack<2x3x8x4xf32>)
    gradient_sums(%gs : tensor<6xf64>) momentum_sums(%ms : tensor<6xf64>)
    lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>)
    weight(%w : !muon.stack<2x3x8x4xf32>) momentum(%m : !muon.stack<2x3x8x4xf32>)
    {schedule = #muon.schedule<keller_jordan>}
  return %0#0, %0#1 : !muon.stack<2x3x8x4xf32>, !muon.stack<2x3x8x4xf32>
}

// -----

// A tall 64×16 matrix, fan-out 64, fan-in 16: √(64/16) = 2. Stored in×out it is
// the other way round, and `original` never shrinks a step.

// CHECK-LABEL: func.func @scale_rules(
// CHECK: muon.apply {{.*}} {scale = 2.000000e+00 : f64}
// CHECK: muon.apply {{.*}} {scale = 5.000000e-01 : f64}
// CHECK: muon.apply {{.*}} {scale = 2.000000e+00 : f64}
// CHECK: muon.apply {{.*}} {scale = 1.000000e+00 : f64}
// CHECK: muon.apply {{.*}} {scale = 1.600000e+00 : f64}
// CHECK: muon.apply {{.*}} {scale = 1.000000e+00 : f64}
func.func @scale_rules(
    %w: tensor<64x16xf32>, %g: tensor<64x16xf32>, %m: tensor<64x16xf32>,
    %gs: tensor<1xf64>, %ms: tensor<1xf64>, %lr: tensor<f32>, %wd: tensor<f32>,
    %beta: tensor<f32>) -> tensor<64x16xf32> {
  %0:2 = muon.update gradient(%g : tensor<64x16xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>) weight(%w : tensor<64x16xf32>) momentum(%m : tensor<64x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, scale = #muon.scale<spectral>}
  %1:2 = muon.update gradient(%g : tensor<64x16xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>) weight(%0#0 : tensor<64x16xf32>) momentum(%0#1 : tensor<64x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, scale = #muon.scale<spectral>, transposed = true}
  %2:2 = muon.update gradient(%g : tensor<64x16xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>) weight(%1#0 : tensor<64x16xf32>) momentum(%1#1 : tensor<64x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, scale = #muon.scale<original>}
  %3:2 = muon.update gradient(%g : tensor<64x16xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>) weight(%2#0 : tensor<64x16xf32>) momentum(%2#1 : tensor<64x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, scale = #muon.scale<original>, transposed = true}
  %4:2 = muon.update gradient(%g : tensor<64x16xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>) weight(%3#0 : tensor<64x16xf32>) momentum(%3#1 : tensor<64x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, scale = #muon.scale<match_rms_adamw>}
  %5:2 = muon.update gradient(%g : tensor<64x16xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>) weight(%4#0 : tensor<64x16xf32>) momentum(%4#1 : tensor<64x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, scale = #muon.scale<none>}
  return %5#0 : tensor<64x16xf32>
}

// -----

// The type of the scratch follows the arithmetic of the products alone.

// CHECK-LABEL: func.func @storage(
// CHECK: muon.orthogonalize x(%{{.+}} : tensor<1x4x6xf16>) {{.*}} out(%{{.+}} : tensor<1x4x6xf32>) {compute = #muon.compute<f16>,
// CHECK: muon.apply x(%{{.+}} : tensor<1x4x6xf32>)
// CHECK: muon.orthogonalize x(%{{.+}} : tensor<1x4x6xf32>) {{.*}} out(%{{.+}} : tensor<1x4x6xf32>) {compute = #muon.compute<tf32>,
func.func @storage(
    %w: tensor<4x6xbf16>, %g: tensor<4x6xbf16>, %m: tensor<4x6xbf16>,
    %gs: tensor<1xf64>, %ms: tensor<1xf64>, %lr: tensor<f32>) -> tensor<4x6xbf16> {
  %0:2 = muon.update gradient(%g : tensor<4x6xbf16>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<4x6xbf16>) momentum(%m : tensor<4x6xbf16>)
    {schedule = #muon.schedule<you>, compute = #muon.compute<f16>}
  %1:2 = muon.update gradient(%g : tensor<4x6xbf16>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%0#0 : tensor<4x6xbf16>) momentum(%0#1 : tensor<4x6xbf16>)
    {schedule = #muon.schedule<you>, compute = #muon.compute<tf32>}
  return %1#0 : tensor<4x6xbf16>
}
