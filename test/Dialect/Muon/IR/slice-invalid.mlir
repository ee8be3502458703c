// RUN: muon-opt %s --split-input-file --verify-diagnostics

func.func @slice_larger(%s: !muon.table<2x4x6xf32>, %i: index) {
  // expected-error @below {{'muon.slice' op expected a result of at most 2 of them, found '!muon.table<3x4x6xf32>'}}
  %0 = muon.slice %s[%i] : !muon.table<2x4x6xf32> to !muon.table<3x4x6xf32>
  return
}

// -----

func.func @slice_memref_larger(%s: memref<2xf64>, %i: index) {
  // expected-error @below {{'muon.slice' op expected a result of at most 2 of them, found 'memref<3xf64>'}}
  %0 = muon.slice %s[%i] : memref<2xf64> to memref<3xf64>
  return
}

// -----

func.func @slice_shape(%s: !muon.table<4x4x6xf32>, %i: index) {
  // expected-error @below {{'muon.slice' op expected a result like '!muon.table<4x4x6xf32>' but for its first number, found '!muon.table<2x6x4xf32>'}}
  %0 = muon.slice %s[%i] : !muon.table<4x4x6xf32> to !muon.table<2x6x4xf32>
  return
}

// -----

func.func @slice_element_type(%s: memref<4x3xf32>, %i: index) {
  // expected-error @below {{'muon.slice' op expected a result like 'memref<4x3xf32>' but for its first number, found 'memref<2x3xf16>'}}
  %0 = muon.slice %s[%i] : memref<4x3xf32> to memref<2x3xf16>
  return
}

// -----

func.func @slice_rank(%s: memref<4x3xf32>, %i: index) {
  // expected-error @below {{'muon.slice' op expected a result like 'memref<4x3xf32>' but for its first number, found 'memref<3xf32>'}}
  %0 = muon.slice %s[%i] : memref<4x3xf32> to memref<3xf32>
  return
}

// -----

func.func @slice_kind(%s: !muon.table<4x4x6xf32>, %i: index) {
  // expected-error @below {{'muon.slice' op expected a result like '!muon.table<4x4x6xf32>' but for its first number, found 'memref<2x4x6xf32>'}}
  %0 = muon.slice %s[%i] : !muon.table<4x4x6xf32> to memref<2x4x6xf32>
  return
}

// -----

func.func @slice_rank_0(%s: memref<f32>, %i: index) {
  // expected-error @below {{'muon.slice' op expected a table or a memref of at least one dimension, found 'memref<f32>'}}
  %0 = muon.slice %s[%i] : memref<f32> to memref<f32>
  return
}

// -----

func.func @slice_strided(%s: memref<4x3xf32, strided<[6, 1]>>, %i: index) {
  // expected-error @below {{'muon.slice' op expected a contiguous memref, found 'memref<4x3xf32, strided<[6, 1]>>'}}
  %0 = muon.slice %s[%i] : memref<4x3xf32, strided<[6, 1]>> to memref<2x3xf32, strided<[6, 1]>>
  return
}

// -----

func.func @slice_dynamic(%s: memref<?xf32>, %i: index) {
  // expected-error @below {{'muon.slice' op operand #0 must be statically shaped memref of any type values or table of N pointers to buffers of one shape, but got 'memref<?xf32>'}}
  %0 = muon.slice %s[%i] : memref<?xf32> to memref<2xf32>
  return
}

// -----

func.func @slice_tensor(%s: tensor<4xf32>, %i: index) {
  // expected-error @below {{'muon.slice' op operand #0 must be statically shaped memref of any type values or table of N pointers to buffers of one shape, but got 'tensor<4xf32>'}}
  %0 = muon.slice %s[%i] : tensor<4xf32> to tensor<2xf32>
  return
}
