// RUN: muon-opt --muon-gpu-fuse-epilogues --remarks-filter=muon-gpu-fuse-epilogues %s -o %t.mlir 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK --implicit-check-not=remark:
// RUN: FileCheck %s --input-file=%t.mlir

// Why a stream cannot be done in the epilogue of the product that it reads. Both
// stay what they were.

// REMARK: fuse-epilogues-refused.mlir:[[#@LINE+12]]:3: remark: [Missed] Epilogue | Category:muon-gpu-fuse-epilogues | {{.*}}"stays a pass of its own: {{.*}}a symmetric product computes one triangle only"

// CHECK-LABEL: func.func @symmetric(
// CHECK:         muon_gpu.matmul
// CHECK:         } {rhs_transposed, symmetric}
// CHECK-NEXT:    muon_gpu.stream
func.func @symmetric(%a: memref<1x16x16xf32>, %w: memref<16x16xf32>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  } {rhs_transposed, symmetric}
  muon_gpu.stream ins(%o : memref<1x16x16xf32>) outs(%w : memref<16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// REMARK: [[#@LINE+11]]:3: remark: [Missed] Epilogue | {{.*}}the product has several results"

// CHECK-LABEL: func.func @several_results(
// CHECK:         muon_gpu.matmul
// CHECK:         muon_gpu.stream
func.func @several_results(%a: memref<1x16x16xf32>, %p: memref<1x16x16xf32>, %w: memref<16x16xf32>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o, %p : memref<1x16x16xf32>, memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc, %acc : f32, f32
  }
  muon_gpu.stream ins(%o : memref<1x16x16xf32>) outs(%w : memref<16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Somebody may look at it after the step.

// REMARK: [[#@LINE+10]]:3: remark: [Missed] Epilogue | {{.*}}the result is no scratch memory"

// CHECK-LABEL: func.func @no_scratch(
// CHECK:         muon_gpu.matmul
// CHECK:         muon_gpu.stream
func.func @no_scratch(%a: memref<1x16x16xf32>, %o: memref<1x16x16xf32>, %w: memref<16x16xf32>) {
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  muon_gpu.stream ins(%o : memref<1x16x16xf32>) outs(%w : memref<16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// REMARK: [[#@LINE+13]]:3: remark: [Missed] Epilogue | {{.*}}the result has other users"
// REMARK: [[#@LINE+16]]:3: remark: [Missed] Epilogue | {{.*}}the result has other users"

// CHECK-LABEL: func.func @two_readers(
// CHECK:         muon_gpu.matmul
// CHECK:         muon_gpu.stream
// CHECK:         muon_gpu.stream
func.func @two_readers(%a: memref<1x16x16xf32>, %w: memref<16x16xf32>, %v: memref<16x16xf32>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  muon_gpu.stream ins(%o : memref<1x16x16xf32>) outs(%w : memref<16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%o : memref<1x16x16xf32>) outs(%v : memref<16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// A view is a user as well.

// REMARK: [[#@LINE+12]]:3: remark: [Missed] Epilogue | {{.*}}the result has other users"

// CHECK-LABEL: func.func @view_is_read(
// CHECK:         muon_gpu.matmul
// CHECK:         muon_gpu.stream
func.func @view_is_read(%a: memref<1x16x16xf32>, %w: memref<16x16xf32>, %v: memref<1x8x16xf32>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  %half = memref.subview %o[0, 0, 0] [1, 8, 16] [1, 1, 1] : memref<1x16x16xf32> to memref<1x8x16xf32, strided<[256, 16, 1]>>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  muon_gpu.stream ins(%o : memref<1x16x16xf32>) outs(%w : memref<16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  memref.copy %half, %v : memref<1x8x16xf32, strided<[256, 16, 1]>> to memref<1x8x16xf32>
  return
}

// REMARK: [[#@LINE+11]]:3: remark: [Missed] Epilogue | {{.*}}the stream uses the result in several ways"

// CHECK-LABEL: func.func @writes_result(
// CHECK:         muon_gpu.matmul
// CHECK:         muon_gpu.stream
func.func @writes_result(%a: memref<1x16x16xf32>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  muon_gpu.stream ins(%o : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// REMARK: [[#@LINE+11]]:3: remark: [Missed] Epilogue | {{.*}}the conditions differ"

// CHECK-LABEL: func.func @other_condition(
// CHECK:         muon_gpu.matmul
// CHECK:         muon_gpu.stream
func.func @other_condition(%a: memref<1x16x16xf32>, %w: memref<16x16xf32>, %ok: memref<i1>, %other: memref<i1>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) when(%ok : memref<i1>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  muon_gpu.stream ins(%o : memref<1x16x16xf32>) outs(%w : memref<16x16xf32>) when(%other : memref<i1>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// The stream runs in any case, the product does not.

// REMARK: [[#@LINE+11]]:3: remark: [Missed] Epilogue | {{.*}}the conditions differ"

// CHECK-LABEL: func.func @no_condition(
// CHECK:         muon_gpu.matmul
// CHECK:         muon_gpu.stream
func.func @no_condition(%a: memref<1x16x16xf32>, %w: memref<16x16xf32>, %ok: memref<i1>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) when(%ok : memref<i1>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  muon_gpu.stream ins(%o : memref<1x16x16xf32>) outs(%w : memref<16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// REMARK: [[#@LINE+13]]:5: remark: [Missed] Epilogue | {{.*}}the stream does not follow the product in its block"

// CHECK-LABEL: func.func @loop(
// CHECK:         muon_gpu.matmul
// CHECK:         scf.for
// CHECK:           muon_gpu.stream
func.func @loop(%a: memref<1x16x16xf32>, %w: memref<16x16xf32>, %n: index) {
  %o = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  scf.for %i = %n to %n step %n {
    muon_gpu.stream ins(%o, %w : memref<1x16x16xf32>, memref<16x16xf32>) outs(%w : memref<16x16xf32>) {
    ^bb0(%x: f32, %y: f32):
      %0 = arith.addf %x, %y : f32
      muon_gpu.yield %0 : f32
    }
  }
  return
}

// The product reads T before it changes, the stream after.

// REMARK: [[#@LINE+17]]:3: remark: [Missed] Epilogue | {{.*}}something in between uses the same memory"

// CHECK-LABEL: func.func @tile_changes(
// CHECK:         muon_gpu.matmul
// CHECK:         muon_gpu.stream
// CHECK:         muon_gpu.stream
func.func @tile_changes(%a: memref<1x16x16xf32>, %t: memref<16x16xf32>, %w: memref<16x16xf32>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) tiles(%t : memref<16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32, %x: f32):
    %0 = arith.addf %acc, %x : f32
    muon_gpu.yield %0 : f32
  }
  muon_gpu.stream ins(%w : memref<16x16xf32>) outs(%t : memref<16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%o, %t : memref<1x16x16xf32>, memref<16x16xf32>) outs(%w : memref<16x16xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.addf %x, %y : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// REMARK: [[#@LINE+16]]:3: remark: [Missed] Epilogue | {{.*}}something in between uses the same memory"

// CHECK-LABEL: func.func @written_in_between(
// CHECK: muon_gpu.matmul
// CHECK: muon_gpu.stream
// CHECK: muon_gpu.stream
func.func @written_in_between(%a: memref<1x16x16xf32>, %b: memref<1x16x16xf32>, %w: memref<16x16xf32>, %c: memref<16x16xf32>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%b : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  muon_gpu.stream ins(%c : memref<16x16xf32>) outs(%a : memref<1x16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%o, %w : memref<1x16x16xf32>, memref<16x16xf32>) outs(%w : memref<16x16xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// REMARK: [[#@LINE+7]]:3: remark: [Missed] Epilogue | {{.*}}the stream does not follow the product in its block"

// CHECK-LABEL: func.func @stream_first(
// CHECK: muon_gpu.stream
// CHECK: muon_gpu.matmul
func.func @stream_first(%a: memref<1x16x16xf32>, %b: memref<1x16x16xf32>, %w: memref<16x16xf32>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.stream ins(%o, %w : memref<1x16x16xf32>, memref<16x16xf32>) outs(%w : memref<16x16xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%b : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  return
}

// REMARK: [[#@LINE+11]]:3: remark: [Missed] Epilogue | {{.*}}the stream writes what the product multiplies"

// CHECK-LABEL: func.func @writes_operand(
// CHECK: muon_gpu.matmul
// CHECK: muon_gpu.stream
func.func @writes_operand(%a: memref<1x16x16xf32>, %b: memref<1x16x16xf32>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%b : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  muon_gpu.stream ins(%o : memref<1x16x16xf32>) outs(%a : memref<1x16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// REMARK: [[#@LINE+12]]:3: remark: [Missed] Epilogue | {{.*}}the conditions differ"

// CHECK-LABEL: func.func @sums_without_condition(
// CHECK: muon_gpu.matmul
// CHECK: muon_gpu.stream
func.func @sums_without_condition(%a: memref<1x16x16xf32>, %b: memref<1x16x16xf32>, %w: memref<16x16xf32>, %s: memref<1xf64>, %ok: memref<i1>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%b : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%acc: f32):
    %0 = arith.extf %acc : f32 to f64
    muon_gpu.yield %acc, %0 : f32, f64
  }
  muon_gpu.stream ins(%o, %w : memref<1x16x16xf32>, memref<16x16xf32>) outs(%w : memref<16x16xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// REMARK: [[#@LINE+14]]:3: remark: [Missed] Epilogue | {{.*}}something in between uses the same memory"

// CHECK-LABEL: func.func @sums_read_in_between(
// CHECK: muon_gpu.matmul
// CHECK: muon_gpu.reduce
// CHECK: muon_gpu.stream
func.func @sums_read_in_between(%a: memref<1x16x16xf32>, %b: memref<1x16x16xf32>, %w: memref<16x16xf32>, %s: memref<1xf64>, %p: memref<1xf64>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%b : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%acc: f32):
    %0 = arith.extf %acc : f32 to f64
    muon_gpu.yield %acc, %0 : f32, f64
  }
  muon_gpu.reduce partials(%s : memref<1xf64>) sums(%p : memref<1xf64>)
  muon_gpu.stream ins(%o, %w : memref<1x16x16xf32>, memref<16x16xf32>) outs(%w : memref<16x16xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// REMARK: [[#@LINE+12]]:3: remark: [Missed] Epilogue | {{.*}}the stream uses the result in several ways"

// CHECK-LABEL: func.func @another_view(
// CHECK: muon_gpu.matmul
// CHECK: muon_gpu.stream
func.func @another_view(%a: memref<1x16x16xf32>, %w: memref<16x16xf32>) {
  %o = memref.alloc() : memref<1x16x16xf32>
  %v = memref.subview %o[0, 0, 0] [1, 16, 16] [1, 1, 1] : memref<1x16x16xf32> to memref<1x16x16xf32, strided<[256, 16, 1]>>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  muon_gpu.stream ins(%o, %v : memref<1x16x16xf32>, memref<1x16x16xf32, strided<[256, 16, 1]>>) outs(%w : memref<16x16xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.mulf %x, %y : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// REMARK: [[#@LINE+14]]:3: remark: [Missed] Epilogue | {{.*}}something in between uses the same memory"

// CHECK-LABEL: func.func @unknown_in_between(
// CHECK: muon_gpu.matmul
// CHECK: call @f
// CHECK: muon_gpu.stream
func.func private @f(memref<1x16x16xf32>)
func.func @unknown_in_between(%a: memref<1x16x16xf32>, %w: memref<1x16x16xf32>) {
  %al = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%al : memref<1x16x16xf32>) {
  ^bb0(%acc: f32):
    muon_gpu.yield %acc : f32
  }
  func.call @f(%a) : (memref<1x16x16xf32>) -> ()
  muon_gpu.stream ins(%al : memref<1x16x16xf32>) outs(%w : memref<1x16x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// REMARK: [[#@LINE+12]]:3: remark: [Missed] Epilogue | {{.*}}the stream uses what else the product writes"

// CHECK-LABEL: func.func @reads_sums(
// CHECK: muon_gpu.matmul
// CHECK: muon_gpu.stream
func.func @reads_sums(%a: memref<1x16x16xf32>, %w: memref<1x16x16xf32>, %s: memref<1xf64>) {
  %al = memref.alloc() : memref<1x16x16xf32>
  muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%al : memref<1x16x16xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%acc: f32):
    %z = arith.extf %acc : f32 to f64
    muon_gpu.yield %acc, %z : f32, f64
  }
  muon_gpu.stream scalars(%s : memref<1xf64>) ins(%al : memref<1x16x16xf32>) outs(%w : memref<1x16x16xf32>) {
  ^bb0(%n: f64, %x: f32):
    %y = arith.truncf %n : f64 to f32
    muon_gpu.yield %y : f32
  }
  return
}
