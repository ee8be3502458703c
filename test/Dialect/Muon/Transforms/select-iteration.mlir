// RUN: muon-opt --muon-select-iteration --split-input-file %s | FileCheck %s

// The side on which the Gram matrix is smaller.

// CHECK-LABEL: func.func @wide(
// CHECK: muon.orthogonalize
// CHECK-SAME: compute = #muon.compute<f32>
// CHECK-SAME: side = #muon.side<left>
func.func @wide(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) -> tensor<1x16x64xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return %0 : tensor<1x16x64xf32>
}

// -----

// The batch has no say in it.

// CHECK-LABEL: func.func @tall(
// CHECK: muon.orthogonalize
// CHECK-SAME: side = #muon.side<right>
func.func @tall(%x: tensor<3x64x16xf32>, %o: tensor<3x64x16xf32>) -> tensor<3x64x16xf32> {
  %0 = muon.orthogonalize x(%x : tensor<3x64x16xf32>) out(%o : tensor<3x64x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return %0 : tensor<3x64x16xf32>
}

// -----

// A square matrix gains nothing in Gram space: with one restart five steps take
// 2·3 + 5 + 9 = 20 m³ there, and 5·4 = 20 m³ directly.

// CHECK-LABEL: func.func @square(
// CHECK: muon.orthogonalize
// CHECK-SAME: iteration = #muon.iteration<direct>, muon.why = "direct: the Gram iteration would take 1.000 of
// CHECK-SAME: side = #muon.side<left>
func.func @square(%x: tensor<1x7x7xf32>, %o: tensor<1x7x7xf32>) -> tensor<1x7x7xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x7x7xf32>) out(%o : tensor<1x7x7xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return %0 : tensor<1x7x7xf32>
}

// -----

// n = 4m: directly 5·13 = 65 m³, in Gram space with one restart 2·12 + 5 + 9 = 38,
// which is 0.585 of that. Rounding of f32 allows four steps without a restart, not
// five; two and three grow less than one and four.

// CHECK-LABEL: func.func @gram_f32(
// CHECK: muon.orthogonalize
// CHECK-SAME: iteration = #muon.iteration<gram>, muon.why = "gram with restarts [2]: it takes 0.585 of
// CHECK-SAME: restarts = array<i64: 2>
func.func @gram_f32(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) -> tensor<1x16x64xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return %0 : tensor<1x16x64xf32>
}

// -----

// The type of x is that of the products. That of f16 allows two steps: 3·12 + 1 +
// 5 + 5 = 47 m³, 0.723 of 65.

// CHECK-LABEL: func.func @gram_f16(
// CHECK: muon.orthogonalize
// CHECK-SAME: compute = #muon.compute<f16>, iteration = #muon.iteration<gram>, muon.why = "gram with restarts [1, 3]: it takes 0.723 of
// CHECK-SAME: restarts = array<i64: 1, 3>
func.func @gram_f16(%x: tensor<1x16x64xf16>, %o: tensor<1x16x64xf32>) -> tensor<1x16x64xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf16>) out(%o : tensor<1x16x64xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return %0 : tensor<1x16x64xf32>
}

// -----

// tf32 rounds as f16 does.

// CHECK-LABEL: func.func @gram_tf32(
// CHECK: muon.orthogonalize
// CHECK-SAME: compute = #muon.compute<tf32>, iteration = #muon.iteration<gram>
// CHECK-SAME: restarts = array<i64: 1, 3>
func.func @gram_tf32(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) -> tensor<1x16x64xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64,
     compute = #muon.compute<tf32>}
  return %0 : tensor<1x16x64xf32>
}

// -----

// bf16 cannot hold the Gram iteration, however much it would save.

// CHECK-LABEL: func.func @bf16(
// CHECK: muon.orthogonalize
// CHECK-SAME: compute = #muon.compute<bf16>, iteration = #muon.iteration<direct>, muon.why = "direct: bf16 does not hold the Gram iteration"
func.func @bf16(%x: tensor<1x16x4096xbf16>, %o: tensor<1x16x4096xf32>) -> tensor<1x16x4096xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x16x4096xbf16>) out(%o : tensor<1x16x4096xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return %0 : tensor<1x16x4096xf32>
}

// -----

// What saves less than a tenth is not worth it.

// CHECK-LABEL: func.func @nearly_square(
// CHECK: muon.orthogonalize
// CHECK-SAME: iteration = #muon.iteration<direct>, muon.why = "direct: the Gram iteration would take 0.949 of the direct iteration's FLOPs with restarts [2]"
func.func @nearly_square(%x: tensor<1x16x18xf32>, %o: tensor<1x16x18xf32>) -> tensor<1x16x18xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x16x18xf32>) out(%o : tensor<1x16x18xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return %0 : tensor<1x16x18xf32>
}

// -----

// One step is the same either way.

// CHECK-LABEL: func.func @one_step(
// CHECK: muon.orthogonalize
// CHECK-SAME: iteration = #muon.iteration<direct>, muon.why = "direct: there is one step"
func.func @one_step(%x: tensor<1x16x4096xf32>, %o: tensor<1x16x4096xf32>) -> tensor<1x16x4096xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x16x4096xf32>) out(%o : tensor<1x16x4096xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 1 : i64}
  return %0 : tensor<1x16x4096xf32>
}

// -----

// Without R² a step costs less: directly 12·12 = 144 m³, in Gram space 3·(12 + 9)
// = 63, which is 0.438 of that. a = 1.5 grows little.

// CHECK-LABEL: func.func @cubic(
// CHECK: muon.orthogonalize
// CHECK-SAME: muon.why = "gram with restarts [4, 8]: it takes 0.438 of
func.func @cubic(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) -> tensor<1x16x64xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>)
    {schedule = #muon.schedule<cubic>, steps = 12 : i64}
  return %0 : tensor<1x16x64xf32>
}

