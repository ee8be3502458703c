// RUN: muon-opt %s | muon-opt | FileCheck %s
// RUN: muon-opt %s --mlir-print-op-generic | muon-opt | FileCheck %s

// CHECK-LABEL: func.func @block_work(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>
// CHECK-NEXT:    muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:      muon.advance step
// CHECK-NEXT:      muon_gpu.reduce
// CHECK-NEXT:    } {phase = "update"}
func.func @block_work(%ok: memref<i1>, %t: memref<i64>, %p: memref<12xf64>, %s: memref<2xf64>) {
  muon_gpu.launch when(%ok : memref<i1>) {
    muon.advance step(%t : memref<i64>)
    muon_gpu.reduce partials(%p : memref<12xf64>) sums(%s : memref<2xf64>)
  } {phase = "update"}
  return
}

// CHECK-LABEL: func.func @products(
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.matmul
// CHECK:           muon_gpu.matmul
// CHECK:           }{{$}}
// CHECK-NEXT:    }{{$}}
// CHECK-NEXT:    return
func.func @products(%a: memref<1x16x16xf32>, %b: memref<2x32x32xf32>, %o: memref<1x16x16xf32>, %q: memref<2x32x32xf32>) {
  muon_gpu.launch {
    muon_gpu.matmul lhs(%a : memref<1x16x16xf32>) rhs(%a : memref<1x16x16xf32>) outs(%o : memref<1x16x16xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    }
    muon_gpu.matmul lhs(%b : memref<2x32x32xf32>) rhs(%b : memref<2x32x32xf32>) outs(%q : memref<2x32x32xf32>) {
    ^bb0(%acc: f32):
      muon_gpu.yield %acc : f32
    }
  }
  return
}

// CHECK-LABEL: func.func @streams(
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.stream
// CHECK:         } {phase = "look"}
func.func @streams(%o: memref<7xf32>) {
  muon_gpu.launch {
    muon_gpu.stream ins(%o : memref<7xf32>) outs(%o : memref<7xf32>) {
    ^bb0(%x: f32):
      muon_gpu.yield %x : f32
    }
  } {phase = "look"}
  return
}

// Triangles are work of many blocks, lists of sums of one.

// CHECK-LABEL: func.func @triangles(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>
// CHECK-NEXT:    muon_gpu.launch when(%[[OK]] : memref<i1>) {
// CHECK-NEXT:      muon.pack_triangle x(
// CHECK-NEXT:      muon.pack_triangle x(
// CHECK-NEXT:    } {phase = "pack"}
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon.unpack_triangle x(
// CHECK-NEXT:    }{{$}}
// CHECK-NEXT:    return
func.func @triangles(%ok: memref<i1>, %x: memref<2x3x3xf32>, %y: memref<1x2x2xf32>, %t: memref<2x1x6xf32>, %u: memref<1x1x3xf32>) {
  muon_gpu.launch when(%ok : memref<i1>) {
    muon.pack_triangle x(%x : memref<2x3x3xf32>) out(%t : memref<2x1x6xf32>)
    muon.pack_triangle x(%y : memref<1x2x2xf32>) out(%u : memref<1x1x3xf32>)
  } {phase = "pack"}
  muon_gpu.launch {
    muon.unpack_triangle x(%t : memref<2x1x6xf32>) out(%x : memref<2x3x3xf32>)
  }
  return
}

// CHECK-LABEL: func.func @place(
// CHECK-NEXT:    muon_gpu.launch {
// CHECK-NEXT:      muon_gpu.reduce
// CHECK-NEXT:      muon.place value(
// CHECK-NEXT: {{^ *[}]$}}
func.func @place(%p: memref<12xf64>, %s: memref<2xf64>, %l: memref<5xf64>) {
  muon_gpu.launch {
    muon_gpu.reduce partials(%p : memref<12xf64>) sums(%s : memref<2xf64>)
    muon.place value(%s : memref<2xf64>) out(%l : memref<5xf64>) {from = array<i64: 0>, to = array<i64: 3>, counts = array<i64: 2>}
  }
  return
}
