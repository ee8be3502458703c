// RUN: muon-opt --muon-gpu-form-launches %s | FileCheck %s --check-prefix=ALL
// RUN: muon-opt --muon-gpu-form-launches=scratch-limit=2048 %s | FileCheck %s --check-prefix=TWO
// RUN: muon-opt --muon-gpu-form-launches=scratch-limit=2047 %s | FileCheck %s --check-prefix=ONE
// RUN: muon-opt --muon-gpu-form-launches=scratch-limit=1 %s | FileCheck %s --check-prefix=ONE

// Chains over scratch memory of their own, 1024 bytes each, advance side by side
// as far as the limit allows. One always fits.

// ALL-LABEL: func.func @three_chains(
// ALL:         muon_gpu.launch {
// ALL-COUNT-3:   muon_gpu.stream ins({{.*}} : memref<16x16xf32>)
// ALL:         muon_gpu.launch {
// ALL-COUNT-3:   muon_gpu.stream ins({{.*}} : memref<1x16x16xf32>)
// ALL-NOT:     muon_gpu.launch
// ALL:         return

// TWO-LABEL: func.func @three_chains(
// TWO-SAME:    %[[A:[a-z0-9]+]]: memref<16x16xf32>, %[[B:[a-z0-9]+]]: memref<16x16xf32>, %[[C:[a-z0-9]+]]: memref<16x16xf32>)
// TWO:         muon_gpu.launch {
// TWO-NEXT:      muon_gpu.stream ins(%[[A]] :
// TWO:           muon_gpu.stream ins(%[[B]] :
// TWO:         muon_gpu.launch {
// TWO-NEXT:      muon_gpu.stream {{.*}} outs(%[[A]] :
// TWO:           muon_gpu.stream {{.*}} outs(%[[B]] :
// TWO:         muon_gpu.launch {
// TWO-NEXT:      muon_gpu.stream ins(%[[C]] :
// TWO:         muon_gpu.launch {
// TWO-NEXT:      muon_gpu.stream {{.*}} outs(%[[C]] :
// TWO:         return

