// RUN: muon-opt --convert-muon-gpu-to-nvvm --canonicalize --cse %s | FileCheck %s

// Width 4: accesses of four elements, `unroll` of them under way before the first
// result is needed; what is left of a chunk follows one by one.

func.func @wide(%a: memref<f32>, %x: memref<2x8x16xbf16>, %o: memref<2x8x16xf32>) {
  muon_gpu.launch {
    muon_gpu.stream scalars(%a : memref<f32>) ins(%x : memref<2x8x16xbf16>) outs(%o : memref<2x8x16xf32>) {
    ^bb0(%s: f32, %e: bf16):
      %0 = arith.extf %e : bf16 to f32
      %1 = arith.mulf %s, %0 : f32
      muon_gpu.yield %1 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 64, width = 4, unroll = 2, chunk = 1024>}
  } {phase = "wide"}
  return
}

// CHECK-LABEL: gpu.func @wide_0(
// CHECK-SAME: kernel attributes {known_block_size = array<i32: 64, 1, 1>}
// CHECK-DAG: %[[CHUNK:.+]] = arith.constant 1024 : i64
// CHECK-DAG: %[[ROW:.+]] = arith.constant 256 : i32
// CHECK-DAG: %[[SECTION:.+]] = arith.constant 512 : i32
// CHECK-COUNT-3: nvvm.barrier0
// CHECK-NOT: nvvm.barrier0
// CHECK: %[[SCALAR:.+]] = llvm.load %{{.+}} {alignment = 8 : i64} : !llvm.ptr<3> -> f32
// CHECK: %[[BEGIN:.+]] = arith.muli %{{.+}}, %[[CHUNK]] : i64
// CHECK: arith.subi %{{.+}}, %[[BEGIN]] : i64
// CHECK: arith.minsi %{{.+}}, %[[CHUNK]] : i64
// CHECK: %[[WHOLE:.+]] = arith.muli %{{.+}}, %[[SECTION]] : i32
// CHECK: scf.for %{{.+}} = %{{.+}} to %[[WHOLE]] step %[[SECTION]]
// CHECK: %[[FIRST:.+]] = llvm.load %{{.+}} {alignment = 8 : i64} : !llvm.ptr<1> -> vector<4xbf16>
// CHECK-NOT: llvm.store
// CHECK: %[[SECOND:.+]] = llvm.load %{{.+}} {alignment = 8 : i64} : !llvm.ptr<1> -> vector<4xbf16>
// CHECK: arith.mulf %[[SCALAR]], %{{.+}} : f32
// CHECK-COUNT-2: llvm.store %{{.+}}, %{{.+}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// CHECK-NOT: llvm.store
// CHECK: scf.for %{{.+}} step %[[ROW]]
// CHECK: llvm.load %{{.+}} {alignment = 8 : i64} : !llvm.ptr<1> -> vector<4xbf16>
// CHECK: llvm.store %{{.+}}, %{{.+}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// CHECK-NOT: scf.for
// CHECK-NOT: nvvm.barrier0
// CHECK: gpu.return

// Width 1: matrices of 15 elements.

func.func @narrow(%x: memref<2x3x5xbf16>, %o: memref<2x3x5xf32>) {
  muon_gpu.launch {
    muon_gpu.stream ins(%x : memref<2x3x5xbf16>) outs(%o : memref<2x3x5xf32>) {
    ^bb0(%e: bf16):
      %0 = arith.extf %e : bf16 to f32
      muon_gpu.yield %0 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 64, width = 1, unroll = 1, chunk = 1024>}
  } {phase = "narrow"}
  return
}

// CHECK-LABEL: gpu.func @narrow_1(
// CHECK-NOT: vector<
// CHECK: llvm.load %{{.+}} {alignment = 2 : i64} : !llvm.ptr<1> -> bf16
// CHECK: llvm.store %{{.+}}, %{{.+}} {alignment = 4 : i64} : f32, !llvm.ptr<1>
// CHECK-NOT: vector<
// CHECK: gpu.return

// Rows that lie apart: the place of an element takes a division.

