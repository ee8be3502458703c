// RUN: muon-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{expected '<'}}
func.func private @no_parameters() -> !muon.stack

// -----

// expected-error @below {{expected the number of members before the type}}
func.func private @no_count() -> !muon.stack<f32>

// -----

// expected-error @below {{expected the number of members before the type}}
func.func private @table_no_count() -> !muon.table<f32>

// -----

// expected-error @below {{expected 'x' in dimension list}}
func.func private @no_element_type() -> !muon.stack<2x2>

// -----

// expected-error @below {{expected '>'}}
func.func private @too_many_parameters() -> !muon.table<2x2xf32, 1>

// -----

// expected-error @below {{expected a static shape, found a dynamic dimension}}
func.func private @dynamic_count() -> !muon.stack<?x2xf32>

// -----

// expected-error @below {{expected a static shape, found a dynamic dimension}}
func.func private @dynamic_dimension() -> !muon.stack<2x?xf32>

// -----

// expected-error @below {{expected a static shape, found a dynamic dimension}}
func.func private @table_dynamic_dimension() -> !muon.table<2x3x?xf32>

// -----

// expected-error @below {{expected positive dimensions with a product of at most 2^56}}
func.func private @no_members() -> !muon.stack<0x2xf32>

// -----

// expected-error @below {{expected positive dimensions with a product of at most 2^56}}
func.func private @empty_members() -> !muon.stack<2x0xf32>

// -----

// expected-error @below {{expected positive dimensions with a product of at most 2^56}}
func.func private @table_no_members() -> !muon.table<0x2xf32>

// -----

// expected-error @below {{expected non-function type}}
func.func private @negative_dimension() -> !muon.stack<-2x2xf32>

// -----

// expected-error @below {{expected positive dimensions with a product of at most 2^56}}
func.func private @too_many_members() -> !muon.stack<72057594037927937xf32>

// -----

// expected-error @below {{expected positive dimensions with a product of at most 2^56}}
func.func private @too_many_elements() -> !muon.stack<268435456x268435457xf32>

// -----

// The product of these is 1 modulo 2^64.
// expected-error @below {{expected positive dimensions with a product of at most 2^56}}
func.func private @overflow() -> !muon.stack<9223372036854775807x9223372036854775807xf32>

// -----

// expected-error @below {{invalid dimension}}
func.func private @dimension_beyond_64_bits() -> !muon.stack<99999999999999999999x2xf32>

// -----

// expected-error @below {{expected element type f32, bf16 or f16, found 'f64'}}
func.func private @f64() -> !muon.stack<2x2xf64>

// -----

// expected-error @below {{expected element type f32, bf16 or f16, found 'i32'}}
func.func private @table_i32() -> !muon.table<2x2xi32>

// -----

// expected-error @below {{expected element type f32, bf16 or f16, found 'tf32'}}
func.func private @tf32() -> !muon.stack<2x2xtf32>

// -----

// expected-error @below {{expected element type f32, bf16 or f16, found '!muon.stack<2x2xf32>'}}
func.func private @stack_of_stacks() -> !muon.stack<2x2x!muon.stack<2x2xf32>>

// -----

// expected-error-re @below {{unknown {{.*}}type `heap` in dialect `muon`}}
func.func private @unknown_type() -> !muon.heap<2x2xf32>

// -----

func.func @table_of_another_shape(%stack: !muon.stack<2x3x4xf32>) {
  // expected-error @below {{expected the table of '!muon.stack<2x3x4xf32>', found '!muon.table<2x3x5xf32>'}}
  // expected-error @below {{specified tensor and buffer types match}}
  %0 = bufferization.to_buffer %stack : !muon.stack<2x3x4xf32> to !muon.table<2x3x5xf32>
  return
}

// -----

func.func @memref_of_stack(%stack: !muon.stack<2x3x4xf32>) {
  // expected-error @below {{expected the table of '!muon.stack<2x3x4xf32>', found 'memref<2x3x4xf32>'}}
  // expected-error @below {{specified tensor and buffer types match}}
  %0 = bufferization.to_buffer %stack : !muon.stack<2x3x4xf32> to memref<2x3x4xf32>
  return
}

// -----

func.func @stack_of_another_count(%table: !muon.table<2x3x4xf32>) {
  // expected-error @below {{expected the table of '!muon.stack<3x3x4xf32>', found '!muon.table<2x3x4xf32>'}}
  // expected-error @below {{specified tensor and buffer types match}}
  %0 = bufferization.to_tensor %table : !muon.table<2x3x4xf32> to !muon.stack<3x3x4xf32>
  return
}

// -----

func.func @stack_of_another_element_type(%table: !muon.table<2x3x4xf32>) {
  // expected-error @below {{expected the table of '!muon.stack<2x3x4xbf16>', found '!muon.table<2x3x4xf32>'}}
  // expected-error @below {{specified tensor and buffer types match}}
  %0 = bufferization.to_tensor %table : !muon.table<2x3x4xf32> to !muon.stack<2x3x4xbf16>
  return
}
