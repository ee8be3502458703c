// RUN: muon-opt %s --split-input-file --verify-diagnostics

func.func @member_shape(%table: !muon.table<2x48x16xf32>, %i: index) {
  // expected-error @below {{'muon.member' op expected 'memref<48x16xf32>' for a member of '!muon.table<2x48x16xf32>', found 'memref<16x48xf32>'}}
  %0 = muon.member %table[%i] : !muon.table<2x48x16xf32> -> memref<16x48xf32>
  return
}

// -----

func.func @member_element_type(%table: !muon.table<2x48x16xf32>, %i: index) {
  // expected-error @below {{'muon.member' op expected 'memref<48x16xf32>' for a member of '!muon.table<2x48x16xf32>', found 'memref<48x16xbf16>'}}
  %0 = muon.member %table[%i] : !muon.table<2x48x16xf32> -> memref<48x16xbf16>
  return
}

// -----

func.func @member_layout(%table: !muon.table<2x48x16xf32>, %i: index) {
  // expected-error @below {{'muon.member' op expected 'memref<48x16xf32>' for a member of '!muon.table<2x48x16xf32>', found 'memref<48x16xf32, strided<[32, 1]>>'}}
  %0 = muon.member %table[%i]
      : !muon.table<2x48x16xf32> -> memref<48x16xf32, strided<[32, 1]>>
  return
}

// -----

func.func @member_with_the_count(%table: !muon.table<2x48x16xf32>, %i: index) {
  // expected-error @below {{'muon.member' op expected 'memref<48x16xf32>' for a member of '!muon.table<2x48x16xf32>', found 'memref<2x48x16xf32>'}}
  %0 = muon.member %table[%i] : !muon.table<2x48x16xf32> -> memref<2x48x16xf32>
  return
}

// -----

func.func @member_of_stack(%stack: !muon.stack<2x48x16xf32>, %i: index) {
  // expected-error @below {{'muon.member' op operand #0 must be table of N pointers to buffers of one shape, but got '!muon.stack<2x48x16xf32>'}}
  %0 = muon.member %stack[%i] : !muon.stack<2x48x16xf32> -> memref<48x16xf32>
  return
}

// -----

func.func @member_of_stack_generic(%stack: !muon.stack<2x48x16xf32>, %i: index) {
  // expected-error @below {{'muon.member' op operand #0 must be table of N pointers to buffers of one shape, but got '!muon.stack<2x48x16xf32>'}}
  %0 = "muon.member"(%stack, %i) : (!muon.stack<2x48x16xf32>, index) -> memref<48x16xf32>
  return
}

// -----

func.func @member_index(%table: !muon.table<2x48x16xf32>, %i: i64) {
  // expected-error @below {{'muon.member' op operand #1 must be index, but got 'i64'}}
  %0 = "muon.member"(%table, %i) : (!muon.table<2x48x16xf32>, i64) -> memref<48x16xf32>
  return
}

// -----

func.func @slot_negative() attributes {muon.entry} {
  // expected-error @below {{'muon.slot' op attribute 'index' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  %0 = muon.slot -1 : memref<f32>
  return
}

// -----

func.func @slot_dynamic() attributes {muon.entry} {
  // expected-error @below {{'muon.slot' op result #0 must be statically shaped memref of any type values or table of N pointers to buffers of one shape, but got 'memref<?xf32>'}}
  %0 = muon.slot 0 : memref<?xf32>
  return
}

// -----

func.func @slot_tensor() attributes {muon.entry} {
  // expected-error @below {{'muon.slot' op result #0 must be statically shaped memref of any type values or table of N pointers to buffers of one shape, but got 'tensor<f32>'}}
  %0 = muon.slot 0 : tensor<f32>
  return
}

// -----

func.func @arena_dynamic() attributes {muon.entry} {
  // expected-error @below {{'muon.arena' op result #0 must be statically shaped memref of any type values, but got 'memref<?xi8>'}}
  %0 = muon.arena : memref<?xi8>
  return
}

// -----

func.func @arena_table() attributes {muon.entry} {
  // expected-error @below {{invalid kind of type specified: expected builtin.memref, but found '!muon.table<2xf32>'}}
  %0 = muon.arena : !muon.table<2xf32>
  return
}

// -----

func.func @host_call_unknown(%n: i64) {
  // expected-error @below {{'muon.host_call' op 'dsyrk' is not a function of the runtime}}
  muon.host_call "dsyrk"(%n) : i64
  return
}

// -----

