// RUN: muon-opt %s --allow-unregistered-dialect | muon-opt --allow-unregistered-dialect | FileCheck %s

// CHECK: "test.schedules"()
// CHECK-SAME: cans = #muon.schedule<cans>
// CHECK-SAME: cubic = #muon.schedule<cubic>
// CHECK-SAME: keller_jordan = #muon.schedule<keller_jordan>
// CHECK-SAME: polar_express = #muon.schedule<polar_express>
// CHECK-SAME: you = #muon.schedule<you>
"test.schedules"() {
  cans = #muon.schedule<cans>,
  cubic = #muon.schedule<cubic>,
  keller_jordan = #muon.schedule<keller_jordan>,
  polar_express = #muon.schedule<polar_express>,
  you = #muon.schedule<you>
} : () -> ()

// CHECK: "test.literal_schedule"() {a = #muon.schedule<{{\[}}3.444500e+00, -4.775000e+00, 2.031500e+00]>} : () -> ()
"test.literal_schedule"() {
  a = #muon.schedule<[3.4445, -4.7750, 2.0315]>
} : () -> ()

// CHECK: "test.longer_literal_schedule"() {a = #muon.schedule<{{\[}}2.000000e+00, -1.500000e+00, 5.000000e-01], [1.875000e+00, -1.250000e+00, 3.750000e-01]>} : () -> ()
"test.longer_literal_schedule"() {
  a = #muon.schedule<[2.0, -1.5, 0.5], [1.875, -1.25, 0.375]>
} : () -> ()

// Every bit of a coefficient survives.
// CHECK: "test.exact_schedule"() {a = #muon.schedule<{{\[}}8.1565545249024609, -22.483292925577949, 0.42323551169305323]>} : () -> ()
"test.exact_schedule"() {
  a = #muon.schedule<[8.156554524902461, -22.48329292557795, 0.42323551169305323]>
} : () -> ()

// CHECK: "test.scales"()
// CHECK-SAME: constant = #muon.scale<constant 3.125000e-01>
// CHECK-SAME: exact = #muon.scale<constant 0.33333333333333331>
// CHECK-SAME: match_rms_adamw = #muon.scale<match_rms_adamw>
// CHECK-SAME: negative = #muon.scale<constant -5.000000e-01>
// CHECK-SAME: none = #muon.scale<none>
// CHECK-SAME: original = #muon.scale<original>
// CHECK-SAME: spectral = #muon.scale<spectral>
"test.scales"() {
  constant = #muon.scale<constant 0.3125>,
  exact = #muon.scale<constant 0x3FD5555555555555>,
  match_rms_adamw = #muon.scale<match_rms_adamw>,
  negative = #muon.scale<constant -0.5>,
  none = #muon.scale<none>,
  original = #muon.scale<original>,
  spectral = #muon.scale<spectral>
} : () -> ()

// CHECK: "test.rows"() {first = #muon.rows<"attn.qkv", 0 to 48 of 144>, last = #muon.rows<"attn.qkv", 96 to 144 of 144>, one = #muon.rows<"a \22quoted\22 name", 5 to 6 of 6>} : () -> ()
"test.rows"() {
  first = #muon.rows<"attn.qkv", 0 to 48 of 144>,
  last = #muon.rows<"attn.qkv", 96 to 144 of 144>,
  one = #muon.rows<"a \"quoted\" name", 5 to 6 of 6>
} : () -> ()

// CHECK: "test.momentum_forms"() {ema = #muon.momentum_form<ema>, heavy_ball = #muon.momentum_form<heavy_ball>} : () -> ()
"test.momentum_forms"() {
  ema = #muon.momentum_form<ema>,
  heavy_ball = #muon.momentum_form<heavy_ball>
} : () -> ()

// CHECK: "test.iterations"() {auto = #muon.iteration<auto>, direct = #muon.iteration<direct>, gram = #muon.iteration<gram>} : () -> ()
"test.iterations"() {
  auto = #muon.iteration<auto>,
  direct = #muon.iteration<direct>,
  gram = #muon.iteration<gram>
} : () -> ()

// CHECK: "test.sides"() {auto = #muon.side<auto>, left = #muon.side<left>, right = #muon.side<right>} : () -> ()
"test.sides"() {
  auto = #muon.side<auto>,
  left = #muon.side<left>,
  right = #muon.side<right>
} : () -> ()

// CHECK: "test.computes"() {auto = #muon.compute<auto>, bf16 = #muon.compute<bf16>, f16 = #muon.compute<f16>, f32 = #muon.compute<f32>, tf32 = #muon.compute<tf32>} : () -> ()
"test.computes"() {
  auto = #muon.compute<auto>,
  bf16 = #muon.compute<bf16>,
  f16 = #muon.compute<f16>,
  f32 = #muon.compute<f32>,
  tf32 = #muon.compute<tf32>
} : () -> ()

// CHECK: "test.roles"() {all = [#muon.role<weight>, #muon.role<gradient>, #muon.role<momentum>, #muon.role<exp_avg>, #muon.role<exp_avg_sq>, #muon.role<master>, #muon.role<step>, #muon.role<lr>, #muon.role<weight_decay>, #muon.role<beta>, #muon.role<clip_limit>, #muon.role<ok>, #muon.role<clip>, #muon.role<gradient_sums>, #muon.role<momentum_sums>, #muon.role<update_sums>, #muon.role<weight_sums>]} : () -> ()
"test.roles"() {
  all = [#muon.role<weight>, #muon.role<gradient>, #muon.role<momentum>,
         #muon.role<exp_avg>, #muon.role<exp_avg_sq>, #muon.role<master>,
         #muon.role<step>, #muon.role<lr>, #muon.role<weight_decay>,
         #muon.role<beta>, #muon.role<clip_limit>, #muon.role<ok>,
         #muon.role<clip>, #muon.role<gradient_sums>,
         #muon.role<momentum_sums>, #muon.role<update_sums>,
         #muon.role<weight_sums>]
} : () -> ()
