// RUN: muon-opt --linalg-specialize-generic-ops %s | FileCheck %s
// RUN: muon-opt --linalg-morph-ops=generic-to-named %s | FileCheck %s

// Why products never become linalg here: these passes of MLIR 22.1 take A·Bᵀ of
// square matrices for A·B. When this test fails, they have been corrected.

#a = affine_map<(i, j, k) -> (i, k)>
#bt = affine_map<(i, j, k) -> (j, k)>
#c = affine_map<(i, j, k) -> (i, j)>

// CHECK-LABEL: func.func @a_bt(
// CHECK-SAME: %[[A:.+]]: tensor<4x4xf32>, %[[B:.+]]: tensor<4x4xf32>, %[[C:.+]]: tensor<4x4xf32>)
// CHECK-NEXT: linalg.matmul ins(%[[A]], %[[B]] : tensor<4x4xf32>, tensor<4x4xf32>) outs(%[[C]] : tensor<4x4xf32>)
// CHECK-NOT: indexing_maps
// CHECK-NOT: transpose
// CHECK: return
func.func @a_bt(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>, %c: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = linalg.generic {indexing_maps = [#a, #bt, #c], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<4x4xf32>, tensor<4x4xf32>) outs(%c : tensor<4x4xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %1 = arith.mulf %x, %y : f32
    %2 = arith.addf %z, %1 : f32
    linalg.yield %2 : f32
  } -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}
