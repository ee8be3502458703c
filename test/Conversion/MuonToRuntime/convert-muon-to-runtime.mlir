// RUN: muon-opt --convert-muon-to-runtime --cse --split-input-file %s | FileCheck %s

// XXᵀ of a wide matrix: n = 4, k = 6, no transposition. The mirror image is
// stored in blocks of 64.

// CHECK-LABEL: func.func @left(
// CHECK-SAME: %[[X:.+]]: memref<1x4x6xf32>, %[[O:.+]]: memref<1x4x4xf32>)
// CHECK-DAG: %[[N:.+]] = arith.constant 4 : i64
// CHECK-DAG: %[[K:.+]] = arith.constant 6 : i64
// CHECK-DAG: %[[NO:.+]] = arith.constant 0 : i32
// CHECK-DAG: %[[ALPHA:.+]] = arith.constant 2.500000e-01 : f32
// CHECK-DAG: %[[XM:.+]] = memref.subview %[[X]][%{{.+}}, 0, 0] [1, 4, 6] [1, 1, 1]
// CHECK-DAG: %[[OM:.+]] = memref.subview %[[O]][%{{.+}}, 0, 0] [1, 4, 4] [1, 1, 1]
// CHECK: muon.host_call "ssyrk"(%[[NO]], %[[N]], %[[K]], %[[ALPHA]], %[[XM]], %[[K]], %[[OM]], %[[N]])
// CHECK-NEXT: %[[OUT:.+]] = memref.cast %[[OM]]
// CHECK-NEXT: call @muon_mirror_triangle(%[[OUT]])
// CHECK-LABEL: func.func private @muon_mirror_triangle(
// CHECK-SAME: %[[A:.+]]: memref<?x?xf32, strided<[?, 1], offset: ?>>)
// CHECK-DAG: %[[SIZE:.+]] = memref.dim %[[A]], %{{.+}}
// CHECK-DAG: %[[EDGE:.+]] = arith.constant 64 : index
// CHECK: scf.for %[[R:.+]] = %{{.+}} to %[[SIZE]] step %[[EDGE]] {
// CHECK: scf.for %[[C:.+]] = %[[R]] to %[[SIZE]] step %[[EDGE]] {
// CHECK-NOT: arith.addf
// CHECK: %[[UPPER:.+]] = memref.load %[[A]][%[[I:.+]], %[[J:.+]]] :
// CHECK-NEXT: memref.store %[[UPPER]], %[[A]][%[[J]], %[[I]]] :
// CHECK-NOT: muon.symmetric_product
func.func @left(%x: memref<1x4x6xf32>, %o: memref<1x4x4xf32>) {
  muon.symmetric_product x(%x : memref<1x4x6xf32>) out(%o : memref<1x4x4xf32>) {alpha = 0.25 : f64, side = #muon.side<left>}
  return
}

// -----

// XᵀX of a tall one: transposed, n = 4 columns, k = 6 rows, ld = 4. Three
// matrices are a loop; alpha·f² is rounded once.

// CHECK-LABEL: func.func @right(
// CHECK-SAME: %[[X:.+]]: memref<3x6x4xf32>, %[[A:.+]]: memref<3x4x4xf32>, %[[F:.+]]: memref<3xf32>, %[[O:.+]]: memref<3x4x4xf32>)
// CHECK-DAG: %[[C3:.+]] = arith.constant 3 : index
// CHECK: scf.for %[[B:.+]] = %{{.+}} to %[[C3]] step
// CHECK-DAG: %[[XM:.+]] = memref.subview %[[X]][%[[B]], 0, 0] [1, 6, 4] [1, 1, 1]
// CHECK-DAG: %[[OM:.+]] = memref.subview %[[O]][%[[B]], 0, 0] [1, 4, 4] [1, 1, 1]
// CHECK-DAG: %[[AM:.+]] = memref.subview %[[A]][%[[B]], 0, 0] [1, 4, 4] [1, 1, 1]
// CHECK-DAG: %[[FB:.+]] = memref.load %[[F]][%[[B]]]
// CHECK-DAG: %[[YES:.+]] = arith.constant 1 : i32
// CHECK: %[[F64:.+]] = arith.extf %[[FB]] : f32 to f64
// CHECK: %[[ALPHA:.+]] = arith.constant 2.000000e+00 : f64
// CHECK: %[[AF:.+]] = arith.mulf %[[ALPHA]], %[[F64]] : f64
// CHECK: %[[AFF:.+]] = arith.mulf %[[AF]], %[[F64]] : f64
// CHECK: %[[SCALE:.+]] = arith.truncf %[[AFF]] : f64 to f32
// CHECK-DAG: %[[N:.+]] = arith.constant 4 : i64
// CHECK-DAG: %[[K:.+]] = arith.constant 6 : i64
// CHECK: muon.host_call "ssyrk"(%[[YES]], %[[N]], %[[K]], %[[SCALE]], %[[XM]], %[[N]], %[[OM]], %[[N]])
// CHECK-DAG: %[[OUT:.+]] = memref.cast %[[OM]]
// CHECK-DAG: %[[ADDEND:.+]] = memref.cast %[[AM]]
// CHECK-DAG: %[[BETA:.+]] = arith.constant -4.750000e+00 : f32
// CHECK: func.call @muon_add_and_mirror_triangle(%[[OUT]], %[[ADDEND]], %[[BETA]])

// Only the upper triangle of the addend is read: j begins at i or later.
// CHECK-LABEL: func.func private @muon_add_and_mirror_triangle(
// CHECK-SAME: %[[P:.+]]: memref<{{[^:]+}}: ?>>, %[[Q:.+]]: memref<{{[^:]+}}: ?>>, %[[SHARE:.+]]: f32)
// CHECK: %[[FROM:.+]] = arith.maxsi %{{.+}}, %[[I:.+]] : index
// CHECK: scf.for %[[J:.+]] = %[[FROM]] to
// CHECK: %[[AD:.+]] = memref.load %[[Q]][%[[I]], %[[J]]]
// CHECK: %[[BAD:.+]] = arith.mulf %[[SHARE]], %[[AD]] : f32
// CHECK: %[[OLD:.+]] = memref.load %[[P]][%[[I]], %[[J]]]
// CHECK: %[[SUM:.+]] = arith.addf %[[OLD]], %[[BAD]] : f32
// CHECK: memref.store %[[SUM]], %[[P]][%[[I]], %[[J]]]
func.func @right(%x: memref<3x6x4xf32>, %a: memref<3x4x4xf32>, %f: memref<3xf32>, %o: memref<3x4x4xf32>) {
  muon.symmetric_product x(%x : memref<3x6x4xf32>) addend(%a : memref<3x4x4xf32>) factor(%f : memref<3xf32>) out(%o : memref<3x4x4xf32>) {alpha = 2.0 : f64, beta = -4.75 : f64, side = #muon.side<right>}
  return
}

// -----

// An addend with beta = 0 is not read: it may hold anything.

// CHECK-LABEL: func.func @no_share(
// CHECK-SAME: %{{.+}}: memref<1x4x6xf32>, %[[A:.+]]: memref<1x4x4xf32>,
// CHECK-NOT: %[[A]]
// CHECK: call @muon_mirror_triangle(
// CHECK-NOT: @muon_add_and_mirror_triangle
func.func @no_share(%x: memref<1x4x6xf32>, %a: memref<1x4x4xf32>, %o: memref<1x4x4xf32>) {
  muon.symmetric_product x(%x : memref<1x4x6xf32>) addend(%a : memref<1x4x4xf32>) out(%o : memref<1x4x4xf32>) {side = #muon.side<left>}
  return
}

// -----

// beta·X + S·X: out starts as a copy of X, then C ← S·X + beta·C.

// CHECK-LABEL: func.func @apply_left(
// CHECK-SAME: %[[S:.+]]: memref<1x4x4xf32>, %[[X:.+]]: memref<1x4x6xf32>, %[[O:.+]]: memref<1x4x6xf32>)
// CHECK-DAG: %[[FROM:.+]] = memref.reinterpret_cast %[[X]] to offset: [0], sizes: [24], strides: [1]
// CHECK-DAG: %[[TO:.+]] = memref.reinterpret_cast %[[O]] to offset: [0], sizes: [24], strides: [1]
// CHECK: linalg.generic {{.*}} ins(%[[FROM]] : memref<24xf32>) outs(%[[TO]] : memref<24xf32>) {
// CHECK-NEXT: ^bb0(%[[V:.+]]: f32, %{{.+}}: f32):
// CHECK-NEXT: linalg.yield %[[V]] : f32
// CHECK-DAG: %[[SM:.+]] = memref.subview %[[S]]
// CHECK-DAG: %[[XM:.+]] = memref.subview %[[X]]
// CHECK-DAG: %[[OM:.+]] = memref.subview %[[O]]
// CHECK-DAG: %[[M:.+]] = arith.constant 4 : i64
// CHECK-DAG: %[[N:.+]] = arith.constant 6 : i64
// CHECK-DAG: %[[ONE:.+]] = arith.constant 1.000000e+00 : f32
// CHECK-DAG: %[[BETA:.+]] = arith.constant 3.500000e+00 : f32
// CHECK: muon.host_call "sgemm"(%[[M]], %[[N]], %[[M]], %[[ONE]], %[[SM]], %[[M]], %[[XM]], %[[N]], %[[BETA]], %[[OM]], %[[N]])
func.func @apply_left(%s: memref<1x4x4xf32>, %x: memref<1x4x6xf32>, %o: memref<1x4x6xf32>) {
  muon.symmetric_apply s(%s : memref<1x4x4xf32>) x(%x : memref<1x4x6xf32>) out(%o : memref<1x4x6xf32>) {beta = 3.5 : f64, side = #muon.side<left>}
  return
}

// -----

// X·S with a factor per matrix on both terms, in a loop.

// CHECK-LABEL: func.func @apply_right(
// CHECK-SAME: %[[S:.+]]: memref<3x4x4xf32>, %[[X:.+]]: memref<3x6x4xf32>, %[[F:.+]]: memref<3xf32>, %[[O:.+]]: memref<3x6x4xf32>)
// CHECK: scf.for %[[B:.+]] =
// CHECK-DAG: %[[SM:.+]] = memref.subview %[[S]][%[[B]], 0, 0]
// CHECK-DAG: %[[XM:.+]] = memref.subview %[[X]][%[[B]], 0, 0]
// CHECK-DAG: %[[OM:.+]] = memref.subview %[[O]][%[[B]], 0, 0]
// CHECK-DAG: %[[FB:.+]] = memref.load %[[F]][%[[B]]]
// CHECK-DAG: %[[F64:.+]] = arith.extf %[[FB]] : f32 to f64
// CHECK-DAG: %[[BETA:.+]] = arith.constant 3.500000e+00 : f64
// CHECK-DAG: %[[BF:.+]] = arith.mulf %[[BETA]], %[[F64]] : f64
// CHECK-DAG: %[[SHARE:.+]] = arith.truncf %[[BF]] : f64 to f32
// CHECK-DAG: %[[M:.+]] = arith.constant 6 : i64
// CHECK-DAG: %[[N:.+]] = arith.constant 4 : i64
// CHECK: muon.host_call "sgemm"(%[[M]], %[[N]], %[[N]], %{{.+}}, %[[XM]], %[[N]], %[[SM]], %[[N]], %[[SHARE]], %[[OM]], %[[N]])
func.func @apply_right(%s: memref<3x4x4xf32>, %x: memref<3x6x4xf32>, %f: memref<3xf32>, %o: memref<3x6x4xf32>) {
  muon.symmetric_apply s(%s : memref<3x4x4xf32>) x(%x : memref<3x6x4xf32>) factor(%f : memref<3xf32>) out(%o : memref<3x6x4xf32>) {beta = 3.5 : f64, side = #muon.side<right>}
  return
}

// -----

// Without a share of X nothing is copied and C is not read.

// CHECK-LABEL: func.func @product_only(
// CHECK-DAG: %[[ZERO:.+]] = arith.constant 0.000000e+00 : f32
// CHECK-NOT: linalg
// CHECK: muon.host_call "sgemm"(%{{.+}}, %[[ZERO]], %{{[^,]+}}, %{{[^,]+}}) : i64
func.func @product_only(%s: memref<1x4x4xf32>, %x: memref<1x4x6xf32>, %o: memref<1x4x6xf32>) {
  muon.symmetric_apply s(%s : memref<1x4x4xf32>) x(%x : memref<1x4x6xf32>) out(%o : memref<1x4x6xf32>) {side = #muon.side<left>}
  return
}

// -----

// Values are not for this pass.

// CHECK-LABEL: func.func @values(
// CHECK: muon.symmetric_product
// CHECK-NOT: muon.host_call
func.func @values(%x: tensor<1x4x6xf32>, %o: tensor<1x4x4xf32>) -> tensor<1x4x4xf32> {
  %0 = muon.symmetric_product x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x4xf32>) {side = #muon.side<left>}
  return %0 : tensor<1x4x4xf32>
}
