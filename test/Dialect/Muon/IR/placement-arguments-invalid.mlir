// RUN: muon-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{argument #0: 'muon.sharding' expected a #muon.sharding with a list of axes for each dimension of 'tensor<4x6xf32>', found #muon.sharding<}}
func.func private @sharding_of_another_rank(tensor<4x6xf32> {muon.sharding = #muon.sharding<[[0]]>})

// -----

// expected-error @below {{argument #0: 'muon.sharding' expected a #muon.sharding with a list of axes for each dimension of '!muon.stack<2x4x6xf32>', found #muon.sharding<}}
func.func private @sharding_of_a_stack(!muon.stack<2x4x6xf32> {muon.sharding = #muon.sharding<[[0], [], []]>})

// -----

// expected-error @below {{argument #0: 'muon.sharding' expected a #muon.sharding with a list of axes for each dimension of 'tensor<4xf32>', found "dp"}}
func.func private @sharding_not_a_sharding(tensor<4xf32> {muon.sharding = "dp"})

// -----

// expected-error @below {{argument #0: 'muon.sharding' expected a #muon.sharding with a list of axes for each dimension of 'index', found #muon.sharding<}}
func.func private @sharding_of_no_tensor(index {muon.sharding = #muon.sharding<[[0]]>})

// -----

// expected-error @below {{argument #0: 'muon.unreduced' expected a #muon.unreduced of a gradient, found #muon.unreduced<[0], mean>}}
func.func private @unreduced_weight(tensor<4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"], muon.unreduced = #muon.unreduced<[0], mean>})

// -----

// expected-error @below {{argument #0: 'muon.unreduced' expected a #muon.unreduced of a gradient, found #muon.unreduced<[0], mean>}}
func.func private @unreduced_without_role(tensor<4xf32> {muon.unreduced = #muon.unreduced<[0], mean>})

// -----

// expected-error @below {{argument #0: 'muon.unreduced' expected a #muon.unreduced of a gradient, found [0]}}
func.func private @unreduced_not_unreduced(tensor<4xf32> {muon.role = #muon.role<gradient>, muon.names = ["g"], muon.unreduced = [0]})

// -----

// expected-error @below {{argument #0: 'muon.names' block #muon.part<tensor = "w", block = [4, 6], offset = [0, 0], shape = [8, 6]> does not fit type 'tensor<4x5xf32>'}}
func.func private @block_of_another_shape(tensor<4x5xf32> {muon.names = [#muon.part<tensor = "w", block = [4, 6], offset = [0, 0], shape = [8, 6]>]})

// -----

// expected-error @below {{argument #0: 'muon.names' part #muon.part<tensor = "w", from = 5 : i64, block = [4, 2], offset = [0, 0], shape = [8, 6]> does not have the elements of 'tensor<4xf32>'}}
func.func private @run_beyond_the_block(tensor<4xf32> {muon.names = [#muon.part<tensor = "w", from = 5, block = [4, 2], offset = [0, 0], shape = [8, 6]>]})

// -----

// expected-error @below {{argument #0: 'muon.names' part #muon.part<tensor = "w", block = [4], offset = [0], shape = [8]> does not fit type 'index'}}
func.func private @part_of_no_tensor(index {muon.names = [#muon.part<tensor = "w", block = [4], offset = [0], shape = [8]>]})

// -----

// expected-error @below {{'muon.strategy' expected a string, found 1 : i64}}
module attributes {muon.strategy = 1 : i64} {}

// -----

// expected-error @below {{'muon.plan' expected a list of strings, found "a"}}
module attributes {muon.plan = "a"} {}

// -----

// expected-error @below {{'muon.plan' expected a list of strings, found [1]}}
module attributes {muon.plan = [1]} {}

// -----

// expected-error @below {{'muon.collectives' expected a list of dictionaries, found ["all_reduce"]}}
module attributes {muon.collectives = ["all_reduce"]} {}

// -----

// expected-error @below {{'muon.axes' expected a shard.grid with a name for each axis, found ["dp"]}}
shard.grid @grid(shape = 2x2) {muon.axes = ["dp"]}

// -----

// expected-error @below {{'muon.axes' expected a shard.grid with a name for each axis, found [0]}}
shard.grid @grid(shape = 2) {muon.axes = [0]}

// -----

// expected-error @below {{'muon.axes' expected a shard.grid with a name for each axis, found ["dp"]}}
module attributes {muon.axes = ["dp"]} {}

// -----

// expected-error @below {{'muon.rank' expected a module}}
shard.grid @grid(shape = 2) {muon.rank = 0}

// -----

// expected-error @below {{'muon.rank' expected the number of a rank of the module's shard.grid, found 0 : i64}}
module attributes {muon.rank = 0} {}

// -----

// expected-error @below {{'muon.rank' expected the number of a rank of the module's shard.grid, found 6 : i64}}
module attributes {muon.rank = 6} {
  shard.grid @grid(shape = 2x3)
}

// -----

// expected-error @below {{'muon.rank' expected the number of a rank of the module's shard.grid, found -1 : i64}}
module attributes {muon.rank = -1} {
  shard.grid @grid(shape = 2x3)
}

// -----

// expected-error @below {{'muon.rank' expected the number of a rank of the module's shard.grid, found "0"}}
module attributes {muon.rank = "0"} {
  shard.grid @grid(shape = 2x3)
}

// -----

module attributes {muon.rank = 0} {
  // expected-note @below {{the first one is here}}
  shard.grid @grid(shape = 2x3)
  // expected-error @below {{'shard.grid' op is the second one; a step has one grid}}
  shard.grid @other(shape = 2)
}

// -----

module attributes {muon.rank = 0} {
  // expected-error @below {{'shard.grid' op expected a known size of every axis}}
  shard.grid @grid(shape = 2x?)
}

// -----

// What each rank has of a gradient is not the gradient.

module attributes {muon.rank = 0} {
  shard.grid @grid(shape = 2)
  func.func @norm(
      %g: tensor<4xf32> {muon.role = #muon.role<gradient>, muon.names = ["g"], muon.unreduced = #muon.unreduced<[0], mean>}, %s: tensor<1xf64>) {
    // expected-error @below {{'muon.sum_squares' op uses argument #0, which is an unreduced gradient; expected a sum over the ranks first}}
    %0 = muon.sum_squares value(%g : tensor<4xf32>) sums(%s : tensor<1xf64>)
    return
  }
}

// -----

module attributes {muon.rank = 0} {
  shard.grid @grid(shape = 2)
  func.func @gather(
      %o: tensor<4xf32>,
      %g: tensor<4xf32> {muon.role = #muon.role<gradient>, muon.names = ["g"], muon.unreduced = #muon.unreduced<[0], sum>}) -> tensor<4xf32> {
    // expected-error @below {{'muon.all_gather' op uses argument #1, which is an unreduced gradient; expected a sum over the ranks first}}
    %0 = muon.all_gather value(%g : tensor<4xf32>) out(%o : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4, 4>, from = array<i64: 0, 1>, sends = array<i64: 0>, receives = array<i64: 1>}
    return %0 : tensor<4xf32>
  }
}

// -----

module attributes {muon.rank = 0} {
  shard.grid @grid(shape = 2)
  func.func @returned(
      %g: tensor<4xf32> {muon.role = #muon.role<gradient>, muon.names = ["g"], muon.unreduced = #muon.unreduced<[0], sum>}) -> tensor<4xf32> {
    // expected-error @below {{'func.return' op uses argument #0, which is an unreduced gradient; expected a sum over the ranks first}}
    return %g : tensor<4xf32>
  }
}
