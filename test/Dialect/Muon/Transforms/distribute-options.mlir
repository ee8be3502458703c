// RUN: split-file %s %t
// RUN: not muon-opt --muon-distribute=rank=4 %t/step.mlir 2>&1 | FileCheck %s --check-prefix=RANK
// RUN: not muon-opt --muon-distribute=rank=-1 %t/step.mlir 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not muon-opt --muon-distribute=compute=f64 %t/step.mlir 2>&1 | FileCheck %s --check-prefix=COMPUTE
// RUN: not muon-opt --muon-distribute=compute=auto %t/step.mlir 2>&1 | FileCheck %s --check-prefix=AUTO
// RUN: not muon-opt --muon-distribute=topology=%t/none.json %t/step.mlir 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not muon-opt --muon-distribute=topology=%t/broken.json %t/step.mlir 2>&1 | FileCheck %s --check-prefix=BROKEN
// RUN: not muon-opt --muon-distribute=topology=%t/axis.json %t/step.mlir 2>&1 | FileCheck %s --check-prefix=AXIS
// RUN: not muon-opt --muon-distribute=topology=%t/small.json %t/step.mlir 2>&1 | FileCheck %s --check-prefix=SMALL
// RUN: muon-opt --muon-distribute=topology=%t/slow.json %t/step.mlir | FileCheck %s --check-prefix=SLOW
// RUN: muon-opt --muon-distribute=topology=%t/fast.json %t/step.mlir | FileCheck %s --check-prefix=FAST
// RUN: muon-opt --muon-distribute --remarks-filter=muon-distribute %t/step.mlir -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK --implicit-check-not=remark:
// RUN: muon-opt --muon-distribute=topology=%t/slow.json --remarks-filter=muon-distribute %t/step.mlir -o /dev/null 2>&1 | FileCheck %s --check-prefix=SLOW-REMARK --implicit-check-not=remark:

// RANK: error: 'shard.grid' op has ranks 0 to 3, found rank 4
// NEGATIVE: error: 'shard.grid' op has ranks 0 to 3, found rank -1
// COMPUTE: error: 'compute' expected f32, tf32, bf16 or f16, found 'f64'
// AUTO: error: 'compute' expected f32, tf32, bf16 or f16, found 'auto'
// NONE: error: cannot read topology file '{{.*}}none.json': {{[Nn]}}o such file or directory
// BROKEN: error: {{.*}}broken.json:
// AXIS: error: {{.*}}axis.json: axes: expected the axis "tp" of the grid, found none
// SMALL: error: "w": no strategy fits the memory of a rank: expected at most 64 B, found

// Products that take long are worth an owner, a slow link is not.

// SLOW: muon.plan = ["grid dp=2 tp=2", "w: 1 of 8x4, unreduced dp, replicate"]
// FAST: muon.plan = ["grid dp=2 tp=2", "w: 1 of 8x4, unreduced dp, own by

// One remark for each update, with the reason.

// REMARK: remark: [Analysis] Distribute | Category:muon-distribute | {{.*}}"{{(own|replicate): .+}}"
// SLOW-REMARK: remark: [Analysis] Distribute | Category:muon-distribute | {{.*}}"replicate: {{.+}}"

//--- step.mlir
shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"], muon.unreduced = #muon.unreduced<[0], mean>},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

//--- broken.json
{"axes": {
//--- axis.json
{"axes": {"dp": {"latency": 1e-5, "bandwidth": 5e10}}, "flops": 4e14}
//--- small.json
{"axes": {"dp": {"latency": 1e-5, "bandwidth": 5e10}, "tp": {"latency": 1e-5, "bandwidth": 5e10}}, "flops": 4e14, "memory": 64}
//--- slow.json
{"axes": {"dp": {"latency": 1, "bandwidth": 1e3}, "tp": {"latency": 1e-5, "bandwidth": 5e10}}, "flops": 4e14}
//--- fast.json
{"axes": {"dp": {"latency": 1e-9, "bandwidth": 5e15}, "tp": {"latency": 1e-9, "bandwidth": 5e15}}, "flops": 1}
