// RUN: muon-opt --muon-gpu-fuse-sums %s | FileCheck %s
// RUN: muon-opt --muon-gpu-fuse-sums --remarks-filter=muon-gpu-fuse-sums %s -o %t.mlir 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK --implicit-check-not=remark:

// The squares of a gradient are added up by the update that reads it anyway,
// though that is the gradient's second operand here. Constants, scalars and sums
// of the update come first.

// Before: G 2·8·16 and G 2·8·16, W 4·8·16 read and written. After: G once.

// REMARK: fuse-sums.mlir:[[#@LINE+29]]:3: remark: [Passed] Sums | Category:muon-gpu-fuse-sums | {{.*}}"adds up what it reads: {{[^0-9]*}}1536{{[^0-9]*}} bytes of traffic before, {{[^0-9]*}}1280{{[^0-9]*}} after"

// CHECK-LABEL: func.func @update(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: memref<8x16xbf16>, %[[W:[a-z0-9]+]]: memref<8x16xf32>, %[[LR:[a-z0-9]+]]: memref<f32>, %[[F:[a-z0-9]+]]: memref<1xf64>, %[[GS:[a-z0-9]+]]: memref<1xf64>, %[[WS:[a-z0-9]+]]: memref<1xf64>, %[[OK:[a-z0-9]+]]: memref<i1>)
// CHECK-NEXT:    muon.look ok(
// CHECK-NEXT:    muon_gpu.stream scalars(%[[LR]], %[[F]] : memref<f32>, memref<1xf64>) ins(%[[W]], %[[G]] : memref<8x16xf32>, memref<8x16xbf16>) outs(%[[W]] : memref<8x16xf32>) sums(%[[WS]], %[[GS]] : memref<1xf64>, memref<1xf64>) {
// CHECK-NEXT:    ^bb0(%[[SCALE:.+]]: f64, %[[HALF:.+]]: f64, %[[LRI:.+]]: f32, %[[FI:.+]]: f64, %[[WI:.+]]: f32, %[[GI:.+]]: bf16):
// CHECK-NEXT:      %[[G32:.+]] = arith.extf %[[GI]] : bf16 to f32
// CHECK-NEXT:      %[[STEP:.+]] = arith.mulf %[[LRI]], %[[G32]] : f32
// CHECK-NEXT:      %[[NEXT:.+]] = arith.subf %[[WI]], %[[STEP]] : f32
// CHECK-NEXT:      %[[NEXT64:.+]] = arith.extf %[[NEXT]] : f32 to f64
// CHECK-NEXT:      %[[W64:.+]] = arith.mulf %[[NEXT64]], %[[SCALE]] : f64
// CHECK-NEXT:      %[[G64:.+]] = arith.extf %[[GI]] : bf16 to f64
// CHECK-NEXT:      %[[S0:.+]] = arith.mulf %[[G64]], %[[G64]] : f64
// CHECK-NEXT:      %[[S1:.+]] = arith.mulf %[[S0]], %[[HALF]] : f64
// CHECK-NEXT:      %[[S2:.+]] = arith.mulf %[[S1]], %[[FI]] : f64
// CHECK-NEXT:      muon_gpu.yield %[[NEXT]], %[[W64]], %[[S2]] : f32, f64, f64
// CHECK-NEXT:    } {constants = array<f64: 2.000000e+00, 5.000000e-01>}
// CHECK-NEXT:    return
func.func @update(%g: memref<8x16xbf16>, %w: memref<8x16xf32>, %lr: memref<f32>, %f: memref<1xf64>, %gs: memref<1xf64>, %ws: memref<1xf64>, %ok: memref<i1>) {
  muon_gpu.stream scalars(%f : memref<1xf64>) ins(%g : memref<8x16xbf16>) sums(%gs : memref<1xf64>) {
  ^bb0(%half: f64, %factor: f64, %x: bf16):
    %0 = arith.extf %x : bf16 to f64
    %1 = arith.mulf %0, %0 : f64
    %2 = arith.mulf %1, %half : f64
    %3 = arith.mulf %2, %factor : f64
    muon_gpu.yield %3 : f64
  } {constants = array<f64: 0.5>}
  muon.look ok(%ok : memref<i1>) clip(%lr : memref<f32>) {skip_nonfinite = false}
  muon_gpu.stream scalars(%lr : memref<f32>) ins(%w, %g : memref<8x16xf32>, memref<8x16xbf16>) outs(%w : memref<8x16xf32>) sums(%ws : memref<1xf64>) {
  ^bb0(%scale: f64, %rate: f32, %old: f32, %x: bf16):
    %0 = arith.extf %x : bf16 to f32
    %1 = arith.mulf %rate, %0 : f32
    %2 = arith.subf %old, %1 : f32
    %3 = arith.extf %2 : f32 to f64
    %4 = arith.mulf %3, %scale : f64
    muon_gpu.yield %2, %4 : f32, f64
  } {constants = array<f64: 2.0>}
  return
}

// Under one condition; a table; and what is added up is what is written: the old
// elements count, which are read first.

