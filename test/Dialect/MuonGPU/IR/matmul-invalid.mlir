// RUN: muon-opt %s -split-input-file -verify-diagnostics

func.func @element_types(%a: memref<1x16x16xf32>, %b: memref<1x16x16xf16>, %o: memref<1x16x16xf32>) {
  // expected-error@+1 {{expected operands of one element type, found 'f32' and 'f16'}}
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%b : memref<1x16x16xf16>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// -----

func.func @tf32_half(%a: memref<1x16x16xf16>, %o: memref<1x16x16xf32>) {
  // expected-error@+1 {{expected operands of f32 with 'tf32', found 'f16'}}
  muon_gpu.matmul lhs(%a : memref<1x16x16xf16>) rhs(%a : memref<1x16x16xf16>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {tf32}
  return
}

// -----

func.func @batches(%a: memref<2x16x16xf32>, %b: memref<3x16x16xf32>, %o: memref<2x16x16xf32>) {
  // expected-error@+1 {{expected equal batches, found 2 and 3}}
  muon_gpu.matmul lhs(%a : memref<2x16x16xf32>) rhs(%b : memref<3x16x16xf32>) outs(%o : memref<2x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// -----

func.func @inner(%a: memref<1x16x32xf32>, %b: memref<1x16x16xf32>, %o: memref<1x16x16xf32>) {
  // expected-error@+1 {{expected equal inner dimensions, found 32 and 16}}
  muon_gpu.matmul lhs(%a : memref<1x16x32xf32>) rhs(%b : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// -----

// Of a transposed operand the other dimension counts.
func.func @inner_transposed(%a: memref<1x16x32xf32>, %o: memref<1x16x32xf32>) {
  // expected-error@+1 {{expected equal inner dimensions, found 16 and 32}}
  muon_gpu.matmul lhs(%a : memref<1x16x32xf32>) rhs(%a : memref<1x16x32xf32>) outs(%o : memref<1x16x32xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {lhs_transposed, rhs_transposed}
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

func.func @symmetric_table(%a: memref<1x16x32xf32>, %o: memref<16x16xf32>) {
  // expected-error@+1 {{expected outputs of rank 3 with 'symmetric', found 'memref<16x16xf32>'}}
  muon_gpu.matmul lhs(%a : memref<1x16x32xf32>) rhs(%a : memref<1x16x32xf32>) outs(%o : memref<16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {rhs_transposed, symmetric}
  return
}

// -----

func.func @no_output(%a: memref<1x16x16xf32>) {
  // expected-error@+1 {{expected an output}}
  "muon_gpu.matmul"(%a, %a) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 0, 0, 0>}> ({
  ^bb0(%acc: f32):
    "muon_gpu.yield"() : () -> ()
  }) : (memref<1x16x16xf32>, memref<1x16x16xf32>) -> ()
  return
}

// -----

func.func @writes_lhs(%a: memref<1x16x16xf32>, %b: memref<1x16x16xf32>) {
  // expected-error@+1 {{writes to an operand of the product}}
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%b : memref<1x16x16xf32>) outs(%a : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// -----

func.func @writes_rhs(%a: memref<1x16x16xf32>, %b: memref<1x16x16xf32>, %o: memref<1x16x16xf32>) {
  // expected-error@+1 {{writes to an operand of the product}}
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%b : memref<1x16x16xf32>) outs(%o, %b : memref<1x16x16xf32>, memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc, %acc : f32, f32
  }
  return
}

// -----

func.func @oblong_tiles(%a: memref<1x64x64xf32>, %o: memref<1x64x64xf32>) {
  // expected-error@+1 {{expected square tiles with 'symmetric', found 64x32}}
  muon_gpu.matmul lhs(%a : memref<1x64x64xf32>) rhs(%a : memref<1x64x64xf32>) outs(%o : memref<1x64x64xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {rhs_transposed, symmetric, schedule = #muon_gpu.schedule<m = 64, n = 32, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>}
  return
}

// -----

func.func @unmasked_rows(%a: memref<1x16x32xf32>, %b: memref<1x32x64xf32>, %o: memref<1x16x64xf32>) {
  // expected-error@+1 {{expected sizes that are multiples of the tile, or a masked schedule, found 16x64x32}}
  muon_gpu.matmul lhs(%a : memref<1x16x32xf32>) rhs(%b : memref<1x32x64xf32>) outs(%o : memref<1x16x64xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {schedule = #muon_gpu.schedule<m = 64, n = 64, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>}
  return
}

// -----

func.func @unmasked_columns(%a: memref<1x64x32xf32>, %b: memref<1x32x96xf32>, %o: memref<1x64x96xf32>) {
  // expected-error@+1 {{expected sizes that are multiples of the tile, or a masked schedule, found 64x96x32}}
  muon_gpu.matmul lhs(%a : memref<1x64x32xf32>) rhs(%b : memref<1x32x96xf32>) outs(%o : memref<1x64x96xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {schedule = #muon_gpu.schedule<m = 64, n = 64, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>}
  return
}

// -----

func.func @unmasked_inner(%a: memref<1x64x48xf32>, %b: memref<1x48x64xf32>, %o: memref<1x64x64xf32>) {
  // expected-error@+1 {{expected sizes that are multiples of the tile, or a masked schedule, found 64x64x48}}
  muon_gpu.matmul lhs(%a : memref<1x64x48xf32>) rhs(%b : memref<1x48x64xf32>) outs(%o : memref<1x64x64xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {schedule = #muon_gpu.schedule<m = 64, n = 64, k = 32, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>}
  return
}

// -----

func.func @tile_shape(%a: memref<2x16x32xf32>, %b: memref<2x32x64xf32>, %t: memref<2x64x16xf32>, %o: memref<2x16x64xf32>) {
  // expected-error@+1 {{expected 2 matrices 16x64, found 'memref<2x64x16xf32>' with 2 matrices 64x16}}
  muon_gpu.matmul lhs(%a : memref<2x16x32xf32>) rhs(%b : memref<2x32x64xf32>) tiles(%t : memref<2x64x16xf32>) outs(%o : memref<2x16x64xf32>) {
  ^bb0(%acc: f32, %x: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// -----

func.func @output_members(%a: memref<2x16x32xf32>, %b: memref<2x32x64xf32>, %o: !muon.table<3x16x64xf32>) {
  // expected-error@+1 {{expected 2 matrices 16x64, found '!muon.table<3x16x64xf32>' with 3 matrices 16x64}}
  muon_gpu.matmul lhs(%a : memref<2x16x32xf32>) rhs(%b : memref<2x32x64xf32>) outs(%o : !muon.table<3x16x64xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// -----

// Arguments come in one order: acc, constants, scalars, tiles.
func.func @arguments(%a: memref<1x16x16xf32>, %f: memref<f32>, %t: memref<1x16x16xf16>, %o: memref<1x16x16xf32>) {
  // expected-error@+1 {{expected a region with arguments ('f32', 'f64', 'f32', 'f16'), found ('f32', 'f32', 'f64', 'f16')}}
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) scalars(%f : memref<f32>) tiles(%t : memref<1x16x16xf16>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32, %s: f32, %c: f64, %x: f16):
    muon_gpu.yield %acc : f32
  } {constants = array<f64: 1.0>}
  return
}

// -----

func.func @results(%a: memref<1x16x16xf32>, %o: memref<1x16x16xf16>, %s: memref<1xf64>) {
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf16>) sums(%s : memref<1xf64>) {
  ^bb0(%acc: f32):
    %0 = arith.truncf %acc : f32 to f16
    // expected-error@+1 {{expected operands ('f16', 'f64'), found ('f16')}}
    muon_gpu.yield %0 : f16
  }
  return
}

// -----

func.func @region_sees_arguments_only(%a: memref<1x16x16xf32>, %o: memref<1x16x16xf32>, %f: f32) {
  // expected-note@+1 {{required by region isolation constraints}}
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    // expected-error@+1 {{using value defined outside the region}}
    %0 = arith.addf %acc, %f : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// -----

func.func @rank(%a: memref<16x16xf32>, %o: memref<1x16x16xf32>) {
  // expected-error@+1 {{operand #0 must be static rank-3 memref of f32, bf16 or f16 with contiguous rows, but got 'memref<16x16xf32>'}}
  muon_gpu.matmul lhs(%a : memref<16x16xf32>) rhs(%a : memref<16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// -----

func.func @table(%a: memref<2x16x16xf32>, %b: !muon.table<2x16x16xf32>, %o: memref<2x16x16xf32>) {
  // expected-error@+1 {{operand #1 must be static rank-3 memref}}
  muon_gpu.matmul lhs(%a : memref<2x16x16xf32>) rhs(%b : !muon.table<2x16x16xf32>) outs(%o : memref<2x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// -----

func.func @wide(%a: memref<1x16x16xf64>, %o: memref<1x16x16xf32>) {
  // expected-error@+1 {{operand #0 must be static rank-3 memref of f32, bf16 or f16 with contiguous rows, but got 'memref<1x16x16xf64>'}}
  muon_gpu.matmul lhs(%a : memref<1x16x16xf64>) rhs(%a : memref<1x16x16xf64>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// -----

func.func @when(%a: memref<1x16x16xf32>, %o: memref<1x16x16xf32>, %ok: memref<1xi1>) {
  // expected-error@+1 {{operand #3 must be memref<i1>, but got 'memref<1xi1>'}}
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) when(%ok : memref<1xi1>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}
