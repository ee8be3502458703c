// RUN: muon-opt --muon-gpu-fuse-epilogues %s | FileCheck %s
// RUN: muon-opt --muon-gpu-fuse-epilogues --remarks-filter=muon-gpu-fuse-epilogues %s -o %t.mlir 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK --implicit-check-not=remark:

// The update of a weight moves into the product that it waits for, and with it
// the master, the rounded copy and the sums. Constants, scalars, tiles and sums
// of the product come first; the result has no memory any more.

// Before: S 4·16·16, X 4·16·64, T 4·16·64 and O 4·16·64 in the product, O and M
// 4·16·64 each, W 2·16·64 and M 4·16·64 in the stream. After: all but O, twice.

// REMARK: fuse-epilogues.mlir:[[#@LINE+32]]:3: remark: [Passed] Epilogue | Category:muon-gpu-fuse-epilogues | {{.*}}"done in the epilogue of the product: {{[^0-9]*}}27648{{[^0-9]*}} bytes of traffic before, {{[^0-9]*}}19456{{[^0-9]*}} after"

// CHECK-LABEL: func.func @update(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<1x16x16xf32>, %[[X:[a-z0-9]+]]: memref<1x16x64xf32>, %[[T:[a-z0-9]+]]: memref<1x16x64xf32>, %[[F:[a-z0-9]+]]: memref<1xf32>, %[[LR:[a-z0-9]+]]: memref<f64>, %[[W:[a-z0-9]+]]: memref<16x64xbf16>, %[[M:[a-z0-9]+]]: memref<16x64xf32>, %[[PS:[a-z0-9]+]]: memref<1xf64>, %[[US:[a-z0-9]+]]: memref<1xf64>, %[[WS:[a-z0-9]+]]: memref<1xf64>, %[[OK:[a-z0-9]+]]: memref<i1>)
// CHECK-NEXT:    muon_gpu.matmul lhs(%[[S]] : memref<1x16x16xf32>) rhs(%[[X]] : memref<1x16x64xf32>) scalars(%[[F]], %[[LR]] : memref<1xf32>, memref<f64>) tiles(%[[T]], %[[M]] : memref<1x16x64xf32>, memref<16x64xf32>) outs(%[[W]], %[[M]] : memref<16x64xbf16>, memref<16x64xf32>) sums(%[[PS]], %[[US]], %[[WS]] : memref<1xf64>, memref<1xf64>, memref<1xf64>) when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:    ^bb0(%[[ACC:.+]]: f32, %[[ALPHA:.+]]: f64, %[[SCALE:.+]]: f64, %[[FI:.+]]: f32, %[[LRI:.+]]: f64, %[[TI:.+]]: f32, %[[MI:.+]]: f32):
// CHECK-NEXT:      %[[A:.+]] = arith.truncf %[[ALPHA]] : f64 to f32
// CHECK-NEXT:      %[[P0:.+]] = arith.mulf %[[ACC]], %[[A]] : f32
// CHECK-NEXT:      %[[P1:.+]] = arith.mulf %[[P0]], %[[FI]] : f32
// CHECK-NEXT:      %[[O:.+]] = arith.addf %[[P1]], %[[TI]] : f32
// CHECK-NEXT:      %[[O64:.+]] = arith.extf %[[O]] : f32 to f64
// CHECK-NEXT:      %[[RATE64:.+]] = arith.mulf %[[LRI]], %[[SCALE]] : f64
// CHECK-NEXT:      %[[RATE:.+]] = arith.truncf %[[RATE64]] : f64 to f32
// CHECK-NEXT:      %[[STEP:.+]] = arith.mulf %[[RATE]], %[[O]] : f32
// CHECK-NEXT:      %[[NEXT:.+]] = arith.subf %[[MI]], %[[STEP]] : f32
// CHECK-NEXT:      %[[LOW:.+]] = arith.truncf %[[NEXT]] : f32 to bf16
// CHECK-NEXT:      %[[STEP64:.+]] = arith.extf %[[STEP]] : f32 to f64
// CHECK-NEXT:      %[[NEXT64:.+]] = arith.extf %[[NEXT]] : f32 to f64
// CHECK-NEXT:      muon_gpu.yield %[[LOW]], %[[NEXT]], %[[O64]], %[[STEP64]], %[[NEXT64]] : bf16, f32, f64, f64, f64
// CHECK-NEXT:    } {constants = array<f64: 2.000000e+00, 5.000000e-01>}
// CHECK-NEXT:    return
func.func @update(%s: memref<1x16x16xf32>, %x: memref<1x16x64xf32>, %t: memref<1x16x64xf32>, %f: memref<1xf32>, %lr: memref<f64>, %w: memref<16x64xbf16>, %m: memref<16x64xf32>, %ps: memref<1xf64>, %us: memref<1xf64>, %ws: memref<1xf64>, %ok: memref<i1>) {
  %o = memref.alloc() : memref<1x16x64xf32>
  muon_gpu.matmul lhs(%s : memref<1x16x16xf32>) rhs(%x : memref<1x16x64xf32>) scalars(%f : memref<1xf32>) tiles(%t : memref<1x16x64xf32>) outs(%o : memref<1x16x64xf32>) sums(%ps : memref<1xf64>) when(%ok : memref<i1>) {
  ^bb0(%acc: f32, %alpha: f64, %factor: f32, %tile: f32):
    %a = arith.truncf %alpha : f64 to f32
    %p0 = arith.mulf %acc, %a : f32
    %p1 = arith.mulf %p0, %factor : f32
    %p2 = arith.addf %p1, %tile : f32
    %p3 = arith.extf %p2 : f32 to f64
    muon_gpu.yield %p2, %p3 : f32, f64
  } {constants = array<f64: 2.0>}
  muon_gpu.stream scalars(%lr : memref<f64>) ins(%o, %m : memref<1x16x64xf32>, memref<16x64xf32>) outs(%w, %m : memref<16x64xbf16>, memref<16x64xf32>) sums(%us, %ws : memref<1xf64>, memref<1xf64>) when(%ok : memref<i1>) {
  ^bb0(%scale: f64, %rate: f64, %u: f32, %old: f32):
    %r = arith.mulf %rate, %scale : f64
    %r32 = arith.truncf %r : f64 to f32
    %step = arith.mulf %r32, %u : f32
    %next = arith.subf %old, %step : f32
    %low = arith.truncf %next : f32 to bf16
    %step64 = arith.extf %step : f32 to f64
    %next64 = arith.extf %next : f32 to f64
    muon_gpu.yield %low, %next, %step64, %next64 : bf16, f32, f64, f64
  } {constants = array<f64: 0.5>}
  return
}

