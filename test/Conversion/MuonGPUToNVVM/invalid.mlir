// RUN: muon-opt --convert-muon-gpu-to-nvvm --split-input-file --verify-diagnostics %s

func.func @no_schedule(%a: memref<1x64x64xbf16>, %o: memref<1x64x64xf32>) {
  muon_gpu.launch {
    // expected-error @below {{'muon_gpu.matmul' op expected a schedule}}
    muon_gpu.matmul lhs(%a : memref<1x64x64xbf16>) rhs(%a : memref<1x64x64xbf16>) outs(%o : memref<1x64x64xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    }
  }
  return
}

// -----

func.func @no_stream_schedule(%o: memref<7xf32>) {
  muon_gpu.launch {
    // expected-error @below {{'muon_gpu.stream' op expected a schedule}}
    muon_gpu.stream ins(%o : memref<7xf32>) outs(%o : memref<7xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    }
  }
  return
}

// -----

func.func @width_4(%o: memref<2x3x5xf32>) {
  muon_gpu.launch {
    // expected-error @below {{expected matrices of a multiple of 4 elements for width 4, found 'memref<2x3x5xf32>'}}
    muon_gpu.stream ins(%o : memref<2x3x5xf32>) outs(%o : memref<2x3x5xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 64, width = 4, unroll = 1, chunk = 1024>}
  }
  return
}

// -----

// Rows that lie apart have to be multiples by themselves.

func.func @padded_width_4(%o: memref<1x4x6xf32, strided<[32, 8, 1]>>) {
  muon_gpu.launch {
    // expected-error @below {{expected matrices of a multiple of 4 elements for width 4, found 'memref<1x4x6xf32, strided<[32, 8, 1]>>'}}
    muon_gpu.stream ins(%o : memref<1x4x6xf32, strided<[32, 8, 1]>>) outs(%o : memref<1x4x6xf32, strided<[32, 8, 1]>>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 64, width = 4, unroll = 1, chunk = 1024>}
  }
  return
}

// -----

// The second of a launch, which the kernel of the first would serve.

func.func @second(%o: memref<1x4x6xf32>, %p: memref<1x3x5xf32>) {
  muon_gpu.launch {
    muon_gpu.stream ins(%o : memref<1x4x6xf32>) outs(%o : memref<1x4x6xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 64, width = 4, unroll = 1, chunk = 1024>}
    // expected-error @below {{expected matrices of a multiple of 4 elements for width 4, found 'memref<1x3x5xf32>'}}
    muon_gpu.stream ins(%p : memref<1x3x5xf32>) outs(%p : memref<1x3x5xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 64, width = 4, unroll = 1, chunk = 1024>}
  }
  return
}

// -----

