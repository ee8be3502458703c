// RUN: muon-opt --muon-gpu-fuse-sums --remarks-filter=muon-gpu-fuse-sums %s -o %t.mlir 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK --implicit-check-not=remark:
// RUN: FileCheck %s --input-file=%t.mlir

// Why a pass that only adds up stays one of its own. What follows it stays, too.

// A clip coefficient.

// REMARK: fuse-sums-refused.mlir:[[#@LINE+8]]:3: remark: [Missed] Sums | Category:muon-gpu-fuse-sums | {{.*}}"stays a pass of its own: {{.*}}something in between needs the sums"

// CHECK-LABEL: func.func @clip(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         muon.look
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @clip(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>, %l: memref<f32>, %ok: memref<i1>, %k: memref<f32>) {
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon.look gradients(%s : memref<1xf64>) limit(%l : memref<f32>) ok(%ok : memref<i1>) clip(%k : memref<f32>) {skip_nonfinite = false}
  muon_gpu.stream scalars(%k : memref<f32>) ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%w : memref<4x8xf32>) {
  ^bb0(%clip: f32, %x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// A look whose flag the update does not even have.

// REMARK: [[#@LINE+8]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}something in between needs the sums"

// CHECK-LABEL: func.func @guard(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         muon.look
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @guard(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>, %ok: memref<i1>, %k: memref<f32>) {
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon.look gradients(%s : memref<1xf64>) ok(%ok : memref<i1>) clip(%k : memref<f32>) {skip_nonfinite = true}
  muon_gpu.stream ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%w : memref<4x8xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// The power of two of a momentum pass, in a launch.

// REMARK: [[#@LINE+8]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}something in between needs the sums"

// CHECK-LABEL: func.func @unit(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         muon_gpu.unit
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @unit(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>, %ms: memref<1xf64>, %b: memref<f32>, %u: memref<1xf64>) {
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.launch {
    muon_gpu.unit gradient_sums(%s : memref<1xf64>) momentum_sums(%ms : memref<1xf64>) beta(%b : memref<f32>) unit(%u : memref<1xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  }
  muon_gpu.stream scalars(%u : memref<1xf64>) ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%w : memref<4x8xf32>) {
  ^bb0(%unit: f64, %x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// REMARK: [[#@LINE+7]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}the later pass uses the sums"

// CHECK-LABEL: func.func @reads_sums(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @reads_sums(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>) {
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.stream scalars(%s : memref<1xf64>) ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%w : memref<4x8xf32>) {
  ^bb0(%sum: f64, %x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// The last one counts.

// REMARK: [[#@LINE+7]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}the later pass uses the sums"

// CHECK-LABEL: func.func @same_sums(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @same_sums(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>) {
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.stream ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%w : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    %z = arith.extf %0 : f32 to f64
    muon_gpu.yield %0, %z : f32, f64
  }
  return
}

// What is added up changes.

// REMARK: [[#@LINE+8]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}something in between uses the same memory"

// CHECK-LABEL: func.func @store_between(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @store_between(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>) {
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.stream ins(%w : memref<4x8xf32>) outs(%g : memref<4x8xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%w : memref<4x8xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// By a store through a view.

// REMARK: [[#@LINE+9]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}something in between uses the same memory"

// CHECK-LABEL: func.func @view_between(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @view_between(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>, %h: memref<2x8xf32>) {
  %v = memref.subview %g[0, 0] [2, 8] [1, 1] : memref<4x8xf32> to memref<2x8xf32, strided<[8, 1]>>
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.stream ins(%h : memref<2x8xf32>) outs(%v : memref<2x8xf32, strided<[8, 1]>>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  muon_gpu.stream ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%w : memref<4x8xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// Whoever writes the sums last wins.

// REMARK: [[#@LINE+8]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}something in between uses the same memory"

// CHECK-LABEL: func.func @sums_between(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         muon_gpu.reduce
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @sums_between(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>, %p: memref<4xf64>) {
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.reduce partials(%p : memref<4xf64>) sums(%s : memref<1xf64>)
  muon_gpu.stream ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%w : memref<4x8xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// REMARK: [[#@LINE+9]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}something in between uses the same memory"

// CHECK-LABEL: func.func @unknown_between(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         call @f
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func private @f(memref<4x8xf32>)
func.func @unknown_between(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>) {
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  func.call @f(%w) : (memref<4x8xf32>) -> ()
  muon_gpu.stream ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%w : memref<4x8xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// REMARK: [[#@LINE+9]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}something in between uses the same memory"

// CHECK-LABEL: func.func @loop_between(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         scf.for
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @loop_between(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>, %n: index) {
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  scf.for %i = %n to %n step %n {
    muon_gpu.stream ins(%w : memref<4x8xf32>) outs(%g : memref<4x8xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    }
  }
  muon_gpu.stream ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%w : memref<4x8xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// REMARK: [[#@LINE+8]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}the later pass does not read all of it, or in another shape"

// CHECK-LABEL: func.func @other_shape(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @other_shape(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>, %o: memref<2x16xf32>) {
  %v = memref.reinterpret_cast %g to offset: [0], sizes: [2, 16], strides: [16, 1] : memref<4x8xf32> to memref<2x16xf32, strided<[16, 1]>>
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.stream ins(%v : memref<2x16xf32, strided<[16, 1]>>) outs(%o : memref<2x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Only one of two operands.

// REMARK: [[#@LINE+7]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}the later pass does not read all of it, or in another shape"

// CHECK-LABEL: func.func @other_operand(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @other_operand(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>, %o: memref<4x8xf32>) {
  muon_gpu.stream ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.stream ins(%g : memref<4x8xf32>) outs(%o : memref<4x8xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  }
  return
}

// Another view of it may have other elements at the same place.

// REMARK: [[#@LINE+8]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}the later pass writes what is read in another way"

// CHECK-LABEL: func.func @writes_view(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @writes_view(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>) {
  %v = memref.reinterpret_cast %g to offset: [0], sizes: [4, 8], strides: [8, 1] : memref<4x8xf32> to memref<4x8xf32, strided<[8, 1]>>
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.stream ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%v : memref<4x8xf32, strided<[8, 1]>>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// REMARK: [[#@LINE+7]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}the later pass writes what is read in another way"

// CHECK-LABEL: func.func @writes_scalar(
// CHECK:         muon_gpu.stream scalars({{.*}}) sums(
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @writes_scalar(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>, %f: memref<1xf64>) {
  muon_gpu.stream scalars(%f : memref<1xf64>) ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%factor: f64, %x: f32):
    muon_gpu.yield %factor : f64
  }
  muon_gpu.stream ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%w : memref<4x8xf32>) sums(%f : memref<1xf64>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    %z = arith.extf %0 : f32 to f64
    muon_gpu.yield %0, %z : f32, f64
  }
  return
}

// The sums are wanted in any case.

// REMARK: [[#@LINE+7]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}the conditions differ"

// CHECK-LABEL: func.func @condition(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @condition(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>, %ok: memref<i1>) {
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.stream ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%w : memref<4x8xf32>) when(%ok : memref<i1>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// Otherwise they stay what they were.

// REMARK: [[#@LINE+7]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}the conditions differ"

// CHECK-LABEL: func.func @no_condition(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @no_condition(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>, %ok: memref<i1>) {
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) when(%ok : memref<i1>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  muon_gpu.stream ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%w : memref<4x8xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  }
  return
}

// There may be a sum for each chunk.

// REMARK: [[#@LINE+7]]:3: remark: [Missed] Sums | {{.*}}"stays a pass of its own: {{.*}}the schedules differ"

// CHECK-LABEL: func.func @schedules(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         muon_gpu.stream {{.*}}outs(
// CHECK:         return
func.func @schedules(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>) {
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  } {schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 4, chunk = 4096>}
  muon_gpu.stream ins(%g, %w : memref<4x8xf32>, memref<4x8xf32>) outs(%w : memref<4x8xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.subf %y, %x : f32
    muon_gpu.yield %0 : f32
  } {schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 2, chunk = 65536>}
  return
}

// Streams in a loop are no later passes of this block: nothing is said.

// CHECK-LABEL: func.func @loop(
// CHECK:         muon_gpu.stream ins({{[^)]*}}) sums(
// CHECK:         scf.for
// CHECK:           muon_gpu.stream {{.*}}outs(
func.func @loop(%g: memref<4x8xf32>, %w: memref<4x8xf32>, %s: memref<1xf64>, %n: index) {
  muon_gpu.stream ins(%g : memref<4x8xf32>) sums(%s : memref<1xf64>) {
  ^bb0(%x: f32):
    %0 = arith.extf %x : f32 to f64
    muon_gpu.yield %0 : f64
  }
  scf.for %i = %n to %n step %n {
    muon_gpu.stream ins(%g : memref<4x8xf32>) outs(%w : memref<4x8xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    }
  }
  return
}
