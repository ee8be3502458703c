// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute=rank=0 --muon-decompose-updates %s | FileCheck %s --check-prefix=ROWS
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute=rank=1 --muon-decompose-updates %s | FileCheck %s --check-prefix=NONE

// Of one row over two ranks the second has nothing: it owns nothing either, as an
// update is where its weight is.

// ROWS: muon.all_to_all value({{.*}}to = array<i64: 0, 0>
// ROWS: muon.all_to_all value({{.*}}from = array<i64: 0, 0>

// NONE: muon.all_to_all {{{.*}}label = "X"{{.*}}to = array<i64: 0, 0>
// NONE: muon.all_to_all {{{.*}}from = array<i64: 0, 0>{{.*}}label = "O"
shard.grid @grid(shape = 2) {muon.axes = ["tp"]}
func.func @step(
    %w0: tensor<1x16xf32> {muon.role = #muon.role<weight>, muon.names = ["a"], muon.sharding = #muon.sharding<[[0], []]>},
    %g0: tensor<1x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"], muon.sharding = #muon.sharding<[[0], []]>},
    %w1: tensor<1x16xf32> {muon.role = #muon.role<weight>, muon.names = ["b"], muon.sharding = #muon.sharding<[[0], []]>},
    %g1: tensor<1x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"], muon.sharding = #muon.sharding<[[0], []]>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "own"} : tensor<1x16xf32>, tensor<1x16xf32>
  %1 = muon.optimize weight(%w1) gradient(%g1) {muon.strategy = "own"} : tensor<1x16xf32>, tensor<1x16xf32>
  return
}
