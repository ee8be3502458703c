// MLIR's verifier of this operation takes every buffer of a tensor for a memref.

// RUN: %python %S/Inputs/exit-code.py 1 muon-compile %s --compile-to=step 2>&1 | FileCheck %s

func.func @step(%table: !muon.table<2x3x4xf32>) {
  // CHECK: :[[@LINE+1]]:8: error: expected the buffer of 'tensor<2x3x4xbf16>' to be a memref, found '!muon.table<2x3x4xf32>'
  %0 = bufferization.to_tensor %table : !muon.table<2x3x4xf32> to tensor<2x3x4xbf16>
  return
}
