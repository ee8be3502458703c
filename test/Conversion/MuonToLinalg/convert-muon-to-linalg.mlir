// RUN: muon-opt --convert-muon-to-linalg --cse %s | FileCheck %s

// Finite exactly if the total is; κ = min(1, limit / (‖G‖ + 1e-6)), in f64, of
// gradients alone.

// CHECK-LABEL: func.func @look(
// CHECK-SAME: %[[G:.+]]: memref<2xf64>, %[[M:.+]]: memref<1xf64>, %[[L:.+]]: memref<f32>, %[[OK:.+]]: memref<i1>, %[[CLIP:.+]]: memref<f32>)
// CHECK: %[[SG:.+]] = scf.for %[[I:.+]] = {{.*}} iter_args(%[[ACC:.+]] = %{{.+}}) -> (f64) {
// CHECK-NEXT: %[[V:.+]] = memref.load %[[G]][%[[I]]]
// CHECK-NEXT: %[[S:.+]] = arith.addf %[[ACC]], %[[V]] : f64
// CHECK-NEXT: scf.yield %[[S]]
// CHECK: %[[SM:.+]] = scf.for
// CHECK-NEXT: memref.load %[[M]]
// CHECK: %[[ALL:.+]] = arith.addf %[[SG]], %[[SM]] : f64
// CHECK: %[[INF:.+]] = arith.constant 0x7FF0000000000000 : f64
// CHECK: %[[FINITE:.+]] = arith.cmpf olt, %[[ALL]], %[[INF]] : f64
// CHECK: memref.store %[[FINITE]], %[[OK]][]
// CHECK: %[[LIMIT:.+]] = memref.load %[[L]][] : memref<f32>
// CHECK: %[[L64:.+]] = arith.extf %[[LIMIT]] : f32 to f64
// CHECK: %[[NORM:.+]] = math.sqrt %[[SG]] : f64
// CHECK: %[[EPS:.+]] = arith.constant 9.9999999999999995E-7 : f64
// CHECK: %[[D:.+]] = arith.addf %[[NORM]], %[[EPS]] : f64
// CHECK: %[[Q:.+]] = arith.divf %[[L64]], %[[D]] : f64
// CHECK: %[[ONE:.+]] = arith.constant 1.000000e+00 : f64
// CHECK: %[[LESS:.+]] = arith.cmpf olt, %[[Q]], %[[ONE]] : f64
// CHECK: %[[MIN:.+]] = arith.select %[[LESS]], %[[Q]], %[[ONE]] : f64
// CHECK: %[[NORMAL:.+]] = arith.cmpf olt, %[[SG]], %{{.+}} : f64
// CHECK: %[[C:.+]] = arith.truncf %[[MIN]] : f64 to f32
// CHECK: %[[K:.+]] = arith.select %[[NORMAL]], %[[C]], %{{.+}} : f32
// CHECK: memref.store %[[K]], %[[CLIP]][]
func.func @look(%a: memref<2xf64>, %m: memref<1xf64>, %l: memref<f32>, %ok: memref<i1>, %clip: memref<f32>) {
  muon.look gradients(%a : memref<2xf64>) momenta(%m : memref<1xf64>) limit(%l : memref<f32>) ok(%ok : memref<i1>) clip(%clip : memref<f32>)
  return
}

// Without skipping, ok is true whatever the sums; without a limit, κ is 1.

// CHECK-LABEL: func.func @look_always(
// CHECK-SAME: %{{.+}}: memref<2xf64>, %[[OK:.+]]: memref<i1>, %[[CLIP:.+]]: memref<f32>)
// CHECK: %[[TRUE:.+]] = arith.constant true
// CHECK: memref.store %[[TRUE]], %[[OK]][]
// CHECK: %[[ONE:.+]] = arith.constant 1.000000e+00 : f32
// CHECK: memref.store %[[ONE]], %[[CLIP]][]
func.func @look_always(%a: memref<2xf64>, %ok: memref<i1>, %clip: memref<f32>) {
  muon.look gradients(%a : memref<2xf64>) ok(%ok : memref<i1>) clip(%clip : memref<f32>) {skip_nonfinite = false}
  return
}

