// RUN: split-file %s %t
// RUN: muon-opt --muon-place-arguments=grid=dp=4,fsdp=2,ep=2,tp=3 %t/axes.mlir | FileCheck %t/axes.mlir
// RUN: muon-opt --muon-place-arguments=grid=tp=8 %t/axes.mlir | FileCheck %t/axes.mlir --check-prefix=TP
// RUN: muon-opt --muon-place-arguments=grid=dp=2,dp2=2 %t/axes.mlir | FileCheck %t/axes.mlir --check-prefix=NAMES
// RUN: muon-opt --muon-place-arguments=grid=dp=8,tp=4 %t/sizes.mlir | FileCheck %t/sizes.mlir
// RUN: muon-opt --muon-place-arguments=grid=dp=8,tp=4 %t/nameless.mlir | FileCheck %t/nameless.mlir
// RUN: muon-opt --muon-place-arguments=grid=dp=2 %t/update.mlir | FileCheck %t/update.mlir
// RUN: muon-opt --muon-place-arguments=grid=dp=2 --muon-assign-optimizers --muon-stack-updates %t/axes.mlir | FileCheck %t/axes.mlir --check-prefix=STEP

//--- axes.mlir

// By its name an axis has gradients to be averaged (dp), splits the first
// dimension (fsdp), or that of a batch of matrices (ep); others split nothing.

// CHECK-LABEL: module {
// CHECK-NEXT: shard.grid @grid(shape = 4x2x2x3) {muon.axes = ["dp", "fsdp", "ep", "tp"]}
// CHECK-NEXT: func.func @step(
// CHECK-SAME: %{{.+}}: tensor<8x4xf32> {muon.names = ["w"], muon.role = #muon.role<weight>, muon.sharding = #muon.sharding<{{\[}}[1], []]>},
// CHECK-SAME: %{{.+}}: tensor<8x4xf32> {muon.names = ["w"], muon.role = #muon.role<gradient>, muon.sharding = #muon.sharding<{{\[}}[1], []]>, muon.unreduced = #muon.unreduced<[0], mean>},
// CHECK-SAME: %{{.+}}: tensor<6x8x4xf32> {muon.names = ["e"], muon.role = #muon.role<weight>, muon.sharding = #muon.sharding<{{\[}}[1, 2], [], []]>},
// CHECK-SAME: %{{.+}}: tensor<6x8x4xf32> {{{.*}}muon.sharding = #muon.sharding<{{\[}}[1, 2], [], []]>, muon.unreduced = #muon.unreduced<[0], mean>},
// CHECK-SAME: %{{.+}}: tensor<7xbf16> {{{.*}}muon.sharding = #muon.sharding<{{\[}}[1]]>},
// CHECK-SAME: %{{.+}}: tensor<7xbf16> {{{.*}}muon.sharding = #muon.sharding<{{\[}}[1]]>, muon.unreduced = #muon.unreduced<[0], mean>},
// A number cannot be split.
// CHECK-SAME: %{{.+}}: tensor<f32> {muon.names = ["s"], muon.role = #muon.role<weight>},
// CHECK-SAME: %{{.+}}: tensor<f32> {muon.names = ["s"], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[0], mean>})

// TP: shard.grid @grid(shape = 8) {muon.axes = ["tp"]}
// TP-NOT: muon.sharding
// TP-NOT: muon.unreduced

// NAMES: shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "dp2"]}
// NAMES-NOT: unreduced<[{{[^]]*}}1

// State goes where its weight is, and equal placements stack.

