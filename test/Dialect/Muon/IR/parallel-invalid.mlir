// RUN: muon-opt %s --split-input-file --verify-diagnostics

func.func @parallel_count_zero() {
  // expected-error @below {{'muon.parallel' op expected 'count' to be a positive multiple of a positive 'group', found 0 and 1}}
  muon.parallel {
  ^bb0(%i: index):
  } {count = 0 : i64, group = 1 : i64}
  return
}

// -----

func.func @parallel_count_negative() {
  // expected-error @below {{'muon.parallel' op expected 'count' to be a positive multiple of a positive 'group', found -4 and 2}}
  muon.parallel {
  ^bb0(%i: index):
  } {count = -4 : i64, group = 2 : i64}
  return
}

// -----

func.func @parallel_group_zero() {
  // expected-error @below {{'muon.parallel' op expected 'count' to be a positive multiple of a positive 'group', found 4 and 0}}
  muon.parallel {
  ^bb0(%i: index):
  } {count = 4 : i64, group = 0 : i64}
  return
}

// -----

func.func @parallel_group_negative() {
  // expected-error @below {{'muon.parallel' op expected 'count' to be a positive multiple of a positive 'group', found 4 and -2}}
  muon.parallel {
  ^bb0(%i: index):
  } {count = 4 : i64, group = -2 : i64}
  return
}

// -----

func.func @parallel_not_a_multiple() {
  // expected-error @below {{'muon.parallel' op expected 'count' to be a positive multiple of a positive 'group', found 5 and 2}}
  muon.parallel {
  ^bb0(%i: index):
  } {count = 5 : i64, group = 2 : i64}
  return
}

// -----

func.func @parallel_list_size(%s: memref<2xf64>) {
  // expected-error @below {{'muon.parallel' op expected lists of count / group = 4 numbers, found 'memref<2xf64>'}}
  muon.parallel sums(%s : memref<2xf64>) {
  ^bb0(%i: index, %p: memref<f64>):
  } {count = 8 : i64, group = 2 : i64}
  return
}

// -----

func.func @parallel_no_arguments() {
  // expected-error @below {{'muon.parallel' op expected a body with arguments ('index'), found ()}}
  muon.parallel {
  } {count = 1 : i64, group = 1 : i64}
  return
}

// -----

func.func @parallel_i64() {
  // expected-error @below {{'muon.parallel' op expected a body with arguments ('index'), found ('i64')}}
  muon.parallel {
  ^bb0(%i: i64):
  } {count = 1 : i64, group = 1 : i64}
  return
}

// -----

func.func @parallel_no_partial(%s: memref<2xf64>) {
  // expected-error @below {{'muon.parallel' op expected a body with arguments ('index', 'memref<f64>'), found ('index')}}
  muon.parallel sums(%s : memref<2xf64>) {
  ^bb0(%i: index):
  } {count = 2 : i64, group = 1 : i64}
  return
}

// -----

func.func @parallel_partial_type(%s: memref<2xf64>) {
  // expected-error @below {{'muon.parallel' op expected a body with arguments ('index', 'memref<f64>'), found ('index', 'memref<f32>')}}
  muon.parallel sums(%s : memref<2xf64>) {
  ^bb0(%i: index, %p: memref<f32>):
  } {count = 2 : i64, group = 1 : i64}
  return
}

// -----

func.func @parallel_sums_type(%s: memref<2xf32>) {
  // expected-error @below {{'muon.parallel' op operand #0 must be variadic of static rank-1 tensor of f64, but got 'memref<2xf32>'}}
  muon.parallel sums(%s : memref<2xf32>) {
  ^bb0(%i: index, %p: memref<f64>):
  } {count = 2 : i64, group = 1 : i64}
  return
}

// -----

func.func @parallel_no_count() {
  // expected-error @below {{'muon.parallel' op requires attribute 'count'}}
  muon.parallel {
  ^bb0(%i: index):
  } {group = 1 : i64}
  return
}

// -----

func.func @parallel_two_blocks() {
  // expected-error @below {{expects region #0 to have 0 or 1 blocks}}
  muon.parallel {
  ^bb0(%i: index):
  ^bb1:
  } {count = 1 : i64, group = 1 : i64}
  return
}

// -----

func.func @call_not_a_multiple() {
  // expected-error @below {{'muon.parallel_call' op expected 'count' to be a positive multiple of a positive 'group', found 3 and 2}}
  muon.parallel_call @body() {count = 3 : i64, group = 2 : i64}
  return
}
func.func private @body(index)

// -----

func.func @call_list_size(%s: memref<2xf64>) {
  // expected-error @below {{'muon.parallel_call' op expected lists of count / group = 3 numbers, found 'memref<2xf64>'}}
  muon.parallel_call @body() sums(%s : memref<2xf64>)
      {count = 3 : i64, group = 1 : i64}
  return
}
func.func private @body(index, memref<f64>)

// -----

func.func @call_unknown() {
  // expected-error @below {{'muon.parallel_call' op 'body' is not a function}}
  muon.parallel_call @body() {count = 1 : i64, group = 1 : i64}
  return
}

// -----

func.func @call_no_function() {
  // expected-error @below {{'muon.parallel_call' op 'body' is not a function}}
  muon.parallel_call @body() {count = 1 : i64, group = 1 : i64}
  return
}
memref.global @body : memref<4xf32>

// -----

func.func @call_no_index(%x: memref<4xf32>) {
  // expected-error @below {{'muon.parallel_call' op expected 'body' to take ('memref<4xf32>', 'index') and return nothing, found '(memref<4xf32>) -> ()'}}
  muon.parallel_call @body(%x) : memref<4xf32>
      {count = 1 : i64, group = 1 : i64}
  return
}
func.func private @body(memref<4xf32>)

// -----

func.func @call_operand_type(%x: memref<4xf32>) {
  // expected-error @below {{'muon.parallel_call' op expected 'body' to take ('memref<4xf32>', 'index') and return nothing, found '(memref<3xf32>, index) -> ()'}}
  muon.parallel_call @body(%x) : memref<4xf32>
      {count = 1 : i64, group = 1 : i64}
  return
}
func.func private @body(memref<3xf32>, index)

// -----

func.func @call_no_partial(%s: memref<2xf64>) {
  // expected-error @below {{'muon.parallel_call' op expected 'body' to take ('index', 'memref<f64>') and return nothing, found '(index) -> ()'}}
  muon.parallel_call @body() sums(%s : memref<2xf64>)
      {count = 2 : i64, group = 1 : i64}
  return
}
func.func private @body(index)

// -----

func.func @call_result() {
  // expected-error @below {{'muon.parallel_call' op expected 'body' to take ('index') and return nothing, found '(index) -> f32'}}
  muon.parallel_call @body() {count = 1 : i64, group = 1 : i64}
  return
}
func.func private @body(index) -> f32
