// RUN: muon-opt --muon-plan-arena --split-input-file %s | FileCheck %s
// RUN: muon-opt --muon-plan-arena=alignment=256 --split-input-file %s | FileCheck %s --check-prefix=A256

// Buffers that live one after the other share memory: the third takes the place
// of the first. Buffers are aligned, and so is the size of the arena.

// CHECK-LABEL: func.func @reuse(
// CHECK-NEXT: %[[ARENA:.+]] = muon.arena : memref<128xi8>
// CHECK-NEXT: %[[O0:.+]] = arith.constant 0 : index
// CHECK-NEXT: %[[B0:.+]] = memref.view %[[ARENA]][%[[O0]]][] : memref<128xi8> to memref<10xf32>
// CHECK-NEXT: %[[O1:.+]] = arith.constant 64 : index
// CHECK-NEXT: %[[B1:.+]] = memref.view %[[ARENA]][%[[O1]]][] : memref<128xi8> to memref<3xf64>
// CHECK-NEXT: %[[O2:.+]] = arith.constant 0 : index
// CHECK-NEXT: %[[B2:.+]] = memref.view %[[ARENA]][%[[O2]]][] : memref<128xi8> to memref<9xf32>
// CHECK-NEXT: linalg.fill ins(%{{.+}} : f32) outs(%[[B0]] : memref<10xf32>)
// CHECK-NEXT: linalg.fill ins(%{{.+}} : f64) outs(%[[B1]] : memref<3xf64>)
// CHECK-NEXT: linalg.copy ins(%[[B0]] :
// CHECK-NEXT: linalg.fill ins(%{{.+}} : f32) outs(%[[B2]] : memref<9xf32>)
// CHECK-NOT: memref.alloc

// A256-LABEL: func.func @reuse(
// A256-NEXT: muon.arena : memref<512xi8>
// A256-NEXT: arith.constant 0 : index
// A256: arith.constant 256 : index
// A256: arith.constant 0 : index
func.func @reuse(%f: f32, %d: f64, %out: memref<10xf32>, %out3: memref<3xf64>) {
  %0 = memref.alloc() : memref<10xf32>
  %1 = memref.alloc() : memref<3xf64>
  linalg.fill ins(%f : f32) outs(%0 : memref<10xf32>)
  linalg.fill ins(%d : f64) outs(%1 : memref<3xf64>)
  linalg.copy ins(%0 : memref<10xf32>) outs(%out : memref<10xf32>)
  %2 = memref.alloc() : memref<9xf32>
  linalg.fill ins(%f : f32) outs(%2 : memref<9xf32>)
  linalg.copy ins(%1 : memref<3xf64>) outs(%out3 : memref<3xf64>)
  return
}

// -----

// One that is read and one that is written by the same operation live at the
// same time.

// CHECK-LABEL: func.func @same_operation(
// CHECK: muon.arena : memref<128xi8>
// CHECK: arith.constant 0 : index
// CHECK: arith.constant 64 : index
func.func @same_operation(%f: f32) {
  %0 = memref.alloc() : memref<16xf32>
  %1 = memref.alloc() : memref<16xf32>
  linalg.fill ins(%f : f32) outs(%0 : memref<16xf32>)
  linalg.copy ins(%0 : memref<16xf32>) outs(%1 : memref<16xf32>)
  return
}

// -----

// A view keeps its buffer alive, a loop keeps alive what its body uses.

// CHECK-LABEL: func.func @views_and_loops(
// CHECK: muon.arena : memref<192xi8>
// CHECK: arith.constant 0 : index
// CHECK: arith.constant 64 : index
// CHECK: arith.constant 128 : index
func.func @views_and_loops(%f: f32, %n: index, %out: memref<4xf32>) {
  %c0 = arith.constant 10 : index
  %c1 = arith.constant 11 : index
  %0 = memref.alloc() : memref<16xf32>
  %1 = memref.subview %0[4] [4] [1] : memref<16xf32> to memref<4xf32, strided<[1], offset: 4>>
  %2 = memref.alloc() : memref<16xf32>
  linalg.fill ins(%f : f32) outs(%0 : memref<16xf32>)
  scf.for %i = %c0 to %n step %c1 {
    memref.store %f, %2[%i] : memref<16xf32>
    %3 = memref.alloc() : memref<16xf32>
    memref.store %f, %3[%i] : memref<16xf32>
  }
  linalg.copy ins(%1 : memref<4xf32, strided<[1], offset: 4>>) outs(%out : memref<4xf32>)
  return
}

// -----

// Bits take a byte each. Without buffers there is no arena.

// CHECK-LABEL: func.func @small(
// CHECK: muon.arena : memref<64xi8>
// CHECK: memref.view {{.*}} to memref<3xi1>
// CHECK-LABEL: func.func @none(
// CHECK-NEXT: return
func.func @small(%b: i1) {
  %0 = memref.alloc() : memref<3xi1>
  linalg.fill ins(%b : i1) outs(%0 : memref<3xi1>)
  return
}
func.func @none(%b: memref<3xi1>) {
  return
}

