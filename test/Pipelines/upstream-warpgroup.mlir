// RUN: muon-opt --convert-nvgpu-to-nvvm %s | FileCheck %s

// Why no lowering of ours may go through nvgpu.warpgroup.mma: for a K-major B
// (layout col) upstream advances the descriptor by 2048 bytes a step (128 units
// of 16 bytes), as for an MN-major one, where A rightly advances by 32 (2 units).
// When this fails, upstream has changed: look again.

!da = !nvgpu.warpgroup.descriptor<tensor = memref<64x64xf16, 3>>
!db = !nvgpu.warpgroup.descriptor<tensor = memref<64x128xf16, 3>>
!acc = !nvgpu.warpgroup.accumulator<fragmented = vector<64x128xf32>>

// CHECK-LABEL: func.func @product(
// CHECK: nvvm.wgmma.mma_async %[[A:[a-z0-9]+]], %[[B:[a-z0-9]+]], {{.*}} A[<f16>, <one>, <row>], B[<f16>, <one>, <col>]
// CHECK: %[[STEP_A:.+]] = llvm.mlir.constant(2 : i32) : i64
// CHECK: %[[A1:.+]] = llvm.add %[[A]], %[[STEP_A]] : i64
// CHECK: %[[STEP_B:.+]] = llvm.mlir.constant(128 : i32) : i64
// CHECK: %[[B1:.+]] = llvm.add %[[B]], %[[STEP_B]] : i64
// CHECK: nvvm.wgmma.mma_async %[[A1]], %[[B1]],
func.func @product(%a: !da, %b: !db) -> !acc {
  %zero = nvgpu.warpgroup.mma.init.accumulator -> !acc
  %c = nvgpu.warpgroup.mma %a, %b, %zero : !da, !db, !acc -> !acc
  return %c : !acc
}
