// RUN: muon-opt %s -split-input-file -verify-diagnostics

func.func @inner(%a: memref<1x16x32xf32>, %b: memref<1x16x16xf32>) {
  // expected-error@+1 {{expected equal inner dimensions, found 32 and 16}}
  muon_gpu.matmul lhs(%a : memref<1x16x32xf32>) rhs(%b : memref<1x16x16xf32>) outs(%b : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// -----

func.func @types(%a: memref<1x16x16xf32>, %b: memref<1x16x16xf16>) {
  // expected-error@+1 {{expected operands of one element type, found 'f32' and 'f16'}}
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%b : memref<1x16x16xf16>) outs(%a : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// -----

func.func @alias(%a: memref<1x16x16xf32>) {
  // expected-error@+1 {{writes to an operand of the product}}
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%a : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// -----

func.func @square(%a: memref<1x16x32xf32>, %b: memref<1x32x64xf32>, %o: memref<1x16x64xf32>) {
  // expected-error@+1 {{expected a square product with 'symmetric', found 16x64}}
  muon_gpu.matmul lhs(%a : memref<1x16x32xf32>) rhs(%b : memref<1x32x64xf32>) outs(%o : memref<1x16x64xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {symmetric}
  return
}

// -----

func.func @unmasked(%a: memref<1x16x32xf32>, %b: memref<1x32x64xf32>, %o: memref<1x16x64xf32>) {
  // expected-error@+1 {{expected sizes that are multiples of the tile, or a masked schedule, found 16x64x32}}
  muon_gpu.matmul lhs(%a : memref<1x16x32xf32>) rhs(%b : memref<1x32x64xf32>) outs(%o : memref<1x16x64xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {schedule = #muon_gpu.schedule<m = 64, n = 64, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>}
  return
}

// -----

func.func @arguments(%a: memref<16xf32>) {
  // expected-error@+1 {{expected a region with arguments ('f32'), found ('f64')}}
  muon_gpu.stream ins(%a : memref<16xf32>) {
  ^bb0(%x: f64):
    muon_gpu.yield
  }
  return
}

// -----

func.func @shapes(%a: memref<16xf32>, %b: memref<17xf32>) {
  // expected-error@+1 {{expected 1 matrices 1x16, found 'memref<17xf32>' with 1 matrices 1x17}}
  muon_gpu.stream ins(%a : memref<16xf32>) outs(%b : memref<17xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// -----

func.func @results(%a: memref<16xf32>, %b: memref<16xf16>) {
  muon_gpu.stream ins(%a : memref<16xf32>) outs(%b : memref<16xf16>) {
  ^bb0(%x: f32):
    // expected-error@+1 {{expected operands ('f16'), found ('f32')}}
    muon_gpu.yield %x : f32
  }
  return
}

// -----

func.func @partials(%p: memref<5xf64>, %s: memref<2xf64>) {
  // expected-error@+1 {{expected a multiple of 2 partial sums, found 5}}
  muon_gpu.reduce partials(%p : memref<5xf64>) sums(%s : memref<2xf64>)
  return
}

// -----

func.func @beta(%t: memref<i64>, %c: memref<f32>) {
  // expected-error@+1 {{expected 0 <= beta < 1, found 1}}
  muon_gpu.bias_correction step(%t : memref<i64>) corrections(%c, %c : memref<f32>, memref<f32>) {beta1 = 1.0 : f64, beta2 = 0.95 : f64}
  return
}

// -----

func.func @kinds(%a: memref<16xf32>, %p: memref<4xf64>, %s: memref<2xf64>) {
  muon_gpu.launch {
    muon_gpu.reduce partials(%p : memref<4xf64>) sums(%s : memref<2xf64>)
    // expected-error@+1 {{differs in kind from what shares its launch}}
    muon_gpu.stream ins(%a : memref<16xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield
    }
  }
  return
}

// -----

func.func @empty() {
  // expected-error@+1 {{expected work in the body}}
  muon_gpu.launch {
  }
  return
}

// -----

// expected-error@+1 {{expected tile sizes that are multiples of 16 from 16 to 256, found 8x64x64}}
func.func private @tile() attributes {s = #muon_gpu.schedule<m = 8, n = 64, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>}

// -----

// expected-error@+1 {{expected a chunk that is a multiple of 4096, found 1000}}
func.func private @chunk() attributes {s = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 4, chunk = 1000>}