// -----

// A buffer of a loop's body lives within one iteration, so that two of them
// share memory: %1 is dead when %2 is written. What is alive across the loop
// keeps its place throughout.

// CHECK-LABEL: func.func @in_a_loop(
// CHECK-NEXT: %[[ARENA:.+]] = muon.arena : memref<128xi8>
// CHECK-NEXT: %[[O0:.+]] = arith.constant 0 : index
// CHECK-NEXT: %[[B0:.+]] = memref.view %[[ARENA]][%[[O0]]][]
// CHECK-NEXT: %[[O1:.+]] = arith.constant 64 : index
// CHECK-NEXT: %[[B1:.+]] = memref.view %[[ARENA]][%[[O1]]][]
// CHECK-NEXT: %[[O2:.+]] = arith.constant 64 : index
// CHECK-NEXT: %[[B2:.+]] = memref.view %[[ARENA]][%[[O2]]][]
// CHECK: scf.for
// CHECK: linalg.fill {{.*}} outs(%[[B1]] :
// CHECK: linalg.copy ins(%[[B1]] : {{.*}} outs(%[[B0]] :
// CHECK: linalg.fill {{.*}} outs(%[[B2]] :
// CHECK: linalg.copy ins(%[[B2]] : {{.*}} outs(%[[B0]] :
func.func @in_a_loop(%f: f32, %n: index, %out: memref<16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = memref.alloc() : memref<16xf32>
  linalg.fill ins(%f : f32) outs(%0 : memref<16xf32>)
  scf.for %i = %c0 to %n step %c1 {
    %1 = memref.alloc() : memref<16xf32>
    linalg.fill ins(%f : f32) outs(%1 : memref<16xf32>)
    linalg.copy ins(%1 : memref<16xf32>) outs(%0 : memref<16xf32>)
    %2 = memref.alloc() : memref<16xf32>
    linalg.fill ins(%f : f32) outs(%2 : memref<16xf32>)
    linalg.copy ins(%2 : memref<16xf32>) outs(%0 : memref<16xf32>)
  }
  linalg.copy ins(%0 : memref<16xf32>) outs(%out : memref<16xf32>)
  return
}

// -----

// Loops one after the other use the same memory.

// CHECK-LABEL: func.func @two_loops(
// CHECK-NEXT: muon.arena : memref<64xi8>
// CHECK-NEXT: arith.constant 0 : index
// CHECK: arith.constant 0 : index
func.func @two_loops(%f: f32, %n: index) {
  scf.for %i = %n to %n step %n {
    %0 = memref.alloc() : memref<16xf32>
    linalg.fill ins(%f : f32) outs(%0 : memref<16xf32>)
  }
  scf.for %i = %n to %n step %n {
    %0 = memref.alloc() : memref<16xf32>
    linalg.fill ins(%f : f32) outs(%0 : memref<16xf32>)
  }
  return
}

// -----

// What was allocated before a loop and is only used in it stays alive from its
// first iteration to its last: an iteration may read what the one before wrote.

// CHECK-LABEL: func.func @carried(
// CHECK-NEXT: muon.arena : memref<128xi8>
// CHECK: arith.constant 0 : index
// CHECK: arith.constant 64 : index
func.func @carried(%f: f32, %n: index) {
  %0 = memref.alloc() : memref<16xf32>
  scf.for %i = %n to %n step %n {
    memref.store %f, %0[%i] : memref<16xf32>
    %1 = memref.alloc() : memref<16xf32>
    memref.store %f, %1[%i] : memref<16xf32>
  }
  return
}

// -----

// A slice is a view.

// CHECK-LABEL: func.func @slices(
// CHECK-NEXT: muon.arena : memref<128xi8>
// CHECK: arith.constant 0 : index
// CHECK: arith.constant 64 : index
func.func @slices(%f: f32, %i: index) {
  %0 = memref.alloc() : memref<16xf32>
  %1 = muon.slice %0[%i] : memref<16xf32> to memref<4xf32>
  linalg.fill ins(%f : f32) outs(%0 : memref<16xf32>)
  %2 = memref.alloc() : memref<16xf32>
  linalg.fill ins(%f : f32) outs(%2 : memref<16xf32>)
  linalg.fill ins(%f : f32) outs(%1 : memref<4xf32>)
  return
}

// -----

// Making a view is no use of what it shows: the second buffer may take the
// place that the first needs only later.

// CHECK-LABEL: func.func @unused_view(
// CHECK-NEXT: muon.arena : memref<64xi8>
func.func @unused_view(%f: f32, %i: index) {
  %0 = memref.alloc() : memref<16xf32>
  %1 = muon.slice %0[%i] : memref<16xf32> to memref<4xf32>
  %2 = memref.alloc() : memref<16xf32>
  linalg.fill ins(%f : f32) outs(%2 : memref<16xf32>)
  linalg.fill ins(%f : f32) outs(%1 : memref<4xf32>)
  return
}
