// RUN: muon-opt %s --split-input-file --verify-diagnostics

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @elements_zero(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'muon.all_reduce' op 'elements' expected positive numbers, found 0}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 0>, sends = array<i64: 0>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @sends_unknown(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'sends' expected distinct numbers from 0 to 0, found 1}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, sends = array<i64: 1>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @sends_negative(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'sends' expected distinct numbers from 0 to 0, found -1}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, sends = array<i64: -1>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @receives_twice(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'receives' expected distinct numbers from 0 to 1, found 1}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 2, 2>, sends = array<i64: 0, 1>, receives = array<i64: 1, 1>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @sends_too_few(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'sends' expected to list segment 0, which is on this rank}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4, 4>, sends = array<i64: 1>, receives = array<i64: 0, 1>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @receives_too_few(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'receives' expected to list segment 1, which is on this rank}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 2, 2>, sends = array<i64: 0, 1>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @value_too_large(%a: tensor<5xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'value' expected to hold segments of 4 elements, found 'tensor<5xf32>'}}
  %0 = muon.all_reduce value(%a : tensor<5xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, sends = array<i64: 0>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @out_too_small(%a: tensor<4xf32>, %b: tensor<3xf32>) {
  // expected-error @below {{'out' expected to hold segments of 2, 2 elements, found 'tensor<3xf32>'}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<3xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 2, 2>, sends = array<i64: 0, 1>, receives = array<i64: 0, 1>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @segment_across_operands(%a: tensor<4xf32>, %b: tensor<2xf32>, %c: tensor<2xf32>) {
  // expected-error @below {{'out' expected to hold segments of 4 elements, found 'tensor<2xf32>', 'tensor<2xf32>'}}
  %0:2 = muon.all_reduce value(%a : tensor<4xf32>) out(%b, %c : tensor<2xf32>, tensor<2xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, sends = array<i64: 0>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @two_in_a_member(%a: tensor<8xf32>, %b: !muon.stack<2x4xf32>) {
  // expected-error @below {{'out' expected to hold segments of 2, 2, 4 elements, found '!muon.stack<2x4xf32>'}}
  %0 = muon.all_reduce value(%a : tensor<8xf32>) out(%b : !muon.stack<2x4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 2, 2, 4>, sends = array<i64: 0, 1, 2>, receives = array<i64: 0, 1, 2>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @element_types(%a: tensor<4xf32>, %b: tensor<4xbf16>) {
  // expected-error @below {{expected operands of one element type, found 'f32' and 'bf16'}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xbf16>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, sends = array<i64: 0>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @type_differs(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{expected operands of one element type, found 'f64' and 'f32'}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, sends = array<i64: 0>, receives = array<i64: 0>, type = f64, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @integers(%a: tensor<4xi32>, %b: tensor<4xi32>) {
  // expected-error @below {{'muon.all_reduce' op operand #0 must be variadic of tensor or stack of f32, bf16, f16 or f64 with a static, non-empty shape, but got 'tensor<4xi32>'}}
  %0 = muon.all_reduce value(%a : tensor<4xi32>) out(%b : tensor<4xi32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, sends = array<i64: 0>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @handle_on_tensors(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'handle' expected memrefs and tables only}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, sends = array<i64: 0>, receives = array<i64: 0>, handle = 0 : i64, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @no_reduction(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'muon.all_reduce' op requires attribute 'reduction'}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @to_count(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'muon.reduce_scatter' op 'to' expected a place for each of 1 segments, found 2}}
  %0 = muon.reduce_scatter value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, to = array<i64: 0, 0>, sends = array<i64: 0>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @to_place(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'to' expected places from 0 to 1, found 2}}
  %0 = muon.reduce_scatter value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, to = array<i64: 2>, sends = array<i64: 0>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @receives_what_goes_elsewhere(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'receives' lists segment 0, which is not on this rank}}
  %0 = muon.reduce_scatter value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, to = array<i64: 1>, sends = array<i64: 0>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @receives_nothing_of_its_own(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'receives' expected to list segment 0, which is on this rank}}
  muon.reduce_scatter value(%a : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, to = array<i64: 0>, sends = array<i64: 0>, receives = array<i64>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @scatter_sends_all(%a: tensor<4xf32>) {
  // expected-error @below {{'sends' expected to list segment 1, which is on this rank}}
  muon.reduce_scatter value(%a : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4, 4>, to = array<i64: 1, 1>, sends = array<i64: 0>, receives = array<i64>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @from_place(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'from' expected places from 0 to 1, found -1}}
  %0 = muon.all_gather value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, from = array<i64: -1>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @from_count(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'from' expected a place for each of 1 segments, found 0}}
  %0 = muon.all_gather value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, from = array<i64>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @sends_what_is_elsewhere(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'sends' lists segment 0, which is not on this rank}}
  %0 = muon.all_gather value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, from = array<i64: 1>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @gathers_too_little(%a: tensor<4xf32>) {
  // expected-error @below {{'receives' expected to list segment 1, which is on this rank}}
  muon.all_gather value(%a : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4, 4>, from = array<i64: 0, 1>, sends = array<i64: 0>, receives = array<i64>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @root(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'muon.broadcast' op 'from' expected places from 0 to 1, found 2}}
  %0 = muon.broadcast value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, root = 2 : i64, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @broadcast_from_another(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'sends' lists segment 0, which is not on this rank}}
  %0 = muon.broadcast value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, root = 1 : i64, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @all_to_all_source(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'sends' lists segment 0, which is not on this rank}}
  %0 = muon.all_to_all value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, from = array<i64: 1>, to = array<i64: 0>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @all_to_all_target(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'receives' lists segment 0, which is not on this rank}}
  %0 = muon.all_to_all value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, from = array<i64: 0>, to = array<i64: 1>, sends = array<i64: 0>, receives = array<i64: 0>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @all_to_all_own(%a: tensor<4xf32>) {
  // expected-error @below {{'receives' expected to list segment 0, which is on this rank}}
  muon.all_to_all value(%a : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, from = array<i64: 0>, to = array<i64: 0>, sends = array<i64: 0>, receives = array<i64>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @type_of_nothing() {
  // expected-error @below {{expected 'type' where there are no operands}}
  muon.all_to_all {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, from = array<i64: 1>, to = array<i64: 1>, sends = array<i64>, receives = array<i64>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @no_grid(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'muon.all_reduce' op expected @other to be a shard.grid}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@other, [0], 0 of 2>, elements = array<i64: 4>, sends = array<i64: 0>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

shard.grid @grid(shape = 2x2)
func.func @no_rank(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{'muon.all_reduce' op expected a module with 'muon.rank'}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [0], 0 of 2>, elements = array<i64: 4>, sends = array<i64: 0>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @axes(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{axes array<i64: 2> are not distinct axes of}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [2], 0 of 2>, elements = array<i64: 4>, sends = array<i64: 0>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @place(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{expected #muon.group<@grid, [1], 0 of 2> for rank 0, found #muon.group<@grid, [1], 1 of 2>}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [1], 1 of 2>, elements = array<i64: 4>, sends = array<i64: 0>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

module attributes {muon.rank = 0 : i64} {
shard.grid @grid(shape = 2x2)
func.func @size(%a: tensor<4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{expected #muon.group<@grid, [1, 0], 0 of 4> for rank 0, found #muon.group<@grid, [1, 0], 0 of 2>}}
  %0 = muon.all_reduce value(%a : tensor<4xf32>) out(%b : tensor<4xf32>) {group = #muon.group<@grid, [1, 0], 0 of 2>, elements = array<i64: 4>, sends = array<i64: 0>, receives = array<i64: 0>, reduction = #muon.reduction<sum>}
  return
}
}

// -----

func.func @wait_for_tensors(%a: tensor<4xf32>) {
  // expected-error @below {{'muon.wait' op expected memrefs and tables only}}
  %0 = muon.wait out(%a : tensor<4xf32>) {handle = 0 : i64}
  return
}

// -----

func.func @place_from(%a: tensor<2xf64>, %b: tensor<5xf64>) {
  // expected-error @below {{'muon.place' op 'from' expected a number for each of 1 values, found 0}}
  %0 = muon.place value(%a : tensor<2xf64>) out(%b : tensor<5xf64>) {from = array<i64>, to = array<i64: 0>, counts = array<i64: 1>}
  return
}

// -----

func.func @place_to(%a: tensor<2xf64>, %b: tensor<5xf64>) {
  // expected-error @below {{'to' expected a number for each of 1 values, found 2}}
  %0 = muon.place value(%a : tensor<2xf64>) out(%b : tensor<5xf64>) {from = array<i64: 0>, to = array<i64: 0, 1>, counts = array<i64: 1>}
  return
}

// -----

func.func @place_counts(%a: tensor<2xf64>, %b: tensor<5xf64>) {
  // expected-error @below {{'counts' expected a number for each of 1 values, found 0}}
  %0 = muon.place value(%a : tensor<2xf64>) out(%b : tensor<5xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64>}
  return
}

// -----

func.func @place_beyond_value(%a: tensor<2xf64>, %b: tensor<5xf64>) {
  // expected-error @below {{expected a run within 'tensor<2xf64>' and a list of 5, found 2 numbers from 1 to 0}}
  %0 = muon.place value(%a : tensor<2xf64>) out(%b : tensor<5xf64>) {from = array<i64: 1>, to = array<i64: 0>, counts = array<i64: 2>}
  return
}

// -----

func.func @place_beyond_out(%a: tensor<2xf64>, %b: tensor<5xf64>) {
  // expected-error @below {{expected a run within 'tensor<2xf64>' and a list of 5, found 2 numbers from 0 to 4}}
  %0 = muon.place value(%a : tensor<2xf64>) out(%b : tensor<5xf64>) {from = array<i64: 0>, to = array<i64: 4>, counts = array<i64: 2>}
  return
}

// -----

func.func @place_nothing(%a: tensor<2xf64>, %b: tensor<5xf64>) {
  // expected-error @below {{found 0 numbers from 0 to 0}}
  %0 = muon.place value(%a : tensor<2xf64>) out(%b : tensor<5xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 0>}
  return
}

// -----

func.func @place_negative(%a: tensor<2xf64>, %b: tensor<5xf64>) {
  // expected-error @below {{found 1 numbers from 0 to -1}}
  %0 = muon.place value(%a : tensor<2xf64>) out(%b : tensor<5xf64>) {from = array<i64: 0>, to = array<i64: -1>, counts = array<i64: 1>}
  return
}

// -----

func.func @place_twice(%a: tensor<2xf64>, %b: tensor<5xf64>) {
  // expected-error @below {{'muon.place' op writes number 3 twice}}
  %0 = muon.place value(%a, %a : tensor<2xf64>, tensor<2xf64>) out(%b : tensor<5xf64>) {from = array<i64: 0, 1>, to = array<i64: 2, 3>, counts = array<i64: 2, 1>}
  return
}

// -----

func.func @place_f32(%a: tensor<2xf32>, %b: tensor<5xf64>) {
  // expected-error @below {{'muon.place' op operand #0 must be}}
  %0 = muon.place value(%a : tensor<2xf32>) out(%b : tensor<5xf64>) {from = array<i64: 0>, to = array<i64: 0>, counts = array<i64: 1>}
  return
}

// -----

func.func @lists(%a: tensor<2x4x5xf32>, %b: tensor<2x4x5xf32>) {
  // expected-error @below {{'muon.assemble' op expected lists of one length for the blocks}}
  %0 = muon.assemble blocks(%a : tensor<2x4x5xf32>) out(%b : tensor<2x4x5xf32>) {row_offsets = array<i64: 0, 0>, col_offsets = array<i64: 0>, rows = array<i64: 4>, cols = array<i64: 5>}
  return
}

// -----

func.func @no_blocks(%a: tensor<2x4x5xf32>, %b: tensor<2x4x5xf32>) {
  // expected-error @below {{expected lists of one length for the blocks}}
  %0 = muon.assemble blocks(%a : tensor<2x4x5xf32>) out(%b : tensor<2x4x5xf32>) {row_offsets = array<i64>, col_offsets = array<i64>, rows = array<i64>, cols = array<i64>}
  return
}

// -----

func.func @types(%a: tensor<2x4x5xbf16>, %b: tensor<2x4x5xf32>) {
  // expected-error @below {{expected operands of one element type, found 'tensor<2x4x5xf32>' and 'tensor<2x4x5xbf16>'}}
  %0 = muon.assemble blocks(%a : tensor<2x4x5xbf16>) out(%b : tensor<2x4x5xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 0>, rows = array<i64: 4>, cols = array<i64: 5>}
  return
}

// -----

func.func @outside(%a: tensor<2x4x5xf32>, %b: tensor<2x4x5xf32>) {
  // expected-error @below {{block 0 (4x5 at 1, 0) does not lie within matrices of 'tensor<2x4x5xf32>'}}
  %0 = muon.assemble blocks(%a : tensor<2x4x5xf32>) out(%b : tensor<2x4x5xf32>) {row_offsets = array<i64: 1>, col_offsets = array<i64: 0>, rows = array<i64: 4>, cols = array<i64: 5>}
  return
}

// -----

func.func @empty_block(%a: tensor<2x4x5xf32>, %b: tensor<2x4x5xf32>) {
  // expected-error @below {{block 1 (4x0 at 0, 5) does not lie within matrices of 'tensor<2x4x5xf32>'}}
  %0 = muon.assemble blocks(%a : tensor<2x4x5xf32>) out(%b : tensor<2x4x5xf32>) {row_offsets = array<i64: 0, 0>, col_offsets = array<i64: 0, 5>, rows = array<i64: 4, 4>, cols = array<i64: 5, 0>}
  return
}

// -----

func.func @uncovered(%a: tensor<2x4x5xf32>, %b: tensor<2x4x5xf32>) {
  // expected-error @below {{expected blocks that cover matrices of 'tensor<2x4x5xf32>', found 16 elements}}
  %0 = muon.assemble blocks(%a : tensor<2x4x5xf32>) out(%b : tensor<2x4x5xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 0>, rows = array<i64: 4>, cols = array<i64: 4>}
  return
}

// -----

func.func @held(%a: tensor<1x4x5xf32>, %b: tensor<2x4x5xf32>) {
  // expected-error @below {{'blocks' expected 40 elements, found 'tensor<1x4x5xf32>'}}
  %0 = muon.assemble blocks(%a : tensor<1x4x5xf32>) out(%b : tensor<2x4x5xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 0>, rows = array<i64: 4>, cols = array<i64: 5>}
  return
}

// -----

func.func @divide_outside(%a: tensor<2x4x5xf32>, %b: tensor<2x4x5xf32>) {
  // expected-error @below {{'muon.divide' op block 0 (4x5 at 0, 1) does not lie within matrices of 'tensor<2x4x5xf32>'}}
  %0 = muon.divide x(%a : tensor<2x4x5xf32>) blocks(%b : tensor<2x4x5xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 1>, rows = array<i64: 4>, cols = array<i64: 5>}
  return
}

// -----

func.func @divide_held(%a: tensor<2x4x5xf32>, %b: tensor<2x4x5xf32>) {
  // expected-error @below {{'blocks' expected 16 elements, found 'tensor<2x4x5xf32>'}}
  %0 = muon.divide x(%a : tensor<2x4x5xf32>) blocks(%b : tensor<2x4x5xf32>) {row_offsets = array<i64: 0>, col_offsets = array<i64: 1>, rows = array<i64: 4>, cols = array<i64: 2>}
  return
}

// -----

func.func @start_strided(%a: memref<4xf32, strided<[2]>>) {
  // expected-error @below {{'muon.start_collective' op}}
  muon.start_collective 0(%a) : memref<4xf32, strided<[2]>>
  return
}

// -----

func.func @start_negative(%a: memref<4xf32>) {
  // expected-error @below {{attribute 'index' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  muon.start_collective -1(%a) : memref<4xf32>
  return
}

// -----

func.func @wait_negative() {
  // expected-error @below {{attribute 'index' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  muon.wait_collective -1
  return
}

// -----

func.func @group_of_direct(%x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  // expected-error @below {{'muon.orthogonalize' op 'group' expected iteration gram, found direct}}
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>) {schedule = #muon.schedule<you>, steps = 2 : i64, iteration = #muon.iteration<direct>, group = #muon.group<@grid, [0], 0 of 2>}
  return
}

// -----

func.func @gradient_of_other_members(%g: tensor<3x8x4xf32>, %s: tensor<2xf64>, %f: tensor<f32>, %w: !muon.stack<2x8x4xf32>, %m: !muon.stack<2x8x4xf32>) {
  // expected-error @below {{'muon.update' op}}
  %0:2 = muon.update gradient(%g : tensor<3x8x4xf32>) gradient_sums(%s : tensor<2xf64>) momentum_sums(%s : tensor<2xf64>) lr(%f : tensor<f32>) weight_decay(%f : tensor<f32>) beta(%f : tensor<f32>) weight(%w : !muon.stack<2x8x4xf32>) momentum(%m : !muon.stack<2x8x4xf32>) {schedule = #muon.schedule<you>, steps = 5 : i64}
  return
}

// -----

func.func @triangle_not_square(%a: tensor<2x3x4xf32>, %b: tensor<2x1x6xf32>) {
  // expected-error @below {{'muon.pack_triangle' op expected square matrices and a batch of 6 numbers for the triangle of each, found 'tensor<2x3x4xf32>' and 'tensor<2x1x6xf32>'}}
  %0 = muon.pack_triangle x(%a : tensor<2x3x4xf32>) out(%b : tensor<2x1x6xf32>)
  return
}

// -----

func.func @triangle_numbers(%a: tensor<2x3x3xf32>, %b: tensor<2x1x9xf32>) {
  // expected-error @below {{expected square matrices and a batch of 6 numbers for the triangle of each, found 'tensor<2x3x3xf32>' and 'tensor<2x1x9xf32>'}}
  %0 = muon.pack_triangle x(%a : tensor<2x3x3xf32>) out(%b : tensor<2x1x9xf32>)
  return
}

// -----

func.func @triangle_batch(%a: tensor<1x1x6xf32>, %b: tensor<2x3x3xf32>) {
  // expected-error @below {{'muon.unpack_triangle' op expected square matrices and a batch of 6 numbers for the triangle of each, found 'tensor<2x3x3xf32>' and 'tensor<1x1x6xf32>'}}
  %0 = muon.unpack_triangle x(%a : tensor<1x1x6xf32>) out(%b : tensor<2x3x3xf32>)
  return
}

// -----

func.func @triangle_type(%a: tensor<2x1x6xbf16>, %b: tensor<2x3x3xf32>) {
  // expected-error @below {{expected square matrices and a batch of 6 numbers}}
  %0 = muon.unpack_triangle x(%a : tensor<2x1x6xbf16>) out(%b : tensor<2x3x3xf32>)
  return
}
