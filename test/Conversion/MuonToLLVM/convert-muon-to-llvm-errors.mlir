// RUN: muon-opt --convert-muon-to-llvm --split-input-file --verify-diagnostics %s

func.func @no_entry(%host: !llvm.ptr, %slots: !llvm.ptr, %stream: !llvm.ptr) {
  // expected-error @+1 {{'muon.slot' op expected to be inside an entry function}}
  %x = muon.slot 3 : memref<4x6xf32>
  // expected-error @+1 {{'muon.arena' op expected to be inside an entry function}}
  %a = muon.arena : memref<64xi8>
  return
}

// -----

func.func @call(%n: i64, %f: f32, %x: memref<4x4xf32>) {
  // expected-error @+1 {{'muon.host_call' op expected to be inside an entry function}}
  muon.host_call "sgemm"(%n, %n, %n, %f, %x, %n, %x, %n, %f, %x, %n) : i64, i64, i64, f32, memref<4x4xf32>, i64, memref<4x4xf32>, i64, f32, memref<4x4xf32>, i64
  return
}