// ONE-LABEL: func.func @three_chains(
// ONE-SAME:    %[[A:[a-z0-9]+]]: memref<16x16xf32>, %[[B:[a-z0-9]+]]: memref<16x16xf32>, %[[C:[a-z0-9]+]]: memref<16x16xf32>)
// ONE:         muon_gpu.launch {
// ONE-NEXT:      muon_gpu.stream ins(%[[A]] :
// ONE:         muon_gpu.launch {
// ONE-NEXT:      muon_gpu.stream {{.*}} outs(%[[A]] :
// ONE:         muon_gpu.launch {
// ONE-NEXT:      muon_gpu.stream ins(%[[B]] :
// ONE:         muon_gpu.launch {
// ONE-NEXT:      muon_gpu.stream {{.*}} outs(%[[B]] :
// ONE:         muon_gpu.launch {
// ONE-NEXT:      muon_gpu.stream ins(%[[C]] :
// ONE:         muon_gpu.launch {
// ONE-NEXT:      muon_gpu.stream {{.*}} outs(%[[C]] :
// ONE:         return
func.func @three_chains(%a: memref<16x16xf32>, %b: memref<16x16xf32>, %c: memref<16x16xf32>) {
  %a0 = memref.alloc() : memref<1x16x16xf32>
  %b0 = memref.alloc() : memref<1x16x16xf32>
  %c0 = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.stream ins(%a : memref<16x16xf32>) outs(%a0 : memref<1x16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%b : memref<16x16xf32>) outs(%b0 : memref<1x16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%c : memref<16x16xf32>) outs(%c0 : memref<1x16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%a0 : memref<1x16x16xf32>) outs(%a : memref<16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%b0 : memref<1x16x16xf32>) outs(%b : memref<16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%c0 : memref<1x16x16xf32>) outs(%c : memref<16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Halves take half: 2x512 and 1024 bytes are two waves with 2047, one with 2048.

// ALL-LABEL: func.func @halves(
// ALL-COUNT-2: muon_gpu.launch
// ALL-NOT:     muon_gpu.launch
// ALL:         return
// TWO-LABEL: func.func @halves(
// TWO-COUNT-2: muon_gpu.launch
// TWO-NOT:     muon_gpu.launch
// TWO:         return
// ONE-LABEL: func.func @halves(
// ONE-COUNT-4: muon_gpu.launch
// ONE-NOT:     muon_gpu.launch
// ONE:         return
func.func @halves(%a: memref<16x16xf16>, %b: memref<32x16xf16>) {
  %a0 = memref.alloc() : memref<1x16x16xf16>
  %a1 = memref.alloc() : memref<1x16x16xf16>
  %b0 = memref.alloc() : memref<1x32x16xf16>
  muon_gpu.stream ins(%a, %a : memref<16x16xf16>, memref<16x16xf16>) outs(%a0, %a1 : memref<1x16x16xf16>, memref<1x16x16xf16>) {
  ^bb0(%x: f16, %y: f16):
    muon_gpu.yield %x, %y : f16, f16
  }
  muon_gpu.stream ins(%a0, %a1 : memref<1x16x16xf16>, memref<1x16x16xf16>) outs(%a : memref<16x16xf16>) {
  ^bb0(%x: f16, %y: f16):
    muon_gpu.yield %x : f16
  }
  muon_gpu.stream ins(%b, %b : memref<32x16xf16>, memref<32x16xf16>) outs(%b0, %b : memref<1x32x16xf16>, memref<32x16xf16>) {
  ^bb0(%x: f16, %y: f16):
    muon_gpu.yield %x, %y : f16, f16
  }
  muon_gpu.stream ins(%b0, %b : memref<1x32x16xf16>, memref<32x16xf16>) outs(%b : memref<32x16xf16>) {
  ^bb0(%x: f16, %y: f16):
    muon_gpu.yield %x : f16
  }
  return
}

// What has no scratch matrices waits for none: the limit changes nothing.

// ALL-LABEL: func.func @no_scratch(
// ALL-COUNT-1: muon_gpu.launch
// ALL-NOT:     muon_gpu.launch
// ALL:         return
// TWO-LABEL: func.func @no_scratch(
// TWO-COUNT-1: muon_gpu.launch
// TWO-NOT:     muon_gpu.launch
// TWO:         return
// ONE-LABEL: func.func @no_scratch(
// ONE-COUNT-1: muon_gpu.launch
// ONE-NOT:     muon_gpu.launch
// ONE:         return
func.func @no_scratch(%a: memref<16x16xf32>, %b: memref<16x16xf32>) {
  muon_gpu.stream ins(%a : memref<16x16xf32>) outs(%a : memref<16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%b : memref<16x16xf32>) outs(%b : memref<16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Lists of numbers bind no chains together: both read %s, and still only one of
// them at a time has its matrix.

// ALL-LABEL: func.func @shared_number(
// ALL-COUNT-3: muon_gpu.launch
// ALL-NOT:     muon_gpu.launch
// ALL:         return
// TWO-LABEL: func.func @shared_number(
// TWO-COUNT-3: muon_gpu.launch
// TWO-NOT:     muon_gpu.launch
// TWO:         return
// ONE-LABEL: func.func @shared_number(
// ONE-COUNT-5: muon_gpu.launch
// ONE-NOT:     muon_gpu.launch
// ONE:         return
func.func @shared_number(%p: memref<2xf64>, %a: memref<16x16xf32>, %b: memref<16x16xf32>) {
  %s = memref.alloc() : memref<1xf64>
  %a0 = memref.alloc() : memref<1x16x16xf32>
  %b0 = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.launch {
    muon_gpu.reduce partials(%p : memref<2xf64>) sums(%s : memref<1xf64>)
  }
  muon_gpu.stream scalars(%s : memref<1xf64>) ins(%a : memref<16x16xf32>) outs(%a0 : memref<1x16x16xf32>) {
  ^bb0(%f: f64, %x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream scalars(%s : memref<1xf64>) ins(%a0 : memref<1x16x16xf32>) outs(%a : memref<16x16xf32>) {
  ^bb0(%f: f64, %x: f32):
    %0 = arith.negf %x : f32
    muon_gpu.yield %0 : f32
  }
  muon_gpu.stream scalars(%s : memref<1xf64>) ins(%b : memref<16x16xf32>) outs(%b0 : memref<1x16x16xf32>) {
  ^bb0(%f: f64, %x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream scalars(%s : memref<1xf64>) ins(%b0 : memref<1x16x16xf32>) outs(%b : memref<16x16xf32>) {
  ^bb0(%f: f64, %x: f32):
    %0 = arith.negf %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}
