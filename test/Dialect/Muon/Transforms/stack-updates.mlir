// RUN: muon-opt --muon-stack-updates --split-input-file %s | FileCheck %s

// Two AdamW updates of one shape, a third one between them: order is kept, and
// every role becomes one argument whose names are those of the members.

// CHECK-LABEL: func.func @adamw(
// CHECK-SAME: %[[LR:[a-z0-9]+]]: tensor<f32> {muon.group = "g", muon.role = #muon.role<lr>}
// CHECK-SAME: %[[W:[a-z0-9]+]]: !muon.stack<2x4xf32> {muon.names = ["a", "c"], muon.role = #muon.role<weight>}
// CHECK-SAME: %[[G:[a-z0-9]+]]: !muon.stack<2x4xbf16> {muon.names = ["a", "c"], muon.role = #muon.role<gradient>}
// CHECK-SAME: %[[M:[a-z0-9]+]]: !muon.stack<2x4xf32> {muon.names = ["a", "c"], muon.role = #muon.role<exp_avg>}
// CHECK-SAME: %[[V:[a-z0-9]+]]: !muon.stack<2x4xf32> {muon.names = ["a", "c"], muon.role = #muon.role<exp_avg_sq>}
// CHECK-SAME: %[[US:[a-z0-9]+]]: tensor<2xf64> {muon.names = ["a", "c"], muon.role = #muon.role<update_sums>}
// CHECK-SAME: %[[WB:[a-z0-9]+]]: tensor<8xf32> {muon.names = ["b"], muon.role = #muon.role<weight>}
// CHECK-SAME: -> (!muon.stack<2x4xf32>, tensor<8xf32>)
// CHECK-NEXT: %[[AC:.+]]:4 = muon.adamw_update gradient(%[[G]] : !muon.stack<2x4xbf16>) lr(%[[LR]] : tensor<f32>)
// CHECK-SAME: weight(%[[W]] : !muon.stack<2x4xf32>) exp_avg(%[[M]] : !muon.stack<2x4xf32>)
// CHECK-SAME: exp_avg_sq(%[[V]] : !muon.stack<2x4xf32>) update_sums(%[[US]] : tensor<2xf64>)
// CHECK-SAME: eps = 5.000000e-01 : f64
// CHECK-NEXT: %[[B:.+]]:3 = muon.adamw_update {{.*}} weight(%[[WB]] : tensor<8xf32>)
// CHECK-NEXT: return %[[AC]]#0, %[[B]]#0
func.func @adamw(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "g"},
    %wd: tensor<f32> {muon.role = #muon.role<weight_decay>, muon.group = "g"},
    %t: tensor<i64> {muon.role = #muon.role<step>},
    %wa: tensor<4xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]},
    %ga: tensor<4xbf16> {muon.role = #muon.role<gradient>, muon.names = ["a"]},
    %ma: tensor<4xf32> {muon.role = #muon.role<exp_avg>, muon.names = ["a"]},
    %va: tensor<4xf32> {muon.role = #muon.role<exp_avg_sq>, muon.names = ["a"]},
    %ua: tensor<1xf64> {muon.role = #muon.role<update_sums>, muon.names = ["a"]},
    %wb: tensor<8xf32> {muon.role = #muon.role<weight>, muon.names = ["b"]},
    %gb: tensor<8xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"]},
    %mb: tensor<8xf32> {muon.role = #muon.role<exp_avg>, muon.names = ["b"]},
    %vb: tensor<8xf32> {muon.role = #muon.role<exp_avg_sq>, muon.names = ["b"]},
    %wc: tensor<4xf32> {muon.role = #muon.role<weight>, muon.names = ["c"]},
    %gc: tensor<4xbf16> {muon.role = #muon.role<gradient>, muon.names = ["c"]},
    %mc: tensor<4xf32> {muon.role = #muon.role<exp_avg>, muon.names = ["c"]},
    %vc: tensor<4xf32> {muon.role = #muon.role<exp_avg_sq>, muon.names = ["c"]},
    %uc: tensor<1xf64> {muon.role = #muon.role<update_sums>, muon.names = ["c"]})
    -> (tensor<4xf32>, tensor<8xf32>, tensor<4xf32>) {
  %a:4 = muon.adamw_update gradient(%ga : tensor<4xbf16>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%wa : tensor<4xf32>) exp_avg(%ma : tensor<4xf32>) exp_avg_sq(%va : tensor<4xf32>) update_sums(%ua : tensor<1xf64>) {eps = 0.5 : f64}
  %b:3 = muon.adamw_update gradient(%gb : tensor<8xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%wb : tensor<8xf32>) exp_avg(%mb : tensor<8xf32>) exp_avg_sq(%vb : tensor<8xf32>) {eps = 0.5 : f64}
  %c:4 = muon.adamw_update gradient(%gc : tensor<4xbf16>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%wc : tensor<4xf32>) exp_avg(%mc : tensor<4xf32>) exp_avg_sq(%vc : tensor<4xf32>) update_sums(%uc : tensor<1xf64>) {eps = 0.5 : f64}
  return %a#0, %b#0, %c#0 : tensor<4xf32>, tensor<8xf32>, tensor<4xf32>
}

// -----

// Sums of gradients and momenta merge with the tensors that they are of, in the
// order of the members also if the look lists them in another one. A split
// tensor's row blocks are members like any other.

// CHECK-LABEL: func.func @muon(
// CHECK-SAME: %[[G:[a-z0-9]+]]: !muon.stack<2x4x3xf32> {muon.names = [#muon.rows<"qkv", 0 to 4 of 8>, #muon.rows<"qkv", 4 to 8 of 8>], muon.role = #muon.role<gradient>}
// CHECK-SAME: %[[M:[a-z0-9]+]]: !muon.stack<2x4x3xf32> {{{.*}}muon.role = #muon.role<momentum>}
// CHECK-SAME: %[[GSA:[a-z0-9]+]]: tensor<2xf64> {{{.*}}muon.role = #muon.role<gradient_sums>}
// CHECK-SAME: %[[MSA:[a-z0-9]+]]: tensor<2xf64> {{{.*}}muon.role = #muon.role<momentum_sums>}
// CHECK: %[[GS:.+]] = muon.sum_squares value(%[[G]] : !muon.stack<2x4x3xf32>) sums(%[[GSA]] : tensor<2xf64>)
// CHECK-NEXT: %[[MS:.+]] = muon.sum_squares value(%[[M]] : !muon.stack<2x4x3xf32>) sums(%[[MSA]] : tensor<2xf64>)
// CHECK-NEXT: %[[LOOK:.+]]:2 = muon.look gradients(%[[GS]] : tensor<2xf64>) momenta(%[[MS]] : tensor<2xf64>)
// CHECK-SAME: skip_nonfinite = false
// CHECK-NEXT: %[[NEW:.+]]:2 = muon.update gradient(%[[G]] : !muon.stack<2x4x3xf32>) gradient_sums(%[[GS]] : tensor<2xf64>) momentum_sums(%[[MS]] : tensor<2xf64>)
// CHECK-SAME: when(%[[LOOK]]#0 : tensor<i1>)
// CHECK-NEXT: return %[[NEW]]#0, %[[NEW]]#1 : !muon.stack<2x4x3xf32>, !muon.stack<2x4x3xf32>
func.func @muon(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "g"},
    %wd: tensor<f32> {muon.role = #muon.role<weight_decay>, muon.group = "g"},
    %beta: tensor<f32> {muon.role = #muon.role<beta>, muon.group = "g"},
    %ok: tensor<i1> {muon.role = #muon.role<ok>},
    %clip: tensor<f32> {muon.role = #muon.role<clip>},
    %wa: tensor<4x3xf32> {muon.role = #muon.role<weight>, muon.names = [#muon.rows<"qkv", 0 to 4 of 8>]},
    %ga: tensor<4x3xf32> {muon.role = #muon.role<gradient>, muon.names = [#muon.rows<"qkv", 0 to 4 of 8>]},
    %ma: tensor<4x3xf32> {muon.role = #muon.role<momentum>, muon.names = [#muon.rows<"qkv", 0 to 4 of 8>]},
    %gsa: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = [#muon.rows<"qkv", 0 to 4 of 8>]},
    %msa: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = [#muon.rows<"qkv", 0 to 4 of 8>]},
    %wb: tensor<4x3xf32> {muon.role = #muon.role<weight>, muon.names = [#muon.rows<"qkv", 4 to 8 of 8>]},
    %gb: tensor<4x3xf32> {muon.role = #muon.role<gradient>, muon.names = [#muon.rows<"qkv", 4 to 8 of 8>]},
    %mb: tensor<4x3xf32> {muon.role = #muon.role<momentum>, muon.names = [#muon.rows<"qkv", 4 to 8 of 8>]},
    %gsb: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = [#muon.rows<"qkv", 4 to 8 of 8>]},
    %msb: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = [#muon.rows<"qkv", 4 to 8 of 8>]})
    -> (tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>) {
  %0 = muon.sum_squares value(%ga : tensor<4x3xf32>) sums(%gsa : tensor<1xf64>)
  %1 = muon.sum_squares value(%ma : tensor<4x3xf32>) sums(%msa : tensor<1xf64>)
  %2 = muon.sum_squares value(%gb : tensor<4x3xf32>) sums(%gsb : tensor<1xf64>)
  %3 = muon.sum_squares value(%mb : tensor<4x3xf32>) sums(%msb : tensor<1xf64>)
  %look:2 = muon.look gradients(%2, %0 : tensor<1xf64>, tensor<1xf64>) momenta(%1, %3 : tensor<1xf64>, tensor<1xf64>) ok(%ok : tensor<i1>) clip(%clip : tensor<f32>) {skip_nonfinite = false}
  %a:2 = muon.update gradient(%ga : tensor<4x3xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>) when(%look#0 : tensor<i1>) weight(%wa : tensor<4x3xf32>) momentum(%ma : tensor<4x3xf32>) {schedule = #muon.schedule<you>}
  %b:2 = muon.update gradient(%gb : tensor<4x3xf32>) gradient_sums(%2 : tensor<1xf64>) momentum_sums(%3 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>) when(%look#0 : tensor<i1>) weight(%wb : tensor<4x3xf32>) momentum(%mb : tensor<4x3xf32>) {schedule = #muon.schedule<you>}
  return %a#0, %a#1, %b#0, %b#1 : tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>, tensor<4x3xf32>
}

// -----

// Scalars and matrices of rank 3 stack as well: 2 members of 5 matrices.

// CHECK-LABEL: func.func @ranks(
// CHECK-SAME: !muon.stack<2xf32>
// CHECK: muon.adamw_update {{.*}} weight(%{{.*}} : !muon.stack<2xf32>)
func.func @ranks(
    %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %wa: tensor<f32>, %ga: tensor<f32>, %ma: tensor<f32>, %va: tensor<f32>,
    %wb: tensor<f32>, %gb: tensor<f32>, %mb: tensor<f32>, %vb: tensor<f32>)
    -> (tensor<f32>, tensor<f32>) {
  %a:3 = muon.adamw_update gradient(%ga : tensor<f32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%wa : tensor<f32>) exp_avg(%ma : tensor<f32>) exp_avg_sq(%va : tensor<f32>)
  %b:3 = muon.adamw_update gradient(%gb : tensor<f32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%wb : tensor<f32>) exp_avg(%mb : tensor<f32>) exp_avg_sq(%vb : tensor<f32>)
  return %a#0, %b#0 : tensor<f32>, tensor<f32>
}

// -----

// Different attributes, different run-time scalars, different element types:
// three reasons not to merge.

// CHECK-LABEL: func.func @apart(
// CHECK-NOT: !muon.stack
// CHECK-COUNT-4: muon.adamw_update
// CHECK-NOT: muon.adamw_update
func.func @apart(
    %lr: tensor<f32>, %lr2: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %wa: tensor<4xf32>, %ga: tensor<4xf32>, %ma: tensor<4xf32>, %va: tensor<4xf32>,
    %wb: tensor<4xf32>, %gb: tensor<4xf32>, %mb: tensor<4xf32>, %vb: tensor<4xf32>,
    %wc: tensor<4xf32>, %gc: tensor<4xf32>, %mc: tensor<4xf32>, %vc: tensor<4xf32>,
    %wd4: tensor<4xf32>, %gd: tensor<4xf16>, %md: tensor<4xf32>, %vd: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %a:3 = muon.adamw_update gradient(%ga : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%wa : tensor<4xf32>) exp_avg(%ma : tensor<4xf32>) exp_avg_sq(%va : tensor<4xf32>)
  %b:3 = muon.adamw_update gradient(%gb : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%wb : tensor<4xf32>) exp_avg(%mb : tensor<4xf32>) exp_avg_sq(%vb : tensor<4xf32>) {beta1 = 0.5 : f64}
  %c:3 = muon.adamw_update gradient(%gc : tensor<4xf32>) lr(%lr2 : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%wc : tensor<4xf32>) exp_avg(%mc : tensor<4xf32>) exp_avg_sq(%vc : tensor<4xf32>)
  %d:3 = muon.adamw_update gradient(%gd : tensor<4xf16>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%wd4 : tensor<4xf32>) exp_avg(%md : tensor<4xf32>) exp_avg_sq(%vd : tensor<4xf32>)
  return %a#0, %b#0, %c#0, %d#0 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// -----

// A tensor that somebody else reads, or that is not an argument, stays where it
// is; so does one whose update is used again.

// CHECK-LABEL: func.func @not_owned(
// CHECK-NOT: !muon.stack
// CHECK-COUNT-3: muon.adamw_update
func.func @not_owned(
    %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>, %i: index,
    %wa: tensor<4xf32>, %ga: tensor<4xf32>, %ma: tensor<4xf32>, %va: tensor<4xf32>,
    %wb: tensor<4xf32>, %gb: tensor<4xf32>, %mb: tensor<4xf32>, %vb: tensor<4xf32>,
    %wc: tensor<4xf32>, %mc: tensor<4xf32>, %vc: tensor<4xf32>)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, f32, f32) {
  %a:3 = muon.adamw_update gradient(%ga : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%wa : tensor<4xf32>) exp_avg(%ma : tensor<4xf32>) exp_avg_sq(%va : tensor<4xf32>)
  %0 = tensor.extract %a#0[%i] : tensor<4xf32>
  %1 = tensor.extract %gb[%i] : tensor<4xf32>
  %b:3 = muon.adamw_update gradient(%gb : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%wb : tensor<4xf32>) exp_avg(%mb : tensor<4xf32>) exp_avg_sq(%vb : tensor<4xf32>)
  %gc = tensor.empty() : tensor<4xf32>
  %c:3 = muon.adamw_update gradient(%gc : tensor<4xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>) weight(%wc : tensor<4xf32>) exp_avg(%mc : tensor<4xf32>) exp_avg_sq(%vc : tensor<4xf32>)
  return %a#0, %b#0, %c#0, %0, %1 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, f32, f32
}
