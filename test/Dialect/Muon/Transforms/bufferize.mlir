// RUN: muon-opt --muon-phase-math --muon-check-in-place \
// RUN:   --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" %s \
// RUN:   -o %t.mlir
// RUN: FileCheck %s < %t.mlir

// In place: nothing is copied, and no buffer of the type of a weight, gradient,
// state or scalar is allocated.
// RUN: not grep -E 'memref.copy|linalg.copy|bufferization\.|memref.alloca' %t.mlir
// RUN: not grep -E 'memref.alloc\(.*memref<(5x3xf32|7xf32|i64|i1|f32|.*bf16)>' %t.mlir

// What is allocated is the scratch of two Muon updates and nothing else. For
// each: x, the result and one between the two segments of the iteration, of two
// and three steps; sums and units; factors. Each segment has a Gram matrix and
// polynomials, Qs and Rs: 1 + 2 + 1 + 2 and 1 + 3 + 2 + 4 square matrices.
// RUN: grep -o 'memref.alloc().*' %t.mlir | sort | uniq -c | FileCheck %s --check-prefix=SCRATCH
// SCRATCH:      {{^ *16 .*}} memref<1x3x3xf32>
// SCRATCH-NEXT: {{^ *3 .*}} memref<1x5x3xf32>
// SCRATCH-NEXT: {{^ *1 .*}} memref<1xf32>
// SCRATCH-NEXT: {{^ *2 .*}} memref<1xf64>
// SCRATCH-NEXT: {{^ *16 .*}} memref<2x16x16xf32>
// SCRATCH-NEXT: {{^ *3 .*}} memref<2x48x16xf32>
// SCRATCH-NEXT: {{^ *1 .*}} memref<2xf32>
// SCRATCH-NEXT: {{^ *2 .*}} memref<2xf64>
// SCRATCH-NOT: {{.}}

