// RUN: muon-opt --muon-raise --canonicalize --split-input-file --remarks-filter=muon-raise %s -o %t.mlir 2> %t.remarks
// RUN: FileCheck %s --input-file=%t.mlir
// RUN: FileCheck %s --input-file=%t.remarks --check-prefix=REMARK --implicit-check-not=remark:

// What looks like a step and is none stays as it is, and the reason is said.

// A coefficient that is an argument.

// REMARK: remark: [Missed] NewtonSchulz | {{.*}}"no Newton–Schulz step, though a matrix is multiplied by its transpose: has a coefficient that is no constant"

// CHECK-LABEL: func.func @argument
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @argument(%x: tensor<4x6xf32>, %b: tensor<4x4xf32>) -> tensor<4x6xf32> {
  %a1 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b1 = arith.constant dense<-1.5> : tensor<4x4xf32>
  %c1 = arith.constant dense<0.5> : tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %z46 = arith.constant dense<0.0> : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = arith.mulf %g, %b : tensor<4x4xf32>
  %cgg = arith.mulf %gg, %c1 : tensor<4x4xf32>
  %p = arith.addf %bg, %cgg : tensor<4x4xf32>
  %ax = arith.mulf %x, %a1 : tensor<4x6xf32>
  %y = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// A third power of A. The sum without it is no step either.

// REMARK: remark: [Missed] NewtonSchulz | {{.*}}"no Newton–Schulz step, though a matrix is multiplied by its transpose: makes a polynomial of a higher degree than aX + (bA + cA²)X"

// CHECK-LABEL: func.func @third_power
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @third_power(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %a1 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b1 = arith.constant dense<-1.5> : tensor<4x4xf32>
  %c1 = arith.constant dense<0.5> : tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %z46 = arith.constant dense<0.0> : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = arith.mulf %g, %b1 : tensor<4x4xf32>
  %cgg = arith.mulf %gg, %c1 : tensor<4x4xf32>
  %p = arith.addf %bg, %cgg : tensor<4x4xf32>
  %ggg = linalg.matmul ins(%gg, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gggx = linalg.matmul ins(%ggg, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%z46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  %ax = arith.mulf %x, %a1 : tensor<4x6xf32>
  %s = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = arith.addf %s, %gggx : tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// The same, by Horner's rule.

// REMARK: remark: [Missed] NewtonSchulz | {{.*}}"no Newton–Schulz step, though a matrix is multiplied by its transpose: makes a polynomial of a higher degree than aX + (bA + cA²)X"

// CHECK-LABEL: func.func @horner
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @horner(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %a1 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b1 = arith.constant dense<-1.5> : tensor<4x4xf32>
  %c1 = arith.constant dense<0.5> : tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %z46 = arith.constant dense<0.0> : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = arith.mulf %g, %b1 : tensor<4x4xf32>
  %cgg = arith.mulf %gg, %c1 : tensor<4x4xf32>
  %p = arith.addf %bg, %cgg : tensor<4x4xf32>
  %ax = arith.mulf %x, %a1 : tensor<4x6xf32>
  %s = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) -> tensor<4x6xf32>
  %y = linalg.matmul ins(%g, %s : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// No aX.

// REMARK: remark: [Missed] NewtonSchulz | {{.*}}"no Newton–Schulz step, though a matrix is multiplied by its transpose: has no aX"

// CHECK-LABEL: func.func @no_ax
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @no_ax(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %a1 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b1 = arith.constant dense<-1.5> : tensor<4x4xf32>
  %c1 = arith.constant dense<0.5> : tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %z46 = arith.constant dense<0.0> : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = arith.mulf %g, %b1 : tensor<4x4xf32>
  %cgg = arith.mulf %gg, %c1 : tensor<4x4xf32>
  %p = arith.addf %bg, %cgg : tensor<4x4xf32>
  %y = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%z46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// A², element by element.

// REMARK: remark: [Missed] NewtonSchulz | {{.*}}"no Newton–Schulz step, though a matrix is multiplied by its transpose: multiplies elements, not matrices"

// CHECK-LABEL: func.func @hadamard
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @hadamard(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %a1 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b1 = arith.constant dense<-1.5> : tensor<4x4xf32>
  %c1 = arith.constant dense<0.5> : tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %z46 = arith.constant dense<0.0> : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = arith.mulf %g, %g : tensor<4x4xf32>
  %bg = arith.mulf %g, %b1 : tensor<4x4xf32>
  %cgg = arith.mulf %gg, %c1 : tensor<4x4xf32>
  %p = arith.addf %bg, %cgg : tensor<4x4xf32>
  %ax = arith.mulf %x, %a1 : tensor<4x6xf32>
  %y = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// A number is added, not a matrix.

// REMARK: remark: [Missed] NewtonSchulz | {{.*}}"no Newton–Schulz step, though a matrix is multiplied by its transpose: adds something that is no polynomial in X"

// CHECK-LABEL: func.func @shifted
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @shifted(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %a1 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b1 = arith.constant dense<-1.5> : tensor<4x4xf32>
  %c1 = arith.constant dense<0.5> : tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %z46 = arith.constant dense<0.0> : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = arith.addf %g, %b1 : tensor<4x4xf32>
  %cgg = arith.mulf %gg, %c1 : tensor<4x4xf32>
  %p = arith.addf %bg, %cgg : tensor<4x4xf32>
  %ax = arith.mulf %x, %a1 : tensor<4x6xf32>
  %y = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// Another matrix is added.

// REMARK: remark: [Missed] NewtonSchulz | {{.*}}"no Newton–Schulz step, though a matrix is multiplied by its transpose: adds something that is no polynomial in X"

// CHECK-LABEL: func.func @other_added
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @other_added(%x: tensor<4x6xf32>, %w: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %a1 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b1 = arith.constant dense<-1.5> : tensor<4x4xf32>
  %c1 = arith.constant dense<0.5> : tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %z46 = arith.constant dense<0.0> : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = arith.mulf %g, %b1 : tensor<4x4xf32>
  %cgg = arith.mulf %gg, %c1 : tensor<4x4xf32>
  %p = arith.addf %bg, %cgg : tensor<4x4xf32>
  %y = linalg.matmul ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%w : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// Another matrix is multiplied.

// REMARK: remark: [Missed] NewtonSchulz | {{.*}}"no Newton–Schulz step, though a matrix is multiplied by its transpose: multiplies by a matrix that is no polynomial in X"

// CHECK-LABEL: func.func @other_multiplied
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @other_multiplied(%x: tensor<4x6xf32>, %w: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %a1 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b1 = arith.constant dense<-1.5> : tensor<4x4xf32>
  %c1 = arith.constant dense<0.5> : tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %z46 = arith.constant dense<0.0> : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = arith.mulf %g, %b1 : tensor<4x4xf32>
  %cgg = arith.mulf %gg, %c1 : tensor<4x4xf32>
  %p = arith.addf %bg, %cgg : tensor<4x4xf32>
  %y = linalg.matmul ins(%p, %w : tensor<4x4xf32>, tensor<4x6xf32>) outs(%z46 : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// A sum of −products.

// REMARK: remark: [Missed] NewtonSchulz

// CHECK-LABEL: func.func @negated
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
#kn = affine_map<(m, n, k) -> (k, n)>
func.func @negated(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %a1 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b1 = arith.constant dense<-1.5> : tensor<4x4xf32>
  %c1 = arith.constant dense<0.5> : tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %z46 = arith.constant dense<0.0> : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = arith.mulf %g, %b1 : tensor<4x4xf32>
  %cgg = arith.mulf %gg, %c1 : tensor<4x4xf32>
  %p = arith.addf %bg, %cgg : tensor<4x4xf32>
  %ax = arith.mulf %x, %a1 : tensor<4x6xf32>
  %y = linalg.generic {indexing_maps = [#nn_a, #kn, #out], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %n = arith.negf %l : f32
    %m = arith.mulf %n, %r : f32
    %s = arith.addf %acc, %m : f32
    linalg.yield %s : f32
  } -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// A sum of |products|.

// REMARK: remark: [Missed] NewtonSchulz

// CHECK-LABEL: func.func @absolute
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
#kn = affine_map<(m, n, k) -> (k, n)>
func.func @absolute(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %a1 = arith.constant dense<2.0> : tensor<4x6xf32>
  %b1 = arith.constant dense<-1.5> : tensor<4x4xf32>
  %c1 = arith.constant dense<0.5> : tensor<4x4xf32>
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %z46 = arith.constant dense<0.0> : tensor<4x6xf32>
  %g = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %bg = arith.mulf %g, %b1 : tensor<4x4xf32>
  %cgg = arith.mulf %gg, %c1 : tensor<4x4xf32>
  %p = arith.addf %bg, %cgg : tensor<4x4xf32>
  %ax = arith.mulf %x, %a1 : tensor<4x6xf32>
  %y = linalg.generic {indexing_maps = [#nn_a, #kn, #out], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%p, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ax : tensor<4x6xf32>) {
  ^bb0(%l: f32, %r: f32, %acc: f32):
    %m = arith.mulf %l, %r : f32
    %n = math.absf %m : f32
    %s = arith.addf %acc, %n : f32
    linalg.yield %s : f32
  } -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// 101 steps.

// REMARK: remark: [Missed] NewtonSchulz | {{.*}}"101 Newton–Schulz steps, expected at most 100"

// CHECK-LABEL: func.func @too_many
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @too_many(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %lb = arith.constant 0 : index
  %ub = arith.constant 101 : index
  %one = arith.constant 1 : index
  %y = scf.for %i = %lb to %ub step %one iter_args(%s = %x) -> (tensor<4x6xf32>) {
    %gv = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%s, %s : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
    %bv = arith.mulf %gv, %b1 : tensor<4x4xf32>
    %av = arith.mulf %s, %a1 : tensor<4x6xf32>
    %v = linalg.matmul ins(%bv, %s : tensor<4x4xf32>, tensor<4x6xf32>) outs(%av : tensor<4x6xf32>) -> tensor<4x6xf32>
    scf.yield %v : tensor<4x6xf32>
  }
  return %y : tensor<4x6xf32>
}

// -----

// 100 are not.

// REMARK: remark: [Passed] {{.*}}"100 Newton–Schulz steps on tensor<4x6xf32>"

// CHECK-LABEL: func.func @many
// CHECK: muon.orthogonalize {{.*}}steps = 100
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @many(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %lb = arith.constant 0 : index
  %ub = arith.constant 100 : index
  %one = arith.constant 1 : index
  %y = scf.for %i = %lb to %ub step %one iter_args(%s = %x) -> (tensor<4x6xf32>) {
    %gv = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%s, %s : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
    %bv = arith.mulf %gv, %b1 : tensor<4x4xf32>
    %av = arith.mulf %s, %a1 : tensor<4x6xf32>
    %v = linalg.matmul ins(%bv, %s : tensor<4x4xf32>, tensor<4x6xf32>) outs(%av : tensor<4x6xf32>) -> tensor<4x6xf32>
    scf.yield %v : tensor<4x6xf32>
  }
  return %y : tensor<4x6xf32>
}

// -----

// An output that holds nothing yet is not 0.

// CHECK-LABEL: func.func @empty
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @empty(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %z = tensor.empty() : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %gy = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  %by = arith.mulf %gy, %b1 : tensor<4x4xf32>
  %ay = arith.mulf %x, %a1 : tensor<4x6xf32>
  %y = linalg.matmul ins(%by, %x : tensor<4x4xf32>, tensor<4x6xf32>) outs(%ay : tensor<4x6xf32>) -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}

// -----

// A Gram matrix alone is not remarked on.

// CHECK-LABEL: func.func @gram
// CHECK-NOT: muon.orthogonalize
// CHECK: return
#nn_a = affine_map<(m, n, k) -> (m, k)>
#nt_b = affine_map<(m, n, k) -> (n, k)>
#out = affine_map<(m, n, k) -> (m, n)>
func.func @gram(%x: tensor<4x6xf32>) -> tensor<4x4xf32> {
  %z = arith.constant dense<0.0> : tensor<4x4xf32>
  %a1 = arith.constant dense<1.5> : tensor<4x6xf32>
  %b1 = arith.constant dense<-0.5> : tensor<4x4xf32>
  %y = linalg.matmul indexing_maps = [#nn_a, #nt_b, #out] ins(%x, %x : tensor<4x6xf32>, tensor<4x6xf32>) outs(%z : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
