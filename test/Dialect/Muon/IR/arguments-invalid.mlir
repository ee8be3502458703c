// RUN: muon-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{argument #0: 'muon.colour' is not an argument attribute of the muon dialect}}
func.func private @unknown_attribute(tensor<f32> {muon.colour = "red"})

// -----

// expected-error @below {{argument #0: 'muon.frozen' is not an argument attribute of the muon dialect}}
func.func private @frozen_argument(tensor<4x6xf32> {muon.frozen = ["w"]})

// -----

// expected-error @below {{argument #0: 'muon.role' expected a #muon.role, found "lr"}}
func.func private @role_not_a_role(tensor<f32> {muon.role = "lr"})

// -----

// expected-error @below {{argument #0: 'muon.group' expected a string, found 1 : i64}}
func.func private @group_not_a_string(
    tensor<f32> {muon.role = #muon.role<lr>, muon.group = 1 : i64})

// -----

// expected-error @below {{argument #0: 'muon.default' expected a finite number, found 1 : i64}}
func.func private @default_not_a_float(tensor<f32> {muon.default = 1 : i64})

// -----

// expected-error @below {{argument #0: 'muon.default' expected a finite number, found 0x7FF0000000000000 : f64}}
func.func private @default_infinite(
    tensor<f32> {muon.default = 0x7FF0000000000000 : f64})

// -----

// expected-error @below {{argument #0: 'muon.default' expected a finite number, found 0x7FF8000000000000 : f64}}
func.func private @default_nan(
    tensor<f32> {muon.default = 0x7FF8000000000000 : f64})

// -----

// expected-error @below {{argument #0: 'muon.names' expected a list of names, row blocks and parts, found "w"}}
func.func private @names_not_a_list(tensor<4x6xf32> {muon.names = "w"})

// -----

// expected-error @below {{argument #0: 'muon.names' expected a list of names, row blocks and parts, found [1]}}
func.func private @names_of_numbers(tensor<4x6xf32> {muon.names = [1 : i64]})

// -----

// expected-error @below {{argument #0: 'muon.names' expected 1 names for 'tensor<4x6xf32>', found 0}}
func.func private @names_none(tensor<4x6xf32> {muon.names = []})

// -----

// expected-error @below {{argument #0: 'muon.names' expected 1 names for 'tensor<4x6xf32>', found 2}}
func.func private @names_two_of_tensor(
    tensor<4x6xf32> {muon.names = ["a", "b"]})

// -----

// expected-error @below {{argument #0: 'muon.names' expected 2 names for '!muon.stack<2x4x6xf32>', found 1}}
func.func private @names_one_of_stack(
    !muon.stack<2x4x6xf32> {muon.names = ["a"]})

// -----

// expected-error @below {{argument #0: 'muon.names' expected 2 names for '!muon.table<2x4x6xf32>', found 3}}
func.func private @names_three_of_table(
    !muon.table<2x4x6xf32> {muon.names = ["a", "b", "c"]})

// -----

// expected-error @below {{argument #0: 'muon.names' row block #muon.rows<"w", 0 to 3 of 12> does not fit type 'tensor<4x6xf32>'}}
func.func private @rows_of_another_height(
    tensor<4x6xf32> {muon.names = [#muon.rows<"w", 0 to 3 of 12>]})

// -----

// expected-error @below {{argument #0: 'muon.names' row block #muon.rows<"w", 0 to 4 of 12> does not fit type 'tensor<4xf32>'}}
func.func private @rows_of_a_vector(
    tensor<4xf32> {muon.names = [#muon.rows<"w", 0 to 4 of 12>]})

// -----

// expected-error @below {{argument #0: 'muon.names' row block #muon.rows<"w", 0 to 4 of 12> does not fit type 'tensor<3x4x6xf32>'}}
func.func private @rows_of_a_batch(
    tensor<3x4x6xf32> {muon.names = [#muon.rows<"w", 0 to 4 of 12>]})

// -----

// expected-error @below {{argument #0: 'muon.names' row block #muon.rows<"w", 0 to 8 of 12> does not fit type '!muon.stack<2x4x6xf32>'}}
func.func private @rows_of_a_stack(
    !muon.stack<2x4x6xf32> {muon.names = ["a", #muon.rows<"w", 0 to 8 of 12>]})

// -----

// expected-error @below {{argument #0: 'muon.role' weight expected 'muon.names'}}
func.func private @weight_without_names(
    tensor<4x6xf32> {muon.role = #muon.role<weight>})

// -----

// expected-error @below {{argument #0: 'muon.role' gradient expected 'muon.names'}}
func.func private @gradient_without_names(
    tensor<4x6xf32> {muon.role = #muon.role<gradient>})

// -----

// expected-error @below {{argument #0: 'muon.role' momentum expected 'muon.names'}}
func.func private @momentum_without_names(
    tensor<4x6xf32> {muon.role = #muon.role<momentum>})

// -----

// expected-error @below {{argument #0: 'muon.role' exp_avg expected 'muon.names'}}
func.func private @exp_avg_without_names(
    tensor<4x6xf32> {muon.role = #muon.role<exp_avg>})

// -----

// expected-error @below {{argument #0: 'muon.role' exp_avg_sq expected 'muon.names'}}
func.func private @exp_avg_sq_without_names(
    tensor<4x6xf32> {muon.role = #muon.role<exp_avg_sq>})

// -----

// expected-error @below {{argument #0: 'muon.role' master expected 'muon.names'}}
func.func private @master_without_names(
    tensor<4x6xf32> {muon.role = #muon.role<master>})

// -----

// expected-error @below {{argument #0: 'muon.role' gradient_sums expected 'muon.names'}}
func.func private @gradient_sums_without_names(
    tensor<1xf64> {muon.role = #muon.role<gradient_sums>})

// -----

// expected-error @below {{argument #0: 'muon.role' momentum_sums expected 'muon.names'}}
func.func private @momentum_sums_without_names(
    tensor<1xf64> {muon.role = #muon.role<momentum_sums>})

// -----

// expected-error @below {{argument #0: 'muon.role' update_sums expected 'muon.names'}}
func.func private @update_sums_without_names(
    tensor<1xf64> {muon.role = #muon.role<update_sums>})

// -----

// expected-error @below {{argument #0: 'muon.role' weight_sums expected 'muon.names'}}
func.func private @weight_sums_without_names(
    tensor<1xf64> {muon.role = #muon.role<weight_sums>})

// -----

// expected-error @below {{argument #0: 'muon.role' lr expected 'muon.group'}}
func.func private @lr_without_group(tensor<f32> {muon.role = #muon.role<lr>})

// -----

// expected-error @below {{argument #0: 'muon.role' weight_decay expected 'muon.group'}}
func.func private @weight_decay_without_group(
    tensor<f32> {muon.role = #muon.role<weight_decay>})

// -----

// expected-error @below {{argument #0: 'muon.role' beta expected 'muon.group'}}
func.func private @beta_without_group(
    tensor<f32> {muon.role = #muon.role<beta>})

// -----

// expected-error @below {{argument #0: 'muon.role' lr expected tensor<f32>, found 'f32'}}
func.func private @lr_type(
    f32 {muon.role = #muon.role<lr>, muon.group = "muon"})

// -----

// expected-error @below {{argument #0: 'muon.role' weight_decay expected tensor<f32>, found 'tensor<1xf32>'}}
func.func private @weight_decay_type(
    tensor<1xf32> {muon.role = #muon.role<weight_decay>, muon.group = "muon"})

// -----

// expected-error @below {{argument #0: 'muon.role' beta expected tensor<f32>, found 'tensor<f64>'}}
func.func private @beta_type(
    tensor<f64> {muon.role = #muon.role<beta>, muon.group = "muon"})

// -----

// expected-error @below {{argument #0: 'muon.role' clip_limit expected tensor<f32>, found 'tensor<bf16>'}}
func.func private @clip_limit_type(
    tensor<bf16> {muon.role = #muon.role<clip_limit>})

// -----

// expected-error @below {{argument #0: 'muon.role' clip expected tensor<f32>, found 'memref<1xf32>'}}
func.func private @clip_type(memref<1xf32> {muon.role = #muon.role<clip>})

// -----

// expected-error @below {{argument #0: 'muon.role' ok expected tensor<i1>, found 'tensor<i8>'}}
func.func private @ok_type(tensor<i8> {muon.role = #muon.role<ok>})

// -----

// expected-error @below {{argument #0: 'muon.role' step expected tensor<i64>, found 'tensor<i32>'}}
func.func private @step_type(tensor<i32> {muon.role = #muon.role<step>})

// -----

// expected-error @below {{argument #0: 'muon.role' gradient_sums expected a static rank-1 tensor of f64, found 'tensor<f64>'}}
func.func private @gradient_sums_type(
    tensor<f64> {muon.role = #muon.role<gradient_sums>, muon.names = ["w"]})

// -----

// expected-error @below {{argument #0: 'muon.role' momentum_sums expected a static rank-1 tensor of f64, found 'tensor<1xf32>'}}
func.func private @momentum_sums_type(
    tensor<1xf32> {muon.role = #muon.role<momentum_sums>, muon.names = ["w"]})

// -----

// expected-error @below {{argument #0: 'muon.role' update_sums expected a static rank-1 tensor of f64, found 'tensor<?xf64>'}}
func.func private @update_sums_type(
    tensor<?xf64> {muon.role = #muon.role<update_sums>, muon.names = ["w"]})

// -----

// expected-error @below {{argument #0: 'muon.role' weight_sums expected a static rank-1 tensor of f64, found 'tensor<1x1xf64>'}}
func.func private @weight_sums_type(
    tensor<1x1xf64> {muon.role = #muon.role<weight_sums>, muon.names = ["w"]})

// -----

// expected-error @below {{argument #0: 'muon.role' weight expected a tensor or stack with a static shape, found 'tensor<?x6xf32>'}}
func.func private @weight_type(
    tensor<?x6xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]})

// -----

// expected-error @below {{argument #0: 'muon.role' gradient expected a tensor or stack with a static shape, found 'memref<4x?xf32>'}}
func.func private @gradient_type(
    memref<4x?xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]})

// -----

// expected-error @below {{argument #0: 'muon.role' momentum expected a tensor or stack with a static shape, found 'f32'}}
func.func private @momentum_type(
    f32 {muon.role = #muon.role<momentum>, muon.names = ["w"]})

// -----

// expected-error @below {{argument #0: 'muon.role' exp_avg expected a tensor or stack with a static shape, found 'index'}}
func.func private @exp_avg_type(
    index {muon.role = #muon.role<exp_avg>, muon.names = ["w"]})

// -----

// expected-error @below {{argument #0: 'muon.role' exp_avg_sq expected a tensor or stack with a static shape, found 'tensor<*xf32>'}}
func.func private @exp_avg_sq_type(
    tensor<*xf32> {muon.role = #muon.role<exp_avg_sq>, muon.names = ["w"]})

// -----

// expected-error @below {{argument #0: 'muon.role' master expected a tensor or stack with a static shape, found 'memref<*xf32>'}}
func.func private @master_type(
    memref<*xf32> {muon.role = #muon.role<master>, muon.names = ["w"]})

// -----

// The number of the argument.
// expected-error @below {{argument #2: 'muon.role' ok expected tensor<i1>, found 'tensor<f32>'}}
func.func private @third_argument(
    tensor<f32>, tensor<i1> {muon.role = #muon.role<ok>},
    tensor<f32> {muon.role = #muon.role<ok>})

// -----

// expected-error @below {{argument #0: 'muon.role' lr expected 'muon.group'}}
func.func @with_a_body(%lr: tensor<f32> {muon.role = #muon.role<lr>}) {
  return
}

// -----

// expected-error @below {{'muon.frozen' expected a list of names, found "w"}}
module attributes {muon.frozen = "w"} {}

// -----

// expected-error @below {{'muon.frozen' expected a list of names, found [1]}}
module attributes {muon.frozen = [1]} {}

// -----

// expected-error @below {{'muon.frozen' expected a list of names, found [#muon.rows<"w", 0 to 1 of 2>]}}
module attributes {muon.frozen = [#muon.rows<"w", 0 to 1 of 2>]} {}