// CHECK-LABEL: func.func @advance(
// CHECK-SAME: %[[T:.+]]: memref<i64>)
// CHECK: %[[OLD:.+]] = memref.load %[[T]][]
// CHECK: %[[ONE:.+]] = arith.constant 1 : i64
// CHECK: %[[NEW:.+]] = arith.addi %[[OLD]], %[[ONE]] : i64
// CHECK: memref.store %[[NEW]], %[[T]][]
func.func @advance(%t: memref<i64>) {
  muon.advance step(%t : memref<i64>)
  return
}

// 1 / (safety·√s + eps·unit), or 0 for 0.

// CHECK-LABEL: func.func @normalize(
// CHECK-SAME: %[[S:.+]]: memref<2xf64>, %[[U:.+]]: memref<2xf64>, %[[F:.+]]: memref<2xf32>)
// CHECK: scf.for %[[I:.+]] =
// CHECK: %[[SUM:.+]] = memref.load %[[S]][%[[I]]]
// CHECK: %[[UNIT:.+]] = memref.load %[[U]][%[[I]]]
// CHECK: %[[SAFETY:.+]] = arith.constant 1.500000e+00 : f64
// CHECK: %[[NORM:.+]] = math.sqrt %[[SUM]] : f64
// CHECK: %[[A:.+]] = arith.mulf %[[SAFETY]], %[[NORM]]
// CHECK: %[[EPS:.+]] = arith.constant 2.500000e-01 : f64
// CHECK: %[[B:.+]] = arith.mulf %[[EPS]], %[[UNIT]]
// CHECK: %[[D:.+]] = arith.addf %[[A]], %[[B]]
// CHECK: %[[INV:.+]] = arith.divf %{{.+}}, %[[D]] : f64
// CHECK: %[[INV32:.+]] = arith.truncf %[[INV]]
// CHECK: %[[INF:.+]] = arith.constant 0x7FF0000000000000 : f64
// CHECK: %[[FINITE:.+]] = arith.cmpf olt, %[[SUM]], %[[INF]] : f64
// CHECK: %[[NAN:.+]] = arith.constant 0x7FC00000 : f32
// CHECK: %[[MOST:.+]] = arith.constant 4.61168602E+18 : f32
// CHECK: %[[ABOVE:.+]] = arith.cmpf olt, %[[MOST]], %[[INV32]] : f32
// CHECK: %[[CLAMPED:.+]] = arith.select %[[ABOVE]], %[[MOST]], %[[INV32]] : f32
// CHECK: %[[FACTOR:.+]] = arith.select %[[FINITE]], %[[CLAMPED]], %[[NAN]] : f32
// CHECK: %[[ZERO:.+]] = arith.cmpf oeq, %[[SUM]], %{{.+}} : f64
// CHECK: %[[R:.+]] = arith.select %[[ZERO]], %{{.+}}, %[[FACTOR]] : f32
// CHECK: memref.store %[[R]], %[[F]][%[[I]]]
func.func @normalize(%s: memref<2xf64>, %u: memref<2xf64>, %f: memref<2xf32>) {
  muon.normalize sums(%s : memref<2xf64>) unit(%u : memref<2xf64>) factor(%f : memref<2xf32>) {eps = 0.25 : f64, safety = 1.5 : f64}
  return
}

// One iteration for each of six matrices: number i of all is number i mod 3 of
// member i / 3, and its sum goes to where the loop says. A scalar is one matrix
// of one element.

