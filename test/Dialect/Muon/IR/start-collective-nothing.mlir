// A rank that has nothing of what others exchange still takes part.
// RUN: muon-opt %s | muon-opt | FileCheck %s

// CHECK-LABEL: func.func @nothing(
// CHECK-NEXT: muon.start_collective 1()
// CHECK-NEXT: muon.wait_collective 1
func.func @nothing() {
  "muon.start_collective"() <{index = 1 : i64}> : () -> ()
  muon.wait_collective 1
  return
}
