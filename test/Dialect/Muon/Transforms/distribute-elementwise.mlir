// RUN: split-file %s %t
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=0" %t/parts.mlir | FileCheck %t/parts.mlir --check-prefix=RANK0
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=1" %t/parts.mlir | FileCheck %t/parts.mlir --check-prefix=RANK1
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=1" %t/masters.mlir | FileCheck %t/masters.mlir --check-prefix=MASTERS
// RUN: muon-opt --muon-assign-optimizers --muon-stack-updates --muon-distribute="rank=3" %t/shards.mlir | FileCheck %t/shards.mlir --check-prefix=SHARDS

// Elements of elementwise updates get owners.

//--- parts.mlir

// Elementwise updates are cut where state becomes level, at multiples of 64 elements:
// a part is an argument of its own, flat, and has a sum of its own.

// RANK0-LABEL: func.func @step(
// RANK0-SAME: %[[W:[a-z0-9]+]]: tensor<192xf32> {muon.names = [#muon.part<tensor = "v", from = 0 : i64, block = [200], offset = [0], shape = [200]>], muon.role = #muon.role<weight>}
// RANK0-SAME: %[[EA:[a-z0-9]+]]: tensor<192xf32> {muon.names = [#muon.part<tensor = "v", from = 0 : i64, block = [200], offset = [0], shape = [200]>], muon.role = #muon.role<exp_avg>}
// RANK0-SAME: %[[EV:[a-z0-9]+]]: tensor<192xf32> {muon.names = [#muon.part<tensor = "v", from = 0 : i64, block = [200], offset = [0], shape = [200]>], muon.role = #muon.role<exp_avg_sq>}
// RANK0-SAME: %[[W1:[a-z0-9]+]]: tensor<8xf32> {muon.names = [#muon.part<tensor = "v", from = 192 : i64, block = [200], offset = [0], shape = [200]>], muon.role = #muon.role<weight>}
// RANK0-SAME: %[[WU:[a-z0-9]+]]: tensor<200xf32> {muon.names = ["u"], muon.role = #muon.role<weight>}
// RANK0-SAME: %[[G0:[a-z0-9]+]]: tensor<192xf32> {muon.names = [#muon.part<tensor = "v", from = 0 : i64, block = [200], offset = [0], shape = [200]>], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[0], mean>}
// RANK0-SAME: %[[G1:[a-z0-9]+]]: tensor<8xf32> {muon.names = [#muon.part<tensor = "v", from = 192 : i64, block = [200], offset = [0], shape = [200]>], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[0], mean>}
// RANK0-SAME: %[[GU:[a-z0-9]+]]: tensor<200xf32> {muon.names = ["u"], muon.role = #muon.role<gradient>, muon.unreduced = #muon.unreduced<[0], mean>}
// RANK0: %[[SUM:.+]]:2 = muon.reduce_scatter value(%[[G0]], %[[G1]], %[[GU]], %[[GH:.+]] : {{.*}}) out(%{{.+}}, %{{.+}} : tensor<192xf32>, tensor<7x3xf32>)
// RANK0-SAME: elements = array<i64: 192, 8, 200, 21>, {{.*}}receives = array<i64: 0, 3>, {{.*}}to = array<i64: 0, 1, 1, 0>
// RANK0: %[[P:.+]] = muon.sum_squares value(%[[SUM]]#0 : tensor<192xf32>)
// RANK0: muon.place value(%[[P]] : tensor<1xf64>) out(%{{.+}} : tensor<2xf64>) {counts = array<i64: 1>, from = array<i64: 0>, to = array<i64: 0>}
// RANK0: %[[NEW:.+]]:5 = muon.adamw_update gradient(%[[SUM]]#0 : tensor<192xf32>) {{.*}} weight(%[[W]] : tensor<192xf32>) exp_avg(%[[EA]] : tensor<192xf32>) exp_avg_sq(%[[EV]] : tensor<192xf32>)
// RANK0-NOT: muon.adamw_update
// RANK0: muon.all_gather value(%[[NEW]]#0, %{{.+}} : tensor<192xf32>, tensor<7x3xf32>) out(%[[W1]], %[[WU]] : tensor<8xf32>, tensor<200xf32>)
// RANK0-SAME: elements = array<i64: 192, 8, 200, 21>, from = array<i64: 0, 1, 1, 0>

