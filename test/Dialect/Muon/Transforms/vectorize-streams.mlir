// RUN: muon-opt --muon-vectorize-streams --split-input-file %s | FileCheck %s

#id = affine_map<(d0) -> (d0)>
#scalar = affine_map<(d0) -> ()>

// 37 = 2·16 + 5: a loop over vectors and one over the rest, which starts where
// the other ends. Constants and values from outside are spread over all lanes.

// CHECK-LABEL: func.func @whole_and_rest(
// CHECK-SAME: %[[IN:.+]]: memref<37xf32>, %[[OUT:.+]]: memref<37xbf16>, %[[F:.+]]: f32)
// CHECK-DAG: %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG: %[[C32:.+]] = arith.constant 32 : index
// CHECK-DAG: %[[C37:.+]] = arith.constant 37 : index
// CHECK-DAG: %[[C16:.+]] = arith.constant 16 : index
// CHECK: scf.for %[[I:.+]] = %[[C0]] to %[[C32]] step %[[C16]] {
// CHECK: %[[X:.+]] = vector.load %[[IN]][%[[I]]] : memref<37xf32>, vector<16xf32>
// CHECK: %[[TWO:.+]] = arith.constant dense<2.000000e+00> : vector<16xf32>
// CHECK: %[[XX:.+]] = arith.mulf %[[X]], %[[TWO]] : vector<16xf32>
// CHECK: %[[FS:.+]] = vector.broadcast %[[F]] : f32 to vector<16xf32>
// CHECK: %[[Y:.+]] = arith.addf %[[XX]], %[[FS]] : vector<16xf32>
// CHECK: %[[C:.+]] = arith.cmpf olt, %[[X]], %[[Y]] : vector<16xf32>
// CHECK: %[[S:.+]] = arith.select %[[C]], %[[X]], %[[Y]] : vector<16xi1>, vector<16xf32>
// CHECK: %[[T:.+]] = arith.truncf %[[S]] : vector<16xf32> to vector<16xbf16>
// CHECK: vector.store %[[T]], %[[OUT]][%[[I]]] : memref<37xbf16>, vector<16xbf16>
// CHECK: }
// CHECK: %[[ONE:.+]] = arith.constant 1 : index
// CHECK: scf.for %[[J:.+]] = %[[C32]] to %[[C37]] step %[[ONE]] {
// CHECK: memref.load %[[IN]][%[[J]]] : memref<37xf32>
// CHECK: arith.addf %{{.+}}, %[[F]] : f32
// CHECK: memref.store %{{.+}}, %[[OUT]][%[[J]]] : memref<37xbf16>
// CHECK-NOT: linalg
// CHECK: return
func.func @whole_and_rest(%in: memref<37xf32>, %out: memref<37xbf16>, %f: f32) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%in : memref<37xf32>) outs(%out : memref<37xbf16>) {
  ^bb0(%x: f32, %old: bf16):
    %two = arith.constant 2.0 : f32
    %0 = arith.mulf %x, %two : f32
    %1 = arith.addf %0, %f : f32
    %2 = arith.cmpf olt, %x, %1 : f32
    %3 = arith.select %2, %x, %1 : f32
    %4 = arith.truncf %3 : f32 to bf16
    linalg.yield %4 : bf16
  }
  return
}

// -----

#id = affine_map<(d0) -> (d0)>

// Only whole vectors, or only a rest.

