// RUN: muon-opt --muon-place-arguments=grid=dp=4,tp=2 --split-input-file --verify-diagnostics %s
// RUN: echo 'module {}' > %t.mlir
// RUN: not muon-opt --muon-place-arguments %t.mlir 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not muon-opt --muon-place-arguments=grid=dp %t.mlir 2>&1 | FileCheck %s --check-prefix=SIZE
// RUN: not muon-opt --muon-place-arguments=grid=dp=2,dp=2 %t.mlir 2>&1 | FileCheck %s --check-prefix=TWICE
// NONE: error: grid "": expected axes such as dp=8,tp=2, found nothing
// SIZE: error: grid "dp": {{.*}}expected
// TWICE: error: grid "dp=2,dp=2": {{.*}}expected

// expected-error @below {{'shard.grid' op has 2 axes, ["dp", "cp"]; expected them in the grid that is asked for, found 'dp=4,tp=2'}}
shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "cp"]}

// -----

// Their numbers are what placements have.
// expected-error @below {{'shard.grid' op has 2 axes, ["tp", "dp"]; expected them in the grid that is asked for, found 'dp=4,tp=2'}}
shard.grid @grid(shape = 2x2) {muon.axes = ["tp", "dp"]}

// -----

// expected-error @below {{'shard.grid' op has 3 axes; expected them in the grid that is asked for, found 'dp=4,tp=2'}}
shard.grid @grid(shape = 2x2x2)

// -----

// expected-note @below {{the first one is here}}
shard.grid @grid(shape = 2x2)
// expected-error @below {{'shard.grid' op is the second one; a step has one grid}}
shard.grid @other(shape = 2x2)
