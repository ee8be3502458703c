// RUN: muon-opt --muon-distribute --split-input-file --verify-diagnostics %s

// What is laid out alike is updated together.

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
// expected-error @below {{argument #2 ("w"): expected the sharding of the weight, #muon.sharding<}}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"], muon.sharding = #muon.sharding<[[1], []]>},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"], muon.sharding = #muon.sharding<[[], [1]]>},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
// expected-error @below {{argument #2 ("w"): expected the sharding of the weight, #muon.sharding<}}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"], muon.sharding = #muon.sharding<[[1], []]>},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
// expected-error @below {{argument #3 ("w"): expected the sharding of the weight, #muon.sharding<}}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"], muon.sharding = #muon.sharding<[[1], []]>},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"], muon.sharding = #muon.sharding<[[1], []]>},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"], muon.sharding = #muon.sharding<[[0], []]>},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
// expected-error @below {{argument #1 ("w"): 'muon.sharding' expected axes of @grid, 0 to 1, found 2}}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"], muon.sharding = #muon.sharding<[[2], []]>},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
// expected-error @below {{argument #2 ("w"): 'muon.unreduced' expected axes of @grid, 0 to 1, found 5}}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"], muon.unreduced = #muon.unreduced<[5], mean>},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
// expected-error @below {{argument #2 ("w"): 'muon.unreduced' has axis 1, along which the gradient is split; expected axes along which ranks have the same part of it}}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"], muon.sharding = #muon.sharding<[[1], []]>},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"], muon.sharding = #muon.sharding<[[1], []]>, muon.unreduced = #muon.unreduced<[0, 1], mean>},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
// expected-error @below {{argument #1 (#muon.rows<"qkv", 0 to 8 of 24>): is a block of rows, #muon.rows<"qkv", 0 to 8 of 24>, that is updated as one matrix, and cannot be split as #muon.sharding<}}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = [#muon.rows<"qkv", 0 to 8 of 24>], muon.sharding = #muon.sharding<[[1], []]>},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = [#muon.rows<"qkv", 0 to 8 of 24>], muon.sharding = #muon.sharding<[[1], []]>},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = [#muon.rows<"qkv", 0 to 8 of 24>]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = [#muon.rows<"qkv", 0 to 8 of 24>]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = [#muon.rows<"qkv", 0 to 8 of 24>]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
// expected-error @below {{is a part of a tensor already; expected a whole tensor}}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = [#muon.part<tensor = "w", block = [8, 4], offset = [0, 0], shape = [16, 4]>]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = [#muon.part<tensor = "w", block = [8, 4], offset = [0, 0], shape = [16, 4]>]},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = [#muon.part<tensor = "w", block = [8, 4], offset = [0, 0], shape = [16, 4]>]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = [#muon.part<tensor = "w", block = [8, 4], offset = [0, 0], shape = [16, 4]>]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = [#muon.part<tensor = "w", block = [8, 4], offset = [0, 0], shape = [16, 4]>]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  // expected-error @below {{'muon.update' op 'muon.strategy' expected local, replicate, own, gather or distributed_gram, found 'best'}}
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, muon.strategy = "best"}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
// expected-error @below {{"w": strategy gather cannot apply}}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"], muon.unreduced = #muon.unreduced<[0], mean>},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, muon.strategy = "gather"}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
// expected-error @below {{"w": strategy distributed_gram cannot apply}}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"], muon.unreduced = #muon.unreduced<[0], mean>},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, muon.strategy = "distributed_gram"}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
// expected-error @below {{"w": strategy distributed_gram cannot apply: both dimensions of its matrices are split; expected own or gather}}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"], muon.sharding = #muon.sharding<[[0], [1]]>},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"], muon.sharding = #muon.sharding<[[0], [1]]>},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, muon.strategy = "distributed_gram"}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
// expected-error @below {{"w": strategy distributed_gram cannot apply: it adds up Gram matrices in f32, and products are in bf16}}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"], muon.sharding = #muon.sharding<[[0], []]>},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"], muon.sharding = #muon.sharding<[[0], []]>},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, muon.strategy = "distributed_gram", compute = #muon.compute<bf16>}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
// expected-error @below {{"w": strategy distributed_gram cannot apply: ranks without a part of the matrices have no part in it}}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<1x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"], muon.sharding = #muon.sharding<[[0], []]>},
    %g: tensor<1x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"], muon.sharding = #muon.sharding<[[0], []]>},
    %m: tensor<1x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<1x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<1x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<1x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<1x4xf32>) momentum(%m : tensor<1x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64, muon.strategy = "distributed_gram"}
  return
}

// -----

// expected-error @below {{expected a shard.grid in the module to plan for}}
module {
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}
}

// -----

shard.grid @grid(shape = 2)
// expected-note @above {{the first one is here}}
// expected-error @below {{is the second one; a step has one grid}}
shard.grid @more(shape = 2)

// -----

// expected-error @below {{expected a function 'step' with a body}}
module {
  shard.grid @grid(shape = 2)
}

// -----

// expected-error @below {{expected a function 'step' with a body}}
module {
  shard.grid @grid(shape = 2)
  func.func private @step()
}

// -----

shard.grid @grid(shape = 2)
// expected-error @below {{'func.func' op expected updates to distribute}}
func.func @step() { return }

// -----

// What no update is of cannot be given to a rank.

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  // expected-error @below {{'tensor.empty' op expected updates, the look, and what counts the step in a step to distribute}}
  %x = tensor.empty() : tensor<8x4xf32>
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
// expected-error @below {{argument #6 ("x"): belongs to no update; expected a tensor of an update or a scalar}}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]},
    %x: tensor<8xf32> {muon.role = #muon.role<weight>, muon.names = ["x"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  // expected-error @below {{'muon.update' op 'gradient' uses argument #1, which another update has}}
  %2:2 = muon.update gradient(%w : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  // expected-error @below {{'muon.update' op 'gradient_sums' expected muon.sum_squares of the update's tensor}}
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  // expected-error @below {{'muon.update' op 'gradient_sums' expected muon.sum_squares of the update's tensor}}
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%1 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  // expected-error @below {{'tensor.empty' op expected updates}}
  %x = tensor.empty() : tensor<1xf64>
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%x : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%ms : tensor<1xf64>)
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2x2) {muon.axes = ["dp", "tp"]}
func.func @step(
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "a"},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %g: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]},
    %m: tensor<8x4xf32> {muon.role = #muon.role<momentum>, muon.names = ["w"]},
    %gs: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]},
    %ms: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]}) {
  %0 = muon.sum_squares value(%g : tensor<8x4xf32>) sums(%gs : tensor<1xf64>)
  %1 = muon.sum_squares value(%m : tensor<8x4xf32>) sums(%0 : tensor<1xf64>)
  // expected-error @below {{'muon.update' op expected sums in arguments of the step to distribute it}}
  %2:2 = muon.update gradient(%g : tensor<8x4xf32>) gradient_sums(%0 : tensor<1xf64>) momentum_sums(%1 : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>) beta(%lr : tensor<f32>) weight(%w : tensor<8x4xf32>) momentum(%m : tensor<8x4xf32>) {schedule = #muon.schedule<keller_jordan>, steps = 5 : i64}
  return
}

// -----

shard.grid @grid(shape = 2)
// expected-error @below {{'func.func' op expected one block}}
func.func @step() {
  cf.br ^bb1
^bb1:
  return
}