func.func @short_rows(%a: memref<1x64x64xbf16>, %o: memref<1x64x64xf32>) {
  muon_gpu.launch {
    // expected-error @below {{expected a tile whose operands have rows of a power of two of bytes, at least 64, that 32 threads can share, found 16 rows of 32 bytes}}
    muon_gpu.matmul lhs(%a : memref<1x64x64xbf16>) rhs(%a : memref<1x64x64xbf16>) outs(%o : memref<1x64x64xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {rhs_transposed, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 16, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 4, masked = false>}
  }
  return
}

// -----

func.func @no_power_of_two(%a: memref<1x64x64xbf16>, %o: memref<1x64x64xf32>) {
  muon_gpu.launch {
    // expected-error @below {{expected a tile whose operands have rows of a power of two of bytes, at least 64, that 32 threads can share, found 16 rows of 96 bytes}}
    muon_gpu.matmul lhs(%a : memref<1x64x64xbf16>) rhs(%a : memref<1x64x64xbf16>) outs(%o : memref<1x64x64xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {rhs_transposed, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 48, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 4, masked = true>}
  }
  return
}

// -----

// The second operand: 16 rows of 4 chunks for 128 threads.

func.func @too_many_threads(%a: memref<1x64x64xbf16>, %o: memref<1x64x64xf32>) {
  muon_gpu.launch {
    // expected-error @below {{that 128 threads can share, found 16 rows of 64 bytes}}
    muon_gpu.matmul lhs(%a : memref<1x64x64xbf16>) rhs(%a : memref<1x64x64xbf16>) outs(%o : memref<1x64x64xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {rhs_transposed, schedule = #muon_gpu.schedule<m = 64, n = 16, k = 32, warps_m = 4, warps_n = 1, stages = 2, raster = 4, width = 4, masked = false>}
  }
  return
}

// -----

func.func @warp_columns(%a: memref<1x64x64xbf16>, %o: memref<1x64x64xf32>) {
  muon_gpu.launch {
    // expected-error @below {{expected warps with a multiple of 16 columns, found 8}}
    muon_gpu.matmul lhs(%a : memref<1x64x64xbf16>) rhs(%a : memref<1x64x64xbf16>) outs(%o : memref<1x64x64xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {rhs_transposed, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 32, warps_m = 1, warps_n = 2, stages = 2, raster = 4, width = 4, masked = false>}
  }
  return
}

// -----

func.func @rows_of_operands(%a: memref<1x64x60xbf16>, %o: memref<1x64x64xf32>) {
  muon_gpu.launch {
    // expected-error @below {{expected operands whose rows start at multiples of 16 bytes, found 'memref<1x64x60xbf16>'}}
    muon_gpu.matmul lhs(%a : memref<1x64x60xbf16>) rhs(%a : memref<1x64x60xbf16>) outs(%o : memref<1x64x64xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {rhs_transposed, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 32, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 4, masked = true>}
  }
  return
}

// -----

func.func @rows_of_results(%a: memref<1x64x64xbf16>, %b: memref<1x30x64xbf16>, %o: memref<1x64x30xf32>) {
  muon_gpu.launch {
    // expected-error @below {{expected rows of a multiple of 4 elements for width 4, found 'memref<1x64x30xf32>'}}
    muon_gpu.matmul lhs(%a : memref<1x64x64xbf16>) rhs(%b : memref<1x30x64xbf16>) outs(%o : memref<1x64x30xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {rhs_transposed, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 32, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 4, masked = true>}
  }
  return
}

// -----

func.func @symmetric_outputs(%a: memref<1x64x64xbf16>, %o: memref<1x64x64xf32>, %p: memref<1x64x64xf32>) {
  muon_gpu.launch {
    // expected-error @below {{expected one output and no sums with 'symmetric'}}
    muon_gpu.matmul lhs(%a : memref<1x64x64xbf16>) rhs(%a : memref<1x64x64xbf16>) outs(%o, %p : memref<1x64x64xf32>, memref<1x64x64xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc, %acc : f32, f32
    } {rhs_transposed, symmetric, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 32, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 4, masked = false>}
  }
  return
}

// -----

func.func @offset_of_no_loop(%g: !muon.table<4x16xf32>, %s: memref<1xf64>, %i: index) {
  %x = muon.slice %g[%i] : !muon.table<4x16xf32> to !muon.table<1x16xf32>
  // expected-error @below {{'muon_gpu.launch' op uses a slice whose offset is no loop's}}
  muon_gpu.launch {
    muon_gpu.stream ins(%x : !muon.table<1x16xf32>) outs(%x : !muon.table<1x16xf32>) {
    ^bb0(%e: f32):
      muon_gpu.yield %e : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 64, width = 4, unroll = 1, chunk = 1024>}
  }
  return
}

// -----

func.func @allocated() {
  %p = memref.alloc() : memref<16xf64>
  // expected-error @below {{uses memory of 'memref.alloc', which is neither in the arena nor an argument}}
  muon_gpu.launch {
    muon_gpu.reduce partials(%p : memref<16xf64>) sums(%p : memref<16xf64>)
  }
  return
}

// -----

func.func @not_the_arena(%memory: memref<1024xi8>) {
  %c0 = arith.constant 0 : index
  %p = memref.view %memory[%c0][] : memref<1024xi8> to memref<16xf64>
  // expected-error @below {{uses memory that is not in the arena}}
  muon_gpu.launch {
    muon_gpu.reduce partials(%p : memref<16xf64>) sums(%p : memref<16xf64>)
  }
  return
}

// -----

func.func @somewhere_in_the_arena(%i: index) {
  %arena = muon.arena : memref<1024xi8>
  %p = memref.view %arena[%i][] : memref<1024xi8> to memref<16xf64>
  // expected-error @below {{uses memory that is not in the arena}}
  muon_gpu.launch {
    muon_gpu.reduce partials(%p : memref<16xf64>) sums(%p : memref<16xf64>)
  }
  return
}

// -----

func.func @of_a_loop(%p: memref<16xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %c1 step %c1 iter_args(%q = %p) -> (memref<16xf64>) {
    // expected-error @below {{uses memory that is no argument of the step}}
    muon_gpu.launch {
      muon_gpu.reduce partials(%q : memref<16xf64>) sums(%q : memref<16xf64>)
    }
    scf.yield %q : memref<16xf64>
  }
  return
}

// -----

func.func @blocks(%x: memref<65536x65536x1024xf32>) {
  // expected-error @below {{needs 4294967296 thread blocks, expected fewer than 2^31}}
  muon_gpu.launch {
    muon_gpu.stream ins(%x : memref<65536x65536x1024xf32>) outs(%x : memref<65536x65536x1024xf32>) {
    ^bb0(%e: f32):
      muon_gpu.yield %e : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 64, width = 4, unroll = 1, chunk = 1024>}
  }
  return
}

// -----

%p = memref.alloc() : memref<16xf64>
// expected-error @below {{expected a function around it}}
muon_gpu.launch {
  muon_gpu.reduce partials(%p : memref<16xf64>) sums(%p : memref<16xf64>)
}

// -----

// A thread of a block looks at each word of a record, and at each problem.
func.func @words(%a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x4xf32>, %d: memref<4x4xf32>, %e: memref<4x4xf32>, %o: memref<4x4xf32>) {
  muon_gpu.launch {
    // expected-error@+1 {{has a record of more words than its 32 threads can look through; expected more threads}}
    muon_gpu.stream ins(%a, %b, %c, %d, %e : memref<4x4xf32>, memref<4x4xf32>, memref<4x4xf32>, memref<4x4xf32>, memref<4x4xf32>) outs(%o : memref<4x4xf32>) {
    ^bb0(%0: f32, %1: f32, %2: f32, %3: f32, %4: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
  }
  return
}

// -----

func.func @problems(%a0: memref<4x4xf32>, %a1: memref<4x4xf32>, %a2: memref<4x4xf32>, %a3: memref<4x4xf32>, %a4: memref<4x4xf32>, %a5: memref<4x4xf32>, %a6: memref<4x4xf32>, %a7: memref<4x4xf32>, %a8: memref<4x4xf32>, %a9: memref<4x4xf32>, %a10: memref<4x4xf32>, %a11: memref<4x4xf32>, %a12: memref<4x4xf32>, %a13: memref<4x4xf32>, %a14: memref<4x4xf32>, %a15: memref<4x4xf32>, %a16: memref<4x4xf32>, %a17: memref<4x4xf32>, %a18: memref<4x4xf32>, %a19: memref<4x4xf32>, %a20: memref<4x4xf32>, %a21: memref<4x4xf32>, %a22: memref<4x4xf32>, %a23: memref<4x4xf32>, %a24: memref<4x4xf32>, %a25: memref<4x4xf32>, %a26: memref<4x4xf32>, %a27: memref<4x4xf32>, %a28: memref<4x4xf32>, %a29: memref<4x4xf32>, %a30: memref<4x4xf32>, %a31: memref<4x4xf32>, %a32: memref<4x4xf32>) {
  muon_gpu.launch {
    muon_gpu.stream ins(%a0 : memref<4x4xf32>) outs(%a0 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a1 : memref<4x4xf32>) outs(%a1 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a2 : memref<4x4xf32>) outs(%a2 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a3 : memref<4x4xf32>) outs(%a3 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a4 : memref<4x4xf32>) outs(%a4 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a5 : memref<4x4xf32>) outs(%a5 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a6 : memref<4x4xf32>) outs(%a6 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a7 : memref<4x4xf32>) outs(%a7 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a8 : memref<4x4xf32>) outs(%a8 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a9 : memref<4x4xf32>) outs(%a9 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a10 : memref<4x4xf32>) outs(%a10 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a11 : memref<4x4xf32>) outs(%a11 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a12 : memref<4x4xf32>) outs(%a12 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a13 : memref<4x4xf32>) outs(%a13 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a14 : memref<4x4xf32>) outs(%a14 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a15 : memref<4x4xf32>) outs(%a15 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a16 : memref<4x4xf32>) outs(%a16 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a17 : memref<4x4xf32>) outs(%a17 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a18 : memref<4x4xf32>) outs(%a18 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a19 : memref<4x4xf32>) outs(%a19 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a20 : memref<4x4xf32>) outs(%a20 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a21 : memref<4x4xf32>) outs(%a21 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a22 : memref<4x4xf32>) outs(%a22 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a23 : memref<4x4xf32>) outs(%a23 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a24 : memref<4x4xf32>) outs(%a24 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a25 : memref<4x4xf32>) outs(%a25 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a26 : memref<4x4xf32>) outs(%a26 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a27 : memref<4x4xf32>) outs(%a27 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a28 : memref<4x4xf32>) outs(%a28 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a29 : memref<4x4xf32>) outs(%a29 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a30 : memref<4x4xf32>) outs(%a30 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    muon_gpu.stream ins(%a31 : memref<4x4xf32>) outs(%a31 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
    // expected-error@+1 {{has more problems beside it than its 32 threads can look through; expected more threads}}
    muon_gpu.stream ins(%a32 : memref<4x4xf32>) outs(%a32 : memref<4x4xf32>) {
    ^bb0(%0: f32):
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 4, unroll = 1, chunk = 65536>}
  }
  return
}

// -----

// Numbers of rows and bytes in a row are 32-bit ones.
func.func @columns(%a: memref<1x64x268435460xf32>, %o: memref<1x64x64xf32>) {
  muon_gpu.launch {
    // expected-error@+1 {{expected rows, columns and tiles up to 2^28, found 64x64x268435460 and 4 tiles}}
    muon_gpu.matmul lhs(%a : memref<1x64x268435460xf32>) rhs(%a : memref<1x64x268435460xf32>) outs(%o : memref<1x64x64xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {rhs_transposed, schedule = #muon_gpu.schedule<m = 32, n = 32, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = true>}
  }
  return
}

// -----

func.func @tiles(%a: memref<1x1048576x32xf32>, %o: memref<1x1048576x1048576xf32>) {
  muon_gpu.launch {
    // expected-error@+1 {{expected rows, columns and tiles up to 2^28, found 1048576x1048576x32 and 1073741824 tiles}}
    muon_gpu.matmul lhs(%a : memref<1x1048576x32xf32>) rhs(%a : memref<1x1048576x32xf32>) outs(%o : memref<1x1048576x1048576xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {rhs_transposed, symmetric, schedule = #muon_gpu.schedule<m = 32, n = 32, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>}
  }
  return
}

// -----

func.func @differ(%a: memref<4x4x16xf32>, %b: memref<4x4x16xf32>) {
  muon_gpu.launch {
  muon_gpu.stream ins(%a : memref<4x4x16xf32>) outs(%a : memref<4x4x16xf32>) {
  ^bb0(%x: f32):
    %y = arith.addf %x, %x : f32
    muon_gpu.yield %y : f32
  } {schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 2, chunk = 65536>}
  // expected-error@+1 {{needs another kernel than what its launch starts with}}
  muon_gpu.stream ins(%b : memref<4x4x16xf32>) outs(%b : memref<4x4x16xf32>) {
  ^bb0(%x: f32):
    %y = arith.mulf %x, %x : f32
    muon_gpu.yield %y : f32
  } {schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 2, chunk = 65536>}
  } {phase = "p"}
  return
}

// -----

func.func @unsplit(%a: memref<1x1024x1024xf32>, %s: memref<1xf64>) {
  muon_gpu.launch {
  // expected-error@+1 {{expected a partial sum for each of 16 blocks, found 'memref<1xf64>'; run muon-gpu-split-sums first}}
  muon_gpu.stream ins(%a : memref<1x1024x1024xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %y = arith.extf %x : f32 to f64
    muon_gpu.yield %y : f64
  } {schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 2, chunk = 65536>}
  }
  return
}

// -----

func.func @loop_over_i32(%a: memref<4x4x16xf32>) {
  %0 = arith.constant 0 : i32
  %1 = arith.constant 1 : i32
  scf.for %i = %0 to %1 step %1 : i32 {
  // expected-error@+1 {{expected a loop over index, found 'i32'}}
  muon_gpu.launch {
  muon_gpu.stream ins(%a : memref<4x4x16xf32>) outs(%a : memref<4x4x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  } {schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 2, chunk = 65536>}
  }
  }
  return
}

// -----

func.func @shared(%a: memref<1x256x256xf32>, %o: memref<1x256x256xf32>) {
  muon_gpu.launch {
  // expected-error@+1 {{expected a schedule that takes up to 232448 bytes of shared memory, found 4194304}}
  muon_gpu.matmul lhs(%a : memref<1x256x256xf32>) rhs(%a : memref<1x256x256xf32>) outs(%o : memref<1x256x256xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {rhs_transposed, schedule = #muon_gpu.schedule<m = 256, n = 256, k = 256, warps_m = 1, warps_n = 1, stages = 8, raster = 1, width = 4, masked = false>}
  }
  return
}

// -----

func.func @triangles_of_two_types(%x: memref<1x3x3xf32>, %t: memref<1x1x6xf32>, %y: memref<1x3x3xf16>, %u: memref<1x1x6xf16>) {
  muon_gpu.launch {
    muon.pack_triangle x(%x : memref<1x3x3xf32>) out(%t : memref<1x1x6xf32>)
    // expected-error @below {{'muon.pack_triangle' op needs another kernel than what its launch starts with}}
    muon.pack_triangle x(%y : memref<1x3x3xf16>) out(%u : memref<1x1x6xf16>)
  }
  return
}

// -----

func.func @both_ways(%x: memref<1x3x3xf32>, %t: memref<1x1x6xf32>, %y: memref<1x3x3xf32>, %u: memref<1x1x6xf32>) {
  muon_gpu.launch {
    muon.pack_triangle x(%x : memref<1x3x3xf32>) out(%t : memref<1x1x6xf32>)
    // expected-error @below {{'muon.unpack_triangle' op needs another kernel than what its launch starts with}}
    muon.unpack_triangle x(%u : memref<1x1x6xf32>) out(%y : memref<1x3x3xf32>)
  }
  return
}

// -----

func.func @triangles_of_tensors(%x: tensor<1x3x3xf32>, %t: tensor<1x1x6xf32>) {
  muon_gpu.launch {
    // expected-error @below {{'muon.pack_triangle' op expected contiguous buffers, found 'tensor<1x3x3xf32>'}}
    %0 = muon.pack_triangle x(%x : tensor<1x3x3xf32>) out(%t : tensor<1x1x6xf32>)
  }
  return
}

// -----

// Triangles of rows that lie apart are not even valid.

func.func @triangles_with_gaps(%x: memref<1x3x3xf32, strided<[12, 4, 1]>>, %t: memref<1x1x6xf32>) {
  muon_gpu.launch {
    // expected-error @below {{'muon.pack_triangle' op operand #0 must be variadic of rank-3 tensor of f32, bf16 or f16 with a static, non-empty shape, but got 'memref<1x3x3xf32, strided<[12, 4, 1]>>'}}
    muon.pack_triangle x(%x : memref<1x3x3xf32, strided<[12, 4, 1]>>) out(%t : memref<1x1x6xf32>)
  }
  return
}

// -----

// The runtime binds whole arguments.

func.func @part_of_an_argument(%x: memref<2x4x8xf32>) {
  %p = memref.subview %x[0, 0, 3] [2, 4, 5] [1, 1, 1] : memref<2x4x8xf32> to memref<2x4x5xf32, strided<[32, 8, 1], offset: 3>>
  // expected-error @below {{'muon_gpu.launch' op uses a part of an argument that does not start with it}}
  muon_gpu.launch {
    muon_gpu.stream ins(%p : memref<2x4x5xf32, strided<[32, 8, 1], offset: 3>>) {
    ^bb0(%v: f32):
      muon_gpu.yield
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 1, unroll = 1, chunk = 128>}
  }
  return
}

// -----

func.func @unknown_offset(%i: index) {
  %c0 = arith.constant 0 : index
  %arena = muon.arena : memref<4096xi8>
  %x = memref.view %arena[%c0][] : memref<4096xi8> to memref<2x4x8xf32>
  %p = memref.subview %x[0, 0, %i] [2, 4, 5] [1, 1, 1] : memref<2x4x8xf32> to memref<2x4x5xf32, strided<[32, 8, 1], offset: ?>>
  // expected-error @below {{'muon_gpu.launch' op uses a part of memory whose offset is not known}}
  muon_gpu.launch {
    muon_gpu.stream ins(%p : memref<2x4x5xf32, strided<[32, 8, 1], offset: ?>>) {
    ^bb0(%v: f32):
      muon_gpu.yield
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 1, unroll = 1, chunk = 128>}
  }
  return
}

// -----

// Not even if the part of the part is known again.

func.func @after_an_unknown_offset(%i: index) {
  %c0 = arith.constant 0 : index
  %arena = muon.arena : memref<4096xi8>
  %x = memref.view %arena[%c0][] : memref<4096xi8> to memref<2x4x8xf32>
  %p = memref.subview %x[0, 0, %i] [2, 4, 5] [1, 1, 1] : memref<2x4x8xf32> to memref<2x4x5xf32, strided<[32, 8, 1], offset: ?>>
  %q = memref.reinterpret_cast %p to offset: [8], sizes: [2, 4, 5], strides: [32, 8, 1] : memref<2x4x5xf32, strided<[32, 8, 1], offset: ?>> to memref<2x4x5xf32, strided<[32, 8, 1], offset: 8>>
  // expected-error @below {{'muon_gpu.launch' op uses a part of memory whose offset is not known}}
  muon_gpu.launch {
    muon_gpu.stream ins(%q : memref<2x4x5xf32, strided<[32, 8, 1], offset: 8>>) {
    ^bb0(%v: f32):
      muon_gpu.yield
    } {schedule = #muon_gpu.stream_schedule<threads = 32, width = 1, unroll = 1, chunk = 128>}
  }
  return
}
