// RUN: not muon-opt --muon-gpu-select-schedules=arch=sm_75 %s -o %t 2>&1 | FileCheck %s --check-prefix=OLD
// RUN: not muon-opt --muon-gpu-select-schedules=arch=nonsense %s -o %t 2>&1 | FileCheck %s --check-prefix=NONSENSE
// RUN: not muon-opt --muon-gpu-select-schedules=arch=sm_80x %s -o %t 2>&1 | FileCheck %s --check-prefix=SUFFIX

// OLD: error: 'muon-gpu-select-schedules' expected an architecture from sm_80 on, found 'sm_75'
// NONSENSE: error: 'muon-gpu-select-schedules' expected an architecture from sm_80 on, found 'nonsense'
// SUFFIX: error: 'muon-gpu-select-schedules' expected an architecture from sm_80 on, found 'sm_80x'
func.func private @f()
