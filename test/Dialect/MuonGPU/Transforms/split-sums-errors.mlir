// RUN: muon-opt --muon-gpu-split-sums -split-input-file -verify-diagnostics %s

func.func @product(%a: memref<1x16x16xf32>, %o: memref<1x16x16xf32>, %s: memref<1xf64>) {
  // expected-error@+1 {{'muon_gpu.matmul' op expected a schedule}}
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%acc: f32):
    %0 = arith.extf %acc : f32 to f64
    muon_gpu.yield %acc, %0 : f32, f64
  }
  return
}

// -----

func.func @stream(%a: memref<1x16x16xf32>, %s: memref<1xf64>) {
  // expected-error@+1 {{'muon_gpu.stream' op expected a schedule}}
  muon_gpu.stream ins(%a : memref<1x16x16xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  return
}

// -----

func.func @neither(%a: memref<2x1024x1024xf32>, %s: memref<6xf64>) {
  // expected-error@+1 {{expected 2 sums, or 32 for its blocks, found 6}}
  muon_gpu.stream ins(%a : memref<2x1024x1024xf32>) sums(%s : memref<6xf64>) {
  ^bb0(%x: f32):
    %y = arith.extf %x : f32 to f64
    muon_gpu.yield %y : f64
  } {schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 2, chunk = 65536>}
  return
}

// -----

func.func @in_a_launch(%a: memref<1x1024x1024xf32>, %s: memref<1xf64>) {
  muon_gpu.launch {
  // expected-error@+1 {{is in a launch, where its sums cannot be split}}
  muon_gpu.stream ins(%a : memref<1x1024x1024xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %y = arith.extf %x : f32 to f64
    muon_gpu.yield %y : f64
  } {schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 2, chunk = 65536>}
  }
  return
}
