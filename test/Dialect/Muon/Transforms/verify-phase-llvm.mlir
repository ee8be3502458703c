// RUN: muon-opt --muon-verify-phase=phase=llvm --split-input-file --verify-diagnostics %s

// expected-error @+1 {{'func.func' op should have been lowered to LLVM in phase 'llvm'}}
func.func @function() {
  // expected-error @+1 {{'func.return' op should have been lowered to LLVM in phase 'llvm'}}
  return
}

// -----

llvm.func @cast(%p: !llvm.ptr) {
  // expected-error @+1 {{'builtin.unrealized_conversion_cast' op should have been lowered to LLVM}}
  %0 = builtin.unrealized_conversion_cast %p : !llvm.ptr to index
  llvm.return
}

// -----

llvm.func @fine() -> i32 {
  %0 = llvm.mlir.constant(0 : i32) : i32
  llvm.return %0 : i32
}