// CHECK-LABEL: func.func @sum_squares(
// CHECK-SAME: %[[V:.+]]: !muon.table<2x3x4x5xbf16>, %[[S:.+]]: memref<6xf64>, %[[Z:.+]]: memref<f16>, %[[ZS:.+]]: memref<1xf64>)
// CHECK: muon.parallel sums(%[[S]] : memref<6xf64>) {
// CHECK-NEXT: ^bb0(%[[I:.+]]: index, %[[SUM:.+]]: memref<f64>):
// CHECK: %[[C3:.+]] = arith.constant 3 : index
// CHECK: %[[K:.+]] = arith.divui %[[I]], %[[C3]]
// CHECK: %[[J:.+]] = arith.remui %[[I]], %[[C3]]
// CHECK: %[[MEMBER:.+]] = muon.member %[[V]][%[[K]]] : !muon.table<2x3x4x5xbf16> -> memref<3x4x5xbf16>
// CHECK: %[[C20:.+]] = arith.constant 20 : index
// CHECK: %[[AT:.+]] = arith.muli %[[J]], %[[C20]]
// CHECK: %[[FLAT:.+]] = memref.reinterpret_cast %[[MEMBER]] to offset: [%[[AT]]], sizes: [20], strides: [1]
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction"]} ins(%[[FLAT]] : {{.*}}) outs(%[[SUM]] : memref<f64>) {
// CHECK-NEXT: ^bb0(%[[X:.+]]: bf16, %[[ACC:.+]]: f64):
// CHECK-NEXT: %[[W:.+]] = arith.extf %[[X]] : bf16 to f64
// CHECK-NEXT: %[[WW:.+]] = arith.mulf %[[W]], %[[W]] : f64
// CHECK-NEXT: %[[R:.+]] = arith.addf %[[ACC]], %[[WW]] : f64
// CHECK-NEXT: linalg.yield %[[R]]
// CHECK: } {count = 6 : i64, group = 1 : i64}
// CHECK: muon.parallel sums(%[[ZS]] : memref<1xf64>) {
// CHECK: %[[ZF:.+]] = memref.reinterpret_cast %[[Z]] to offset: [0], sizes: [1], strides: [1] : memref<f16> to memref<1xf16>
// CHECK: linalg.generic {{.*}} ins(%[[ZF]] : memref<1xf16>)
// CHECK: } {count = 1 : i64, group = 1 : i64}
func.func @sum_squares(%v: !muon.table<2x3x4x5xbf16>, %s: memref<6xf64>, %z: memref<f16>, %t: memref<1xf64>) {
  muon.sum_squares value(%v : !muon.table<2x3x4x5xbf16>) sums(%s : memref<6xf64>)
  muon.sum_squares value(%z : memref<f16>) sums(%t : memref<1xf64>)
  return
}

// Heavy ball with Nesterov and clipping: M ← βM + κG; x = 2⁻ᵏ·(κG + βM).

