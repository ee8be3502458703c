// A weight that two updates change, one after the other, is two groups; the
// scratch memory and streams of each are its own.

// RUN: muon-compile %s --compile-to=buffers -o /dev/null --report=%t.json
// RUN: FileCheck %s < %t.json
// CHECK:     "optimizer": "muon",
// CHECK:     "w"
// CHECK:     "side": "left",
// CHECK:     "steps": 2,
// CHECK:     "stream": "momentum",
// CHECK-NEXT: "bytes_read": 4096,
// CHECK:     "stream": "apply",
// CHECK-NEXT: "bytes_read": 4096,
// CHECK:     "scratch_bytes": {{[1-9][0-9]*}},
// CHECK-NEXT: "passes": 1,
// CHECK:     "optimizer": "muon",
// CHECK:     "steps": 3,
// CHECK:     "stream": "momentum",
// CHECK-NEXT: "bytes_read": 4096,
// CHECK:     "scratch_bytes": {{[1-9][0-9]*}},
// CHECK-NEXT: "passes": 1,
// CHECK:     "totals"
// CHECK-NEXT: "members": 2,

func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "muon"},
    %wd: tensor<f32> {muon.role = #muon.role<weight_decay>, muon.group = "muon"},
    %beta: tensor<f32> {muon.role = #muon.role<beta>, muon.group = "muon"},
    %w: tensor<16x32xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<16x32xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]},
    %m: tensor<16x32xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gr: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %mr: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]})
    -> (tensor<1xf64>, tensor<1xf64>, tensor<16x32xf32>, tensor<16x32xf32>) {
  %gs = muon.sum_squares value(%g : tensor<16x32xf32>) sums(%gr : tensor<1xf64>)
  %ms = muon.sum_squares value(%m : tensor<16x32xf32>) sums(%mr : tensor<1xf64>)
  %w1, %m1 = muon.update gradient(%g : tensor<16x32xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>)
      weight(%w : tensor<16x32xf32>) momentum(%m : tensor<16x32xf32>)
      {schedule = #muon.schedule<keller_jordan>, steps = 2 : i64}
  %w2, %m2 = muon.update gradient(%g : tensor<16x32xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>)
      weight(%w1 : tensor<16x32xf32>) momentum(%m1 : tensor<16x32xf32>)
      {schedule = #muon.schedule<keller_jordan>, steps = 3 : i64}
  return %gs, %ms, %w2, %m2 : tensor<1xf64>, tensor<1xf64>, tensor<16x32xf32>, tensor<16x32xf32>
}
