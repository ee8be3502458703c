// RUN: muon-opt --convert-muon-to-muon-gpu --cse %s | FileCheck %s

// Operations that go over elements become streams, whose regions are in the
// order of operands. A square is taken in f64.

// CHECK-LABEL: func.func @sum_squares(
// CHECK-SAME:    %[[V:[a-z0-9]+]]: !muon.table<2x3x4x5xbf16>, %[[S:[a-z0-9]+]]: memref<6xf64>)
// CHECK-NEXT:    muon_gpu.stream ins(%[[V]] : !muon.table<2x3x4x5xbf16>) sums(%[[S]] : memref<6xf64>) {
// CHECK-NEXT:    ^bb0(%[[X:.+]]: bf16):
// CHECK-NEXT:      %[[W:.+]] = arith.extf %[[X]] : bf16 to f64
// CHECK-NEXT:      %[[Q:.+]] = arith.mulf %[[W]], %[[W]] : f64
// CHECK-NEXT:      muon_gpu.yield %[[Q]] : f64
// CHECK-NEXT:    }{{$}}
func.func @sum_squares(%v: !muon.table<2x3x4x5xbf16>, %s: memref<6xf64>) {
  muon.sum_squares value(%v : !muon.table<2x3x4x5xbf16>) sums(%s : memref<6xf64>)
  return
}

// A scalar is one matrix of one element.

// CHECK-LABEL: func.func @sum_squares_scalar(
// CHECK-NEXT:    muon_gpu.stream ins(%{{.+}} : memref<f16>) sums(%{{.+}} : memref<1xf64>) {
func.func @sum_squares_scalar(%v: memref<f16>, %s: memref<1xf64>) {
  muon.sum_squares value(%v : memref<f16>) sums(%s : memref<1xf64>)
  return
}

// Work on few numbers stays for kernels of one block.

// CHECK-LABEL: func.func @few_numbers(
// CHECK-NEXT:    muon.look gradients(
// CHECK-NEXT:    muon.advance when(
// CHECK-NEXT:    muon.normalize sums(
// CHECK-NEXT:    return
func.func @few_numbers(%g: memref<2xf64>, %l: memref<f32>, %ok: memref<i1>, %clip: memref<f32>, %t: memref<i64>, %u: memref<2xf64>, %f: memref<2xf32>) {
  muon.look gradients(%g : memref<2xf64>) limit(%l : memref<f32>) ok(%ok : memref<i1>) clip(%clip : memref<f32>)
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  muon.normalize sums(%g : memref<2xf64>) unit(%u : memref<2xf64>) factor(%f : memref<2xf32>) {eps = 0.25 : f64, safety = 1.5 : f64}
  return
}

// M ← βM + (1 − β)G; x = 2⁻ᵏ·(βM + (1 − β)G) with the new M. The power of two
// comes as two factors; the sum is that of x before it is rounded.

