// RUN: split-file %s %t
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=0" %t/step.mlir | FileCheck %t/step.mlir --check-prefix=SHARED
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=0 bucket-bytes=1" %t/step.mlir | FileCheck %t/step.mlir --check-prefix=ALONE
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=0 bucket-bytes=5120" %t/step.mlir | FileCheck %t/step.mlir --check-prefix=SOME

// What goes together.

//--- step.mlir

// Parameters share a collective up to a size; types and reductions do not mix.

// SHARED-COUNT-3: muon.reduce_scatter value
// SHARED-NOT: muon.reduce_scatter value
// SHARED-COUNT-3: label = "weights"
// SHARED-NOT: label = "weights"

// ALONE-COUNT-4: muon.reduce_scatter value
// ALONE-NOT: muon.reduce_scatter value
// ALONE-COUNT-4: label = "weights"
// ALONE-NOT: label = "weights"

// SOME: muon.reduce_scatter {{.*}}elements = array<i64: 768, 512>

shard.grid @grid(shape = 2) {muon.axes = ["dp"]}
func.func @step(
    %w0: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]},
    %g0: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"], muon.unreduced = #muon.unreduced<[0], mean>},
    %w1: tensor<32x16xf32> {muon.role = #muon.role<weight>, muon.names = ["b"]},
    %g1: tensor<32x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"], muon.unreduced = #muon.unreduced<[0], mean>},
    %w2: tensor<16x16xbf16> {muon.role = #muon.role<weight>, muon.names = ["c"]},
    %g2: tensor<16x16xbf16> {muon.role = #muon.role<gradient>, muon.names = ["c"], muon.unreduced = #muon.unreduced<[0], mean>},
    %w3: tensor<24x16xf32> {muon.role = #muon.role<weight>, muon.names = ["d"]},
    %g3: tensor<24x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["d"], muon.unreduced = #muon.unreduced<[0], sum>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "own"} : tensor<48x16xf32>, tensor<48x16xf32>
  %1 = muon.optimize weight(%w1) gradient(%g1) {muon.strategy = "own"} : tensor<32x16xf32>, tensor<32x16xf32>
  %2 = muon.optimize weight(%w2) gradient(%g2) {muon.strategy = "own"} : tensor<16x16xbf16>, tensor<16x16xbf16>
  %3 = muon.optimize weight(%w3) gradient(%g3) {muon.strategy = "own"} : tensor<24x16xf32>, tensor<24x16xf32>
  return
}