// CHECK-LABEL: func.func @momentum(
// CHECK-SAME: %[[G:.+]]: memref<4x5xf16>, %[[GS:.+]]: memref<1xf64>, %[[MS:.+]]: memref<1xf64>, %[[BETA:.+]]: memref<f32>, %[[CLIP:.+]]: memref<f32>, %[[M:.+]]: memref<4x5xbf16>, %[[X:.+]]: memref<1x4x5xf32>, %[[S:.+]]: memref<1xf64>, %[[U:.+]]: memref<1xf64>)
// CHECK: %[[B:.+]] = memref.load %[[BETA]][]
// CHECK: %[[K:.+]] = memref.load %[[CLIP]][]
// CHECK: linalg.generic {{.*}} ins(%{{.+}} : memref<20xf16>) outs(%{{.+}}, %{{.+}}, %{{.+}} : memref<20xbf16>, memref<20xf32>, memref<f64>) {
// CHECK-NEXT: ^bb0(%[[GI:.+]]: f16, %[[MI:.+]]: bf16, %{{.+}}: f32, %[[SI:.+]]: f64):
// CHECK-NEXT: %[[G32:.+]] = arith.extf %[[GI]] : f16 to f32
// CHECK-NEXT: %[[M32:.+]] = arith.extf %[[MI]] : bf16 to f32
// CHECK-NEXT: %[[KG:.+]] = arith.mulf %[[K]], %[[G32]] : f32
// CHECK-NEXT: %[[BM:.+]] = arith.mulf %[[B]], %[[M32]] : f32
// CHECK-NEXT: %[[NEXT:.+]] = arith.addf %[[BM]], %[[KG]] : f32
// CHECK-NEXT: %[[LN:.+]] = arith.mulf %[[NEXT]], %[[LOW:.+]] : f32
// CHECK-NEXT: %[[BLN:.+]] = arith.mulf %[[B]], %[[LN]] : f32
// CHECK-NEXT: %[[LKG:.+]] = arith.mulf %[[KG]], %[[LOW]] : f32
// CHECK-NEXT: %[[HALF:.+]] = arith.addf %[[BLN]], %[[LKG]] : f32
// CHECK-NEXT: %[[XI:.+]] = arith.mulf %[[HALF]], %{{.+}} : f32
// CHECK-NEXT: %[[MB:.+]] = arith.truncf %[[NEXT]] : f32 to bf16
// CHECK-NEXT: %[[X64:.+]] = arith.extf %[[XI]] : f32 to f64
// CHECK-NEXT: %[[XX:.+]] = arith.mulf %[[X64]], %[[X64]] : f64
// CHECK-NEXT: %[[SN:.+]] = arith.addf %[[SI]], %[[XX]] : f64
// CHECK-NEXT: linalg.yield %[[MB]], %[[XI]], %[[SN]] : bf16, f32, f64
func.func @momentum(%g: memref<4x5xf16>, %gs: memref<1xf64>, %ms: memref<1xf64>, %beta: memref<f32>, %clip: memref<f32>, %m: memref<4x5xbf16>, %x: memref<1x4x5xf32>, %s: memref<1xf64>, %u: memref<1xf64>) {
  muon.momentum gradient(%g : memref<4x5xf16>) gradient_sums(%gs : memref<1xf64>) momentum_sums(%ms : memref<1xf64>) beta(%beta : memref<f32>) clip(%clip : memref<f32>) momentum(%m : memref<4x5xbf16>) x(%x : memref<1x4x5xf32>) sums(%s : memref<1xf64>) unit(%u : memref<1xf64>) {momentum_form = #muon.momentum_form<heavy_ball>, nesterov = true}
  return
}

// EMA without Nesterov: the gradient's share is 1 − β, and U is M.

// CHECK-LABEL: func.func @ema(
// CHECK-SAME: %[[BETA:[a-z0-9]+]]: memref<f32>
// CHECK: %[[B:.+]] = memref.load %[[BETA]][]
// CHECK: %[[SHARE:.+]] = arith.subf %{{.+}}, %[[B]] : f32
// CHECK: linalg.generic
// CHECK-NEXT: ^bb0(%[[G:.+]]: f32, %[[M:.+]]: f32, %{{.+}}: f32, %{{.+}}: f64):
// CHECK-NEXT: %[[SG:.+]] = arith.mulf %[[SHARE]], %[[G]]
// CHECK-NEXT: %[[BM:.+]] = arith.mulf %[[B]], %[[M]]
// CHECK-NEXT: %[[NEXT:.+]] = arith.addf %[[BM]], %[[SG]]
// CHECK-NEXT: %[[LOW:.+]] = arith.mulf %[[NEXT]], %{{.+}}
// CHECK-NEXT: %[[X:.+]] = arith.mulf %[[LOW]], %{{.+}}
// CHECK: linalg.yield %[[NEXT]], %[[X]], %{{.+}} : f32, f32, f64
func.func @ema(%beta: memref<f32>, %g: memref<4x5xf32>, %gs: memref<1xf64>, %ms: memref<1xf64>, %m: memref<4x5xf32>, %x: memref<1x4x5xf32>, %s: memref<1xf64>, %u: memref<1xf64>) {
  muon.momentum gradient(%g : memref<4x5xf32>) gradient_sums(%gs : memref<1xf64>) momentum_sums(%ms : memref<1xf64>) beta(%beta : memref<f32>) momentum(%m : memref<4x5xf32>) x(%x : memref<1x4x5xf32>) sums(%s : memref<1xf64>) unit(%u : memref<1xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = false}
  return
}

// W ← (1 − lr·λ)·W − lr·scale·x; the master is what is updated, the weight its
// rounding; Σx² becomes Σ(scale·x)² afterwards.

// CHECK-LABEL: func.func @apply(
// CHECK-SAME: %[[X:.+]]: memref<1x4x5xf32>, %[[LR:.+]]: memref<f32>, %[[WD:.+]]: memref<f32>, %[[W:.+]]: memref<4x5xbf16>, %[[M:.+]]: memref<4x5xf32>, %[[US:.+]]: memref<1xf64>, %[[WS:.+]]: memref<1xf64>)
// CHECK: %[[LR32:.+]] = memref.load %[[LR]][]
// CHECK: %[[LR64:.+]] = arith.extf %[[LR32]]
// CHECK: %[[WD32:.+]] = memref.load %[[WD]][]
// CHECK: %[[WD64:.+]] = arith.extf %[[WD32]]
// CHECK: %[[LW:.+]] = arith.mulf %[[LR64]], %[[WD64]] : f64
// CHECK: %[[D64:.+]] = arith.subf %{{.+}}, %[[LW]] : f64
// CHECK: %[[DECAY:.+]] = arith.truncf %[[D64]]
// CHECK: %[[SCALE:.+]] = arith.constant 5.000000e-01 : f64
// CHECK: %[[R64:.+]] = arith.mulf %[[LR64]], %[[SCALE]]
// CHECK: %[[RATE:.+]] = arith.truncf %[[R64]]
// CHECK: linalg.generic {{.*}} ins(%{{.+}} : memref<20xf32>) outs({{.*}} : memref<20xbf16>, memref<20xf32>, memref<f64>, memref<f64>) {
// CHECK-NEXT: ^bb0(%[[XI:.+]]: f32, %{{.+}}: bf16, %[[MI:.+]]: f32, %{{.+}}: f64, %{{.+}}: f64):
// CHECK-NEXT: %[[A:.+]] = arith.mulf %[[DECAY]], %[[MI]] : f32
// CHECK-NEXT: %[[B:.+]] = arith.mulf %[[RATE]], %[[XI]] : f32
// CHECK-NEXT: %[[NEXT:.+]] = arith.subf %[[A]], %[[B]] : f32
// CHECK-NEXT: %[[LOW:.+]] = arith.truncf %[[NEXT]] : f32 to bf16
// CHECK: arith.extf %[[XI]] : f32 to f64
// CHECK: arith.extf %[[NEXT]] : f32 to f64
// CHECK: linalg.yield %[[LOW]], %[[NEXT]]
// CHECK: %[[QUARTER:.+]] = arith.constant 2.500000e-01 : f64
// CHECK: arith.mulf %{{.+}}, %[[QUARTER]] : f64
func.func @apply(%x: memref<1x4x5xf32>, %lr: memref<f32>, %wd: memref<f32>, %w: memref<4x5xbf16>, %m: memref<4x5xf32>, %us: memref<1xf64>, %ws: memref<1xf64>) {
  muon.apply x(%x : memref<1x4x5xf32>) lr(%lr : memref<f32>) weight_decay(%wd : memref<f32>) weight(%w : memref<4x5xbf16>) master(%m : memref<4x5xf32>) update_sums(%us : memref<1xf64>) weight_sums(%ws : memref<1xf64>) {scale = 0.5 : f64}
  return
}

// A tensor of rank 0 with a clipped gradient; bias corrections once, in f64.

// CHECK-LABEL: func.func @adamw(
// CHECK: %[[T:.+]] = memref.load %{{.+}}[] : memref<i64>
// CHECK: %[[P1:.+]] = math.fpowi %{{.+}}, %[[T]] : f64, i64
// CHECK: %[[P2:.+]] = math.fpowi %{{.+}}, %[[T]] : f64, i64
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel"]} ins(%{{.+}} : memref<1xf32>) outs(%{{.+}}, %{{.+}}, %{{.+}} : memref<1xf32>, memref<1xf32>, memref<1xf32>) {
// CHECK-NEXT: ^bb0(%[[G:.+]]: f32, %[[W:.+]]: f32, %[[M:.+]]: f32, %[[V:.+]]: f32):
// CHECK: %[[KG:.+]] = arith.mulf %{{.+}}, %[[G]] : f32
// CHECK: arith.mulf %{{.+}}, %[[M]] : f32
// CHECK: arith.mulf %[[KG]], %[[KG]] : f32
// CHECK: arith.mulf %{{.+}}, %[[V]] : f32
// CHECK: %[[ROOT:.+]] = math.sqrt %{{.+}} : f32
// CHECK: %[[EPS:.+]] = arith.constant 1.250000e-01 : f32
// CHECK: %[[D:.+]] = arith.addf %[[ROOT]], %[[EPS]] : f32
// CHECK: arith.divf %{{.+}}, %[[D]] : f32
// CHECK: arith.mulf %{{.+}}, %[[W]] : f32
// CHECK: linalg.yield
func.func @adamw(%g: memref<f32>, %lr: memref<f32>, %wd: memref<f32>, %t: memref<i64>, %clip: memref<f32>, %w: memref<f32>, %m: memref<f32>, %v: memref<f32>) {
  muon.adamw_update gradient(%g : memref<f32>) lr(%lr : memref<f32>) weight_decay(%wd : memref<f32>) step(%t : memref<i64>) clip(%clip : memref<f32>) weight(%w : memref<f32>) exp_avg(%m : memref<f32>) exp_avg_sq(%v : memref<f32>) {eps = 0.125 : f64}
  return
}

// An x of f16 takes 14 more of the exponent, so that small elements are normal
// numbers, and the sum is of what it was before rounding.

// CHECK-LABEL: func.func @momentum_f16(
// CHECK: %[[BIAS:.+]] = arith.constant 1036 : i64
// CHECK: arith.subi %{{.+}}, %[[BIAS]] : i64
// CHECK: linalg.generic {{.*}} outs({{.*}} : memref<20xf32>, memref<20xf16>, memref<f64>) {
// CHECK: %[[LOW:.+]] = arith.truncf %[[XI:.+]] : f32 to f16
// CHECK-NEXT: %[[WIDE:.+]] = arith.extf %[[XI]] : f32 to f64
// CHECK-NEXT: arith.mulf %[[WIDE]], %[[WIDE]] : f64
// CHECK: linalg.yield %{{.+}}, %[[LOW]], %{{.+}} : f32, f16, f64
func.func @momentum_f16(%beta: memref<f32>, %g: memref<4x5xf32>, %gs: memref<1xf64>, %ms: memref<1xf64>, %m: memref<4x5xf32>, %x: memref<1x4x5xf16>, %s: memref<1xf64>, %u: memref<1xf64>) {
  muon.momentum gradient(%g : memref<4x5xf32>) gradient_sums(%gs : memref<1xf64>) momentum_sums(%ms : memref<1xf64>) beta(%beta : memref<f32>) momentum(%m : memref<4x5xf32>) x(%x : memref<1x4x5xf16>) sums(%s : memref<1xf64>) unit(%u : memref<1xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = false}
  return
}

// One of bf16 or f32 does not.

// CHECK-LABEL: func.func @momentum_bf16(
// CHECK: %[[BIAS:.+]] = arith.constant 1022 : i64
// CHECK: arith.subi %{{.+}}, %[[BIAS]] : i64
// CHECK: linalg.generic {{.*}} outs({{.*}} : memref<20xf32>, memref<20xbf16>, memref<f64>) {
func.func @momentum_bf16(%beta: memref<f32>, %g: memref<4x5xf32>, %gs: memref<1xf64>, %ms: memref<1xf64>, %m: memref<4x5xf32>, %x: memref<1x4x5xbf16>, %s: memref<1xf64>, %u: memref<1xf64>) {
  muon.momentum gradient(%g : memref<4x5xf32>) gradient_sums(%gs : memref<1xf64>) momentum_sums(%ms : memref<1xf64>) beta(%beta : memref<f32>) momentum(%m : memref<4x5xf32>) x(%x : memref<1x4x5xbf16>) sums(%s : memref<1xf64>) unit(%u : memref<1xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = false}
  return
}

// What still has its condition waits for the guard, and values for buffers.

// CHECK-LABEL: func.func @later(
// CHECK-NEXT: muon.advance when(
// CHECK-NEXT: %{{.+}} = muon.advance step(%{{.+}} : tensor<i64>)
func.func @later(%ok: memref<i1>, %t: memref<i64>, %u: tensor<i64>) -> tensor<i64> {
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  %0 = muon.advance step(%u : tensor<i64>)
  return %0 : tensor<i64>
}