// What was stored in half precision is still rounded to it. Padding of the
// result goes too. Of a padded matrix its elements alone move: A 2·6·8, B 2·8·8,
// O 2·6·8 twice, W 4·6·8 twice.

// REMARK: [[#@LINE+19]]:3: remark: [Passed] Epilogue | {{.*}}"done in the epilogue of the product: {{[^0-9]*}}800{{[^0-9]*}} bytes of traffic before, {{[^0-9]*}}608{{[^0-9]*}} after"

// CHECK-LABEL: func.func @padded_half(
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     memref.subview
// CHECK:         muon_gpu.matmul {{.*}} tiles(%[[W:.+]] : memref<6x8xf32>) outs(%[[W]] : memref<6x8xf32>) {
// CHECK-NEXT:    ^bb0(%[[ACC:.+]]: f32, %[[WI:.+]]: f32):
// CHECK-NEXT:      %[[ROUNDED:.+]] = arith.truncf %[[ACC]] : f32 to f16
// CHECK-NEXT:      %[[O:.+]] = arith.extf %[[ROUNDED]] : f16 to f32
// CHECK-NEXT:      arith.subf %[[WI]], %[[O]] : f32
// CHECK:         } {rhs_transposed, schedule = #muon_gpu.schedule<{{.*}}>}
func.func @padded_half(%a: memref<1x6x8xf16>, %b: memref<1x8x8xf16>, %w: memref<6x8xf32>) {
  %buffer = memref.alloc() : memref<1x6x16xf16>
  %o = memref.subview %buffer[0, 0, 0] [1, 6, 8] [1, 1, 1] : memref<1x6x16xf16> to memref<1x6x8xf16, strided<[96, 16, 1]>>
  muon_gpu.matmul lhs(%a : memref<1x6x8xf16>) rhs(%b : memref<1x8x8xf16>) outs(%o : memref<1x6x8xf16, strided<[96, 16, 1]>>) {
  ^bb0(%acc: f32):
    %0 = arith.truncf %acc : f32 to f16
    muon_gpu.yield %0 : f16
  } {rhs_transposed, schedule = #muon_gpu.schedule<m = 64, n = 64, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = true>}
  muon_gpu.stream ins(%o, %w : memref<1x6x8xf16, strided<[96, 16, 1]>>, memref<6x8xf32>) outs(%w : memref<6x8xf32>) {
  ^bb0(%u: f16, %old: f32):
    %0 = arith.extf %u : f16 to f32
    %1 = arith.subf %old, %0 : f32
    muon_gpu.yield %1 : f32
  }
  return
}

// A product without a condition takes that of the stream: nobody else wants it.

// REMARK: [[#@LINE+12]]:3: remark: [Passed] Epilogue | {{.*}}"done in the epilogue of the product: {{[^0-9]*}}6144{{[^0-9]*}} bytes of traffic before, {{[^0-9]*}}4096{{[^0-9]*}} after"

// CHECK-LABEL: func.func @takes_condition(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>
// CHECK-NEXT:    muon_gpu.matmul {{.*}} when(%[[OK]] : memref<i1>) {
// CHECK:         } {tf32}
func.func @takes_condition(%ok: memref<i1>, %a: memref<1x16x16xf32>, %b: memref<1x16x16xf32>, %w: memref<16x16xf32>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%b : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {tf32}
  muon_gpu.stream ins(%w, %o : memref<16x16xf32>, memref<1x16x16xf32>) outs(%w : memref<16x16xf32>) when(%ok : memref<i1>) {
  ^bb0(%old: f32, %u: f32):
    %0 = arith.subf %old, %u : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// Of a stream that is no reader of a product nothing is said.

// CHECK-LABEL: func.func @no_product(
// CHECK:         muon_gpu.stream
func.func @no_product(%w: memref<16x16xf32>) {
  muon_gpu.stream ins(%w : memref<16x16xf32>) outs(%w : memref<16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}
