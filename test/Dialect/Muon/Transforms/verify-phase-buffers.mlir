// RUN: muon-opt --muon-verify-phase=phase=buffers --split-input-file --verify-diagnostics %s

func.func @tensors(%a: memref<4xf32>, %b: memref<4xf32>) {
  // expected-error @+1 {{'tensor.empty' op should have been bufferized in phase 'buffers'}}
  %0 = tensor.empty() : tensor<4xf32>
  // expected-error @+1 {{'bufferization.to_tensor' op should have been bufferized in phase 'buffers'}}
  %1 = bufferization.to_tensor %a : memref<4xf32> to tensor<4xf32>
  // expected-error @+1 {{'memref.alloc' op should have been placed in the arena in phase 'buffers'}}
  %2 = memref.alloc() : memref<4xf32>
  // expected-error @+1 {{'memref.copy' op copies a tensor that should be updated in place in phase 'buffers'}}
  memref.copy %a, %b : memref<4xf32> to memref<4xf32>
  return
}

// -----

// expected-error @+1 {{'func.return' op should have been bufferized}}
func.func private @stack(%s: !muon.stack<2x4xf32>) -> !muon.stack<2x4xf32> { return %s : !muon.stack<2x4xf32> }

// -----

func.func @fine(%t: memref<i64>, %s: !muon.table<2x4xf32>, %sums: memref<2xf64>) {
  muon.advance step(%t : memref<i64>)
  muon.sum_squares value(%s : !muon.table<2x4xf32>) sums(%sums : memref<2xf64>)
  return
}
