func.func @update(
    %g: tensor<4x6xf32>, %s: tensor<1xf64>, %lr: tensor<f32>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>)
    -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%s : tensor<1xf64>) momentum_sums(%s : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>)
      beta(%lr : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64,
       iteration = #muon.iteration<gram>, restarts = array<i64: 1, 3>}
  return %0#0, %0#1 : tensor<4x6xf32>, tensor<4x6xf32>
}
func.func @products(
    %x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>, %p: tensor<1x4x4xf32>,
    %q: tensor<1x4x4xf32>) {
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<cubic>, steps = 3 : i64,
       iteration = #muon.iteration<direct>, restarts = array<i64>}
  %1 = muon.polynomial_step x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {a = 2.0 : f64, b = -1.5 : f64, c = 0.5 : f64,
      side = #muon.side<left>, tf32}
  %2 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      out(%p : tensor<1x4x4xf32>) {alpha = 2.0 : f64, side = #muon.side<left>,
      tf32}
  %3 = muon.commuting_product lhs(%2 : tensor<1x4x4xf32>)
      rhs(%2 : tensor<1x4x4xf32>) out(%q : tensor<1x4x4xf32>)
      {alpha = 2.0 : f64, lhs_shift = 0.25 : f64, rhs_shift = -0.5 : f64, tf32}
  %4 = muon.symmetric_apply s(%3 : tensor<1x4x4xf32>) x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {alpha = 0.125 : f64, beta = 3.0 : f64,
      side = #muon.side<left>, tf32}
  return
}
func.func @runtime(
    %table: !muon.table<8x4x6xf32>, %i: index, %s: memref<2xf64>) {
  %0 = muon.slice %table[%i]
      : !muon.table<8x4x6xf32> to !muon.table<2x4x6xf32>
  muon.parallel sums(%s : memref<2xf64>) {
  ^bb0(%j: index, %sum: memref<f64>):
  } {count = 8 : i64, group = 4 : i64}
  muon.parallel_call @body(%table) : !muon.table<8x4x6xf32>
      sums(%s : memref<2xf64>) {count = 8 : i64, group = 4 : i64}
  return
}
func.func private @body(!muon.table<8x4x6xf32>, index, memref<f64>)
