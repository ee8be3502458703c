// RUN: muon-opt --convert-muon-to-llvm --split-input-file --verify-diagnostics %s

func.func @no_entry(%host: !llvm.ptr, %slots: !llvm.ptr, %stream: !llvm.ptr) {
  // expected-error @+1 {{'muon.slot' op expected to be inside an entry function}}
  %x = muon.slot 3 : memref<4x6xf32>
  // expected-error @+1 {{'muon.arena' op expected to be inside an entry function}}
  %a = muon.arena : memref<64xi8>
  return
}

// -----

func.func @call(%t: i32, %n: i64, %f: f64, %x: memref<1x4x4xf32>) {
  // expected-error @+1 {{'muon.host_call' op expected to be inside an entry function}}
  muon.host_call "commuting_product"(%t, %n, %n, %f, %f, %f, %x, %x, %x) : i32, i64, i64, f64, f64, f64, memref<1x4x4xf32>, memref<1x4x4xf32>, memref<1x4x4xf32>
  return
}

// -----

func.func @parallel() {
  // expected-error @+1 {{'muon.parallel_call' op expected to be inside an entry function}}
  muon.parallel_call @body() {count = 1 : i64, group = 1 : i64}
  return
}
func.func private @body(%i: index) {
  return
}
