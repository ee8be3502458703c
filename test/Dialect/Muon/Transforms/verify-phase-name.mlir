// RUN: not muon-opt --muon-verify-phase=phase=mats %s 2>&1 | FileCheck %s
// RUN: not muon-opt --muon-verify-phase %s 2>&1 | FileCheck %s --check-prefix=NONE

// CHECK: error: 'muon-verify-phase' expected phase step, math, buffers, loops, launches, kernels or llvm, found 'mats'
// NONE: error: 'muon-verify-phase' expected phase step, math, buffers, loops, launches, kernels or llvm, found ''
module {}
