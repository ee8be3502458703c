// RUN: muon-opt --muon-gpu-form-launches %s | FileCheck %s

// Products of two shapes, batches and constants that one kernel serves.

// CHECK-LABEL: func.func @two_shapes(
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.matmul lhs(%{{.+}} : memref<1x16x32xf32>)
// CHECK:           muon_gpu.matmul lhs(%{{.+}} : memref<3x48x20xf32>)
// CHECK:         } {phase = "update"}
// CHECK-NEXT:    return
func.func @two_shapes(%a: memref<1x16x32xf32>, %o: memref<1x16x16xf32>, %b: memref<3x48x20xf32>, %p: memref<3x48x48xf32>) {
  muon_gpu.matmul lhs(%a : memref<1x16x32xf32>) rhs(%a : memref<1x16x32xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32, %alpha: f64):
    muon_gpu.yield %acc : f32
  } {constants = array<f64: 1.0>, rhs_transposed}
  muon_gpu.matmul lhs(%b : memref<3x48x20xf32>) rhs(%b : memref<3x48x20xf32>) outs(%p : memref<3x48x48xf32>) {
  ^bb0(%acc: f32, %alpha: f64):
    muon_gpu.yield %acc : f32
  } {constants = array<f64: 2.0>, rhs_transposed}
  return
}

// One of two kernels computes something else.

