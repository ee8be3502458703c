// RUN: muon-opt %s -split-input-file -verify-diagnostics

func.func @empty() {
  // expected-error@+1 {{expected work in the body}}
  muon_gpu.launch {
  }
  return
}

// -----

func.func @no_work() {
  muon_gpu.launch {
    // expected-error@+1 {{is not work that a launch can do}}
    %0 = memref.alloc() : memref<f32>
  }
  return
}

// -----

func.func @nested(%p: memref<4xf64>, %s: memref<2xf64>) {
  muon_gpu.launch {
    // expected-error@+1 {{is not work that a launch can do}}
    muon_gpu.launch {
      muon_gpu.reduce partials(%p : memref<4xf64>) sums(%s : memref<2xf64>)
    }
  }
  return
}

// -----

func.func @block_work_and_stream(%a: memref<16xf32>, %p: memref<4xf64>, %s: memref<2xf64>) {
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

func.func @stream_and_product(%a: memref<1x16x16xf32>, %o: memref<1x16x16xf32>) {
  muon_gpu.launch {
    muon_gpu.stream ins(%a : memref<1x16x16xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield
    }
    // expected-error@+1 {{differs in kind from what shares its launch}}
    muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    }
  }
  return
}

// -----

func.func @product_and_block_work(%a: memref<1x16x16xf32>, %o: memref<1x16x16xf32>, %t: memref<i64>) {
  muon_gpu.launch {
    muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    }
    // expected-error@+1 {{differs in kind from what shares its launch}}
    muon.advance step(%t : memref<i64>)
  }
  return
}

// -----

func.func @condition_of_stream(%a: memref<16xf32>, %ok: memref<i1>) {
  muon_gpu.launch {
    // expected-error@+1 {{has a condition, which belongs to the launch}}
    muon_gpu.stream ins(%a : memref<16xf32>) when(%ok : memref<i1>) {
    ^bb0(%x: f32):
      muon_gpu.yield
    }
  }
  return
}

// -----

func.func @condition_of_product(%a: memref<1x16x16xf32>, %o: memref<1x16x16xf32>, %ok: memref<i1>) {
  muon_gpu.launch when(%ok : memref<i1>) {
    // expected-error@+1 {{has a condition, which belongs to the launch}}
    muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) when(%ok : memref<i1>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    }
  }
  return
}

// -----

func.func @condition_of_advance(%t: memref<i64>, %ok: memref<i1>) {
  muon_gpu.launch {
    // expected-error@+1 {{has a condition, which belongs to the launch}}
    muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  }
  return
}

// -----

func.func @phase(%a: memref<4x4x16xf32>) {
  // expected-error@+1 {{expected a phase that can be a part of a name, found}}
  muon_gpu.launch {
  muon_gpu.stream ins(%a : memref<4x4x16xf32>) outs(%a : memref<4x4x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  } {schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 2, chunk = 65536>}
  } {phase = "a b;\0A{"}
  return
}

// -----

func.func @digit(%a: memref<4x4x16xf32>) {
  // expected-error@+1 {{expected a phase that can be a part of a name, found '2nd'}}
  muon_gpu.launch {
  muon_gpu.stream ins(%a : memref<4x4x16xf32>) outs(%a : memref<4x4x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  } {schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 2, chunk = 65536>}
  } {phase = "2nd"}
  return
}

// -----

func.func @triangle_and_stream(%x: memref<1x3x3xf32>, %t: memref<1x1x6xf32>) {
  muon_gpu.launch {
    muon.pack_triangle x(%x : memref<1x3x3xf32>) out(%t : memref<1x1x6xf32>)
    // expected-error@+1 {{'muon_gpu.stream' op differs in kind from what shares its launch}}
    muon_gpu.stream ins(%x : memref<1x3x3xf32>) {
    ^bb0(%v: f32):
      muon_gpu.yield
    }
  }
  return
}

// -----

func.func @product_and_triangle(%x: memref<1x16x16xf32>, %o: memref<1x16x16xf32>, %t: memref<1x1x136xf32>) {
  muon_gpu.launch {
    muon_gpu.matmul lhs(%x : memref<1x16x16xf32>) rhs(%x : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    }
    // expected-error@+1 {{'muon.unpack_triangle' op differs in kind from what shares its launch}}
    muon.unpack_triangle x(%t : memref<1x1x136xf32>) out(%x : memref<1x16x16xf32>)
  }
  return
}

// -----

func.func @place_and_triangle(%l: memref<4xf64>, %x: memref<1x3x3xf32>, %t: memref<1x1x6xf32>) {
  muon_gpu.launch {
    muon.place out(%l : memref<4xf64>) {from = array<i64>, to = array<i64>, counts = array<i64>}
    // expected-error@+1 {{'muon.unpack_triangle' op differs in kind from what shares its launch}}
    muon.unpack_triangle x(%t : memref<1x1x6xf32>) out(%x : memref<1x3x3xf32>)
  }
  return
}

// -----

// What ranks exchange is no matter of a kernel.

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2)
func.func @collective(%a: memref<4xf64>, %b: memref<4xf64>) {
  muon_gpu.launch {
    // expected-error@+1 {{'muon.all_reduce' op is not work that a launch can do}}
    muon.all_reduce value(%a : memref<4xf64>) out(%b : memref<4xf64>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, reduction = #muon.reduction<sum>, sends = array<i64: 0>, receives = array<i64: 0>}
  }
  return
}
}

// -----

func.func @wait(%a: memref<4xf64>, %b: memref<4xf64>) {
  muon_gpu.launch {
    // expected-error@+1 {{'muon.wait' op is not work that a launch can do}}
    muon.wait value(%a : memref<4xf64>) out(%b : memref<4xf64>) {handle = 0 : i64}
  }
  return
}

// -----

func.func @blocks(%b: memref<1x3x5xf32>, %x: memref<1x3x5xf32>) {
  muon_gpu.launch {
    // expected-error@+1 {{'muon.assemble' op is not work that a launch can do}}
    muon.assemble blocks(%b : memref<1x3x5xf32>) out(%x : memref<1x3x5xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 0>, rows = array<i64: 3>, cols = array<i64: 5>}
  }
  return
}
