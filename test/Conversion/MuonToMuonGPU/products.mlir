// RUN: muon-opt --convert-muon-to-muon-gpu %s | FileCheck %s

// Products on buffers become products with epilogues: scales are constants of
// the region in f64, what is added are tiles.

// XXᵀ: one triangle, in f32, rounded once.

// CHECK-LABEL: func.func @gram_left(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x4x8xbf16>, %[[O:[a-z0-9]+]]: memref<2x4x4xbf16>)
// CHECK-NEXT:    muon_gpu.matmul lhs(%[[X]] : memref<2x4x8xbf16>) rhs(%[[X]] : memref<2x4x8xbf16>) outs(%[[O]] : memref<2x4x4xbf16>) {
// CHECK-NEXT:    ^bb0(%[[ACC:.+]]: f32, %[[ALPHA:.+]]: f64):
// CHECK-NEXT:      %[[A:.+]] = arith.truncf %[[ALPHA]] : f64 to f32
// CHECK-NEXT:      %[[P:.+]] = arith.mulf %[[A]], %[[ACC]] : f32
// CHECK-NEXT:      %[[R:.+]] = arith.truncf %[[P]] : f32 to bf16
// CHECK-NEXT:      muon_gpu.yield %[[R]] : bf16
// CHECK-NEXT:    } {constants = array<f64: 2.500000e-01>, rhs_transposed, symmetric}
func.func @gram_left(%x: memref<2x4x8xbf16>, %o: memref<2x4x4xbf16>) {
  muon.symmetric_product x(%x : memref<2x4x8xbf16>) out(%o : memref<2x4x4xbf16>) {alpha = 0.25 : f64, side = #muon.side<left>}
  return
}

// XᵀX.

// CHECK-LABEL: func.func @gram_right(
// CHECK:         } {constants = array<f64: 1.000000e+00>, lhs_transposed, symmetric, tf32}
func.func @gram_right(%x: memref<3x8x4xf32>, %o: memref<3x4x4xf32>) {
  muon.symmetric_product x(%x : memref<3x8x4xf32>) out(%o : memref<3x4x4xf32>) {side = #muon.side<right>, tf32}
  return
}

// α·f²·XᵀX + βA: the factor is a number in the device's memory, one for each
// matrix, and its square is taken in f64.

// CHECK-LABEL: func.func @gram_factor(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<3x8x4xf32>, %[[T:[a-z0-9]+]]: memref<3x4x4xf32>, %[[F:[a-z0-9]+]]: memref<3xf32>, %[[O:[a-z0-9]+]]: memref<3x4x4xf32>)
// CHECK-NEXT:    muon_gpu.matmul lhs(%[[X]] : {{.*}}) rhs(%[[X]] : {{.*}}) scalars(%[[F]] : memref<3xf32>) tiles(%[[T]] : memref<3x4x4xf32>) outs(%[[O]] : memref<3x4x4xf32>) {
// CHECK-NEXT:    ^bb0(%[[ACC:.+]]: f32, %[[BETA:.+]]: f64, %[[ALPHA:.+]]: f64, %[[FI:.+]]: f32, %[[TI:.+]]: f32):
// CHECK-NEXT:      %[[F64:.+]] = arith.extf %[[FI]] : f32 to f64
// CHECK-NEXT:      %[[AF:.+]] = arith.mulf %[[ALPHA]], %[[F64]] : f64
// CHECK-NEXT:      %[[AFF:.+]] = arith.mulf %[[AF]], %[[F64]] : f64
// CHECK-NEXT:      %[[A:.+]] = arith.truncf %[[AFF]] : f64 to f32
// CHECK-NEXT:      %[[P:.+]] = arith.mulf %[[A]], %[[ACC]] : f32
// CHECK-NEXT:      %[[B:.+]] = arith.truncf %[[BETA]] : f64 to f32
// CHECK-NEXT:      %[[BT:.+]] = arith.mulf %[[B]], %[[TI]] : f32
// CHECK-NEXT:      %[[R:.+]] = arith.addf %[[P]], %[[BT]] : f32
// CHECK-NEXT:      muon_gpu.yield %[[R]] : f32
// CHECK-NEXT:    } {constants = array<f64: -4.750000e+00, 2.000000e+00>, lhs_transposed, symmetric}
func.func @gram_factor(%x: memref<3x8x4xf32>, %a: memref<3x4x4xf32>, %f: memref<3xf32>, %o: memref<3x4x4xf32>) {
  muon.symmetric_product x(%x : memref<3x8x4xf32>) addend(%a : memref<3x4x4xf32>) factor(%f : memref<3xf32>) out(%o : memref<3x4x4xf32>) {alpha = 2.0 : f64, beta = -4.75 : f64, side = #muon.side<right>}
  return
}

// An addend times 0 is not read.

// CHECK-LABEL: func.func @gram_beta_zero(
// CHECK-NOT:     tiles(
// CHECK:         } {constants = array<f64: 1.000000e+00>, rhs_transposed, symmetric}
func.func @gram_beta_zero(%x: memref<1x4x8xf32>, %a: memref<1x4x4xf32>, %o: memref<1x4x4xf32>) {
  muon.symmetric_product x(%x : memref<1x4x8xf32>) addend(%a : memref<1x4x4xf32>) out(%o : memref<1x4x4xf32>) {beta = 0.0 : f64, side = #muon.side<left>}
  return
}

// A product times 0 is none: a stream, of the addend if there is one.

// CHECK-LABEL: func.func @gram_alpha_zero(
// CHECK-SAME:    %{{[a-z0-9]+}}: memref<1x4x8xf32>, %[[A:[a-z0-9]+]]: memref<1x4x4xf32>, %[[O:[a-z0-9]+]]: memref<1x4x4xf32>, %[[Z:[a-z0-9]+]]: memref<1x4x4xf32>)
// CHECK-NEXT:    muon_gpu.stream ins(%[[A]] : memref<1x4x4xf32>) outs(%[[O]] : memref<1x4x4xf32>) {
// CHECK-NEXT:    ^bb0(%[[BETA:.+]]: f64, %[[T:.+]]: f32):
// CHECK-NEXT:      %[[B:.+]] = arith.truncf %[[BETA]] : f64 to f32
// CHECK-NEXT:      %[[R:.+]] = arith.mulf %[[B]], %[[T]] : f32
// CHECK-NEXT:      muon_gpu.yield %[[R]] : f32
// CHECK-NEXT:    } {constants = array<f64: -4.750000e+00>}
// CHECK-NEXT:    muon_gpu.stream outs(%[[Z]] : memref<1x4x4xf32>) {
// CHECK-NEXT:      %[[ZERO:.+]] = arith.constant 0.000000e+00 : f32
// CHECK-NEXT:      muon_gpu.yield %[[ZERO]] : f32
// CHECK-NEXT:    }{{$}}
func.func @gram_alpha_zero(%x: memref<1x4x8xf32>, %a: memref<1x4x4xf32>, %o: memref<1x4x4xf32>, %z: memref<1x4x4xf32>) {
  muon.symmetric_product x(%x : memref<1x4x8xf32>) addend(%a : memref<1x4x4xf32>) out(%o : memref<1x4x4xf32>) {alpha = 0.0 : f64, beta = -4.75 : f64, side = #muon.side<left>}
  muon.symmetric_product x(%x : memref<1x4x8xf32>) out(%z : memref<1x4x4xf32>) {alpha = 0.0 : f64, side = #muon.side<left>}
  return
}

// α(L + pI)(R + qI) = αLR + αqL + αpR + αpqI, the last on the diagonal alone.
// Both are symmetric, so that the rows of R are read for its columns.

// CHECK-LABEL: func.func @commuting(
// CHECK-SAME:    %[[L:[a-z0-9]+]]: memref<2x4x4xf32>, %[[R:[a-z0-9]+]]: memref<2x4x4xf32>, %[[O:[a-z0-9]+]]: memref<2x4x4xf32>)
// CHECK-NEXT:    muon_gpu.matmul lhs(%[[L]] : {{.*}}) rhs(%[[R]] : {{.*}}) tiles(%[[L]], %[[R]] : {{.*}}) outs(%[[O]] : memref<2x4x4xf32>) {
// CHECK-NEXT:    ^bb0(%[[ACC:.+]]: f32, %[[AQ:.+]]: f64, %[[AP:.+]]: f64, %[[A:.+]]: f64, %[[APQ:.+]]: f64, %[[LI:.+]]: f32, %[[RI:.+]]: f32):
// CHECK-NEXT:      %[[A32:.+]] = arith.truncf %[[A]] : f64 to f32
// CHECK-NEXT:      %[[S0:.+]] = arith.mulf %[[A32]], %[[ACC]] : f32
// CHECK-NEXT:      %[[AQ32:.+]] = arith.truncf %[[AQ]] : f64 to f32
// CHECK-NEXT:      %[[TL:.+]] = arith.mulf %[[AQ32]], %[[LI]] : f32
// CHECK-NEXT:      %[[S1:.+]] = arith.addf %[[S0]], %[[TL]] : f32
// CHECK-NEXT:      %[[AP32:.+]] = arith.truncf %[[AP]] : f64 to f32
// CHECK-NEXT:      %[[TR:.+]] = arith.mulf %[[AP32]], %[[RI]] : f32
// CHECK-NEXT:      %[[S2:.+]] = arith.addf %[[S1]], %[[TR]] : f32
// CHECK-NEXT:      %[[D:.+]] = muon_gpu.on_diagonal
// CHECK-NEXT:      %[[APQ32:.+]] = arith.truncf %[[APQ]] : f64 to f32
// CHECK-NEXT:      %[[S3:.+]] = arith.addf %[[S2]], %[[APQ32]] : f32
// CHECK-NEXT:      %[[RESULT:.+]] = arith.select %[[D]], %[[S3]], %[[S2]] : f32
// CHECK-NEXT:      muon_gpu.yield %[[RESULT]] : f32
// CHECK-NEXT:    } {constants = array<f64: -1.000000e+00, 1.500000e+00, 5.000000e-01, -3.000000e+00>, rhs_transposed, symmetric}
func.func @commuting(%a: memref<2x4x4xf32>, %b: memref<2x4x4xf32>, %o: memref<2x4x4xf32>) {
  muon.commuting_product lhs(%a : memref<2x4x4xf32>) rhs(%b : memref<2x4x4xf32>) out(%o : memref<2x4x4xf32>) {alpha = 0.5 : f64, lhs_shift = 3.0 : f64, rhs_shift = -2.0 : f64}
  return
}

// α(L + pI)R: only R is added.

// CHECK-LABEL: func.func @commuting_one_shift(
// CHECK-SAME:    %{{[a-z0-9]+}}: memref<2x4x4xf16>, %[[R:[a-z0-9]+]]: memref<2x4x4xf16>, %
// CHECK-NEXT:    muon_gpu.matmul {{.*}} tiles(%[[R]] : memref<2x4x4xf16>)
// CHECK-NOT:       on_diagonal
// CHECK:         } {constants = array<f64: 1.500000e+00, 5.000000e-01>, rhs_transposed, symmetric}
func.func @commuting_one_shift(%a: memref<2x4x4xf16>, %b: memref<2x4x4xf16>, %o: memref<2x4x4xf16>) {
  muon.commuting_product lhs(%a : memref<2x4x4xf16>) rhs(%b : memref<2x4x4xf16>) out(%o : memref<2x4x4xf16>) {alpha = 0.5 : f64, lhs_shift = 3.0 : f64}
  return
}

// A².

// CHECK-LABEL: func.func @square(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: memref<2x4x4xf32>, %[[O:[a-z0-9]+]]: memref<2x4x4xf32>)
// CHECK-NEXT:    muon_gpu.matmul lhs(%[[A]] : memref<2x4x4xf32>) rhs(%[[A]] : memref<2x4x4xf32>) outs(%[[O]] : memref<2x4x4xf32>) {
// CHECK:         } {constants = array<f64: 1.000000e+00>, rhs_transposed, symmetric, tf32}
func.func @square(%a: memref<2x4x4xf32>, %o: memref<2x4x4xf32>) {
  muon.commuting_product lhs(%a : memref<2x4x4xf32>) rhs(%a : memref<2x4x4xf32>) out(%o : memref<2x4x4xf32>) {tf32}
  return
}

// f·(αSX + βX): the factor, 1/‖U‖ of a first iteration, is a number in the
// device's memory, and multiplies the constants in f64.

// CHECK-LABEL: func.func @apply_factor(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<1x4x4xf32>, %[[X:[a-z0-9]+]]: memref<1x4x8xf32>, %[[F:[a-z0-9]+]]: memref<1xf32>, %[[O:[a-z0-9]+]]: memref<1x4x8xf32>)
// CHECK-NEXT:    muon_gpu.matmul lhs(%[[S]] : {{.*}}) rhs(%[[X]] : {{.*}}) scalars(%[[F]] : memref<1xf32>) tiles(%[[X]] : memref<1x4x8xf32>) outs(%[[O]] : memref<1x4x8xf32>) {
// CHECK-NEXT:    ^bb0(%[[ACC:.+]]: f32, %[[BETA:.+]]: f64, %[[ALPHA:.+]]: f64, %[[FI:.+]]: f32, %[[XI:.+]]: f32):
// CHECK-NEXT:      %[[F64:.+]] = arith.extf %[[FI]] : f32 to f64
// CHECK-NEXT:      %[[FA:.+]] = arith.mulf %[[F64]], %[[ALPHA]] : f64
// CHECK-NEXT:      %[[A:.+]] = arith.truncf %[[FA]] : f64 to f32
// CHECK-NEXT:      %[[P:.+]] = arith.mulf %[[A]], %[[ACC]] : f32
// CHECK-NEXT:      %[[FB:.+]] = arith.mulf %[[F64]], %[[BETA]] : f64
// CHECK-NEXT:      %[[B:.+]] = arith.truncf %[[FB]] : f64 to f32
// CHECK-NEXT:      %[[BX:.+]] = arith.mulf %[[B]], %[[XI]] : f32
// CHECK-NEXT:      %[[R:.+]] = arith.addf %[[P]], %[[BX]] : f32
// CHECK-NEXT:      muon_gpu.yield %[[R]] : f32
// CHECK-NEXT:    } {constants = array<f64: 3.500000e+00, 2.500000e-01>}
func.func @apply_factor(%s: memref<1x4x4xf32>, %x: memref<1x4x8xf32>, %f: memref<1xf32>, %o: memref<1x4x8xf32>) {
  muon.symmetric_apply s(%s : memref<1x4x4xf32>) x(%x : memref<1x4x8xf32>) factor(%f : memref<1xf32>) out(%o : memref<1x4x8xf32>) {alpha = 0.25 : f64, beta = 3.5 : f64, side = #muon.side<left>}
  return
}

// XS reads the rows of S for its columns.

// CHECK-LABEL: func.func @apply_right(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<1x4x4xbf16>, %[[X:[a-z0-9]+]]: memref<1x8x4xbf16>, %[[O:[a-z0-9]+]]: memref<1x8x4xf32>)
// CHECK-NEXT:    muon_gpu.matmul lhs(%[[X]] : {{.*}}) rhs(%[[S]] : {{.*}}) outs(%[[O]] : memref<1x8x4xf32>) {
// CHECK:         } {constants = array<f64: 1.000000e+00>, rhs_transposed}
func.func @apply_right(%s: memref<1x4x4xbf16>, %x: memref<1x8x4xbf16>, %o: memref<1x8x4xf32>) {
  muon.symmetric_apply s(%s : memref<1x4x4xbf16>) x(%x : memref<1x8x4xbf16>) out(%o : memref<1x8x4xf32>) {side = #muon.side<right>}
  return
}

// CHECK-LABEL: func.func @apply_alpha_zero(
// CHECK-SAME:    %{{[a-z0-9]+}}: memref<1x4x4xf32>, %[[X:[a-z0-9]+]]: memref<1x4x8xf32>, %[[F:[a-z0-9]+]]: memref<1xf32>, %[[O:[a-z0-9]+]]: memref<1x4x8xf32>)
// CHECK-NEXT:    muon_gpu.stream scalars(%[[F]] : memref<1xf32>) ins(%[[X]] : memref<1x4x8xf32>) outs(%[[O]] : memref<1x4x8xf32>) {
// CHECK-NEXT:    ^bb0(%[[BETA:.+]]: f64, %[[FI:.+]]: f32, %[[XI:.+]]: f32):
// CHECK-NEXT:      %[[F64:.+]] = arith.extf %[[FI]] : f32 to f64
// CHECK-NEXT:      %[[FB:.+]] = arith.mulf %[[F64]], %[[BETA]] : f64
// CHECK-NEXT:      %[[B:.+]] = arith.truncf %[[FB]] : f64 to f32
// CHECK-NEXT:      %[[R:.+]] = arith.mulf %[[B]], %[[XI]] : f32
// CHECK-NEXT:      muon_gpu.yield %[[R]] : f32
func.func @apply_alpha_zero(%s: memref<1x4x4xf32>, %x: memref<1x4x8xf32>, %f: memref<1xf32>, %o: memref<1x4x8xf32>) {
  muon.symmetric_apply s(%s : memref<1x4x4xf32>) x(%x : memref<1x4x8xf32>) factor(%f : memref<1xf32>) out(%o : memref<1x4x8xf32>) {alpha = 0.0 : f64, beta = 3.5 : f64, side = #muon.side<left>}
  return
}

// Tensors are for later.

// CHECK-LABEL: func.func @tensors(
// CHECK-NEXT:    muon.symmetric_product
// CHECK-NEXT:    muon.commuting_product
// CHECK-NEXT:    muon.symmetric_apply
func.func @tensors(%x: tensor<1x4x8xf32>, %o: tensor<1x4x4xf32>, %p: tensor<1x4x4xf32>, %y: tensor<1x4x8xf32>) -> tensor<1x4x8xf32> {
  %0 = muon.symmetric_product x(%x : tensor<1x4x8xf32>) out(%o : tensor<1x4x4xf32>) {side = #muon.side<left>}
  %1 = muon.commuting_product lhs(%0 : tensor<1x4x4xf32>) rhs(%0 : tensor<1x4x4xf32>) out(%p : tensor<1x4x4xf32>)
  %2 = muon.symmetric_apply s(%1 : tensor<1x4x4xf32>) x(%x : tensor<1x4x8xf32>) out(%y : tensor<1x4x8xf32>) {side = #muon.side<left>}
  return %2 : tensor<1x4x8xf32>
}