// CHECK-LABEL: func.func @two_kernels(
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%{{.+}} : memref<4x4xf32>)
// CHECK:           muon_gpu.stream ins(%{{.+}} : memref<8x8xf32>)
// CHECK:         } {phase = "stream"}
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%{{.+}} : memref<6x6xf32>)
// CHECK:             arith.negf
// CHECK:         } {phase = "stream"}
// CHECK-NEXT:    return
func.func @two_kernels(%a: memref<4x4xf32>, %b: memref<6x6xf32>, %c: memref<8x8xf32>, %o: memref<4x4xf32>, %p: memref<6x6xf32>, %q: memref<8x8xf32>) {
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%o : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%b : memref<6x6xf32>) outs(%p : memref<6x6xf32>) {
  ^bb0(%x: f32):
    %0 = arith.negf %x : f32
    muon_gpu.yield %0 : f32
  }
  muon_gpu.stream ins(%c : memref<8x8xf32>) outs(%q : memref<8x8xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Read after write: two steps of two chains side by side.

// CHECK-LABEL: func.func @chains(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: memref<4x4xf32>, %[[B:[a-z0-9]+]]: memref<4x4xf32>, %[[C:[a-z0-9]+]]: memref<4x4xf32>, %[[D:[a-z0-9]+]]: memref<8x8xf32>, %[[E:[a-z0-9]+]]: memref<8x8xf32>, %[[F:[a-z0-9]+]]: memref<8x8xf32>)
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%[[A]] : {{.*}}) outs(%[[B]] :
// CHECK:           muon_gpu.stream ins(%[[D]] : {{.*}}) outs(%[[E]] :
// CHECK:         } {phase = "stream"}
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%[[B]] : {{.*}}) outs(%[[C]] :
// CHECK:           muon_gpu.stream ins(%[[E]] : {{.*}}) outs(%[[F]] :
// CHECK:         } {phase = "stream"}
// CHECK-NEXT:    return
func.func @chains(%a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x4xf32>, %d: memref<8x8xf32>, %e: memref<8x8xf32>, %f: memref<8x8xf32>) {
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%b : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%b : memref<4x4xf32>) outs(%c : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%d : memref<8x8xf32>) outs(%e : memref<8x8xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%e : memref<8x8xf32>) outs(%f : memref<8x8xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Write after read, and write after write: one kernel, three launches in order.

// CHECK-LABEL: func.func @overwritten(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: memref<4x4xf32>, %[[B:[a-z0-9]+]]: memref<4x4xf32>, %[[C:[a-z0-9]+]]: memref<4x4xf32>)
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%[[A]] : {{.*}}) outs(%[[B]] :
// CHECK:         }
// CHECK:         muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%[[C]] : {{.*}}) outs(%[[A]] :
// CHECK:         }
// CHECK:         muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%[[B]] : {{.*}}) outs(%[[A]] :
// CHECK:         }
// CHECK:         return
func.func @overwritten(%a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x4xf32>) {
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%b : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%c : memref<4x4xf32>) outs(%a : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%b : memref<4x4xf32>) outs(%a : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Views of one buffer are that buffer.

// CHECK-LABEL: func.func @views(
// CHECK-COUNT-2: muon_gpu.launch {
// CHECK-NOT:     muon_gpu.launch
// CHECK:         return
func.func @views(%a: memref<1x4x4xf32>, %b: memref<1x4x4xf32>) {
  %buffer = memref.alloc() : memref<1x4x8xf32>
  %0 = memref.subview %buffer[0, 0, 0] [1, 4, 4] [1, 1, 1] : memref<1x4x8xf32> to memref<1x4x4xf32, strided<[32, 8, 1]>>
  %1 = memref.subview %buffer[0, 0, 0] [1, 4, 4] [1, 1, 1] : memref<1x4x8xf32> to memref<1x4x4xf32, strided<[32, 8, 1]>>
  muon_gpu.stream ins(%a : memref<1x4x4xf32>) outs(%0 : memref<1x4x4xf32, strided<[32, 8, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%1 : memref<1x4x4xf32, strided<[32, 8, 1]>>) outs(%b : memref<1x4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Scalars, operands of products and sums are dependences like others.

// CHECK-LABEL: func.func @numbers(
// CHECK:         muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream
// CHECK:         } {phase = "look"}
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.reduce
// CHECK-NEXT:    }
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.matmul
// CHECK:         } {phase = "product"}
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.matmul
// CHECK:         } {phase = "update"}
// CHECK-NEXT:    return
func.func @numbers(%a: memref<1x4x4xf32>, %p: memref<2xf64>, %s: memref<1xf64>, %w: memref<4x4xf32>) {
  %o = memref.alloc() : memref<1x4x4xf32>
  muon_gpu.stream ins(%a : memref<1x4x4xf32>) sums(%p : memref<2xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.launch {
    muon_gpu.reduce partials(%p : memref<2xf64>) sums(%s : memref<1xf64>)
  }
  muon_gpu.matmul lhs(%a : memref<1x4x4xf32>) rhs(%a : memref<1x4x4xf32>) scalars(%s : memref<1xf64>) outs(%o : memref<1x4x4xf32>) {
  ^bb0(%acc: f32, %f: f64):
    muon_gpu.yield %acc : f32
  }
  muon_gpu.matmul lhs(%a : memref<1x4x4xf32>) rhs(%o : memref<1x4x4xf32>) outs(%w : memref<4x4xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// Work of one block shares a launch even where it depends on what comes before:
// a block does it in order.

// CHECK-LABEL: func.func @block_work(
// CHECK-SAME:    %[[P:[a-z0-9]+]]: memref<4xf64>, %[[S:[a-z0-9]+]]: memref<2xf64>, %[[T:[a-z0-9]+]]: memref<1xf64>,
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.reduce partials(%[[P]] : memref<4xf64>) sums(%[[S]] :
// CHECK-NEXT:      muon_gpu.reduce partials(%[[S]] : memref<2xf64>) sums(%[[T]] :
// CHECK-NEXT:      muon.advance
// CHECK-NEXT:    } {phase = "a"}
// CHECK-NEXT:    return
func.func @block_work(%p: memref<4xf64>, %s: memref<2xf64>, %t: memref<1xf64>, %step: memref<i64>) {
  muon_gpu.launch {
    muon_gpu.reduce partials(%p : memref<4xf64>) sums(%s : memref<2xf64>)
  } {phase = "a"}
  muon_gpu.launch {
    muon_gpu.reduce partials(%s : memref<2xf64>) sums(%t : memref<1xf64>)
  } {phase = "b"}
  muon.advance step(%step : memref<i64>)
  return
}

// What nobody waits for comes last, together: the first sum could be known
// before the last stream, and waits for the second.

// CHECK-LABEL: func.func @last(
// CHECK-SAME:    %[[P:[a-z0-9]+]]: memref<2xf64>
// CHECK-COUNT-4: muon_gpu.stream
// CHECK:         muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.reduce partials(%[[P]] :
// CHECK-NEXT:      muon_gpu.reduce
// CHECK-NEXT:    }
// CHECK-NEXT:    return
func.func @last(%p: memref<2xf64>, %a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x4xf32>, %q: memref<2xf64>, %s: memref<1xf64>, %t: memref<1xf64>) {
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%b : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%b : memref<4x4xf32>) sums(%p : memref<2xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.launch {
    muon_gpu.reduce partials(%p : memref<2xf64>) sums(%s : memref<1xf64>)
  }
  muon_gpu.stream ins(%b : memref<4x4xf32>) outs(%c : memref<4x4xf32>) {
  ^bb0(%x: f32):
    %0 = arith.negf %x : f32
    muon_gpu.yield %0 : f32
  }
  muon_gpu.stream ins(%c : memref<4x4xf32>) sums(%q : memref<2xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.launch {
    muon_gpu.reduce partials(%q : memref<2xf64>) sums(%t : memref<1xf64>)
  }
  return
}

// A loop's body is by itself, and so is what stands before and after the loop.
// Memory comes first.

// CHECK-LABEL: func.func @loop(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: memref<4x4xf32>, %[[B:[a-z0-9]+]]: memref<4x4xf32>, %[[C:[a-z0-9]+]]: memref<4x4xf32>, %{{[a-z0-9]+}}: index)
// CHECK-NEXT:    %[[T:.+]] = memref.alloc()
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%[[A]] :
// CHECK:         scf.for
// CHECK-NEXT:      muon_gpu.launch {
// CHECK-NEXT:        muon_gpu.stream ins(%[[B]] :
// CHECK:           } {phase = "stream"}
// CHECK-NEXT:    }
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream ins(%[[C]] : {{.*}}) outs(%[[T]] :
func.func @loop(%a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x4xf32>, %n: index) {
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%a : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  scf.for %i = %n to %n step %n {
    muon_gpu.stream ins(%b : memref<4x4xf32>) outs(%b : memref<4x4xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    }
  }
  %t = memref.alloc() : memref<4x4xf32>
  muon_gpu.stream ins(%c : memref<4x4xf32>) outs(%t : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Only what depends on nothing that stays is moved to the front.

// CHECK-LABEL: func.func @what_is_computed_stays(
// CHECK: memref.alloc
// CHECK-NEXT: memref.load
// CHECK-NEXT: arith.addi
// CHECK: muon_gpu.launch
func.func @what_is_computed_stays(%w: memref<4x4xf32>, %c: memref<index>) {
  %0 = memref.load %c[] : memref<index>
  %1 = arith.addi %0, %0 : index
  %2 = memref.alloc() : memref<4x4xf32>
  muon_gpu.stream ins(%w : memref<4x4xf32>) outs(%2 : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  memref.store %1, %c[] : memref<index>
  return
}

// Nobody knows what memory a choice stands for: the order stays.

// CHECK-LABEL: func.func @either(
// CHECK: muon_gpu.launch {
// CHECK-NEXT: muon_gpu.stream ins(%arg0
// CHECK: muon_gpu.launch {
// CHECK-NEXT: muon_gpu.stream ins(%arg2
func.func @either(%i: memref<1x16x16xf32>, %c: i1, %b: memref<1x16x16xf32>, %o: memref<1x16x16xf32>) {
  %z = arith.select %c, %b, %o : memref<1x16x16xf32>
  muon_gpu.stream ins(%i : memref<1x16x16xf32>) outs(%z : memref<1x16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%b : memref<1x16x16xf32>) outs(%b : memref<1x16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}
