// RUN: muon-opt --muon-verify-phase=phase=loops --split-input-file --verify-diagnostics %s

func.func @own_operations(%t: memref<i64>, %s: !muon.table<2x4xf32>, %sums: memref<2xf64>, %i: index) {
  // expected-error @+1 {{'muon.advance' op should have been lowered to loops in phase 'loops'}}
  muon.advance step(%t : memref<i64>)
  scf.for %j = %i to %i step %i {
    // expected-error @+1 {{'muon.sum_squares' op should have been lowered to loops in phase 'loops'}}
    muon.sum_squares value(%s : !muon.table<2x4xf32>) sums(%sums : memref<2xf64>)
  }
  muon.parallel {
  ^bb0(%j: index):
    // expected-error @+1 {{'muon.advance' op should have been lowered to loops in phase 'loops'}}
    muon.advance step(%t : memref<i64>)
  } {count = 2 : i64, group = 1 : i64}
  return
}

// -----

// What the runtime provides stays.

func.func @fine(%s: !muon.table<2x4xf32>, %i: index) {
  %0 = muon.member %s[%i] : !muon.table<2x4xf32> -> memref<4xf32>
  %1 = muon.arena : memref<64xi8>
  %2 = muon.slice %s[%i] : !muon.table<2x4xf32> to !muon.table<1x4xf32>
  muon.parallel {
  ^bb0(%j: index):
  } {count = 2 : i64, group = 1 : i64}
  return
}
