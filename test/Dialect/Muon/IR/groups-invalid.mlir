// The syntax and the operand counts that all operations with named operand
// groups share.
// RUN: muon-opt %s --split-input-file --verify-diagnostics

func.func @missing_group() {
  %0 = muon.advance
  // expected-error @below {{'muon.advance' expected operand 'step(...)'}}
  return
}

// -----

func.func @missing_first_group(%s: tensor<1xf64>) {
  // expected-error @below {{'muon.sum_squares' expected operand 'value(...)'}}
  %0 = muon.sum_squares sums(%s : tensor<1xf64>)
  return
}

// -----

func.func @repeated_group(%ok: tensor<i1>, %t: tensor<i64>) {
  // expected-error @below {{'muon.advance' expected operand 'step(...)'}}
  %0 = muon.advance when(%ok : tensor<i1>) when(%ok : tensor<i1>) step(%t : tensor<i64>)
  return
}

// -----

func.func @unknown_group(%ok: tensor<i1>, %t: tensor<i64>) {
  // expected-error @below {{'muon.advance' expected operand 'step(...)'}}
  %0 = muon.advance unless(%ok : tensor<i1>) step(%t : tensor<i64>)
  return
}

// -----

func.func @empty_group(%t: tensor<i64>) {
  // expected-error @below {{expected ':'}}
  %0 = muon.advance step()
  return
}

// -----

func.func @group_without_type(%t: tensor<i64>) {
  // expected-error @below {{expected ':'}}
  %0 = muon.advance step(%t)
  return
}

// -----

func.func @group_without_parenthesis(%t: tensor<i64>) {
  // expected-error @below {{expected '('}}
  %0 = muon.advance step %t : tensor<i64>
  return
}

// -----

func.func @fewer_types_than_values(%t: tensor<i64>) {
  // expected-error @below {{number of operands and types do not match: got 2 operands and 1 types}}
  %0:2 = muon.advance step(%t, %t : tensor<i64>)
  return
}

// -----

// expected-note @below {{prior use here}}
func.func @type_of_another_value(%t: tensor<i64>) {
  // expected-error @below {{use of value '%t' expects different type than prior uses: 'tensor<i32>' vs 'tensor<i64>'}}
  %0 = muon.advance step(%t : tensor<i32>)
  return
}

// -----

func.func @segment_sizes_given(%t: tensor<i64>) {
  // expected-error @below {{'operandSegmentSizes' follows from the operands and cannot be given}}
  %0 = muon.advance step(%t : tensor<i64>) {operandSegmentSizes = array<i32: 0, 1>}
  return
}

// -----

func.func @result_of_buffer(%t: memref<i64>) {
  // expected-error @below {{cannot name an operation with no results}}
  %0 = muon.advance step(%t : memref<i64>)
  return
}

// -----

func.func @too_many_in_group(%t0: tensor<i64>, %t1: tensor<i64>) {
  // expected-error @below {{'muon.advance' op 'step' expected one value, found 2}}
  %0:2 = muon.advance step(%t0, %t1 : tensor<i64>, tensor<i64>)
  return
}

// -----

func.func @too_many_in_optional_group(%ok: tensor<i1>, %t: tensor<i64>) {
  // expected-error @below {{'muon.advance' op 'when' expected at most one value, found 2}}
  %0 = muon.advance when(%ok, %ok : tensor<i1>, tensor<i1>) step(%t : tensor<i64>)
  return
}

// -----

func.func @too_few_in_group() {
  // expected-error @below {{'muon.advance' op 'step' expected one value, found 0}}
  "muon.advance"() <{operandSegmentSizes = array<i32: 0, 0>}> : () -> ()
  return
}

// -----

func.func @no_segment_sizes(%t: tensor<i64>) {
  // expected-error @below {{'muon.advance' op operand count (1) does not match with the total size (0) specified in attribute 'operandSegmentSizes'}}
  %0 = "muon.advance"(%t) : (tensor<i64>) -> tensor<i64>
  return
}

// -----

func.func @segment_sizes_too_large(%t: tensor<i64>) {
  // expected-error @below {{'muon.advance' op operand count (1) does not match with the total size (6) specified in attribute 'operandSegmentSizes'}}
  %0 = "muon.advance"(%t) <{operandSegmentSizes = array<i32: 5, 1>}> : (tensor<i64>) -> tensor<i64>
  return
}

// -----