// RANK1-LABEL: func.func @step(
// RANK1-SAME: %[[W1:[a-z0-9]+]]: tensor<8xf32> {muon.names = [#muon.part<tensor = "v", from = 192 : i64, block = [200], offset = [0], shape = [200]>], muon.role = #muon.role<weight>}
// RANK1-SAME: %[[E1:[a-z0-9]+]]: tensor<8xf32> {muon.names = [#muon.part<tensor = "v", from = 192 : i64, block = [200], offset = [0], shape = [200]>], muon.role = #muon.role<exp_avg>}
// RANK1-SAME: %[[WU:[a-z0-9]+]]: tensor<200xf32> {muon.names = ["u"], muon.role = #muon.role<weight>}
// RANK1-SAME: %[[W0:[a-z0-9]+]]: tensor<192xf32> {muon.names = [#muon.part<tensor = "v", from = 0 : i64, block = [200], offset = [0], shape = [200]>], muon.role = #muon.role<weight>}
// RANK1: %[[SUM:.+]]:2 = muon.reduce_scatter {{.*}} out(%{{.+}}, %{{.+}} : tensor<8xf32>, tensor<200xf32>)
// Two parts have their sums at different places of one list.
// RANK1: %[[P1:.+]] = muon.sum_squares value(%[[SUM]]#0 : tensor<8xf32>)
// RANK1: %[[PU:.+]] = muon.sum_squares value(%[[SUM]]#1 : tensor<200xf32>)
// RANK1: muon.place value(%[[P1]], %[[PU]] : tensor<1xf64>, tensor<1xf64>) out(%{{.+}} : tensor<2xf64>) {counts = array<i64: 1, 1>, from = array<i64: 0, 0>, to = array<i64: 0, 1>}
// RANK1: %[[N1:.+]]:5 = muon.adamw_update gradient(%[[SUM]]#0 : tensor<8xf32>)
// RANK1: %[[NU:.+]]:5 = muon.adamw_update gradient(%[[SUM]]#1 : tensor<200xf32>)
// RANK1: muon.all_gather value(%[[N1]]#0, %[[NU]]#0 : tensor<8xf32>, tensor<200xf32>) out(%[[W0]], %{{.+}} : tensor<192xf32>, tensor<7x3xf32>)

