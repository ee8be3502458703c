// RUN: muon-opt %s -split-input-file -verify-diagnostics

func.func @nothing(%s: memref<1xf64>) {
  // expected-error@+1 {{expected an input or an output}}
  muon_gpu.stream sums(%s : memref<1xf64>) {
    %0 = arith.constant 0.0 : f64
    muon_gpu.yield %0 : f64
  }
  return
}

// -----

func.func @columns(%a: memref<16xf32>, %b: memref<17xf32>) {
  // expected-error@+1 {{expected 1 matrices 1x16, found 'memref<17xf32>' with 1 matrices 1x17}}
  muon_gpu.stream ins(%a : memref<16xf32>) outs(%b : memref<17xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// -----

// As many elements in another shape are not the same matrices.
func.func @rows(%a: memref<4x6xf32>, %b: memref<6x4xf32>) {
  // expected-error@+1 {{expected 1 matrices 4x6, found 'memref<6x4xf32>' with 1 matrices 6x4}}
  muon_gpu.stream ins(%a, %b : memref<4x6xf32>, memref<6x4xf32>) {
  ^bb0(%x: f32, %y: f32):
    muon_gpu.yield
  }
  return
}

// -----

func.func @matrices(%a: !muon.table<2x3x4x6xf32>, %b: memref<5x4x6xf32>) {
  // expected-error@+1 {{expected 6 matrices 4x6, found 'memref<5x4x6xf32>' with 5 matrices 4x6}}
  muon_gpu.stream ins(%a, %b : !muon.table<2x3x4x6xf32>, memref<5x4x6xf32>) {
  ^bb0(%x: f32, %y: f32):
    muon_gpu.yield
  }
  return
}

// -----

func.func @scalars(%f: memref<2xf32>, %a: memref<3x4x6xf32>) {
  // expected-error@+1 {{expected 3 numbers, one for each matrix, found 'memref<2xf32>'}}
  muon_gpu.stream scalars(%f : memref<2xf32>) ins(%a : memref<3x4x6xf32>) {
  ^bb0(%s: f32, %x: f32):
    muon_gpu.yield
  }
  return
}

// -----

func.func @sums(%a: memref<3x4x6xf32>, %s: memref<4xf64>) {
  // expected-error@+1 {{expected a multiple of 3 sums, found 'memref<4xf64>'}}
  muon_gpu.stream ins(%a : memref<3x4x6xf32>) sums(%s : memref<4xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
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

func.func @results(%a: memref<16xf32>, %b: memref<16xf16>) {
  muon_gpu.stream ins(%a : memref<16xf32>) outs(%b : memref<16xf16>) {
  ^bb0(%x: f32):
    // expected-error@+1 {{expected operands ('f16'), found ('f32')}}
    muon_gpu.yield %x : f32
  }
  return
}

// -----

func.func @effects(%a: memref<16xf32>) {
  muon_gpu.stream ins(%a : memref<16xf32>) outs(%a : memref<16xf32>) {
  ^bb0(%x: f32):
    // expected-error@+1 {{has effects, which work on one element has not}}
    %0 = memref.alloc() : memref<f32>
    muon_gpu.yield %x : f32
  }
  return
}

// -----

func.func @strided_columns(%a: memref<4x6xf32, strided<[12, 2]>>) {
  // expected-error@+1 {{operand #0 must be variadic of table, or static memref with contiguous rows, of f32, bf16 or f16, but got 'memref<4x6xf32, strided<[12, 2]>>'}}
  muon_gpu.stream ins(%a : memref<4x6xf32, strided<[12, 2]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield
  }
  return
}

// -----

func.func @rows_overlap(%a: memref<4x6xf32, strided<[5, 1]>>) {
  // expected-error@+1 {{operand #0 must be variadic of table, or static memref with contiguous rows}}
  muon_gpu.stream ins(%a : memref<4x6xf32, strided<[5, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield
  }
  return
}

// -----

func.func @matrices_overlap(%a: memref<2x4x6xf32, strided<[23, 6, 1]>>) {
  // expected-error@+1 {{operand #0 must be variadic of table, or static memref with contiguous rows}}
  muon_gpu.stream ins(%a : memref<2x4x6xf32, strided<[23, 6, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield
  }
  return
}

// -----

// One distance leads from each of the six matrices to the next.
func.func @uneven_distances(%a: memref<2x3x4x6xf32, strided<[100, 24, 6, 1]>>) {
  // expected-error@+1 {{operand #0 must be variadic of table, or static memref with contiguous rows}}
  muon_gpu.stream ins(%a : memref<2x3x4x6xf32, strided<[100, 24, 6, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield
  }
  return
}

// -----

func.func @dynamic(%a: memref<?x6xf32>) {
  // expected-error@+1 {{operand #0 must be variadic of table, or static memref with contiguous rows}}
  muon_gpu.stream ins(%a : memref<?x6xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield
  }
  return
}

// -----

func.func @no_elements(%a: memref<0x6xf32>) {
  // expected-error@+1 {{operand #0 must be variadic of table, or static memref with contiguous rows}}
  muon_gpu.stream ins(%a : memref<0x6xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield
  }
  return
}

// -----

func.func @integers(%a: memref<4x6xi32>) {
  // expected-error@+1 {{operand #0 must be variadic of table, or static memref with contiguous rows, of f32, bf16 or f16, but got 'memref<4x6xi32>'}}
  muon_gpu.stream ins(%a : memref<4x6xi32>) {
  ^bb0(%x: i32):
    muon_gpu.yield
  }
  return
}

// -----

func.func @narrow_numbers(%f: memref<f16>, %a: memref<4x6xf32>) {
  // expected-error@+1 {{operand #0 must be variadic of memref of one}}
  muon_gpu.stream scalars(%f : memref<f16>) ins(%a : memref<4x6xf32>) {
  ^bb0(%s: f16, %x: f32):
    muon_gpu.yield
  }
  return
}

// -----

func.func @narrow_sums(%a: memref<4x6xf32>, %s: memref<1xf32>) {
  // expected-error@+1 {{operand #1 must be variadic of static rank-1 memref of f64, but got 'memref<1xf32>'}}
  muon_gpu.stream ins(%a : memref<4x6xf32>) sums(%s : memref<1xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// -----

func.func @sums_rank(%a: memref<4x6xf32>, %s: memref<f64>) {
  // expected-error@+1 {{operand #1 must be variadic of static rank-1 memref of f64, but got 'memref<f64>'}}
  muon_gpu.stream ins(%a : memref<4x6xf32>) sums(%s : memref<f64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  return
}

// -----

func.func @yield_elsewhere() {
  // expected-error@+1 {{expects parent op to be one of}}
  muon_gpu.yield
}

// -----

func.func @diagonal_of_stream(%a: memref<4x4xf32>) {
  muon_gpu.stream ins(%a : memref<4x4xf32>) {
  ^bb0(%x: f32):
    // expected-error@+1 {{expects parent op 'muon_gpu.matmul'}}
    %0 = muon_gpu.on_diagonal
    muon_gpu.yield
  }
  return
}

// -----

func.func @region(%a: memref<4x4xf32>) {
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%a : memref<4x4xf32>) {
  ^bb0(%x: f32):
    %c = arith.cmpf olt, %x, %x : f32
    // expected-error@+1 {{is no arithmetic on one element that kernels can do}}
    %y = scf.if %c -> f32 {
      scf.yield %x : f32
    } else {
      scf.yield %x : f32
    }
    muon_gpu.yield %y : f32
  }
  return
}

// -----

// What needs libdevice.
func.func @exp(%a: memref<4x4xf32>) {
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%a : memref<4x4xf32>) {
  ^bb0(%x: f32):
    // expected-error@+1 {{is no arithmetic on one element that kernels can do}}
    %y = math.exp %x : f32
    muon_gpu.yield %y : f32
  }
  return
}

// -----

func.func @remainder(%a: memref<4x4xf32>) {
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%a : memref<4x4xf32>) {
  ^bb0(%x: f32):
    // expected-error@+1 {{is no arithmetic on one element that kernels can do}}
    %y = arith.remf %x, %x : f32
    muon_gpu.yield %y : f32
  }
  return
}

// -----

func.func @shared(%a: memref<4x4xf32, 3>) {
  // expected-error@+1 {{must be variadic of table, or static memref with contiguous rows, of f32, bf16 or f16}}
  muon_gpu.stream ins(%a : memref<4x4xf32, 3>) outs(%a : memref<4x4xf32, 3>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}