func.func @segment_sizes_negative(%t: tensor<i64>) {
  // expected-error @below {{'muon.advance' op 'operandSegmentSizes' attribute cannot have negative elements}}
  %0 = "muon.advance"(%t) <{operandSegmentSizes = array<i32: 2, -1>}> : (tensor<i64>) -> tensor<i64>
  return
}

// -----

func.func @too_few_segment_sizes(%t: tensor<i64>) {
  // expected-error @below {{size mismatch in attribute conversion: 1 vs 2}}
  %0 = "muon.advance"(%t) <{operandSegmentSizes = array<i32: 1>}> : (tensor<i64>) -> tensor<i64>
  return
}

// -----

func.func @too_many_segment_sizes(%t: tensor<i64>) {
  // expected-error @below {{size mismatch in attribute conversion: 3 vs 2}}
  %0 = "muon.advance"(%t) <{operandSegmentSizes = array<i32: 0, 1, 0>}> : (tensor<i64>) -> tensor<i64>
  return
}

// -----

func.func @segment_sizes_of_another_type(%t: tensor<i64>) {
  // expected-error @below {{expected DenseI32ArrayAttr}}
  %0 = "muon.advance"(%t) <{operandSegmentSizes = array<i64: 0, 1>}> : (tensor<i64>) -> tensor<i64>
  return
}

// -----

func.func @operand_in_another_group(%t: tensor<i64>) {
  // expected-error @below {{'muon.advance' op operand #0 must be variadic of tensor<i1>, but got 'tensor<i64>'}}
  "muon.advance"(%t) <{operandSegmentSizes = array<i32: 1, 0>}> : (tensor<i64>) -> ()
  return
}

// -----

func.func @missing_result(%t: tensor<i64>) {
  // expected-error @below {{'muon.advance' op inferred type(s) 'tensor<i64>' are incompatible with return type(s) of operation}}
  // expected-error @below {{'muon.advance' op failed to infer returned types}}
  "muon.advance"(%t) <{operandSegmentSizes = array<i32: 0, 1>}> : (tensor<i64>) -> ()
  return
}

// -----

func.func @result_type(%t: tensor<i64>) {
  // expected-error @below {{'muon.advance' op inferred type(s) 'tensor<i64>' are incompatible with return type(s) of operation 'tensor<i32>'}}
  // expected-error @below {{'muon.advance' op failed to infer returned types}}
  %0 = "muon.advance"(%t) <{operandSegmentSizes = array<i32: 0, 1>}> : (tensor<i64>) -> tensor<i32>
  return
}

// -----

func.func @buffer_with_result(%t: memref<i64>) {
  // expected-error-re @below {{'muon.advance' op inferred type(s) {{.*}}are incompatible with return type(s) of operation 'memref<i64>'}}
  // expected-error @below {{'muon.advance' op failed to infer returned types}}
  %0 = "muon.advance"(%t) <{operandSegmentSizes = array<i32: 0, 1>}> : (memref<i64>) -> memref<i64>
  return
}

// -----

func.func @tensor_input_of_buffer(%ok: tensor<i1>, %t: memref<i64>) {
  // expected-error @below {{'muon.advance' op expected tensors and stacks only, or memrefs and tables only}}
  muon.advance when(%ok : tensor<i1>) step(%t : memref<i64>)
  return
}

// -----

func.func @buffer_input_of_tensor(%ok: memref<i1>, %t: tensor<i64>) {
  // expected-error @below {{'muon.advance' op expected tensors and stacks only, or memrefs and tables only}}
  %0 = muon.advance when(%ok : memref<i1>) step(%t : tensor<i64>)
  return
}

// -----

func.func @table_with_tensor(%v: !muon.table<2x4x6xf32>, %s: tensor<2xf64>) {
  // expected-error @below {{'muon.sum_squares' op expected tensors and stacks only, or memrefs and tables only}}
  %0 = muon.sum_squares value(%v : !muon.table<2x4x6xf32>) sums(%s : tensor<2xf64>)
  return
}

// -----

func.func @stack_with_memref(%v: !muon.stack<2x4x6xf32>, %s: memref<2xf64>) {
  // expected-error @below {{'muon.sum_squares' op expected tensors and stacks only, or memrefs and tables only}}
  muon.sum_squares value(%v : !muon.stack<2x4x6xf32>) sums(%s : memref<2xf64>)
  return
}
