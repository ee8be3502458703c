// RUN: muon-opt --convert-muon-gpu-to-nvvm --canonicalize --cse %s | FileCheck %s

// One warp computes a tile of 16×16: two blocks of 16×8 results, in slices of 32
// of the inner dimension, two of them under way while a third is multiplied.
// Rows of 64 bytes lie permuted in shared memory.

func.func @bf16(%a: memref<1x64x64xbf16>, %b: memref<1x32x64xbf16>, %o: memref<1x64x32xf32>) {
  muon_gpu.launch {
    muon_gpu.matmul lhs(%a : memref<1x64x64xbf16>) rhs(%b : memref<1x32x64xbf16>) outs(%o : memref<1x64x32xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {rhs_transposed, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 32, warps_m = 1, warps_n = 1, stages = 3, raster = 4, width = 4, masked = false>}
  } {phase = "bf16"}
  return
}

// CHECK-LABEL: gpu.func @bf16_0(
// CHECK-SAME: kernel attributes {known_block_size = array<i32: 32, 1, 1>, nvvm.minctasm = 14 : i32}
// CHECK-DAG: %[[ZERO:.+]] = arith.constant 0.000000e+00 : f32
// CHECK-DAG: %[[FIRST:.+]] = arith.constant 0 : i32
// CHECK-DAG: %[[TWO:.+]] = arith.constant 2 : i32
// CHECK-DAG: %[[SHARED:.+]] = llvm.mlir.addressof @muon_shared : !llvm.ptr<3>
// CHECK: nvvm.read.ptx.sreg.tid.x
// CHECK-COUNT-3: nvvm.barrier0
// CHECK-NOT: nvvm.barrier0
// CHECK: arith.xori
// CHECK: arith.xori
// CHECK-COUNT-4: nvvm.cp.async.shared.global %{{.+}}, %{{.+}}, 16, cache =  cg : !llvm.ptr<3>, !llvm.ptr<1>
// CHECK-NEXT: nvvm.cp.async.commit.group
// CHECK: scf.if
// CHECK-COUNT-4: nvvm.cp.async.shared.global
// CHECK-NEXT: }
// CHECK-NEXT: nvvm.cp.async.commit.group
// CHECK-NOT: nvvm.cp.async
// CHECK: %[[DONE:.+]]:10 = scf.for {{.*}} iter_args(
// CHECK-SAME: = %[[ZERO]], {{.*}} = %[[FIRST]], %{{.+}} = %[[TWO]])
// CHECK-NEXT: nvvm.cp.async.wait.group 1
// CHECK-NEXT: nvvm.barrier0
// CHECK: scf.if
// CHECK-COUNT-4: nvvm.cp.async.shared.global
// CHECK-NEXT: }
// CHECK-NEXT: nvvm.cp.async.commit.group
// CHECK: nvvm.ldmatrix %{{.+}} {eltType = #nvvm.ld_st_matrix_elt_type<b16>, layout = #nvvm.mma_layout<row>, num = 4 : i32
// CHECK: nvvm.ldmatrix %{{.+}} {eltType = #nvvm.ld_st_matrix_elt_type<b16>, layout = #nvvm.mma_layout<row>, num = 4 : i32
// CHECK: nvvm.mma.sync A[%[[A0:[0-9]+]], %{{.+}}, %{{.+}}, %{{.+}}]  B[%[[B0:[0-9]+]], %[[B1:[0-9]+]]]
// CHECK-SAME: multiplicandAPtxType = #nvvm.mma_type<bf16>, multiplicandBPtxType = #nvvm.mma_type<bf16>, shape = #nvvm.shape<m = 16, n = 8, k = 16>} : (i32, i32, f32)
// CHECK: nvvm.mma.sync A[%[[A0]], %{{.+}}]  B[%{{.+}}, %{{.+}}]
// CHECK-COUNT-2: nvvm.ldmatrix
// CHECK-COUNT-2: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
// CHECK: scf.yield
// CHECK: nvvm.cp.async.wait.group 0
// CHECK-NEXT: nvvm.barrier0
// CHECK-COUNT-4: llvm.store %{{.+}}, %{{.+}} {alignment = 8 : i64} : vector<2xf32>, !llvm.ptr<3>
// CHECK-NEXT: nvvm.barrier0
// CHECK: scf.for
// CHECK: llvm.load %{{.+}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
// CHECK: llvm.store %{{.+}}, %{{.+}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// CHECK-NOT: scf.if
// CHECK: gpu.return

// Operands of f16 are pairs. Operands whose rows run across the inner dimension
// are transposed on their way out of shared memory: here lhs alone.

func.func @f16(%a: memref<1x64x64xf16>, %b: memref<1x32x64xf16>, %o: memref<1x64x32xf16>) {
  muon_gpu.launch {
    muon_gpu.matmul lhs(%a : memref<1x64x64xf16>) rhs(%b : memref<1x32x64xf16>) outs(%o : memref<1x64x32xf16>) {
    ^bb0(%acc: f32):
      %0 = arith.truncf %acc : f32 to f16
      muon_gpu.yield %0 : f16
    } {lhs_transposed, rhs_transposed, schedule = #muon_gpu.schedule<m = 32, n = 16, k = 32, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 4, masked = false>}
  } {phase = "f16"}
  return
}

// CHECK-LABEL: gpu.func @f16_1(
// CHECK: scf.for
// CHECK-NEXT: nvvm.cp.async.wait.group 0
// CHECK: nvvm.ldmatrix %{{.+}} {{.*}}layout = #nvvm.mma_layout<col>, num = 4
// CHECK: llvm.bitcast %{{.+}} : i32 to vector<2xf16>
// CHECK: nvvm.ldmatrix %{{.+}} {{.*}}layout = #nvvm.mma_layout<col>, num = 4
// CHECK: nvvm.ldmatrix %{{.+}} {{.*}}layout = #nvvm.mma_layout<row>, num = 4
// CHECK: nvvm.mma.sync
// CHECK-SAME: shape = #nvvm.shape<m = 16, n = 8, k = 16>} : (vector<2xf16>, vector<2xf16>, f32)
// CHECK-COUNT-7: nvvm.mma.sync
// CHECK-NOT: nvvm.mma.sync
// CHECK: llvm.store %{{.+}}, %{{.+}} {alignment = 8 : i64} : vector<4xf16>, !llvm.ptr<1>

// The same for rhs alone, whose rows run along the columns of the result.

func.func @rhs(%a: memref<1x64x64xbf16>, %b: memref<1x64x32xbf16>, %o: memref<1x64x32xf32>) {
  muon_gpu.launch {
    muon_gpu.matmul lhs(%a : memref<1x64x64xbf16>) rhs(%b : memref<1x64x32xbf16>) outs(%o : memref<1x64x32xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {schedule = #muon_gpu.schedule<m = 16, n = 32, k = 32, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 4, masked = false>}
  } {phase = "rhs"}
  return
}

// CHECK-LABEL: gpu.func @rhs_2(
// CHECK: nvvm.ldmatrix %{{.+}} {{.*}}layout = #nvvm.mma_layout<row>, num = 4
// CHECK: nvvm.ldmatrix %{{.+}} {{.*}}layout = #nvvm.mma_layout<col>, num = 4
// CHECK: nvvm.ldmatrix %{{.+}} {{.*}}layout = #nvvm.mma_layout<col>, num = 4
// CHECK: nvvm.mma.sync

// tf32: ldmatrix moves pairs of 16 bits that are one element, which is rounded
// before it is multiplied.

func.func @tf32(%a: memref<1x64x64xf32>, %b: memref<1x32x64xf32>, %o: memref<1x64x32xf32>) {
  muon_gpu.launch {
    muon_gpu.matmul lhs(%a : memref<1x64x64xf32>) rhs(%b : memref<1x32x64xf32>) outs(%o : memref<1x64x32xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {rhs_transposed, tf32, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 16, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 4, masked = false>}
  } {phase = "tf32"}
  return
}

// CHECK-LABEL: gpu.func @tf32_3(
// CHECK: %[[MATRICES:.+]] = nvvm.ldmatrix
// CHECK: %[[PART:.+]] = llvm.extractvalue %[[MATRICES]][0]
// CHECK: %[[X:.+]] = llvm.bitcast %[[PART]] : i32 to f32
// CHECK: %[[A:.+]] = nvvm.convert.float.to.tf32 %[[X]] {rnd = #nvvm.fp_rnd_mode<rna>}
// CHECK-COUNT-7: nvvm.convert.float.to.tf32
// CHECK: nvvm.mma.sync A[%[[A]], %{{.+}}, %{{.+}}, %{{.+}}]
// CHECK-SAME: multiplicandAPtxType = #nvvm.mma_type<tf32>, multiplicandBPtxType = #nvvm.mma_type<tf32>, shape = #nvvm.shape<m = 16, n = 8, k = 8>} : (i32, i32, f32)

// Transposed, tf32 comes element by element: ldmatrix would tear them apart.

func.func @tf32_transposed(%a: memref<1x64x64xf32>, %b: memref<1x64x32xf32>, %o: memref<1x64x32xf32>) {
  muon_gpu.launch {
    muon_gpu.matmul lhs(%a : memref<1x64x64xf32>) rhs(%b : memref<1x64x32xf32>) outs(%o : memref<1x64x32xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {lhs_transposed, tf32, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 16, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 4, masked = false>}
  } {phase = "tf32_transposed"}
  return
}

// CHECK-LABEL: gpu.func @tf32_transposed_4(
// CHECK-NOT: nvvm.ldmatrix
// CHECK-COUNT-8: llvm.load %{{.+}} {alignment = 4 : i64} : !llvm.ptr<3> -> i32
// CHECK: nvvm.mma.sync
// CHECK-SAME: #nvvm.shape<m = 16, n = 8, k = 8>
// CHECK: gpu.return

// f32 is no matter of tensor cores, and nothing is rounded.

func.func @f32(%a: memref<1x64x64xf32>, %b: memref<1x32x64xf32>, %o: memref<1x64x32xf32>) {
  muon_gpu.launch {
    muon_gpu.matmul lhs(%a : memref<1x64x64xf32>) rhs(%b : memref<1x32x64xf32>) outs(%o : memref<1x64x32xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {rhs_transposed, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 16, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 4, masked = false>}
  } {phase = "f32"}
  return
}

// 256 results and 16 of the inner dimension for 32 threads.
// CHECK-LABEL: gpu.func @f32_5(
// CHECK-NOT: nvvm.mma.sync
// CHECK-NOT: nvvm.convert.float.to.tf32
// CHECK: llvm.load %{{.+}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
// CHECK-COUNT-128: llvm.intr.fma(
// CHECK-NOT: llvm.intr.fma(
// CHECK-NOT: nvvm.mma.sync
// CHECK: gpu.return

// Sizes that are no multiples of the tile: copies take as many bytes as there
// are, between 0 and 16, and results outside are not stored. Rows of 33 elements
// are stored one by one.

func.func @masked(%a: memref<1x20x56xbf16>, %b: memref<1x33x56xbf16>, %o: memref<1x20x33xf32>) {
  muon_gpu.launch {
    muon_gpu.matmul lhs(%a : memref<1x20x56xbf16>) rhs(%b : memref<1x33x56xbf16>) outs(%o : memref<1x20x33xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {rhs_transposed, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 32, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 1, masked = true>}
  } {phase = "masked"}
  return
}

// CHECK-LABEL: gpu.func @masked_6(
// CHECK-DAG: %[[NONE:.+]] = arith.constant 0 : i32
// CHECK-DAG: %[[TWO:.+]] = arith.constant 2 : i32
// CHECK-DAG: %[[ALL:.+]] = arith.constant 16 : i32
// CHECK: %[[IN:.+]] = arith.cmpi slt, %{{.+}}, %{{.+}} : i32
// CHECK: %[[LEFT:.+]] = arith.muli %{{.+}}, %[[TWO]] : i32
// CHECK-NEXT: %[[MOST:.+]] = arith.minsi %[[LEFT]], %[[ALL]] : i32
// CHECK-NEXT: %[[LEAST:.+]] = arith.maxsi %[[MOST]], %[[NONE]] : i32
// CHECK-NEXT: %[[BYTES:.+]] = arith.select %{{.+}}, %[[LEAST]], %[[NONE]] : i32
// CHECK: nvvm.cp.async.shared.global %{{.+}}, %{{.+}}, 16, cache =  cg, %[[BYTES]] : !llvm.ptr<3>, !llvm.ptr<1>, i32
// CHECK: nvvm.mma.sync
// CHECK: nvvm.cp.async.wait.group 0
// CHECK: scf.for
// CHECK: %[[ROW:.+]] = arith.cmpi slt
// CHECK: %[[COLUMN:.+]] = arith.cmpi slt
// CHECK: %[[INSIDE:.+]] = arith.andi %[[ROW]], %[[COLUMN]] : i1
// CHECK-NEXT: scf.if %[[INSIDE]] {
// CHECK: %[[RESULT:.+]] = llvm.load %{{.+}} {alignment = 4 : i64} : !llvm.ptr<3> -> f32
// CHECK: llvm.store %[[RESULT]], %{{.+}} {alignment = 4 : i64} : f32, !llvm.ptr<1>

// What is symmetric: tiles on one side of the diagonal, whose row and column
// follow from a square root, and their mirror images. The square root rounds as
// IEEE 754 says.

func.func @symmetric(%a: memref<1x64x64xbf16>, %o: memref<1x64x64xbf16>) {
  muon_gpu.launch {
    muon_gpu.matmul lhs(%a : memref<1x64x64xbf16>) rhs(%a : memref<1x64x64xbf16>) outs(%o : memref<1x64x64xbf16>) {
    ^bb0(%acc: f32):
      %0 = arith.truncf %acc : f32 to bf16
      muon_gpu.yield %0 : bf16
    } {rhs_transposed, symmetric, schedule = #muon_gpu.schedule<m = 16, n = 16, k = 32, warps_m = 1, warps_n = 1, stages = 2, raster = 4, width = 4, masked = false>}
  } {phase = "symmetric"}
  return
}

// CHECK-LABEL: gpu.func @symmetric_7(
// CHECK: %[[NUMBER:.+]] = arith.sitofp %{{.+}} : i32 to f32
// CHECK: llvm.call_intrinsic "llvm.nvvm.sqrt.rn.f"(%[[NUMBER]])
// CHECK: arith.fptosi
// CHECK-COUNT-2: arith.select
// CHECK: %[[DIAGONAL:.+]] = arith.cmpi eq, %[[I:.+]], %[[J:.+]] : i32
// CHECK: nvvm.mma.sync
// CHECK: nvvm.cp.async.wait.group 0
// CHECK: scf.for
// CHECK: %[[OFF:.+]] = arith.cmpi ne, %[[I]], %[[J]] : i32
// CHECK-NEXT: scf.if %[[OFF]] {
// CHECK: llvm.store %{{.+}} : vector<4xbf16>, !llvm.ptr<1>
// CHECK: nvvm.barrier0
// CHECK: scf.for
// CHECK: %[[UPPER:.+]] = arith.cmpi sle, %{{.+}}, %{{.+}} : i32
// CHECK: arith.andi %[[DIAGONAL]], %[[UPPER]] : i1
// CHECK: llvm.store %{{.+}} : vector<4xbf16>, !llvm.ptr<1>
// CHECK: gpu.return

// A flag that is not set keeps a block from all that follows the prologue.

func.func @condition(%a: memref<1x64x64xbf16>, %b: memref<1x32x64xbf16>, %o: memref<1x64x32xf32>, %ok: memref<i1>) {
  muon_gpu.launch when(%ok : memref<i1>) {
    muon_gpu.matmul lhs(%a : memref<1x64x64xbf16>) rhs(%b : memref<1x32x64xbf16>) outs(%o : memref<1x64x32xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    } {rhs_transposed, schedule = #muon_gpu.schedule<m = 32, n = 16, k = 32, warps_m = 2, warps_n = 1, stages = 2, raster = 4, width = 4, masked = false>}
  } {phase = "condition"}
  return
}

// CHECK-LABEL: gpu.func @condition_8(
// CHECK-COUNT-3: nvvm.barrier0
// CHECK-NOT: llvm.store
// CHECK: %[[BYTE:.+]] = llvm.load %{{.+}} -> i8
// CHECK-NEXT: %[[SET:.+]] = arith.cmpi ne, %[[BYTE]], %{{.+}} : i8
// CHECK-NEXT: scf.if %[[SET]] {
// CHECK: nvvm.cp.async.shared.global
// CHECK: nvvm.mma.sync
// CHECK: llvm.store %{{.+}} : vector<4xf32>, !llvm.ptr<1>
// CHECK-NOT: llvm.store
// CHECK: gpu.return

// Scalars and constants are loaded once, tiles with the result; a sum is one
// number of each block, first of its warps' lanes, then of its warps.

func.func @sums(%a: memref<2x64x64xbf16>, %b: memref<2x32x64xbf16>, %f: memref<2xf32>, %w: memref<2x64x32xbf16>, %o: memref<2x64x32xf32>, %s: memref<8xf64>) {
  muon_gpu.launch {
    muon_gpu.matmul lhs(%a : memref<2x64x64xbf16>) rhs(%b : memref<2x32x64xbf16>) scalars(%f : memref<2xf32>) tiles(%w : memref<2x64x32xbf16>) outs(%w, %o : memref<2x64x32xbf16>, memref<2x64x32xf32>) sums(%s : memref<8xf64>) {
    ^bb0(%acc: f32, %alpha: f64, %factor: f32, %old: bf16):
      %0 = arith.truncf %alpha : f64 to f32
      %1 = arith.mulf %acc, %0 : f32
      %2 = arith.mulf %1, %factor : f32
      %3 = arith.extf %old : bf16 to f32
      %4 = arith.addf %2, %3 : f32
      %5 = arith.truncf %4 : f32 to bf16
      %6 = arith.extf %4 : f32 to f64
      %7 = arith.mulf %6, %6 : f64
      muon_gpu.yield %5, %4, %7 : bf16, f32, f64
    } {constants = array<f64: 0.5>, rhs_transposed, schedule = #muon_gpu.schedule<m = 32, n = 16, k = 32, warps_m = 2, warps_n = 1, stages = 2, raster = 4, width = 4, masked = false>}
  } {phase = "sums"}
  return
}

// CHECK-LABEL: gpu.func @sums_9(
// CHECK-DAG: %[[ZERO:.+]] = arith.constant 0.000000e+00 : f64
// CHECK: nvvm.cp.async.wait.group 0
// CHECK: %[[SUM:.+]] = scf.for {{.*}} iter_args(%[[OLD:.+]] = %[[ZERO]]) -> (f64)
// CHECK: llvm.load %{{.+}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
// CHECK: llvm.load %{{.+}} {alignment = 8 : i64} : !llvm.ptr<1> -> vector<4xbf16>
// CHECK: %[[SQUARE:.+]] = arith.mulf %[[WIDE:.+]], %[[WIDE]] : f64
// CHECK: arith.addf %[[OLD]], %[[SQUARE]] : f64
// CHECK-COUNT-3: arith.addf %{{.+}} : f64
// CHECK: llvm.store %{{.+}} : vector<4xbf16>, !llvm.ptr<1>
// CHECK: llvm.store %{{.+}} : vector<4xf32>, !llvm.ptr<1>
// CHECK: scf.yield
// CHECK: nvvm.barrier0
// CHECK: llvm.bitcast %[[SUM]] : f64 to i64
// CHECK-COUNT-10: nvvm.shfl.sync bfly
// CHECK-NOT: nvvm.shfl
// CHECK: llvm.store %{{.+}} : f64, !llvm.ptr<3>
// CHECK: nvvm.barrier0
// CHECK-COUNT-2: llvm.load %{{.+}} {alignment = 8 : i64} : !llvm.ptr<3> -> f64
// CHECK: arith.addf
// CHECK: scf.if
// CHECK-NEXT: llvm.store %{{.+}}, %{{.+}} {alignment = 8 : i64} : f64, !llvm.ptr<1>