func.func @host_call_too_few(%n: i64) {
  // expected-error @below {{'muon.host_call' op expected 11 arguments of 'symmetric_product', found 1}}
  muon.host_call "symmetric_product"(%n) : i64
  return
}

// -----

func.func @host_call_too_many(%t: i32, %n: i64, %f: f64, %p: memref<2x2xf32>) {
  // expected-error @below {{'muon.host_call' op expected 9 arguments of 'commuting_product', found 10}}
  muon.host_call "commuting_product"(%t, %n, %n, %f, %f, %f, %p, %p, %p, %p)
      : i32, i64, i64, f64, f64, f64, memref<2x2xf32>, memref<2x2xf32>,
        memref<2x2xf32>, memref<2x2xf32>
  return
}

// -----

func.func @host_call_not_i32(%t: i32, %n: i64, %f: f64, %p: memref<2x2xf32>) {
  // expected-error @below {{'muon.host_call' op argument #1 expected i32, found 'i64'}}
  muon.host_call "symmetric_apply"(%t, %n, %n, %n, %n, %f, %f, %p, %p, %p, %p)
      : i32, i64, i64, i64, i64, f64, f64, memref<2x2xf32>, memref<2x2xf32>,
        memref<2x2xf32>, memref<2x2xf32>
  return
}

// -----

func.func @host_call_not_i64(%t: i32, %n: i64, %i: index, %f: f64, %p: memref<2x2xf32>) {
  // expected-error @below {{'muon.host_call' op argument #2 expected i64, found 'index'}}
  muon.host_call "commuting_product"(%t, %n, %i, %f, %f, %f, %p, %p, %p)
      : i32, i64, index, f64, f64, f64, memref<2x2xf32>, memref<2x2xf32>,
        memref<2x2xf32>
  return
}

// -----

func.func @host_call_not_f64(%t: i32, %n: i64, %f: f64, %g: f32, %p: memref<2x2xf32>) {
  // expected-error @below {{'muon.host_call' op argument #4 expected f64, found 'f32'}}
  muon.host_call "commuting_product"(%t, %n, %n, %f, %g, %f, %p, %p, %p)
      : i32, i64, i64, f64, f32, f64, memref<2x2xf32>, memref<2x2xf32>,
        memref<2x2xf32>
  return
}

// -----

func.func @host_call_not_a_memref(%t: i32, %n: i64, %f: f64, %p: memref<2x2xf32>, %q: tensor<2x2xf32>) {
  // expected-error @below {{'muon.host_call' op argument #7 expected a memref of floats, found 'tensor<2x2xf32>'}}
  muon.host_call "commuting_product"(%t, %n, %n, %f, %f, %f, %p, %q, %p)
      : i32, i64, i64, f64, f64, f64, memref<2x2xf32>, tensor<2x2xf32>,
        memref<2x2xf32>
  return
}

// -----

func.func @host_call_memref_of_i32(%t: i32, %n: i64, %f: f64, %p: memref<2x2xf32>, %q: memref<2x2xi32>) {
  // expected-error @below {{'muon.host_call' op argument #8 expected a memref of floats, found 'memref<2x2xi32>'}}
  muon.host_call "commuting_product"(%t, %n, %n, %f, %f, %f, %p, %p, %q)
      : i32, i64, i64, f64, f64, f64, memref<2x2xf32>, memref<2x2xf32>,
        memref<2x2xi32>
  return
}

// -----

// What products once were.

func.func @host_call_ssyrk(%n: i64) {
  // expected-error @below {{'muon.host_call' op 'ssyrk' is not a function of the runtime}}
  muon.host_call "ssyrk"(%n) : i64
  return
}

// -----

// The host's loop is called by muon.parallel_call, which knows its body.

func.func @host_call_parallel_for(%n: i64) {
  // expected-error @below {{'muon.host_call' op 'parallel_for' is not a function of the runtime}}
  muon.host_call "parallel_for"(%n) : i64
  return
}

// -----

func.func @host_call_no_callee(%n: i64) {
  // expected-error @below {{'muon.host_call' op requires attribute 'callee'}}
  "muon.host_call"(%n) : (i64) -> ()
  return
}

// -----

func.func @arena_of_floats() {
  // expected-error @+1 {{'muon.arena' op expected a rank-1 memref of i8, found 'memref<1024xf32>'}}
  %0 = muon.arena : memref<1024xf32>
  return
}

// -----

func.func @strided_slot() {
  // expected-error @+1 {{'muon.slot' op expected a contiguous memref, found 'memref<4x4xf32, strided<[8, 1]>>'}}
  %0 = muon.slot 0 : memref<4x4xf32, strided<[8, 1]>>
  return
}