shard.grid @grid(shape = 2) {muon.axes = ["dp"]}
func.func @step(
    %w0: tensor<200xf32> {muon.role = #muon.role<weight>, muon.names = ["v"]},
    %g0: tensor<200xf32> {muon.role = #muon.role<gradient>, muon.names = ["v"], muon.unreduced = #muon.unreduced<[0], mean>},
    %w1: tensor<7x3xf32> {muon.role = #muon.role<weight>, muon.names = ["h"]},
    %g1: tensor<7x3xf32> {muon.role = #muon.role<gradient>, muon.names = ["h"], muon.unreduced = #muon.unreduced<[0], mean>},
    %w2: tensor<200xf32> {muon.role = #muon.role<weight>, muon.names = ["u"]},
    %g2: tensor<200xf32> {muon.role = #muon.role<gradient>, muon.names = ["u"], muon.unreduced = #muon.unreduced<[0], mean>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "own"} : tensor<200xf32>, tensor<200xf32>
  %1 = muon.optimize weight(%w1) gradient(%g1) {muon.strategy = "own"} : tensor<7x3xf32>, tensor<7x3xf32>
  %2 = muon.optimize weight(%w2) gradient(%g2) {muon.strategy = "own"} : tensor<200xf32>, tensor<200xf32>
  return
}

//--- masters.mlir

// Of bf16 weights the owner has masters; what moves is bf16, and one collective for both.

// MASTERS-LABEL: func.func @step(
// MASTERS-SAME: %[[W:[a-z0-9]+]]: tensor<24x16xbf16> {muon.names = ["w"], muon.role = #muon.role<weight>}
// MASTERS-NOT: muon.names = ["w"], muon.role = #muon.role<m{{omentum|aster}}>
// MASTERS-SAME: %[[K:[a-z0-9]+]]: tensor<65xbf16> {muon.names = ["k"], muon.role = #muon.role<weight>}
// MASTERS-SAME: %[[EA:[a-z0-9]+]]: tensor<65xf32> {muon.names = ["k"], muon.role = #muon.role<exp_avg>}
// MASTERS-SAME: %[[EV:[a-z0-9]+]]: tensor<65xf32> {muon.names = ["k"], muon.role = #muon.role<exp_avg_sq>}
// MASTERS-SAME: %[[MK:[a-z0-9]+]]: tensor<65xf32> {muon.names = ["k"], muon.role = #muon.role<master>}
// MASTERS: %[[SUM:.+]] = muon.reduce_scatter value(%{{.+}}, %{{.+}} : tensor<24x16xbf16>, tensor<65xbf16>) out(%{{.+}} : tensor<65xbf16>) {elements = array<i64: 384, 65>
// MASTERS-SAME: type = bf16
// MASTERS: %[[NEW:.+]]:6 = muon.adamw_update gradient(%[[SUM]] : tensor<65xbf16>) {{.*}} weight(%[[K]] : tensor<65xbf16>) {{.*}} master(%[[MK]] : tensor<65xf32>)
// MASTERS: muon.all_gather value(%[[NEW]]#0 : tensor<65xbf16>) out(%[[W]] : tensor<24x16xbf16>)

shard.grid @grid(shape = 2) {muon.axes = ["dp"]}
func.func @step(
    %w0: tensor<24x16xbf16> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g0: tensor<24x16xbf16> {muon.role = #muon.role<gradient>, muon.names = ["w"], muon.unreduced = #muon.unreduced<[0], mean>},
    %w1: tensor<65xbf16> {muon.role = #muon.role<weight>, muon.names = ["k"]},
    %g1: tensor<65xbf16> {muon.role = #muon.role<gradient>, muon.names = ["k"], muon.unreduced = #muon.unreduced<[0], mean>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "own"} : tensor<24x16xbf16>, tensor<24x16xbf16>
  %1 = muon.optimize weight(%w1) gradient(%g1) {muon.strategy = "own"} : tensor<65xbf16>, tensor<65xbf16>
  return
}

//--- shards.mlir

// A part of a shard says which block it is of, and where in it.

// SHARDS-LABEL: func.func @step(
// SHARDS-SAME: tensor<72xf32> {muon.names = [#muon.part<tensor = "v", from = 128 : i64, block = [200], offset = [200], shape = [400]>], muon.role = #muon.role<weight>}
// SHARDS-SAME: tensor<128xf32> {muon.names = [#muon.part<tensor = "v", from = 0 : i64, block = [200], offset = [200], shape = [400]>], muon.role = #muon.role<weight>}
// SHARDS: muon.reduce_scatter {{.*}}elements = array<i64: 128, 72>, group = #muon.group<@grid, [0], 1 of 2>
// SHARDS: muon.all_reduce {{.*}}group = #muon.group<@grid, [0, 1], 3 of 4>, label = "sums"

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
func.func @step(
    %w0: tensor<400xf32> {muon.role = #muon.role<weight>, muon.names = ["v"], muon.sharding = #muon.sharding<[[1]]>},
    %g0: tensor<400xf32> {muon.role = #muon.role<gradient>, muon.names = ["v"], muon.sharding = #muon.sharding<[[1]]>, muon.unreduced = #muon.unreduced<[0], mean>}) {
  %0 = muon.optimize weight(%w0) gradient(%g0) {muon.strategy = "own"} : tensor<400xf32>, tensor<400xf32>
  return
}
