// RUN: muon-opt %s --muon-plan-arena | FileCheck %s

// Buffers of a loop's body live within an iteration: two that follow each other
// share memory, and so does what is used only after the loop. What is used
// before and in the loop does not.

// CHECK-LABEL: func @step
// CHECK:      %[[ARENA:.*]] = muon.arena : memref<128xi8>
// CHECK:      memref.view %[[ARENA]][%c64][] : memref<128xi8> to memref<2xf64>
// CHECK:      memref.view %[[ARENA]][%c0][] : memref<128xi8> to memref<3xf64>
// CHECK:      memref.view %[[ARENA]][%c0_{{[0-9]+}}][] : memref<128xi8> to memref<4xf64>
// CHECK:      memref.view %[[ARENA]][%c0_{{[0-9]+}}][] : memref<128xi8> to memref<5xf64>
// CHECK-NOT:  memref.alloc
func.func @step(%lists: memref<2xf64>, %in: memref<3xf64>, %out: memref<4xf64>,
                %last: memref<5xf64>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %whole = memref.alloc() : memref<2xf64>
  memref.copy %lists, %whole : memref<2xf64> to memref<2xf64>
  scf.for %i = %c0 to %c2 step %c1 {
    %first = memref.alloc() : memref<3xf64>
    memref.copy %in, %first : memref<3xf64> to memref<3xf64>
    %v = memref.load %first[%i] : memref<3xf64>
    %second = memref.alloc() : memref<4xf64>
    memref.copy %out, %second : memref<4xf64> to memref<4xf64>
    %w = memref.load %whole[%i] : memref<2xf64>
  }
  %after = memref.alloc() : memref<5xf64>
  memref.copy %last, %after : memref<5xf64> to memref<5xf64>
  return
}
