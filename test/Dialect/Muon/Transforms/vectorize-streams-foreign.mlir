// RUN: muon-opt --muon-vectorize-streams --split-input-file %s | FileCheck %s

// What does not mean the same on vectors is left alone.

#id = affine_map<(d0) -> (d0)>
#scalar = affine_map<(d0) -> ()>

// An operand that is no memref.

// CHECK-LABEL: func.func @scalar_operand(
// CHECK: linalg.generic
func.func @scalar_operand(%f: f32, %a: memref<37xf32>) {
  linalg.generic {indexing_maps = [#scalar, #id], iterator_types = ["parallel"]} ins(%f : f32) outs(%a : memref<37xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.mulf %x, %y : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#id = affine_map<(d0) -> (d0)>
#scalar = affine_map<(d0) -> ()>

// Every partial sum is stored: a scan, not a sum.

// CHECK-LABEL: func.func @scan(
// CHECK: linalg.generic
func.func @scan(%i: memref<32xf32>, %o: memref<32xf32>, %s: memref<f32>) {
  linalg.generic {indexing_maps = [#id, #id, #scalar], iterator_types = ["reduction"]} ins(%i : memref<32xf32>) outs(%o, %s : memref<32xf32>, memref<f32>) {
  ^bb0(%x: f32, %y: f32, %sum: f32):
    %0 = arith.addf %x, %sum : f32
    linalg.yield %0, %0 : f32, f32
  }
  return
}

// -----

#id = affine_map<(d0) -> (d0)>

// Control flow, calls and memory accesses in the body.

// CHECK-LABEL: func.func @region(
// CHECK: linalg.generic
func.func @region(%i: memref<32xf32>, %o: memref<32xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%i : memref<32xf32>) outs(%o : memref<32xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = arith.cmpf olt, %x, %y : f32
    %1 = scf.if %0 -> f32 {
      scf.yield %x : f32
    } else {
      scf.yield %y : f32
    }
    linalg.yield %1 : f32
  }
  return
}

// -----

#id = affine_map<(d0) -> (d0)>

// CHECK-LABEL: func.func @call(
// CHECK: linalg.generic
func.func private @f(f32) -> f32
func.func @call(%i: memref<32xf32>, %o: memref<32xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%i : memref<32xf32>) outs(%o : memref<32xf32>) {
  ^bb0(%x: f32, %y: f32):
    %0 = func.call @f(%x) : (f32) -> f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#id = affine_map<(d0) -> (d0)>

// CHECK-LABEL: func.func @lookup(
// CHECK: linalg.generic
func.func @lookup(%i: memref<32xi32>, %o: memref<32xf32>, %t: memref<4xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%i : memref<32xi32>) outs(%o : memref<32xf32>) {
  ^bb0(%x: i32, %y: f32):
    %0 = arith.index_cast %x : i32 to index
    %1 = memref.load %t[%0] : memref<4xf32>
    linalg.yield %1 : f32
  }
  return
}
