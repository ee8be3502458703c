// RUN: muon-opt --muon-stack-updates --split-input-file %s | FileCheck %s

// Merging may not change what the look sees. Here the norm is that of one of
// two equal parameters: the other one's sum must not slip in, nor may the one
// that counts get lost.

// CHECK-LABEL: func.func @first_counts(
// CHECK-SAME: %[[S:[a-z0-9]+]]: tensor<1xf64> {muon.names = ["a"], muon.role = #muon.role<gradient_sums>}
// CHECK: %[[A:.+]] = muon.sum_squares {{.*}} sums(%[[S]] : tensor<1xf64>)
// CHECK: muon.look gradients(%[[A]] : tensor<1xf64>) ok
func.func @first_counts(
    %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>, %ok: tensor<i1>, %clip: tensor<f32>,
    %wa: tensor<4xf32>, %ga: tensor<4xf32>, %ma: tensor<4xf32>, %va: tensor<4xf32>,
    %sa: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["a"]},
    %wb: tensor<4xf32>, %gb: tensor<4xf32>, %mb: tensor<4xf32>, %vb: tensor<4xf32>,
    %sb: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["b"]})
    -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = muon.sum_squares value(%ga : tensor<4xf32>) sums(%sa : tensor<1xf64>)
  %1 = muon.sum_squares value(%gb : tensor<4xf32>) sums(%sb : tensor<1xf64>)
  %look:2 = muon.look gradients(%0 : tensor<1xf64>) ok(%ok : tensor<i1>) clip(%clip : tensor<f32>)
  %a:3 = muon.adamw_update gradient(%ga : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) when(%look#0 : tensor<i1>) weight(%wa : tensor<4xf32>) exp_avg(%ma : tensor<4xf32>) exp_avg_sq(%va : tensor<4xf32>)
  %b:3 = muon.adamw_update gradient(%gb : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) when(%look#0 : tensor<i1>) weight(%wb : tensor<4xf32>) exp_avg(%mb : tensor<4xf32>) exp_avg_sq(%vb : tensor<4xf32>)
  return %a#0, %b#0 : tensor<4xf32>, tensor<4xf32>
}

// -----

// CHECK-LABEL: func.func @second_counts(
// CHECK-SAME: %[[S:[a-z0-9]+]]: tensor<1xf64> {muon.names = ["b"], muon.role = #muon.role<gradient_sums>}
// CHECK: %[[B:.+]] = muon.sum_squares {{.*}} sums(%[[S]] : tensor<1xf64>)
// CHECK: muon.look gradients(%[[B]] : tensor<1xf64>) ok
func.func @second_counts(
    %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>, %ok: tensor<i1>, %clip: tensor<f32>,
    %wa: tensor<4xf32>, %ga: tensor<4xf32>, %ma: tensor<4xf32>, %va: tensor<4xf32>,
    %sa: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["a"]},
    %wb: tensor<4xf32>, %gb: tensor<4xf32>, %mb: tensor<4xf32>, %vb: tensor<4xf32>,
    %sb: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["b"]})
    -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = muon.sum_squares value(%ga : tensor<4xf32>) sums(%sa : tensor<1xf64>)
  %1 = muon.sum_squares value(%gb : tensor<4xf32>) sums(%sb : tensor<1xf64>)
  %look:2 = muon.look gradients(%1 : tensor<1xf64>) ok(%ok : tensor<i1>) clip(%clip : tensor<f32>)
  %a:3 = muon.adamw_update gradient(%ga : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) when(%look#0 : tensor<i1>) weight(%wa : tensor<4xf32>) exp_avg(%ma : tensor<4xf32>) exp_avg_sq(%va : tensor<4xf32>)
  %b:3 = muon.adamw_update gradient(%gb : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) when(%look#0 : tensor<i1>) weight(%wb : tensor<4xf32>) exp_avg(%mb : tensor<4xf32>) exp_avg_sq(%vb : tensor<4xf32>)
  return %a#0, %b#0 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Only one of them has a sum at all.

// CHECK-LABEL: func.func @one_sum(
// CHECK: %[[A:.+]] = muon.sum_squares {{.*}} sums(%{{.+}} : tensor<1xf64>)
// CHECK: muon.look gradients(%[[A]] : tensor<1xf64>) ok
func.func @one_sum(
    %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>, %ok: tensor<i1>, %clip: tensor<f32>,
    %wa: tensor<4xf32>, %ga: tensor<4xf32>, %ma: tensor<4xf32>, %va: tensor<4xf32>, %sa: tensor<1xf64>,
    %wb: tensor<4xf32>, %gb: tensor<4xf32>, %mb: tensor<4xf32>, %vb: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = muon.sum_squares value(%ga : tensor<4xf32>) sums(%sa : tensor<1xf64>)
  %look:2 = muon.look gradients(%0 : tensor<1xf64>) ok(%ok : tensor<i1>) clip(%clip : tensor<f32>)
  %a:3 = muon.adamw_update gradient(%ga : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) when(%look#0 : tensor<i1>) weight(%wa : tensor<4xf32>) exp_avg(%ma : tensor<4xf32>) exp_avg_sq(%va : tensor<4xf32>)
  %b:3 = muon.adamw_update gradient(%gb : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) when(%look#0 : tensor<i1>) weight(%wb : tensor<4xf32>) exp_avg(%mb : tensor<4xf32>) exp_avg_sq(%vb : tensor<4xf32>)
  return %a#0, %b#0 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Somebody else reads a sum.

// CHECK-LABEL: func.func @read_elsewhere(
// CHECK: = muon.sum_squares {{.*}} sums(%{{.+}} : tensor<1xf64>)
// CHECK: %[[B:.+]] = muon.sum_squares {{.*}} sums(%{{.+}} : tensor<1xf64>)
// CHECK: tensor.extract %[[B]][%{{.+}}] : tensor<1xf64>
func.func @read_elsewhere(
    %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>, %i: index,
    %wa: tensor<4xf32>, %ga: tensor<4xf32>, %ma: tensor<4xf32>, %va: tensor<4xf32>, %sa: tensor<1xf64>,
    %wb: tensor<4xf32>, %gb: tensor<4xf32>, %mb: tensor<4xf32>, %vb: tensor<4xf32>, %sb: tensor<1xf64>)
    -> (tensor<4xf32>, tensor<4xf32>, f64) {
  %0 = muon.sum_squares value(%ga : tensor<4xf32>) sums(%sa : tensor<1xf64>)
  %1 = muon.sum_squares value(%gb : tensor<4xf32>) sums(%sb : tensor<1xf64>)
  %2 = tensor.extract %1[%i] : tensor<1xf64>
  %a:3 = muon.adamw_update gradient(%ga : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%wa : tensor<4xf32>) exp_avg(%ma : tensor<4xf32>) exp_avg_sq(%va : tensor<4xf32>)
  %b:3 = muon.adamw_update gradient(%gb : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%wb : tensor<4xf32>) exp_avg(%mb : tensor<4xf32>) exp_avg_sq(%vb : tensor<4xf32>)
  return %a#0, %b#0, %2 : tensor<4xf32>, tensor<4xf32>, f64
}