func.func @padded(%x: memref<2x8x12xf32>, %o: memref<2x8x12xbf16, strided<[128, 16, 1]>>) {
  muon_gpu.launch {
    muon_gpu.stream ins(%x : memref<2x8x12xf32>) outs(%o : memref<2x8x12xbf16, strided<[128, 16, 1]>>) {
    ^bb0(%e: f32):
      %0 = arith.truncf %e : f32 to bf16
      muon_gpu.yield %0 : bf16
    } {schedule = #muon_gpu.stream_schedule<threads = 64, width = 4, unroll = 1, chunk = 1024>}
  } {phase = "padded"}
  return
}

// CHECK-LABEL: gpu.func @padded_2(
// CHECK: scf.for
// CHECK: llvm.load {{.*}} -> vector<4xf32>
// CHECK: %[[ROW:.+]] = arith.divui %[[PLACE:.+]], %[[COLUMNS:.+]] : i64
// CHECK: %[[START:.+]] = arith.muli %[[ROW]], %{{.+}} : i64
// CHECK: %[[COLUMN:.+]] = arith.remui %[[PLACE]], %[[COLUMNS]] : i64
// CHECK: arith.addi %[[START]], %[[COLUMN]] : i64
// CHECK: llvm.store %{{.+}}, %{{.+}} {alignment = 8 : i64} : vector<4xbf16>, !llvm.ptr<1>

// Two sums share their place in shared memory, with a barrier between them.
// All of it is under a flag.

func.func @sums(%x: memref<1x8x16xf32>, %p: memref<1xf64>, %q: memref<1xf64>, %ok: memref<i1>) {
  muon_gpu.launch when(%ok : memref<i1>) {
    muon_gpu.stream ins(%x : memref<1x8x16xf32>) sums(%p, %q : memref<1xf64>, memref<1xf64>) {
    ^bb0(%e: f32):
      %0 = arith.extf %e : f32 to f64
      %1 = arith.mulf %0, %0 : f64
      muon_gpu.yield %0, %1 : f64, f64
    } {schedule = #muon_gpu.stream_schedule<threads = 64, width = 4, unroll = 1, chunk = 1024>}
  } {phase = "sums"}
  return
}

// CHECK-LABEL: gpu.func @sums_3(
// CHECK-COUNT-3: nvvm.barrier0
// CHECK: %[[BYTE:.+]] = llvm.load %{{.+}} -> i8
// CHECK: scf.if
// CHECK: scf.for {{.*}} -> (f64, f64)
// CHECK: %[[ALL:.+]]:2 = scf.for {{.*}} -> (f64, f64)
// CHECK: llvm.bitcast %[[ALL]]#0 : f64 to i64
// CHECK-COUNT-10: nvvm.shfl.sync bfly
// CHECK: llvm.store %{{.+}} : f64, !llvm.ptr<3>
// CHECK: nvvm.barrier0
// CHECK-COUNT-2: llvm.load {{.*}} : !llvm.ptr<3> -> f64
// CHECK: llvm.store %{{.+}} : f64, !llvm.ptr<1>
// CHECK: nvvm.barrier0
// CHECK: llvm.bitcast %[[ALL]]#1 : f64 to i64
// CHECK-COUNT-10: nvvm.shfl.sync bfly
// CHECK-NOT: nvvm.shfl
// CHECK: llvm.store %{{.+}} : f64, !llvm.ptr<1>
// CHECK: gpu.return

// math.sqrt is the instruction that rounds to nearest, in both widths.

func.func @sqrt(%x: memref<1x8x16xf32>) {
  muon_gpu.launch {
    muon_gpu.stream ins(%x : memref<1x8x16xf32>) outs(%x : memref<1x8x16xf32>) {
    ^bb0(%e: f32):
      %0 = math.sqrt %e : f32
      %1 = arith.extf %0 : f32 to f64
      %2 = math.sqrt %1 : f64
      %3 = arith.truncf %2 : f64 to f32
      muon_gpu.yield %3 : f32
    } {schedule = #muon_gpu.stream_schedule<threads = 64, width = 4, unroll = 1, chunk = 1024>}
  } {phase = "sqrt"}
  return
}

// CHECK-LABEL: gpu.func @sqrt_4(
// CHECK-NOT: math.sqrt
// CHECK: llvm.call_intrinsic "llvm.nvvm.sqrt.rn.f"
// CHECK: llvm.call_intrinsic "llvm.nvvm.sqrt.rn.d"
// CHECK-NOT: math.sqrt
// CHECK: gpu.return