// Results are the arguments themselves.
// CHECK-LABEL: func.func @step(
// CHECK-SAME: %[[T:[a-z0-9]+]]: memref<i64>, %[[OK:[a-z0-9]+]]: memref<i1>, %[[CLIP:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME: %[[WA:[a-z0-9]+]]: !muon.table<2x48x16xbf16>, %[[GA:[a-z0-9]+]]: !muon.table<2x48x16xbf16>,
// CHECK-SAME: %[[MA:[a-z0-9]+]]: !muon.table<2x48x16xf32>, %[[MASTER:[a-z0-9]+]]: !muon.table<2x48x16xf32>,
// CHECK-SAME: %[[GSA:[a-z0-9]+]]: memref<2xf64>, %[[MSA:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME: %[[WB:[a-z0-9]+]]: memref<5x3xf32>, %[[GB:[a-z0-9]+]]: memref<5x3xf32>,
// CHECK-SAME: %[[MB:[a-z0-9]+]]: memref<5x3xf32>,
// CHECK-SAME: %[[GSB:[a-z0-9]+]]: memref<1xf64>, %[[MSB:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME: %[[WC:[a-z0-9]+]]: memref<7xf32>
// CHECK: muon.momentum gradient(%[[GA]] : !muon.table<2x48x16xbf16>)
// CHECK-SAME: momentum(%[[MA]] : !muon.table<2x48x16xf32>) x(%{{.+}} : memref<2x48x16xf32>)
// CHECK: muon.commuting_product lhs(%{{.+}} : memref<2x16x16xf32>) rhs(%{{.+}} : memref<2x16x16xf32>) out(%{{.+}} : memref<2x16x16xf32>)
// CHECK: muon.apply
// CHECK-SAME: weight(%[[WA]] : !muon.table<2x48x16xbf16>) master(%[[MASTER]] : !muon.table<2x48x16xf32>)
// CHECK: muon.adamw_update
// CHECK-SAME: weight(%[[WC]] : memref<7xf32>)
// CHECK: return %[[T]], %[[OK]], %[[CLIP]], %[[WA]], %[[MA]], %[[MASTER]], %[[WB]], %[[MB]], %[[WC]]
func.func @step(
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %t: tensor<i64>, %ok: tensor<i1>, %clip: tensor<f32>,
    %wa: !muon.stack<2x48x16xbf16>, %ga: !muon.stack<2x48x16xbf16>,
    %ma: !muon.stack<2x48x16xf32>, %master: !muon.stack<2x48x16xf32>,
    %gsa: tensor<2xf64>, %msa: tensor<2xf64>,
    %wb: tensor<5x3xf32>, %gb: tensor<5x3xf32>, %mb: tensor<5x3xf32>,
    %gsb: tensor<1xf64>, %msb: tensor<1xf64>,
    %wc: tensor<7xf32>, %gc: tensor<7xf32>, %mc: tensor<7xf32>, %vc: tensor<7xf32>, %gsc: tensor<1xf64>)
    -> (tensor<i64>, tensor<i1>, tensor<f32>, !muon.stack<2x48x16xbf16>,
        !muon.stack<2x48x16xf32>, !muon.stack<2x48x16xf32>, tensor<5x3xf32>,
        tensor<5x3xf32>, tensor<7xf32>, tensor<7xf32>, tensor<7xf32>) {
  %0 = muon.sum_squares value(%ga : !muon.stack<2x48x16xbf16>) sums(%gsa : tensor<2xf64>)
  %1 = muon.sum_squares value(%ma : !muon.stack<2x48x16xf32>) sums(%msa : tensor<2xf64>)
  %2 = muon.sum_squares value(%gb : tensor<5x3xf32>) sums(%gsb : tensor<1xf64>)
  %3 = muon.sum_squares value(%mb : tensor<5x3xf32>) sums(%msb : tensor<1xf64>)
  %4 = muon.sum_squares value(%gc : tensor<7xf32>) sums(%gsc : tensor<1xf64>)
  %look:2 = muon.look gradients(%0, %2, %4 : tensor<2xf64>, tensor<1xf64>, tensor<1xf64>) momenta(%1, %3 : tensor<2xf64>, tensor<1xf64>) ok(%ok : tensor<i1>) clip(%clip : tensor<f32>)
  %now = muon.advance when(%look#0 : tensor<i1>) step(%t : tensor<i64>)
  %a:3 = muon.update gradient(%ga : !muon.stack<2x48x16xbf16>) gradient_sums(%0 : tensor<2xf64>) momentum_sums(%1 : tensor<2xf64>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>) clip(%look#1 : tensor<f32>) when(%look#0 : tensor<i1>) weight(%wa : !muon.stack<2x48x16xbf16>) momentum(%ma : !muon.stack<2x48x16xf32>) master(%master : !muon.stack<2x48x16xf32>) {schedule = #muon.schedule<keller_jordan>}
  %b:2 = muon.update gradient(%gb : tensor<5x3xf32>) gradient_sums(%2 : tensor<1xf64>) momentum_sums(%3 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>) clip(%look#1 : tensor<f32>) when(%look#0 : tensor<i1>) weight(%wb : tensor<5x3xf32>) momentum(%mb : tensor<5x3xf32>) {schedule = #muon.schedule<keller_jordan>}
  %c:3 = muon.adamw_update gradient(%gc : tensor<7xf32>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) step(%now : tensor<i64>) clip(%look#1 : tensor<f32>) when(%look#0 : tensor<i1>) weight(%wc : tensor<7xf32>) exp_avg(%mc : tensor<7xf32>) exp_avg_sq(%vc : tensor<7xf32>)
  return %now, %look#0, %look#1, %a#0, %a#1, %a#2, %b#0, %b#1, %c#0, %c#1, %c#2 : tensor<i64>, tensor<i1>, tensor<f32>, !muon.stack<2x48x16xbf16>, !muon.stack<2x48x16xf32>, !muon.stack<2x48x16xf32>, tensor<5x3xf32>, tensor<5x3xf32>, tensor<7xf32>, tensor<7xf32>, tensor<7xf32>
}
