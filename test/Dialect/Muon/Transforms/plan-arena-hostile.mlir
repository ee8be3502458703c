// Scratch that cannot be planned is an error at the allocation, and an alignment
// that is none an error of the pass: never a crash.

// RUN: muon-opt --muon-plan-arena --split-input-file --verify-diagnostics %s
// RUN: echo 'func.func @f(%%b: i1) { %%0 = memref.alloc() : memref<3xi1> linalg.fill ins(%%b : i1) outs(%%0 : memref<3xi1>) return }' > %t.mlir
// RUN: not muon-opt --muon-plan-arena=alignment=0 %t.mlir 2>&1 | FileCheck %s --check-prefix=ALIGN
// RUN: not muon-opt --muon-plan-arena=alignment=-64 %t.mlir 2>&1 | FileCheck %s --check-prefix=ALIGN
// RUN: not muon-opt --muon-plan-arena=alignment=48 %t.mlir 2>&1 | FileCheck %s --check-prefix=ALIGN
// ALIGN: error: {{.*}}alignment

func.func @index(%i: index) {
  // expected-error @+1 {{'memref.alloc' op expected}}
  %0 = memref.alloc() : memref<4xindex>
  memref.store %i, %0[%i] : memref<4xindex>
  return
}

// -----

func.func @vector(%v: vector<4xf32>, %i: index) {
  // expected-error @+1 {{'memref.alloc' op expected}}
  %0 = memref.alloc() : memref<4xvector<4xf32>>
  memref.store %v, %0[%i] : memref<4xvector<4xf32>>
  return
}

// -----

// Freed memory would be the arena's.
func.func @dealloc(%f: f32) {
  %0 = memref.alloc() : memref<4xf32>
  linalg.fill ins(%f : f32) outs(%0 : memref<4xf32>)
  // expected-error @+1 {{'memref.dealloc' op}}
  memref.dealloc %0 : memref<4xf32>
  return
}

// -----

// The number of elements overflows.
func.func @overflow(%f: f32) {
  // expected-error @+1 {{'memref.alloc' op expected}}
  %0 = memref.alloc() : memref<4294967296x4294967296xf32>
  linalg.fill ins(%f : f32) outs(%0 : memref<4294967296x4294967296xf32>)
  return
}