// STEP: tensor<8x4xf32> {muon.names = ["w"], muon.role = #muon.role<weight>},
// STEP-SAME: tensor<8x4xf32> {muon.names = ["w"], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[0], mean>},
// STEP-SAME: tensor<8x4xf32> {muon.names = ["w"], muon.role = #muon.role<momentum>}
func.func @step(
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]},
    %e: tensor<6x8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["e"]},
    %ge: tensor<6x8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["e"]},
    %v: tensor<7xbf16> {muon.role = #muon.role<weight>, muon.names = ["v"]},
    %gv: tensor<7xbf16> {muon.role = #muon.role<gradient>, muon.names = ["v"]},
    %s: tensor<f32> {muon.role = #muon.role<weight>, muon.names = ["s"]},
    %gs: tensor<f32> {muon.role = #muon.role<gradient>, muon.names = ["s"]}) {
  %0 = muon.optimize weight(%w) gradient(%g) : tensor<8x4xf32>, tensor<8x4xf32>
  %1 = muon.optimize weight(%e) gradient(%ge) : tensor<6x8x4xf32>, tensor<6x8x4xf32>
  %2 = muon.optimize weight(%v) gradient(%gv) : tensor<7xbf16>, tensor<7xbf16>
  %3 = muon.optimize weight(%s) gradient(%gs) : tensor<f32>, tensor<f32>
  return
}

//--- sizes.mlir

// The module's own grid gets other sizes; what it says about arguments stays.

// CHECK: shard.grid @mesh(shape = 8x4) {muon.axes = ["dp", "tp"]}
// CHECK-NOT: shard.grid
// CHECK: muon.role = #muon.role<weight>, muon.sharding = #muon.sharding<{{\[}}[], [1]]>}
// CHECK-NOT: unreduced
shard.grid @mesh(shape = 2x2) {muon.axes = ["dp", "tp"]}
func.func @step(
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"], muon.sharding = #muon.sharding<[[], [1]]>},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"], muon.sharding = #muon.sharding<[[], [1]]>}) {
  %0 = muon.optimize weight(%w) gradient(%g) : tensor<8x4xf32>, tensor<8x4xf32>
  return
}

//--- nameless.mlir

// CHECK: shard.grid @mesh(shape = 8x4) {muon.axes = ["dp", "tp"]}
// CHECK: muon.unreduced = #muon.unreduced<[0], mean>
shard.grid @mesh(shape = 2x2)
func.func @step(
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]}) {
  %0 = muon.optimize weight(%w) gradient(%g) : tensor<8x4xf32>, tensor<8x4xf32>
  return
}

//--- update.mlir

// A step with updates is placed alike, and scalars and sums are not.

// CHECK: func.func @step(
// CHECK-SAME: %{{[a-z0-9]+}}: tensor<f32> {muon.group = "a", muon.role = #muon.role<lr>},
// CHECK-SAME: !muon.stack<2x8x4xf32> {muon.names = ["a", "b"], muon.role = #muon.role<weight>},
// CHECK-SAME: !muon.stack<2x8x4xf32> {muon.names = ["a", "b"], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[0], mean>},
// CHECK-SAME: !muon.stack<2x8x4xf32> {muon.names = ["a", "b"], muon.role = #muon.role<momentum>},
// CHECK-SAME: tensor<2xf64> {muon.names = ["a", "b"], muon.role = #muon.role<gradient_sums>},
// CHECK-SAME: tensor<2xf64> {muon.names = ["a", "b"], muon.role = #muon.role<momentum_sums>})
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: !muon.stack<2x8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["a", "b"]},
    %g: !muon.stack<2x8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["a", "b"]},
    %m: !muon.stack<2x8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["a", "b"]},
    %gs: tensor<2xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["a", "b"]},
    %ms: tensor<2xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["a", "b"]}) {
  %0 = muon.sum_squares value(%g : !muon.stack<2x8x4xf32>) sums(%gs : tensor<2xf64>)
  %1 = muon.sum_squares value(%m : !muon.stack<2x8x4xf32>) sums(%ms : tensor<2xf64>)
  %2:2 = muon.update gradient(%g : !muon.stack<2x8x4xf32>) gradient_sums(%0 : tensor<2xf64>) momentum_sums(%1 : tensor<2xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : !muon.stack<2x8x4xf32>) momentum(%m : !muon.stack<2x8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}
