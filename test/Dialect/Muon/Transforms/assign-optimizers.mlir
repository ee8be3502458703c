// RUN: split-file %s %t
// RUN: muon-opt --muon-assign-optimizers %t/defaults.mlir | FileCheck %t/defaults.mlir
// RUN: muon-opt --muon-assign-optimizers=rules=%t/rules.json %t/rules.mlir 2>%t/warnings | FileCheck %t/rules.mlir
// RUN: FileCheck %t/rules.mlir --check-prefix=WARN < %t/warnings
// RUN: muon-opt --muon-assign-optimizers %t/none.mlir | FileCheck %t/none.mlir

//--- defaults.mlir

// By rank and name: a matrix goes to Muon, a matrix called an embedding and a
// vector go to AdamW, integers are frozen. Scalars lead, one set per group; then
// each parameter with its state and its reports.

// CHECK: module attributes {muon.frozen = ["ids"]}
// CHECK-LABEL: func.func @step(
// CHECK-SAME: %[[LR:[a-z0-9]+]]: tensor<f32> {muon.group = "muon", muon.role = #muon.role<lr>},
// CHECK-SAME: %[[WD:[a-z0-9]+]]: tensor<f32> {muon.default = 1.000000e-01 : f32, muon.group = "muon", muon.role = #muon.role<weight_decay>},
// CHECK-SAME: %[[BETA:[a-z0-9]+]]: tensor<f32> {muon.default = 0.949999988 : f32, muon.group = "muon", muon.role = #muon.role<beta>},
// CHECK-SAME: %[[LRA:[a-z0-9]+]]: tensor<f32> {muon.group = "adamw", muon.role = #muon.role<lr>},
// CHECK-SAME: %[[WDA:[a-z0-9]+]]: tensor<f32> {muon.default = 1.000000e-01 : f32, muon.group = "adamw", muon.role = #muon.role<weight_decay>},
// CHECK-SAME: %[[T:[a-z0-9]+]]: tensor<i64> {muon.role = #muon.role<step>},
// CHECK-SAME: %[[OK:[a-z0-9]+]]: tensor<i1> {muon.role = #muon.role<ok>},
// CHECK-SAME: %[[CLIP:[a-z0-9]+]]: tensor<f32> {muon.role = #muon.role<clip>},
// CHECK-SAME: %[[W:[a-z0-9]+]]: tensor<8x4xbf16> {muon.names = ["mlp.w"], muon.role = #muon.role<weight>},
// CHECK-SAME: %[[G:[a-z0-9]+]]: tensor<8x4xf32> {muon.names = ["mlp.w"], muon.role = #muon.role<gradient>},
// CHECK-SAME: %[[M:[a-z0-9]+]]: tensor<8x4xf32> {muon.names = ["mlp.w"], muon.role = #muon.role<momentum>},
// CHECK-SAME: %[[MASTER:[a-z0-9]+]]: tensor<8x4xf32> {muon.names = ["mlp.w"], muon.role = #muon.role<master>},
// CHECK-SAME: %[[GS:[a-z0-9]+]]: tensor<1xf64> {muon.names = ["mlp.w"], muon.role = #muon.role<gradient_sums>},
// CHECK-SAME: %[[MS:[a-z0-9]+]]: tensor<1xf64> {muon.names = ["mlp.w"], muon.role = #muon.role<momentum_sums>},
// CHECK-SAME: %[[US:[a-z0-9]+]]: tensor<1xf64> {muon.names = ["mlp.w"], muon.role = #muon.role<update_sums>},
// CHECK-SAME: %[[WS:[a-z0-9]+]]: tensor<1xf64> {muon.names = ["mlp.w"], muon.role = #muon.role<weight_sums>},
// CHECK-SAME: %[[E:[a-z0-9]+]]: tensor<8x4xf32> {muon.names = ["embed.w"], muon.role = #muon.role<weight>},
// CHECK-SAME: muon.names = ["embed.w"], muon.role = #muon.role<exp_avg>}
// CHECK-SAME: muon.names = ["embed.w"], muon.role = #muon.role<exp_avg_sq>}
// CHECK-SAME: tensor<8xf32> {muon.names = ["scale"], muon.role = #muon.role<weight>}
// CHECK-SAME: tensor<f32> {muon.names = ["zero_rank"], muon.role = #muon.role<weight>}
// CHECK-NOT: "ids"
// CHECK: %[[GS1:.+]] = muon.sum_squares value(%[[G]] : tensor<8x4xf32>) sums(%[[GS]] : tensor<1xf64>)
// CHECK: %[[MS1:.+]] = muon.sum_squares value(%[[M]] : tensor<8x4xf32>) sums(%[[MS]] : tensor<1xf64>)
// CHECK: %[[LOOK:.+]]:2 = muon.look gradients(%[[GS1]], %{{.+}}, %{{.+}}, %{{.+}} : {{.*}}) momenta(%[[MS1]] : tensor<1xf64>) ok(%[[OK]] : tensor<i1>) clip(%[[CLIP]] : tensor<f32>) {skip_nonfinite = true}
// CHECK: %[[NOW:.+]] = muon.advance when(%[[LOOK]]#0 : tensor<i1>) step(%[[T]] : tensor<i64>)
// CHECK: %[[NEW:.+]]:5 = muon.update gradient(%[[G]] : tensor<8x4xf32>) gradient_sums(%[[GS1]] : tensor<1xf64>) momentum_sums(%[[MS1]] : tensor<1xf64>)
// CHECK-SAME: lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) beta(%[[BETA]] : tensor<f32>) when(%[[LOOK]]#0 : tensor<i1>)
// CHECK-SAME: weight(%[[W]] : tensor<8x4xbf16>) momentum(%[[M]] : tensor<8x4xf32>) master(%[[MASTER]] : tensor<8x4xf32>)
// CHECK-SAME: update_sums(%[[US]] : tensor<1xf64>) weight_sums(%[[WS]] : tensor<1xf64>)
// CHECK-SAME: compute = #muon.compute<auto>, eps = 0.000000e+00 : f64, iteration = #muon.iteration<auto>, lr_multiplier = 1.000000e+00 : f64, momentum_form = #muon.momentum_form<heavy_ball>, nesterov = true, safety = 1.000000e+00 : f64, scale = #muon.scale<match_rms_adamw>, schedule = #muon.schedule<keller_jordan>, side = #muon.side<auto>, steps = 5 : i64, transposed = false}
// CHECK: muon.adamw_update
// CHECK-SAME: lr(%[[LRA]] : tensor<f32>) weight_decay(%[[WDA]] : tensor<f32>) step(%[[NOW]] : tensor<i64>) when(%[[LOOK]]#0 : tensor<i1>)
// CHECK-SAME: weight(%[[E]] : tensor<8x4xf32>)
// CHECK-SAME: {beta1 = 9.000000e-01 : f64, beta2 = 0.94999999999999996 : f64, eps = 1.000000e-08 : f64, lr_multiplier = 1.000000e+00 : f64}
// CHECK-COUNT-2: muon.adamw_update
// CHECK-NOT: muon.optimize
func.func @step(
    %w0: tensor<8x4xbf16> {muon.role = #muon.role<weight>, muon.names = ["mlp.w"]},
    %g0: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["mlp.w"]},
    %w1: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["embed.w"]},
    %g1: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["embed.w"]},
    %w2: tensor<8xf32> {muon.role = #muon.role<weight>, muon.names = ["scale"]},
    %g2: tensor<8xf32> {muon.role = #muon.role<gradient>, muon.names = ["scale"]},
    %w3: tensor<3xi64> {muon.role = #muon.role<weight>, muon.names = ["ids"]},
    %g3: tensor<3xi64> {muon.role = #muon.role<gradient>, muon.names = ["ids"]},
    %w4: tensor<f32> {muon.role = #muon.role<weight>, muon.names = ["zero_rank"]},
    %g4: tensor<f32> {muon.role = #muon.role<gradient>, muon.names = ["zero_rank"]}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) : tensor<8x4xbf16>, tensor<8x4xf32>
  %1 = muon.optimize weight(%w1) gradient(%g1) : tensor<8x4xf32>, tensor<8x4xf32>
  %2 = muon.optimize weight(%w2) gradient(%g2) : tensor<8xf32>, tensor<8xf32>
  %3 = muon.optimize weight(%w3) gradient(%g3) : tensor<3xi64>, tensor<3xi64>
  %4 = muon.optimize weight(%w4) gradient(%g4) : tensor<f32>, tensor<f32>
  return
}

//--- rules.json
{"clip_global_norm": 0.5, "skip_nonfinite": false, "state_type": "bf16",
 "rules": [
  {"match": "qkv", "split": [2, 6], "momentum_form": "ema", "nesterov": false,
   "schedule": [[2.0, -1.5, 0.5]], "steps": 7, "safety": 1.5, "eps": 0.25,
   "compute": "f32", "iteration": "direct", "scale": {"constant": 0.75},
   "lr_multiplier": 3.0, "transposed": true, "master": false},
  {"match": "^head$", "optimizer": "adamw", "group": "slow", "betas": [0.5, 0.25],
   "eps": 0.125, "weight_decay": 0.0, "lr_multiplier": 0.5},
  {"match": "cold", "optimizer": "frozen"}]}

//--- rules.mlir

// WARN: warning: tensor "empty" of shape [0, 4] is empty and stays as it is

// CHECK: module attributes {muon.frozen = ["before", "cold.w", "empty"]}
// CHECK-LABEL: func.func @step(
// CHECK-SAME: muon.group = "slow", muon.role = #muon.role<lr>}
// CHECK-SAME: {muon.default = 0.000000e+00 : f32, muon.group = "slow", muon.role = #muon.role<weight_decay>}
// CHECK-SAME: %[[LIMIT:[a-z0-9]+]]: tensor<f32> {muon.default = 5.000000e-01 : f32, muon.role = #muon.role<clip_limit>}
// CHECK-SAME: tensor<2x4xf16> {muon.names = [#muon.rows<"qkv", 0 to 2 of 8>], muon.role = #muon.role<weight>}
// CHECK-SAME: tensor<2x4xbf16> {muon.names = [#muon.rows<"qkv", 0 to 2 of 8>], muon.role = #muon.role<momentum>}
// CHECK-NOT: #muon.role<master>
// CHECK-SAME: tensor<6x4xf16> {muon.names = [#muon.rows<"qkv", 2 to 8 of 8>], muon.role = #muon.role<weight>}
// CHECK-SAME: tensor<8x4xbf16> {muon.names = ["head"], muon.role = #muon.role<exp_avg>}
// CHECK: %[[LOOK:.+]]:2 = muon.look
// CHECK-SAME: limit(%[[LIMIT]] : tensor<f32>)
// CHECK-SAME: {skip_nonfinite = false}
// CHECK-COUNT-2: muon.update {{.*}} clip(%[[LOOK]]#1 : tensor<f32>) {{.*}} {compute = #muon.compute<f32>, eps = 2.500000e-01 : f64, iteration = #muon.iteration<direct>, lr_multiplier = 3.000000e+00 : f64, momentum_form = #muon.momentum_form<ema>, nesterov = false, safety = 1.500000e+00 : f64, scale = #muon.scale<constant 7.500000e-01>, schedule = #muon.schedule<[2.000000e+00, -1.500000e+00, 5.000000e-01]>, side = #muon.side<auto>, steps = 7 : i64, transposed = true}
// CHECK: muon.adamw_update {{.*}} clip(%[[LOOK]]#1 : tensor<f32>) {{.*}} {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 5.000000e-01 : f64}
module attributes {muon.frozen = ["before"]} {
  func.func @step(
      %w0: tensor<8x4xf16> {muon.role = #muon.role<weight>, muon.names = ["qkv"]},
      %g0: tensor<8x4xf16> {muon.role = #muon.role<gradient>, muon.names = ["qkv"]},
      %w1: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["head"]},
      %g1: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["head"]},
      %w2: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["cold.w"]},
      %g2: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["cold.w"]},
      %w3: tensor<0x4xf32> {muon.role = #muon.role<weight>, muon.names = ["empty"]},
      %g3: tensor<0x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["empty"]}) {
    %0 = muon.optimize weight(%w0) gradient(%g0) : tensor<8x4xf16>, tensor<8x4xf16>
    %1 = muon.optimize weight(%w1) gradient(%g1) : tensor<8x4xf32>, tensor<8x4xf32>
    %2 = muon.optimize weight(%w2) gradient(%g2) : tensor<8x4xf32>, tensor<8x4xf32>
    %3 = muon.optimize weight(%w3) gradient(%g3) : tensor<0x4xf32>, tensor<0x4xf32>
    return
  }
}

//--- none.mlir

// Without muon.optimize there is nothing to do.

// CHECK-LABEL: func.func @step(
// CHECK-NEXT: muon.advance
// CHECK-NEXT: return
func.func @step(%t: tensor<i64>) -> tensor<i64> {
  %0 = muon.advance step(%t : tensor<i64>)
  return %0 : tensor<i64>
}
