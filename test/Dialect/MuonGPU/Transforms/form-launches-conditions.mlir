// RUN: muon-opt --muon-gpu-form-launches %s | FileCheck %s

// The condition of work is that of its launch; another one, or none, is another
// launch.

// CHECK-LABEL: func.func @own(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>
// CHECK-NEXT:    muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:      muon_gpu.stream ins(%{{.+}}) outs(%{{.+}}) {
// CHECK:           muon_gpu.stream ins(%{{.+}}) outs(%{{.+}}) {
// CHECK:         }
// CHECK:         muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream
// CHECK:         return
func.func @own(%ok: memref<i1>, %a: memref<4x4xf32>, %b: memref<4x4xf32>, %c: memref<4x4xf32>) {
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%a : memref<4x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%b : memref<4x4xf32>) outs(%b : memref<4x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%c : memref<4x4xf32>) outs(%c : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Work whose results are used under a condition only gets that condition, and so
// does what it uses.

// CHECK-LABEL: func.func @spreads(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>
// CHECK-COUNT-3: muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK-NOT:     muon_gpu.launch
// CHECK:         return
func.func @spreads(%ok: memref<i1>, %a: memref<4x4xf32>, %w: memref<4x4xf32>) {
  %s = memref.alloc() : memref<4x4xf32>
  %t = memref.alloc() : memref<4x4xf32>
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%s : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%s : memref<4x4xf32>) outs(%t : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%t : memref<4x4xf32>) outs(%w : memref<4x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Not to what writes an argument: somebody looks at it after the step.

// CHECK-LABEL: func.func @argument(
// CHECK-NEXT:    muon_gpu.launch {
// CHECK:         muon_gpu.launch when(
func.func @argument(%ok: memref<i1>, %a: memref<4x4xf32>, %s: memref<4x4xf32>, %w: memref<4x4xf32>) {
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%s : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%s : memref<4x4xf32>) outs(%w : memref<4x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Not if somebody reads in any case.

// CHECK-LABEL: func.func @other_reader(
// CHECK:         muon_gpu.launch {
// CHECK:         muon_gpu.launch when(
// CHECK:         muon_gpu.launch {
func.func @other_reader(%ok: memref<i1>, %a: memref<4x4xf32>, %v: memref<4x4xf32>, %w: memref<4x4xf32>) {
  %s = memref.alloc() : memref<4x4xf32>
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%s : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%s : memref<4x4xf32>) outs(%w : memref<4x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%s : memref<4x4xf32>) outs(%v : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Nor if another condition decides.

// CHECK-LABEL: func.func @two_conditions(
// CHECK:         muon_gpu.launch {
// CHECK-COUNT-2: muon_gpu.launch when(
func.func @two_conditions(%ok: memref<i1>, %other: memref<i1>, %a: memref<4x4xf32>, %v: memref<4x4xf32>, %w: memref<4x4xf32>) {
  %s = memref.alloc() : memref<4x4xf32>
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%s : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%s : memref<4x4xf32>) outs(%w : memref<4x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%s : memref<4x4xf32>) outs(%v : memref<4x4xf32>) when(%other : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Nor if a reader stands elsewhere: nobody knows when it looks.

// CHECK-LABEL: func.func @reader_in_loop(
// CHECK:         muon_gpu.launch {
// CHECK:         scf.for
// CHECK-NEXT:      muon_gpu.launch when(
func.func @reader_in_loop(%ok: memref<i1>, %a: memref<4x4xf32>, %w: memref<4x4xf32>, %n: index) {
  %s = memref.alloc() : memref<4x4xf32>
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%s : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  scf.for %i = %n to %n step %n {
    muon_gpu.stream ins(%s : memref<4x4xf32>) outs(%w : memref<4x4xf32>) when(%ok : memref<i1>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    }
  }
  return
}

// Nor before the flag has its value: the sums that the look reads, and a stream
// that stands before the look.

// CHECK-LABEL: func.func @before_flag(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>
// CHECK:         muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream
// CHECK:         muon_gpu.launch {
// CHECK-NEXT:      muon.look
// CHECK-NEXT:    } {phase = "look"}
// CHECK-NEXT:    muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:      muon_gpu.stream
// CHECK:         return
func.func @before_flag(%ok: memref<i1>, %g: memref<2xf64>, %clip: memref<f32>, %a: memref<4x4xf32>, %w: memref<4x4xf32>) {
  %s = memref.alloc() : memref<4x4xf32>
  muon_gpu.stream ins(%a : memref<4x4xf32>) outs(%s : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon.look gradients(%g : memref<2xf64>) ok(%ok : memref<i1>) clip(%clip : memref<f32>)
  muon_gpu.stream ins(%s : memref<4x4xf32>) outs(%w : memref<4x4xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// The flag is read by what has it for a condition, so that this comes after.

// CHECK-LABEL: func.func @after_flag(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>
// CHECK:         muon_gpu.launch {
// CHECK-NEXT:      muon.look
// CHECK:         muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:      muon.advance step(
// CHECK-NEXT:    } {phase = "advance"}
func.func @after_flag(%ok: memref<i1>, %g: memref<2xf64>, %clip: memref<f32>, %t: memref<i64>) {
  muon.look gradients(%g : memref<2xf64>) ok(%ok : memref<i1>) clip(%clip : memref<f32>)
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  return
}

// What nobody waits for comes last, but not before what it needs.

// CHECK-LABEL: func.func @conditions_in_turn(
// CHECK: muon_gpu.reduce partials(%[[S0:.*]] : memref<1xf64>) sums(%[[S1:.*]] :
// CHECK: muon_gpu.reduce partials(%[[S1]] : memref<1xf64>) sums(%[[S2:.*]] :
// CHECK: muon_gpu.reduce partials(%[[S2]] : memref<1xf64>) sums(
func.func @conditions_in_turn(%w: memref<4x4xf32>, %v: memref<4x4xf32>, %A: memref<i1>, %B: memref<i1>, %s0: memref<1xf64>, %s1: memref<1xf64>, %s2: memref<1xf64>, %s3: memref<1xf64>) {
  muon_gpu.stream ins(%w : memref<4x4xf32>) outs(%v : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%v : memref<4x4xf32>) outs(%w : memref<4x4xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%w : memref<4x4xf32>) sums(%s0 : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.launch when(%A : memref<i1>) {
    muon_gpu.reduce partials(%s0 : memref<1xf64>) sums(%s1 : memref<1xf64>)
  }
  muon_gpu.launch when(%B : memref<i1>) {
    muon_gpu.reduce partials(%s1 : memref<1xf64>) sums(%s2 : memref<1xf64>)
  }
  muon_gpu.launch when(%A : memref<i1>) {
    muon_gpu.reduce partials(%s2 : memref<1xf64>) sums(%s3 : memref<1xf64>)
  }
  return
}

// Memory from outside of a loop is read by the next iteration as well.

// CHECK-LABEL: func.func @read_by_the_next_iteration(
// CHECK: muon_gpu.launch {
// CHECK: muon_gpu.launch {
// CHECK-NEXT: muon_gpu.stream ins({{.*}}) outs(%alloc :
// CHECK: muon_gpu.launch when(
func.func @read_by_the_next_iteration(%w: memref<4x4xf32>, %v: memref<4x4xf32>, %u: memref<4x4xf32>, %A: memref<i1>, %n: index) {
  %t = memref.alloc() : memref<4x4xf32>
  scf.for %i = %n to %n step %n {
    muon_gpu.stream ins(%t : memref<4x4xf32>) outs(%v : memref<4x4xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    }
    muon_gpu.stream ins(%w : memref<4x4xf32>) outs(%t : memref<4x4xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    }
    muon_gpu.stream ins(%t : memref<4x4xf32>) outs(%u : memref<4x4xf32>) when(%A : memref<i1>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    }
  }
  return
}