// CHECK-LABEL: func.func @ema_nesterov(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: memref<4x8xf32>, %[[GS:[a-z0-9]+]]: memref<1xf64>, %[[MS:[a-z0-9]+]]: memref<1xf64>, %[[B:[a-z0-9]+]]: memref<f32>, %[[M:[a-z0-9]+]]: memref<4x8xf32>, %[[X:[a-z0-9]+]]: memref<1x4x8xbf16>, %[[S:[a-z0-9]+]]: memref<1xf64>, %[[U:[a-z0-9]+]]: memref<1xf64>)
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.unit gradient_sums(%[[GS]] : memref<1xf64>) momentum_sums(%[[MS]] : memref<1xf64>) beta(%[[B]] : memref<f32>) unit(%[[U]] : memref<1xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
// CHECK-NEXT:    } {phase = "momentum"}
// CHECK-NEXT:    muon_gpu.stream scalars(%[[B]], %[[U]] : memref<f32>, memref<1xf64>) ins(%[[G]], %[[M]] : {{.*}}) outs(%[[M]], %[[X]] : {{.*}}) sums(%[[S]] : memref<1xf64>) {
// CHECK-NEXT:    ^bb0(%[[BETA:.+]]: f32, %[[UNIT:.+]]: f64, %[[GI:.+]]: f32, %[[MI:.+]]: f32):
// CHECK:           %[[ONE:.+]] = arith.constant 1.000000e+00 : f32
// CHECK-NEXT:      %[[REST:.+]] = arith.subf %[[ONE]], %[[BETA]] : f32
// CHECK-NEXT:      arith.bitcast %[[UNIT]] : f64 to i64
// CHECK:           %[[LOW:.+]] = arith.bitcast %{{.+}} : i32 to f32
// CHECK:           %[[HIGH:.+]] = arith.bitcast %{{.+}} : i32 to f32
// CHECK-NEXT:      %[[SHARE:.+]] = arith.mulf %[[REST]], %[[GI]] : f32
// CHECK-NEXT:      %[[OLD:.+]] = arith.mulf %[[BETA]], %[[MI]] : f32
// CHECK-NEXT:      %[[NEW:.+]] = arith.addf %[[OLD]], %[[SHARE]] : f32
// CHECK-NEXT:      %[[LN:.+]] = arith.mulf %[[NEW]], %[[LOW]] : f32
// CHECK-NEXT:      %[[BLN:.+]] = arith.mulf %[[BETA]], %[[LN]] : f32
// CHECK-NEXT:      %[[LS:.+]] = arith.mulf %[[SHARE]], %[[LOW]] : f32
// CHECK-NEXT:      %[[LX:.+]] = arith.addf %[[BLN]], %[[LS]] : f32
// CHECK-NEXT:      %[[XI:.+]] = arith.mulf %[[LX]], %[[HIGH]] : f32
// CHECK-NEXT:      %[[XR:.+]] = arith.truncf %[[XI]] : f32 to bf16
// CHECK-NEXT:      %[[XW:.+]] = arith.extf %[[XI]] : f32 to f64
// CHECK-NEXT:      %[[XX:.+]] = arith.mulf %[[XW]], %[[XW]] : f64
// CHECK-NEXT:      muon_gpu.yield %[[NEW]], %[[XR]], %[[XX]] : f32, bf16, f64
func.func @ema_nesterov(%g: memref<4x8xf32>, %gs: memref<1xf64>, %ms: memref<1xf64>, %beta: memref<f32>, %m: memref<4x8xf32>, %x: memref<1x4x8xbf16>, %s: memref<1xf64>, %u: memref<1xf64>) {
  muon.momentum gradient(%g : memref<4x8xf32>) gradient_sums(%gs : memref<1xf64>) momentum_sums(%ms : memref<1xf64>) beta(%beta : memref<f32>) momentum(%m : memref<4x8xf32>) x(%x : memref<1x4x8xbf16>) sums(%s : memref<1xf64>) unit(%u : memref<1xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  return
}

// Without Nesterov x = 2⁻ᵏ·M.

// CHECK-LABEL: func.func @ema(
// CHECK:         muon_gpu.unit {{.*}}momentum_form = #muon.momentum_form<ema>, nesterov = false
// CHECK:           %[[NEW:.+]] = arith.addf %{{.+}}, %{{.+}} : f32
// CHECK-NEXT:      %[[LN:.+]] = arith.mulf %[[NEW]], %{{.+}} : f32
// CHECK-NEXT:      %[[XI:.+]] = arith.mulf %[[LN]], %{{.+}} : f32
// CHECK:           muon_gpu.yield %[[NEW]], %[[XI]], %{{.+}} : f32, f32, f64
func.func @ema(%g: memref<4x8xf32>, %gs: memref<1xf64>, %ms: memref<1xf64>, %beta: memref<f32>, %m: memref<4x8xf32>, %x: memref<1x4x8xf32>, %s: memref<1xf64>, %u: memref<1xf64>) {
  muon.momentum gradient(%g : memref<4x8xf32>) gradient_sums(%gs : memref<1xf64>) momentum_sums(%ms : memref<1xf64>) beta(%beta : memref<f32>) momentum(%m : memref<4x8xf32>) x(%x : memref<1x4x8xf32>) sums(%s : memref<1xf64>) unit(%u : memref<1xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = false}
  return
}

// A heavy ball takes the whole gradient.

// CHECK-LABEL: func.func @heavy_ball(
// CHECK:         muon_gpu.stream
// CHECK-NEXT:    ^bb0(%[[BETA:.+]]: f32, %{{.+}}: f64, %[[GI:.+]]: f32, %[[MI:.+]]: f32):
// CHECK-NOT:       arith.subf
// CHECK:           %[[OLD:.+]] = arith.mulf %[[BETA]], %[[MI]] : f32
// CHECK-NEXT:      %[[NEW:.+]] = arith.addf %[[OLD]], %[[GI]] : f32
// CHECK:           muon_gpu.yield %[[NEW]],
func.func @heavy_ball(%g: memref<4x8xf32>, %gs: memref<1xf64>, %ms: memref<1xf64>, %beta: memref<f32>, %m: memref<4x8xf32>, %x: memref<1x4x8xf32>, %s: memref<1xf64>, %u: memref<1xf64>) {
  muon.momentum gradient(%g : memref<4x8xf32>) gradient_sums(%gs : memref<1xf64>) momentum_sums(%ms : memref<1xf64>) beta(%beta : memref<f32>) momentum(%m : memref<4x8xf32>) x(%x : memref<1x4x8xf32>) sums(%s : memref<1xf64>) unit(%u : memref<1xf64>) {momentum_form = #muon.momentum_form<heavy_ball>, nesterov = false}
  return
}

// κG, computed in f32, is what both momentum and x take of the gradient; the
// new momentum is rounded to its type when it is stored, not before x is made
// of it. f16 gets a unit of its own. Both pieces of work have the condition.

// CHECK-LABEL: func.func @clip_and_cast(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>, %[[K:[a-z0-9]+]]: memref<f32>
// CHECK:         muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:      muon_gpu.unit {{.*}} clip(%[[K]] : memref<f32>) {{.*}} {half, momentum_form = #muon.momentum_form<heavy_ball>, nesterov = true}
// CHECK:         muon_gpu.stream scalars(%{{.+}}, %[[K]], %{{.+}} : memref<f32>, memref<f32>, memref<1xf64>) {{.*}} when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:    ^bb0(%[[BETA:.+]]: f32, %[[CLIP:.+]]: f32, %{{.+}}: f64, %[[GI:.+]]: f16, %[[MI:.+]]: bf16):
// CHECK:           %[[G32:.+]] = arith.extf %[[GI]] : f16 to f32
// CHECK-NEXT:      %[[M32:.+]] = arith.extf %[[MI]] : bf16 to f32
// CHECK-NEXT:      %[[KG:.+]] = arith.mulf %[[CLIP]], %[[G32]] : f32
// CHECK-NEXT:      %[[OLD:.+]] = arith.mulf %[[BETA]], %[[M32]] : f32
// CHECK-NEXT:      %[[NEW:.+]] = arith.addf %[[OLD]], %[[KG]] : f32
// CHECK-NEXT:      %[[LN:.+]] = arith.mulf %[[NEW]], %[[LOW:.+]] : f32
// CHECK-NEXT:      arith.mulf %[[BETA]], %[[LN]] : f32
// CHECK-NEXT:      arith.mulf %[[KG]], %[[LOW]] : f32
// CHECK:           %[[STORED:.+]] = arith.truncf %[[NEW]] : f32 to bf16
// CHECK-NEXT:      %[[XI:.+]] = arith.truncf %{{.+}} : f32 to f16
// CHECK:           muon_gpu.yield %[[STORED]], %[[XI]], %{{.+}} : bf16, f16, f64
func.func @clip_and_cast(%ok: memref<i1>, %clip: memref<f32>, %g: memref<4x8xf16>, %gs: memref<1xf64>, %ms: memref<1xf64>, %beta: memref<f32>, %m: memref<4x8xbf16>, %x: memref<1x4x8xf16>, %s: memref<1xf64>, %u: memref<1xf64>) {
  muon.momentum gradient(%g : memref<4x8xf16>) gradient_sums(%gs : memref<1xf64>) momentum_sums(%ms : memref<1xf64>) beta(%beta : memref<f32>) clip(%clip : memref<f32>) when(%ok : memref<i1>) momentum(%m : memref<4x8xbf16>) x(%x : memref<1x4x8xf16>) sums(%s : memref<1xf64>) unit(%u : memref<1xf64>) {momentum_form = #muon.momentum_form<heavy_ball>, nesterov = true}
  return
}

// W ← (1 − lr·λ)·W − (lr·scale)·x, with both factors in f64 and rounded once.

// CHECK-LABEL: func.func @apply(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<1x4x8xf32>, %[[LR:[a-z0-9]+]]: memref<f32>, %[[WD:[a-z0-9]+]]: memref<f32>, %[[W:[a-z0-9]+]]: memref<4x8xf32>)
// CHECK-NEXT:    muon_gpu.stream scalars(%[[LR]], %[[WD]] : memref<f32>, memref<f32>) ins(%[[X]], %[[W]] : {{.*}}) outs(%[[W]] : memref<4x8xf32>) {
// CHECK-NEXT:    ^bb0(%[[SCALE:.+]]: f64, %[[LRI:.+]]: f32, %[[WDI:.+]]: f32, %[[XI:.+]]: f32, %[[WI:.+]]: f32):
// CHECK-NEXT:      %[[LR64:.+]] = arith.extf %[[LRI]] : f32 to f64
// CHECK-NEXT:      %[[WD64:.+]] = arith.extf %[[WDI]] : f32 to f64
// CHECK-NEXT:      %[[ONE:.+]] = arith.constant 1.000000e+00 : f64
// CHECK-NEXT:      %[[LOSS:.+]] = arith.mulf %[[LR64]], %[[WD64]] : f64
// CHECK-NEXT:      %[[KEEP:.+]] = arith.subf %[[ONE]], %[[LOSS]] : f64
// CHECK-NEXT:      %[[DECAY:.+]] = arith.truncf %[[KEEP]] : f64 to f32
// CHECK-NEXT:      %[[RATE64:.+]] = arith.mulf %[[LR64]], %[[SCALE]] : f64
// CHECK-NEXT:      %[[RATE:.+]] = arith.truncf %[[RATE64]] : f64 to f32
// CHECK-NEXT:      %[[KEPT:.+]] = arith.mulf %[[DECAY]], %[[WI]] : f32
// CHECK-NEXT:      %[[STEP:.+]] = arith.mulf %[[RATE]], %[[XI]] : f32
// CHECK-NEXT:      %[[NEXT:.+]] = arith.subf %[[KEPT]], %[[STEP]] : f32
// CHECK-NEXT:      muon_gpu.yield %[[NEXT]] : f32
// CHECK-NEXT:    } {constants = array<f64: 5.000000e-01>}
func.func @apply(%x: memref<1x4x8xf32>, %lr: memref<f32>, %wd: memref<f32>, %w: memref<4x8xf32>) {
  muon.apply x(%x : memref<1x4x8xf32>) lr(%lr : memref<f32>) weight_decay(%wd : memref<f32>) weight(%w : memref<4x8xf32>) {scale = 0.5 : f64}
  return
}

// The master is read and written; the weight is its copy, rounded, and not read.
// The update whose squares are added is scale·x; the weight is the new one.

// CHECK-LABEL: func.func @apply_master(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>, %[[X:[a-z0-9]+]]: memref<1x4x8xf32>, %{{[a-z0-9]+}}: memref<f32>, %{{[a-z0-9]+}}: memref<f32>, %[[W:[a-z0-9]+]]: memref<4x8xbf16>, %[[M:[a-z0-9]+]]: memref<4x8xf32>, %[[US:[a-z0-9]+]]: memref<1xf64>, %[[WS:[a-z0-9]+]]: memref<1xf64>)
// CHECK-NEXT:    muon_gpu.stream {{.*}} ins(%[[X]], %[[M]] : memref<1x4x8xf32>, memref<4x8xf32>) outs(%[[W]], %[[M]] : memref<4x8xbf16>, memref<4x8xf32>) sums(%[[US]], %[[WS]] : memref<1xf64>, memref<1xf64>) when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:    ^bb0(%[[SCALE:.+]]: f64, %{{.+}}: f32, %{{.+}}: f32, %[[XI:.+]]: f32, %[[MI:.+]]: f32):
// CHECK:           arith.mulf %{{.+}}, %[[MI]] : f32
// CHECK:           %[[NEXT:.+]] = arith.subf %{{.+}}, %{{.+}} : f32
// CHECK-NEXT:      %[[LOW:.+]] = arith.truncf %[[NEXT]] : f32 to bf16
// CHECK-NEXT:      %[[X64:.+]] = arith.extf %[[XI]] : f32 to f64
// CHECK-NEXT:      %[[U64:.+]] = arith.mulf %[[X64]], %[[SCALE]] : f64
// CHECK-NEXT:      %[[UU:.+]] = arith.mulf %[[U64]], %[[U64]] : f64
// CHECK-NEXT:      %[[W64:.+]] = arith.extf %[[NEXT]] : f32 to f64
// CHECK-NEXT:      %[[WW:.+]] = arith.mulf %[[W64]], %[[W64]] : f64
// CHECK-NEXT:      muon_gpu.yield %[[LOW]], %[[NEXT]], %[[UU]], %[[WW]] : bf16, f32, f64, f64
func.func @apply_master(%ok: memref<i1>, %x: memref<1x4x8xf32>, %lr: memref<f32>, %wd: memref<f32>, %w: memref<4x8xbf16>, %m: memref<4x8xf32>, %us: memref<1xf64>, %ws: memref<1xf64>) {
  muon.apply x(%x : memref<1x4x8xf32>) lr(%lr : memref<f32>) weight_decay(%wd : memref<f32>) when(%ok : memref<i1>) weight(%w : memref<4x8xbf16>) master(%m : memref<4x8xf32>) update_sums(%us : memref<1xf64>) weight_sums(%ws : memref<1xf64>) {scale = 0.5 : f64}
  return
}

// Bias corrections depend on the counter, and are numbers that one block
// computes. Constants are in a list, so that they are no part of the kernel:
// the multiplier of lr, β₁, 1 − β₁, β₂, 1 − β₂ and ε.

// CHECK-LABEL: func.func @adamw(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: memref<8xf16>, %[[LR:[a-z0-9]+]]: memref<f32>, %[[WD:[a-z0-9]+]]: memref<f32>, %[[T:[a-z0-9]+]]: memref<i64>, %[[K:[a-z0-9]+]]: memref<f32>, %[[W:[a-z0-9]+]]: memref<8xf32>, %[[M:[a-z0-9]+]]: memref<8xf32>, %[[V:[a-z0-9]+]]: memref<8xf32>, %[[OK:[a-z0-9]+]]: memref<i1>)
// CHECK:         %[[C1:.+]] = memref.alloc() : memref<f32>
// CHECK-NEXT:    %[[C2:.+]] = memref.alloc() : memref<f32>
// CHECK-NEXT:    muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:      muon_gpu.bias_correction step(%[[T]] : memref<i64>) corrections(%[[C1]], %[[C2]] : memref<f32>, memref<f32>) {beta1 = 7.500000e-01 : f64, beta2 = 8.750000e-01 : f64}
// CHECK-NEXT:    } {phase = "adamw"}
// CHECK-NEXT:    muon_gpu.stream scalars(%[[LR]], %[[WD]], %[[K]], %[[C1]], %[[C2]] : {{.*}}) ins(%[[G]], %[[M]], %[[V]], %[[W]] : {{.*}}) outs(%[[W]], %[[M]], %[[V]] : {{.*}}) when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:    ^bb0(%[[MULTIPLIER:.+]]: f64, %[[BETA1:.+]]: f64, %[[REST1:.+]]: f64, %[[BETA2:.+]]: f64, %[[REST2:.+]]: f64, %[[EPS:.+]]: f64, %{{.+}}: f32, %{{.+}}: f32, %[[CLIP:.+]]: f32, %[[CORR1:.+]]: f32, %[[CORR2:.+]]: f32, %[[GI:.+]]: f16, %[[MI:.+]]: f32, %[[VI:.+]]: f32, %[[WI:.+]]: f32):
// CHECK-NEXT:      %[[B1:.+]] = arith.truncf %[[BETA1]]
// CHECK-NEXT:      %[[R1:.+]] = arith.truncf %[[REST1]]
// CHECK-NEXT:      %[[B2:.+]] = arith.truncf %[[BETA2]]
// CHECK-NEXT:      %[[R2:.+]] = arith.truncf %[[REST2]]
// CHECK-NEXT:      %[[E:.+]] = arith.truncf %[[EPS]]
// CHECK-NEXT:      %[[G32:.+]] = arith.extf %[[GI]] : f16 to f32
// CHECK-NEXT:      %[[KG:.+]] = arith.mulf %[[CLIP]], %[[G32]] : f32
// CHECK-NEXT:      %[[OLD1:.+]] = arith.mulf %[[B1]], %[[MI]] : f32
// CHECK-NEXT:      %[[NEW1:.+]] = arith.mulf %[[R1]], %[[KG]] : f32
// CHECK-NEXT:      %[[M1:.+]] = arith.addf %[[OLD1]], %[[NEW1]] : f32
// CHECK-NEXT:      %[[GG:.+]] = arith.mulf %[[KG]], %[[KG]] : f32
// CHECK-NEXT:      %[[OLD2:.+]] = arith.mulf %[[B2]], %[[VI]] : f32
// CHECK-NEXT:      %[[NEW2:.+]] = arith.mulf %[[R2]], %[[GG]] : f32
// CHECK-NEXT:      %[[V1:.+]] = arith.addf %[[OLD2]], %[[NEW2]] : f32
// CHECK-NEXT:      %[[MC:.+]] = arith.mulf %[[M1]], %[[CORR1]] : f32
// CHECK-NEXT:      %[[VC:.+]] = arith.mulf %[[V1]], %[[CORR2]] : f32
// CHECK-NEXT:      %[[ROOT:.+]] = math.sqrt %[[VC]] : f32
// CHECK-NEXT:      %[[LENGTH:.+]] = arith.addf %[[ROOT]], %[[E]] : f32
// CHECK-NEXT:      %[[UPDATE:.+]] = arith.divf %[[MC]], %[[LENGTH]] : f32
// CHECK:           %[[RATE64:.+]] = arith.mulf %{{.+}}, %[[MULTIPLIER]] : f64
// CHECK-NEXT:      %[[RATE:.+]] = arith.truncf %[[RATE64]] : f64 to f32
// CHECK-NEXT:      %[[KEPT:.+]] = arith.mulf %{{.+}}, %[[WI]] : f32
// CHECK-NEXT:      %[[STEP:.+]] = arith.mulf %[[RATE]], %[[UPDATE]] : f32
// CHECK-NEXT:      %[[NEXT:.+]] = arith.subf %[[KEPT]], %[[STEP]] : f32
// CHECK-NEXT:      muon_gpu.yield %[[NEXT]], %[[M1]], %[[V1]] : f32, f32, f32
// CHECK-NEXT:    } {constants = array<f64: 5.000000e-01, 7.500000e-01, 2.500000e-01, 8.750000e-01, 1.250000e-01, 6.250000e-02>}
func.func @adamw(%g: memref<8xf16>, %lr: memref<f32>, %wd: memref<f32>, %t: memref<i64>, %clip: memref<f32>, %w: memref<8xf32>, %m: memref<8xf32>, %v: memref<8xf32>, %ok: memref<i1>) {
  muon.adamw_update gradient(%g : memref<8xf16>) lr(%lr : memref<f32>) weight_decay(%wd : memref<f32>) step(%t : memref<i64>) clip(%clip : memref<f32>) when(%ok : memref<i1>) weight(%w : memref<8xf32>) exp_avg(%m : memref<8xf32>) exp_avg_sq(%v : memref<8xf32>) {beta1 = 0.75 : f64, beta2 = 0.875 : f64, eps = 0.0625 : f64, lr_multiplier = 0.5 : f64}
  return
}

// With a master, moments in two types and sums of squares.

// CHECK-LABEL: func.func @adamw_master(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: memref<8xf32>, %{{[a-z0-9]+}}: memref<f32>, %{{[a-z0-9]+}}: memref<f32>, %{{[a-z0-9]+}}: memref<i64>, %[[W:[a-z0-9]+]]: memref<8xf16>, %[[MASTER:[a-z0-9]+]]: memref<8xf32>, %[[M:[a-z0-9]+]]: memref<8xf32>, %[[V:[a-z0-9]+]]: memref<8xbf16>, %[[US:[a-z0-9]+]]: memref<1xf64>, %[[WS:[a-z0-9]+]]: memref<1xf64>)
// CHECK:         muon_gpu.stream {{.*}} ins(%[[G]], %[[M]], %[[V]], %[[MASTER]] : {{.*}}) outs(%[[W]], %[[MASTER]], %[[M]], %[[V]] : {{.*}}) sums(%[[US]], %[[WS]] : memref<1xf64>, memref<1xf64>) {
// CHECK:           %[[UPDATE:.+]] = arith.divf
// CHECK:           %[[NEXT:.+]] = arith.subf %{{.+}}, %{{.+}} : f32
// CHECK-NEXT:      %[[LOW:.+]] = arith.truncf %[[NEXT]] : f32 to f16
// CHECK-NEXT:      arith.extf %[[UPDATE]] : f32 to f64
// CHECK:           muon_gpu.yield %[[LOW]], %[[NEXT]], %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} : f16, f32, f32, bf16, f64, f64
func.func @adamw_master(%g: memref<8xf32>, %lr: memref<f32>, %wd: memref<f32>, %t: memref<i64>, %w: memref<8xf16>, %master: memref<8xf32>, %m: memref<8xf32>, %v: memref<8xbf16>, %us: memref<1xf64>, %ws: memref<1xf64>) {
  muon.adamw_update gradient(%g : memref<8xf32>) lr(%lr : memref<f32>) weight_decay(%wd : memref<f32>) step(%t : memref<i64>) weight(%w : memref<8xf16>) exp_avg(%m : memref<8xf32>) exp_avg_sq(%v : memref<8xbf16>) master(%master : memref<8xf32>) update_sums(%us : memref<1xf64>) weight_sums(%ws : memref<1xf64>)
  return
}