// CHECK-LABEL: func.func @sixteen(
// CHECK-COUNT-1: scf.for
// CHECK-NOT: scf.for
// CHECK: vector.store
// CHECK-NOT: memref.store
// CHECK-LABEL: func.func @fifteen(
// CHECK-NOT: vector
// CHECK: scf.for
// CHECK: memref.store
// CHECK-NOT: scf.for
// CHECK-LABEL: func.func @one(
// CHECK-DAG: %[[C0:.+]] = arith.constant 0 : index
// CHECK-DAG: %[[C1:.+]] = arith.constant 1 : index
// CHECK: scf.for %{{.+}} = %[[C0]] to %[[C1]] step %{{.+}} {
// CHECK-NOT: vector
// CHECK: return
func.func @sixteen(%in: memref<16xf32>, %out: memref<16xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%in : memref<16xf32>) outs(%out : memref<16xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.addf %x, %y : f32
    linalg.yield %0 : f32
  }
  return
}
func.func @fifteen(%in: memref<15xf32>, %out: memref<15xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%in : memref<15xf32>) outs(%out : memref<15xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.addf %x, %y : f32
    linalg.yield %0 : f32
  }
  return
}
func.func @one(%in: memref<1xf32>, %out: memref<1xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%in : memref<1xf32>) outs(%out : memref<1xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.addf %x, %y : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#id = affine_map<(d0) -> (d0)>
#scalar = affine_map<(d0) -> ()>

// Two sums of f64 beside an output: carried in registers, lanes added in order,
// the rest after them, what was there before last.

// CHECK-LABEL: func.func @sums(
// CHECK-SAME: %[[IN:.+]]: memref<37xf32>, %[[OUT:.+]]: memref<37xf32>, %[[S:.+]]: memref<f64>, %[[Q:.+]]: memref<f64>)
// CHECK-DAG: %[[ZERO:.+]] = arith.constant 0.000000e+00 : f64
// CHECK-DAG: %[[LANES:.+]] = arith.constant dense<0.000000e+00> : vector<16xf64>
// CHECK: %[[V:.+]]:2 = scf.for %{{.+}} = %{{.+}} to %{{.+}} step %{{.+}} iter_args(%[[A:.+]] = %[[LANES]], %[[B:.+]] = %{{.+}}) -> (vector<16xf64>, vector<16xf64>) {
// CHECK: %[[WIDE:.+]] = arith.extf %{{.+}} : vector<16xf32> to vector<16xf64>
// CHECK: %[[A1:.+]] = arith.addf %[[A]], %[[WIDE]] : vector<16xf64>
// CHECK: %[[SQ:.+]] = arith.mulf %[[WIDE]], %[[WIDE]]
// CHECK: %[[B1:.+]] = arith.addf %[[B]], %[[SQ]] : vector<16xf64>
// CHECK: scf.yield %[[A1]], %[[B1]]
// CHECK: }
// CHECK: %[[RA:.+]] = vector.reduction <add>, %[[V]]#0, %{{.+}} : vector<16xf64> into f64
// CHECK: %[[RB:.+]] = vector.reduction <add>, %[[V]]#1, %{{.+}} : vector<16xf64> into f64
// CHECK: %[[REST:.+]]:2 = scf.for {{.*}} iter_args(%{{.+}} = %[[RA]], %{{.+}} = %[[RB]]) -> (f64, f64) {
// CHECK: %[[OLD:.+]] = memref.load %[[S]][] : memref<f64>
// CHECK: %[[NEW:.+]] = arith.addf %[[OLD]], %[[REST]]#0 : f64
// CHECK: memref.store %[[NEW]], %[[S]][] : memref<f64>
// CHECK: %[[OLD:.+]] = memref.load %[[Q]][] : memref<f64>
// CHECK: %[[NEW:.+]] = arith.addf %[[OLD]], %[[REST]]#1 : f64
// CHECK: memref.store %[[NEW]], %[[Q]][] : memref<f64>
func.func @sums(%in: memref<37xf32>, %out: memref<37xf32>, %s: memref<f64>, %q: memref<f64>) {
  linalg.generic {indexing_maps = [#id, #id, #scalar, #scalar], iterator_types = ["reduction"]} ins(%in : memref<37xf32>) outs(%out, %s, %q : memref<37xf32>, memref<f64>, memref<f64>) {
  ^bb0(%x: f32, %y: f32, %a: f64, %b: f64):
    %0 = arith.extf %x : f32 to f64
    %1 = arith.addf %a, %0 : f64
    %2 = arith.mulf %0, %0 : f64
    %3 = arith.addf %b, %2 : f64
    linalg.yield %x, %1, %3 : f32, f64, f64
  }
  return
}

// -----

#id = affine_map<(d0) -> (d0)>
#scalar = affine_map<(d0) -> ()>

// A number read from memory is the same for all lanes. Buffers may begin
// anywhere.

// CHECK-LABEL: func.func @scalar_input(
// CHECK: scf.for
// CHECK: %[[N:.+]] = memref.load %{{.+}}[] : memref<f32>
// CHECK: vector.broadcast %[[N]] : f32 to vector<16xf32>
// CHECK: vector.store %{{.+}} : memref<16xf32, strided<[1], offset: ?>>, vector<16xf32>
func.func @scalar_input(%n: memref<f32>, %out: memref<16xf32, strided<[1], offset: ?>>) {
  linalg.generic {indexing_maps = [#scalar, #id], iterator_types = ["parallel"]} ins(%n : memref<f32>) outs(%out : memref<16xf32, strided<[1], offset: ?>>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.mulf %x, %y : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#id = affine_map<(d0) -> (d0)>
#id2 = affine_map<(d0, d1) -> (d0, d1)>
#scalar = affine_map<(d0) -> ()>

// Left alone: two loops, a stride, tensors, use of the index, a maximum.

// CHECK-LABEL: func.func @others(
// CHECK-NOT: scf.for
// CHECK-COUNT-5: linalg.generic
// CHECK-NOT: scf.for
// CHECK: return
func.func @others(%a: memref<4x4xf32>, %b: memref<16xf32, strided<[2]>>,
                  %d: tensor<16xf32>, %e: memref<16xindex>, %f: memref<16xf32>, %g: memref<f32>) -> tensor<16xf32> {
  linalg.generic {indexing_maps = [#id2], iterator_types = ["parallel", "parallel"]} outs(%a : memref<4x4xf32>) {
  ^bb0(%x: f32):
    %0 = arith.negf %x : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%b : memref<16xf32, strided<[2]>>) {
  ^bb0(%x: f32):
    %0 = arith.negf %x : f32
    linalg.yield %0 : f32
  }
  %r = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%d : tensor<16xf32>) {
  ^bb0(%x: f32):
    %0 = arith.negf %x : f32
    linalg.yield %0 : f32
  } -> tensor<16xf32>
  linalg.generic {indexing_maps = [#id], iterator_types = ["parallel"]} outs(%e : memref<16xindex>) {
  ^bb0(%x: index):
    %0 = linalg.index 0 : index
    linalg.yield %0 : index
  }
  linalg.generic {indexing_maps = [#id, #scalar], iterator_types = ["reduction"]} ins(%f : memref<16xf32>) outs(%g : memref<f32>) {
  ^bb0(%x: f32, %max: f32):
    %0 = arith.maximumf %x, %max : f32
    linalg.yield %0 : f32
  }
  return %r : tensor<16xf32>
}

// -----

#id = affine_map<(d0) -> (d0)>
#scalar = affine_map<(d0) -> ()>

// A length that is known at run time: whole vectors up to length / 16 · 16, then
// always a rest, which may be empty.

// CHECK-LABEL: func.func @dynamic(
// CHECK-SAME: %[[IN:.+]]: memref<?xf32>, %[[OUT:.+]]: memref<?xf32>, %[[S:.+]]: memref<f64>)
// CHECK: %[[C0:.+]] = arith.constant 0 : index
// CHECK: %[[LENGTH:.+]] = memref.dim %[[IN]], %[[C0]] : memref<?xf32>
// CHECK: %[[C16:.+]] = arith.constant 16 : index
// CHECK: %[[VECTORS:.+]] = arith.divui %[[LENGTH]], %[[C16]] : index
// CHECK: %[[WHOLE:.+]] = arith.muli %[[VECTORS]], %{{.+}} : index
// CHECK: %[[V:.+]] = scf.for %{{.+}} = %{{.+}} to %[[WHOLE]] step %{{.+}} iter_args(%{{.+}} = %{{.+}}) -> (vector<16xf64>) {
// CHECK: vector.load %[[IN]]
// CHECK: vector.store %{{.+}}, %[[OUT]]
// CHECK: %[[SUM:.+]] = vector.reduction <add>, %[[V]]
// CHECK: %[[ONE:.+]] = arith.constant 1 : index
// CHECK: %[[TOTAL:.+]] = scf.for %{{.+}} = %[[WHOLE]] to %[[LENGTH]] step %[[ONE]] iter_args(%{{.+}} = %[[SUM]]) -> (f64) {
// CHECK: memref.load %[[IN]]
// CHECK: memref.store %{{.+}}, %[[OUT]]
// CHECK: %[[NEW:.+]] = arith.addf %{{.+}}, %[[TOTAL]] : f64
// CHECK: memref.store %[[NEW]], %[[S]][]
// CHECK-NOT: linalg
func.func @dynamic(%in: memref<?xf32>, %out: memref<?xf32>, %s: memref<f64>) {
  linalg.generic {indexing_maps = [#id, #id, #scalar], iterator_types = ["reduction"]} ins(%in : memref<?xf32>) outs(%out, %s : memref<?xf32>, memref<f64>) {
  ^bb0(%x: f32, %y: f32, %a: f64):
    %0 = arith.extf %x : f32 to f64
    %1 = arith.addf %a, %0 : f64
    linalg.yield %x, %1 : f32, f64
  }
  return
}

// -----

#id = affine_map<(d0) -> (d0)>
#scalar = affine_map<(d0) -> ()>

// The length is that of an operand that has one for each iteration, not of a
// number; it may have any offset.

// CHECK-LABEL: func.func @dynamic_output_only(
// CHECK-SAME: %[[N:.+]]: memref<f32>, %[[OUT:.+]]: memref<?xf32, strided<[1], offset: ?>>)
// CHECK: memref.dim %[[OUT]], %{{.+}} : memref<?xf32, strided<[1], offset: ?>>
// CHECK: vector.store %{{.+}}, %[[OUT]]
// CHECK: memref.store %{{.+}}, %[[OUT]]
func.func @dynamic_output_only(%n: memref<f32>, %out: memref<?xf32, strided<[1], offset: ?>>) {
  linalg.generic {indexing_maps = [#scalar, #id], iterator_types = ["parallel"]} ins(%n : memref<f32>) outs(%out : memref<?xf32, strided<[1], offset: ?>>) {
  ^bb0(%x: f32, %y: f32):
    linalg.yield %x : f32
  }
  return
}