// -----

// What is written by hand stays, even where the pass would choose otherwise.

// CHECK-LABEL: func.func @direct_by_hand(
// CHECK: muon.orthogonalize
// CHECK-SAME: compute = #muon.compute<f32>, iteration = #muon.iteration<direct>, muon.why = "direct: as written", schedule = #muon.schedule<keller_jordan>, side = #muon.side<right>
func.func @direct_by_hand(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) -> tensor<1x16x64xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64,
     side = #muon.side<right>, iteration = #muon.iteration<direct>, compute = #muon.compute<f32>}
  return %0 : tensor<1x16x64xf32>
}

// -----

// A Gram iteration that is written without restarts gets those it needs.

// CHECK-LABEL: func.func @gram_by_hand(
// CHECK: muon.orthogonalize
// CHECK-SAME: iteration = #muon.iteration<gram>, muon.why = "gram with restarts [2]: as written", restarts = array<i64: 2>
func.func @gram_by_hand(%x: tensor<1x7x7xf32>, %o: tensor<1x7x7xf32>) -> tensor<1x7x7xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x7x7xf32>) out(%o : tensor<1x7x7xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64,
     iteration = #muon.iteration<gram>}
  return %0 : tensor<1x7x7xf32>
}

// -----

// Restarts that are written stay.

// CHECK-LABEL: func.func @restarts_by_hand(
// CHECK: muon.orthogonalize
// CHECK-SAME: muon.why = "gram with restarts [1, 4]: as written", restarts = array<i64: 1, 4>
func.func @restarts_by_hand(%x: tensor<1x7x7xf32>, %o: tensor<1x7x7xf32>) -> tensor<1x7x7xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x7x7xf32>) out(%o : tensor<1x7x7xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64,
     iteration = #muon.iteration<gram>, restarts = array<i64: 1, 4>}
  return %0 : tensor<1x7x7xf32>
}

// -----

// Also where the iteration is open: they are those that it has if it is in Gram
// space.

// CHECK-LABEL: func.func @restarts_if_gram(
// CHECK: muon.orthogonalize
// CHECK-SAME: iteration = #muon.iteration<gram>, muon.why = "gram with restarts [1, 3]: 
// CHECK-SAME: restarts = array<i64: 1, 3>
func.func @restarts_if_gram(%x: tensor<1x16x64xf32>, %o: tensor<1x16x64xf32>) -> tensor<1x16x64xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x16x64xf32>) out(%o : tensor<1x16x64xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64,
     restarts = array<i64: 1, 3>}
  return %0 : tensor<1x16x64xf32>
}

// -----

// And otherwise go.

// CHECK-LABEL: func.func @restarts_if_direct(
// CHECK: muon.orthogonalize
// CHECK-SAME: iteration = #muon.iteration<direct>
// CHECK-NOT: restarts =
// CHECK: return
func.func @restarts_if_direct(%x: tensor<1x7x7xf32>, %o: tensor<1x7x7xf32>) -> tensor<1x7x7xf32> {
  %0 = muon.orthogonalize x(%x : tensor<1x7x7xf32>) out(%o : tensor<1x7x7xf32>)
    {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64,
     restarts = array<i64: 1, 3>}
  return %0 : tensor<1x7x7xf32>
}

// -----

// An update gets the same, f32 where it does not say, whatever its weight is.

// CHECK-LABEL: func.func @update(
// CHECK: muon.update
// CHECK-SAME: compute = #muon.compute<f32>
// CHECK-SAME: iteration = #muon.iteration<gram>
// CHECK-SAME: muon.why = "gram with restarts [2]: it takes 0.585 of
// CHECK-SAME: restarts = array<i64: 2>
// CHECK-SAME: side = #muon.side<right>
func.func @update(
    %w: !muon.stack<2x3x64x16xbf16>, %g: !muon.stack<2x3x64x16xbf16>, %m: !muon.stack<2x3x64x16xbf16>,
    %gs: tensor<6xf64>, %ms: tensor<6xf64>, %lr: tensor<f32>) -> (!muon.stack<2x3x64x16xbf16>, !muon.stack<2x3x64x16xbf16>) {
  %0:2 = muon.update gradient(%g : !muon.stack<2x3x64x16xbf16>) gradient_sums(%gs : tensor<6xf64>) momentum_sums(%ms : tensor<6xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : !muon.stack<2x3x64x16xbf16>) momentum(%m : !muon.stack<2x3x64x16xbf16>)
    {schedule = #muon.schedule<keller_jordan>}
  return %0#0, %0#1 : !muon.stack<2x3x64x16xbf16>, !muon.stack<2x3x64x16xbf16>
}

// -----

// Its arithmetic decides, not its storage.

// CHECK-LABEL: func.func @update_f16(
// CHECK: muon.update
// CHECK-SAME: compute = #muon.compute<f16>
// CHECK-SAME: restarts = array<i64: 1, 3>
func.func @update_f16(
    %w: tensor<64x16xf32>, %g: tensor<64x16xf32>, %m: tensor<64x16xf32>,
    %gs: tensor<1xf64>, %ms: tensor<1xf64>, %lr: tensor<f32>) -> (tensor<64x16xf32>, tensor<64x16xf32>) {
  %0:2 = muon.update gradient(%g : tensor<64x16xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<64x16xf32>) momentum(%m : tensor<64x16xf32>)
    {schedule = #muon.schedule<keller_jordan>, compute = #muon.compute<f16>}
  return %0#0, %0#1 : tensor<64x16xf32>, tensor<64x16xf32>
}
