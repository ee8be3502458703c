// RUN: split-file %s %t
// RUN: muon-opt --muon-assign-optimizers %t/step.mlir | FileCheck %t/step.mlir
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates %t/step.mlir | FileCheck %t/step.mlir --check-prefix=STACKS
// RUN: muon-opt --muon-assign-optimizers=rules=%t/rules.json %t/split.mlir | FileCheck %t/split.mlir

//--- step.mlir

// State is where its weight is; what is to be added up is the gradient alone.
// The strategy that the user wants goes with the update.

// CHECK: tensor<8x4xbf16> {muon.names = ["a"], muon.role = #muon.role<weight>, muon.sharding = #muon.sharding<{{\[}}[1], []]>},
// CHECK-SAME: tensor<8x4xf32> {muon.names = ["a"], muon.role = #muon.role<gradient>, muon.sharding = #muon.sharding<{{\[}}[1], []]>, muon.unreduced = #muon.unreduced<[0], sum>},
// CHECK-SAME: tensor<8x4xf32> {muon.names = ["a"], muon.role = #muon.role<momentum>, muon.sharding = #muon.sharding<{{\[}}[1], []]>},
// CHECK-SAME: tensor<8x4xf32> {muon.names = ["a"], muon.role = #muon.role<master>, muon.sharding = #muon.sharding<{{\[}}[1], []]>},
// CHECK-SAME: tensor<1xf64> {muon.names = ["a"], muon.role = #muon.role<gradient_sums>},
// CHECK-SAME: {muon.names = ["v"], muon.role = #muon.role<exp_avg>},
// CHECK: muon.update {{.*}}muon.strategy = "gather"
// CHECK: muon.adamw_update {{.*}}muon.strategy = "replicate"

// Only what is placed alike, and for which the user wants the same, is stacked.

// STACKS: {muon.names = ["a", "d"], muon.role = #muon.role<weight>, muon.sharding = #muon.sharding<{{\[}}[1], []]>}
// STACKS-SAME: {muon.names = ["a", "d"], muon.role = #muon.role<gradient>, muon.sharding = #muon.sharding<{{\[}}[1], []]>, muon.unreduced = #muon.unreduced<[0], sum>}
// STACKS-SAME: {muon.names = ["b"], muon.role = #muon.role<weight>
// STACKS-SAME: {muon.names = ["c"], muon.role = #muon.role<weight>
// STACKS-SAME: {muon.names = ["e"], muon.role = #muon.role<weight>
// STACKS-SAME: {muon.names = ["v"], muon.role = #muon.role<weight>
func.func @step(
    %a: tensor<8x4xbf16> {muon.role = #muon.role<weight>, muon.names = ["a"], muon.sharding = #muon.sharding<[[1], []]>},
    %ga: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"], muon.sharding = #muon.sharding<[[1], []]>, muon.unreduced = #muon.unreduced<[0], sum>},
    %b: tensor<8x4xbf16> {muon.role = #muon.role<weight>, muon.names = ["b"], muon.sharding = #muon.sharding<[[1], []]>},
    %gb: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"], muon.sharding = #muon.sharding<[[1], []]>, muon.unreduced = #muon.unreduced<[0], mean>},
    %c: tensor<8x4xbf16> {muon.role = #muon.role<weight>, muon.names = ["c"], muon.sharding = #muon.sharding<[[], [1]]>},
    %gc: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["c"], muon.sharding = #muon.sharding<[[], [1]]>, muon.unreduced = #muon.unreduced<[0], sum>},
    %d: tensor<8x4xbf16> {muon.role = #muon.role<weight>, muon.names = ["d"], muon.sharding = #muon.sharding<[[1], []]>},
    %gd: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["d"], muon.sharding = #muon.sharding<[[1], []]>, muon.unreduced = #muon.unreduced<[0], sum>},
    %e: tensor<8x4xbf16> {muon.role = #muon.role<weight>, muon.names = ["e"], muon.sharding = #muon.sharding<[[1], []]>},
    %ge: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["e"], muon.sharding = #muon.sharding<[[1], []]>, muon.unreduced = #muon.unreduced<[0], sum>},
    %v: tensor<8xf32> {muon.role = #muon.role<weight>, muon.names = ["v"]},
    %gv: tensor<8xf32> {muon.role = #muon.role<gradient>, muon.names = ["v"]}) {
  %0 = muon.optimize weight(%a) gradient(%ga) {muon.strategy = "gather"} : tensor<8x4xbf16>, tensor<8x4xf32>
  %1 = muon.optimize weight(%b) gradient(%gb) {muon.strategy = "gather"} : tensor<8x4xbf16>, tensor<8x4xf32>
  %2 = muon.optimize weight(%c) gradient(%gc) {muon.strategy = "gather"} : tensor<8x4xbf16>, tensor<8x4xf32>
  %3 = muon.optimize weight(%d) gradient(%gd) {muon.strategy = "gather"} : tensor<8x4xbf16>, tensor<8x4xf32>
  %4 = muon.optimize weight(%e) gradient(%ge) {muon.strategy = "own"} : tensor<8x4xbf16>, tensor<8x4xf32>
  %5 = muon.optimize weight(%v) gradient(%gv) {muon.strategy = "replicate"} : tensor<8xf32>, tensor<8xf32>
  return
}

//--- split.mlir

// Row blocks are where their tensor is; that they cannot be split there, says
// muon-distribute.

// CHECK: {muon.names = [#muon.rows<"qkv", 0 to 2 of 8>], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[0], mean>}
// CHECK-SAME: {muon.names = [#muon.rows<"qkv", 2 to 8 of 8>], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[0], mean>}
// CHECK-COUNT-2: muon.strategy = "own"
func.func @step(
    %a: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["qkv"]},
    %ga: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["qkv"], muon.unreduced = #muon.unreduced<[0], mean>}) {
  %0 = muon.optimize weight(%a) gradient(%ga) {muon.strategy = "own"} : tensor<8x4xf32>, tensor<8x4xf32>
  return
}

//--- rules.json
{"rules": [{"match": "qkv", "split": [2, 6]}]}