// REMARK: [[#@LINE+15]]:3: remark: [Passed] Sums | {{.*}}"adds up what it reads: {{[^0-9]*}}768{{[^0-9]*}} bytes of traffic before, {{[^0-9]*}}512{{[^0-9]*}} after"

// CHECK-LABEL: func.func @in_place(
// CHECK-SAME:    %[[W:[a-z0-9]+]]: !muon.table<2x8x4xf32>, %[[S:[a-z0-9]+]]: memref<2xf64>, %[[OK:[a-z0-9]+]]: memref<i1>)
// CHECK-NEXT:    muon_gpu.stream ins(%[[W]] : {{.*}}) outs(%[[W]] : {{.*}}) sums(%[[S]] : memref<2xf64>) when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:    ^bb0(%[[X:.+]]: f32):
// CHECK-NEXT:      %[[NEXT:.+]] = arith.addf %[[X]], %[[X]] : f32
// CHECK-NEXT:      %[[X64:.+]] = arith.extf %[[X]] : f32 to f64
// CHECK-NEXT:      muon_gpu.yield %[[NEXT]], %[[X64]] : f32, f64
func.func @in_place(%w: !muon.table<2x8x4xf32>, %s: memref<2xf64>, %ok: memref<i1>) {
  muon_gpu.stream ins(%w : !muon.table<2x8x4xf32>) sums(%s : memref<2xf64>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.stream ins(%w : !muon.table<2x8x4xf32>) outs(%w : !muon.table<2x8x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    %0 = arith.addf %x, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// Two operands in another order, past a reader of only one of them; and one pass
// of sums after the other goes the same way.

// REMARK: [[#@LINE+28]]:3: remark: [Passed] Sums | {{.*}}"adds up what it reads: {{[^0-9]*}}512{{[^0-9]*}} bytes of traffic before, {{[^0-9]*}}256{{[^0-9]*}} after"
// REMARK: [[#@LINE+32]]:3: remark: [Passed] Sums | {{.*}}"adds up what it reads: {{[^0-9]*}}640{{[^0-9]*}} bytes of traffic before, {{[^0-9]*}}384{{[^0-9]*}} after"

// CHECK-LABEL: func.func @two_sums(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: memref<4x8xf32>, %[[B:[a-z0-9]+]]: memref<4x8xf32>, %[[O:[a-z0-9]+]]: memref<4x8xf32>, %[[P:[a-z0-9]+]]: memref<4x8xbf16>, %[[S:[a-z0-9]+]]: memref<1xf64>, %[[T:[a-z0-9]+]]: memref<1xf64>)
// CHECK-NEXT:    muon_gpu.stream ins(%[[A]] : {{.*}}) outs(%[[P]] :
// CHECK:         muon_gpu.stream ins(%[[B]], %[[A]] : {{.*}}) outs(%[[O]] : {{.*}}) sums(%[[T]], %[[S]] :
// CHECK-NEXT:    ^bb0(%[[X:.+]]: f32, %[[Y:.+]]: f32):
// CHECK-NEXT:      %[[B64:.+]] = arith.extf %[[X]] : f32 to f64
// CHECK-NEXT:      %[[A64:.+]] = arith.extf %[[Y]] : f32 to f64
// CHECK-NEXT:      %[[BB64:.+]] = arith.extf %[[X]] : f32 to f64
// CHECK-NEXT:      %[[AB:.+]] = arith.mulf %[[A64]], %[[BB64]] : f64
// CHECK-NEXT:      muon_gpu.yield %[[X]], %[[B64]], %[[AB]] : f32, f64, f64
// CHECK-NEXT:    }
// CHECK-NEXT:    return
func.func @two_sums(%a: memref<4x8xf32>, %b: memref<4x8xf32>, %o: memref<4x8xf32>, %p: memref<4x8xbf16>, %s: memref<1xf64>, %t: memref<1xf64>) {
  muon_gpu.stream ins(%a, %b : memref<4x8xf32>, memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.extf %x : f32 to f64
    %1 = arith.extf %y : f32 to f64
    %2 = arith.mulf %0, %1 : f64
    muon_gpu.yield %2 : f64
  }
  muon_gpu.stream ins(%a : memref<4x8xf32>) outs(%p : memref<4x8xbf16>) {
  ^bb0(%x: f32):
    %0 = arith.truncf %x : f32 to bf16
    muon_gpu.yield %0 : bf16
  }
  muon_gpu.stream ins(%b, %a : memref<4x8xf32>, memref<4x8xf32>) sums(%t : memref<1xf64>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.stream ins(%b, %a : memref<4x8xf32>, memref<4x8xf32>) outs(%o : memref<4x8xf32>) {
  ^bb0(%x: f32, %y: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Nobody reads it again, or only before: nothing is said.

// CHECK-LABEL: func.func @no_reader(
// CHECK-NEXT:    muon_gpu.stream ins(%{{.+}} : {{.*}}) outs(
// CHECK:         muon_gpu.stream ins(%{{.+}} : {{.*}}) sums(
func.func @no_reader(%a: memref<4x8xf32>, %o: memref<4x8xf32>, %s: memref<1xf64>) {
  muon_gpu.stream ins(%a : memref<4x8xf32>) outs(%o : memref<4x8xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%a : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  return
}
