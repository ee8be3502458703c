// RUN: muon-opt --muon-raise --canonicalize --split-input-file --remarks-filter=muon-raise %s -o %t.mlir 2> %t.remarks
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: FileCheck %s --input-file=%t.remarks --check-prefix=REMARK --implicit-check-not=remark:

// One step X ← aX + (bA + cA²)X, however it is written. The coefficients are ones
// that f32 has exactly.

// REMARK: [[#@LINE+29]]:8: remark: [Passed] NewtonSchulz | Category:muon-raise | {{.*}}"1 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @left
// CHECK-SAME: %[[X:.*]]: tensor<4x6xf32>
// CHECK-NEXT: %[[BATCH:.*]] = tensor.expand_shape %[[X]] {{\[\[}}0, 1], [2]] output_shape [1, 4, 6]
// CHECK-NEXT: %[[OUT:.*]] = tensor.empty() : tensor<1x4x6xf32>
// CHECK-NEXT: %[[O:.*]] = muon.orthogonalize x(%[[BATCH]] : tensor<1x4x6xf32>) out(%[[OUT]] : tensor<1x4x6xf32>)
// CHECK-SAME: schedule = #muon.schedule<[2.000000e+00, -1.500000e+00, 5.000000e-01]>
// CHECK-SAME: steps = 1
// CHECK-NEXT: %[[R:.*]] = tensor.collapse_shape %[[O]] {{\[\[}}0, 1], [2]]
// CHECK-NEXT: return %[[R]]
func.func @left(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %zero = arith.constant 0.0 : f32
  %a = arith.constant dense<2.0> : tensor<4x6xf32>
  %b = arith.constant dense<-1.5> : tensor<4x4xf32>
  %c = arith.constant dense<0.5> : tensor<4x4xf32>
  %e44 = tensor.empty() : tensor<4x4xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %e64 = tensor.empty() : tensor<6x4xf32>
  %z44 = linalg.fill ins(%zero : f32) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %z46 = linalg.fill ins(%zero : f32) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %xt = linalg.transpose ins(%x : tensor<4x6xf32>) outs(%e64 : tensor<6x4xf32>) permutation = [1, 0]
  %g = linalg.matmul ins(%x, %xt : tensor<4x6xf32>, tensor<6x4xf32>) outs(%z44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = linalg.mul ins(%b, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %cgg = linalg.mul ins(%gg, %c : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %p = linalg.add ins(%bg, %cgg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %px = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%z46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %ax = linalg.mul ins(%a, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = linalg.add ins(%ax, %px : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// From the right, with products whose maps transpose, and arith on tensors.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<6x4xf32>"

// CHECK-LABEL: func.func @right
// CHECK-NOT: linalg
// CHECK: muon.orthogonalize x(%{{.*}} : tensor<1x6x4xf32>){{.*}}<[3.000000e+00, -3.000000e+00, 1.000000e+00]>{{.*}}steps = 1
// CHECK-NOT: linalg
#tn_a = affine_map<(m, n, k) -> (k, m)>
#nn_b = affine_map<(m, n, k) -> (k, n)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @right(%x: tensor<6x4xf32>) -> tensor<6x4xf32> {
  %z44 = arith.constant dense<0.0> : tensor<4x4xf32>
  %z64 = arith.constant dense<0.0> : tensor<6x4xf32>
  %a = arith.constant dense<3.0> : tensor<6x4xf32>
  %b = arith.constant dense<3.0> : tensor<4x4xf32>
  %g = linalg.matmul indexing_maps = [#tn_a, #nn_b, #out] ins(%x, %x : tensor<6x4xf32>, tensor<6x4xf32>) outs(%z44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  // (Xᵀ·X)ᵀ = Xᵀ·X.
  %gg = linalg.matmul indexing_maps = [#tn_a, #nn_b, #out] ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = arith.mulf %g, %b : tensor<4x4xf32>
  %p = arith.subf %gg, %bg : tensor<4x4xf32>
  %xp = linalg.matmul ins(%x, %p : tensor<6x4xf32>, tensor<4x4xf32>) outs(%z64 : tensor<6x4xf32>) -> tensor<6x4xf32>
  %ax = arith.mulf %a, %x : tensor<6x4xf32>
  %y = arith.addf %ax, %xp : tensor<6x4xf32>
  return %y : tensor<6x4xf32>
}

// -----

// b·(A·X) + c·(A·(A·X)), and −, by a map and negf: aX − (−bAX − cA(AX)).

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @associated
// CHECK-NOT: linalg
// CHECK: muon.orthogonalize {{.*}}<[1.500000e+00, -7.500000e-01, 2.500000e-01]>
// CHECK-NOT: linalg
func.func @associated(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %z44 = arith.constant dense<0.0> : tensor<4x4xf32>
  %z46 = arith.constant dense<0.0> : tensor<4x6xf32>
  %a = arith.constant 1.5 : f32
  %b = arith.constant dense<0.75> : tensor<4x6xf32>
  %four = arith.constant dense<4.0> : tensor<4x6xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %xt_e = tensor.empty() : tensor<6x4xf32>
  %xt = linalg.transpose ins(%x : tensor<4x6xf32>) outs(%xt_e : tensor<6x4xf32>) permutation = [1, 0]
  %g = linalg.matmul ins(%x, %xt : tensor<4x6xf32>, tensor<6x4xf32>) outs(%z44 : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gx = linalg.matmul ins(%g, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%z46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %ggx = linalg.matmul ins(%g, %gx : tensor<4x4xf32>, tensor<4x6xf32>) outs(%z46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %bgx = linalg.mul ins(%gx, %b : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %q = linalg.div ins(%ggx, %four : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %n = linalg.negf ins(%q : tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %s = linalg.add ins(%bgx, %n : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %ax = linalg.map ins(%x : tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>)
    (%in: f32, %old: f32) {
      %v = arith.mulf %in, %a : f32
      linalg.yield %v : f32
    }
  %y = linalg.sub ins(%ax, %s : tensor<4x6xf32>, tensor<4x6xf32>) outs(%e46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// Every product a generic, with its factors and its cases in any order, the last
// one accumulating onto aX; sums fused into one operation, one of whose inputs is
// read transposed, one of which is written so.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @generics
// CHECK-NOT: linalg
// CHECK: muon.orthogonalize {{.*}}<[2.000000e+00, -1.000000e+00, 2.500000e-01]>
// CHECK-NOT: linalg
#id = affine_map<(i, j) -> (i, j)>
#sw = affine_map<(i, j) -> (j, i)>
#row_k = affine_map<(k, n, m) -> (m, k)>
#col_k = affine_map<(k, n, m) -> (n, k)>
#k_col = affine_map<(k, n, m) -> (k, n)>
#mn = affine_map<(k, n, m) -> (m, n)>
#nm = affine_map<(k, n, m) -> (n, m)>
func.func @generics(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %two = arith.constant 2.0 : f32
  %quarter = arith.constant 0.25 : f32
  %z44 = arith.constant dense<0.0> : tensor<4x4xf32>
  %e44 = tensor.empty() : tensor<4x4xf32>
  %e46 = tensor.empty() : tensor<4x6xf32>
  %e64 = tensor.empty() : tensor<6x4xf32>
  // G = X·Xᵀ.
  %g = linalg.generic {indexing_maps = [#row_k, #col_k, #nm], iterator_types = ["reduction", "parallel", "parallel"]}
      ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z44 : tensor<4x4xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %m = arith.mulf %r, %l : f32
    %s = arith.addf %m, %acc : f32
    linalg.yield %s : f32
  } -> tensor<4x4xf32>
  %gg = linalg.generic {indexing_maps = [#row_k, #k_col, #mn], iterator_types = ["reduction", "parallel", "parallel"]}
      ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z44 : tensor<4x4xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %m = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<4x4xf32>
  // ¼·G² − G, symmetric.
  %p = linalg.generic {indexing_maps = [#sw, #id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%g, %gg : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e44 : tensor<4x4xf32>) {
  ^bb0(%b: f32, %c: f32, %old: f32):
    %m = arith.mulf %c, %quarter : f32
    %s = arith.subf %m, %b : f32
    linalg.yield %s : f32
  } -> tensor<4x4xf32>
  // 2·Xᵀ, and back.
  %axt = linalg.generic {indexing_maps = [#id, #sw], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x6xf32>) outs(%e64 : tensor<6x4xf32>) {
  ^bb0(%in: f32, %old: f32):
    %m = arith.mulf %in, %two : f32
    linalg.yield %m : f32
  } -> tensor<6x4xf32>
  %ax = linalg.transpose ins(%axt : tensor<6x4xf32>) outs(%e46 : tensor<4x6xf32>) permutation = [1, 0]
  %y = linalg.generic {indexing_maps = [#row_k, #k_col, #mn], iterator_types = ["reduction", "parallel", "parallel"]}
      ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %m = arith.mulf %l, %r : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// A cubic step has c = 0.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @cubic
// CHECK: muon.orthogonalize {{.*}}<[1.500000e+00, -5.000000e-01, 0.000000e+00]>
func.func @cubic(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %z66 = arith.constant dense<0.0> : tensor<6x6xf32>
  %z46 = arith.constant dense<0.0> : tensor<4x6xf32>
  %a = arith.constant dense<1.5> : tensor<4x6xf32>
  %b = arith.constant dense<-0.5> : tensor<4x6xf32>
  %xt_e = tensor.empty() : tensor<6x4xf32>
  %xt = linalg.transpose ins(%x : tensor<4x6xf32>) outs(%xt_e : tensor<6x4xf32>) permutation = [1, 0]
  // The larger of the two Gram matrices.
  %g = linalg.matmul ins(%xt, %x : tensor<6x4xf32>, tensor<4x6xf32>) outs(%z66 : tensor<6x6xf32>) -> tensor<6x6xf32>
  %xg = linalg.matmul ins(%x, %g : tensor<4x6xf32>, tensor<6x6xf32>) outs(%z46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %bxg = arith.mulf %xg, %b : tensor<4x6xf32>
  %ax = arith.mulf %a, %x : tensor<4x6xf32>
  %y = arith.addf %ax, %bxg : tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// A batch of three.

// REMARK: remark: [Passed] {{.*}}"1 Newton–Schulz steps on tensor<3x4x6xf32>"

// CHECK-LABEL: func.func @batch
// CHECK-SAME: %[[X:.*]]: tensor<3x4x6xf32>
// CHECK-NEXT: %[[OUT:.*]] = tensor.empty() : tensor<3x4x6xf32>
// CHECK-NEXT: %[[O:.*]] = muon.orthogonalize x(%[[X]] : tensor<3x4x6xf32>) out(%[[OUT]] : tensor<3x4x6xf32>) {{.*}}<[2.000000e+00, -1.500000e+00, 5.000000e-01]>
// CHECK-NEXT: return %[[O]]
func.func @batch(%x: tensor<3x4x6xf32>) -> tensor<3x4x6xf32> {
  %z44 = arith.constant dense<0.0> : tensor<3x4x4xf32>
  %z46 = arith.constant dense<0.0> : tensor<3x4x6xf32>
  %a = arith.constant dense<2.0> : tensor<3x4x6xf32>
  %b = arith.constant dense<-1.5> : tensor<3x4x4xf32>
  %c = arith.constant dense<0.5> : tensor<3x4x4xf32>
  %xt_e = tensor.empty() : tensor<3x6x4xf32>
  %xt = linalg.transpose ins(%x : tensor<3x4x6xf32>) outs(%xt_e : tensor<3x6x4xf32>) permutation = [0, 2, 1]
  %g = linalg.batch_matmul ins(%x, %xt : tensor<3x4x6xf32>, tensor<3x6x4xf32>) outs(%z44 : tensor<3x4x4xf32>) -> tensor<3x4x4xf32>
  %gg = linalg.batch_matmul ins(%g, %g : tensor<3x4x4xf32>, tensor<3x4x4xf32>) outs(%z44 : tensor<3x4x4xf32>) -> tensor<3x4x4xf32>
  %bg = arith.mulf %g, %b : tensor<3x4x4xf32>
  %cgg = arith.mulf %gg, %c : tensor<3x4x4xf32>
  %p = arith.addf %bg, %cgg : tensor<3x4x4xf32>
  %ax = arith.mulf %a, %x : tensor<3x4x6xf32>
  %y = linalg.batch_matmul ins(%p, %x : tensor<3x4x4xf32>, tensor<3x4x6xf32>) outs(%ax : tensor<3x4x6xf32>) -> tensor<3x4x6xf32>
  return %y : tensor<3x4x6xf32>
}

// -----

// A matrix of a batch that others are not: not every dimension 0 is one of a
// batch.

// CHECK-LABEL: func.func @no_batch
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#l = affine_map<(i, j, b, k) -> (i, b, k)>
#r = affine_map<(i, j, b, k) -> (j, b, k)>
#o = affine_map<(i, j, b, k) -> (b, i, j)>
func.func @no_batch(%x: tensor<3x3x3xf32>) -> tensor<3x3x3xf32> {
  %z = arith.constant dense<0.0> : tensor<3x3x3xf32>
  %a = arith.constant dense<2.0> : tensor<3x3x3xf32>
  %g = linalg.generic {indexing_maps = [#l, #r, #o], iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %x : tensor<3x3x3xf32>, tensor<3x3x3xf32>) outs(%z : tensor<3x3x3xf32>) {
  ^bb0(%p: f32, %q: f32, %acc: f32):
    %m = arith.mulf %p, %q : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<3x3x3xf32>
  %ax = arith.mulf %a, %x : tensor<3x3x3xf32>
  %y = linalg.batch_matmul ins(%g, %x : tensor<3x3x3xf32>, tensor<3x3x3xf32>) outs(%ax : tensor<3x3x3xf32>) -> tensor<3x3x3xf32>
  return %y : tensor<3x3x3xf32>
}
