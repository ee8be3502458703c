// RUN: muon-opt --muon-gpu-split-products -split-input-file -verify-diagnostics %s

func.func @inner(%x: memref<1x32x192xf16>, %a: memref<1x32x32xf32>) {
  // expected-error@+1 {{expected one product whose inner dimension is a multiple of 256 to split it in 4, found 1 with 192}}
  muon_gpu.matmul lhs(%x : memref<1x32x192xf16>) rhs(%x : memref<1x32x192xf16>) outs(%a : memref<1x32x32xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {rhs_transposed, schedule = #muon_gpu.schedule<m = 32, n = 32, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = true, split = 4>}
  return
}

// -----

func.func @batch(%x: memref<2x32x256xf16>, %a: memref<2x32x32xf32>) {
  // expected-error@+1 {{expected one product whose inner dimension is a multiple of 128 to split it in 2, found 2 with 256}}
  muon_gpu.matmul lhs(%x : memref<2x32x256xf16>) rhs(%x : memref<2x32x256xf16>) outs(%a : memref<2x32x32xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {rhs_transposed, schedule = #muon_gpu.schedule<m = 32, n = 32, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = true, split = 2>}
  return
}

// -----

func.func @diagonal(%x: memref<1x32x256xf16>, %a: memref<1x32x32xf32>) {
  // expected-error@+1 {{asks for the diagonal in its epilogue, which a split product cannot}}
  muon_gpu.matmul lhs(%x : memref<1x32x256xf16>) rhs(%x : memref<1x32x256xf16>) outs(%a : memref<1x32x32xf32>) {
  ^bb0(%acc: f32):
    %0 = muon_gpu.on_diagonal
    %1 = arith.addf %acc, %acc : f32
    %2 = arith.select %0, %1, %acc : f32
    muon_gpu.yield %2 : f32
  } {rhs_transposed, schedule = #muon_gpu.schedule<m = 32, n = 32, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = true, split = 2>}
  return
}

// -----

func.func @launch(%x: memref<1x32x256xf16>, %a: memref<1x32x32xf32>) {
  muon_gpu.launch {
    // expected-error@+1 {{is in a launch, where it cannot be split}}
    muon_gpu.matmul lhs(%x : memref<1x32x256xf16>) rhs(%x : memref<1x32x256xf16>) outs(%a : memref<1x32x32xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {rhs_transposed, schedule = #muon_gpu.schedule<m = 32, n = 32, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = true, split = 2>}
  }
  return
}
