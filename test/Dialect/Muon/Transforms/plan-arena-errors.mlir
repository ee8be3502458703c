// RUN: muon-opt --muon-plan-arena --split-input-file --verify-diagnostics %s

func.func @dynamic(%n: index) {
  // expected-error @+1 {{'memref.alloc' op expected a static, contiguous scratch buffer of numbers of less than 2^62 bytes, found 'memref<?xf32>'}}
  %0 = memref.alloc(%n) : memref<?xf32>
  return
}

// -----

func.func @strided() {
  // expected-error @+1 {{expected a static, contiguous scratch buffer of numbers of less than 2^62 bytes, found 'memref<4x4xf32, strided<[8, 1]>>'}}
  %0 = memref.alloc() : memref<4x4xf32, strided<[8, 1]>>
  return
}

// -----

func.func private @use(memref<4xf32>) -> memref<4xf32>
func.func @escapes() {
  %0 = memref.alloc() : memref<4xf32>
  // expected-error @+1 {{'func.call' op may alias a scratch buffer; cannot tell how long the buffer lives}}
  %1 = func.call @use(%0) : (memref<4xf32>) -> memref<4xf32>
  return
}

// -----

// Also through a view.
func.func @select(%c: i1, %other: memref<2xf32>) {
  %0 = memref.alloc() : memref<4xf32>
  %1 = memref.subview %0[0] [2] [1] : memref<4xf32> to memref<2xf32>
  // expected-error @+1 {{'arith.select' op may alias a scratch buffer}}
  %2 = arith.select %c, %1, %other : memref<2xf32>
  return
}

// -----

// 2^60 f32 are 2^62 bytes.
func.func @too_large(%f: f32) {
  // expected-error @+1 {{'memref.alloc' op expected a static, contiguous scratch buffer of numbers of less than 2^62 bytes, found 'memref<1073741824x1073741824xf32>'}}
  %0 = memref.alloc() : memref<1073741824x1073741824xf32>
  linalg.fill ins(%f : f32) outs(%0 : memref<1073741824x1073741824xf32>)
  return
}

// -----

// A callee's arena would overlap its caller's.
func.func private @helper(%f: f32) {
  // expected-error @+1 {{is scratch memory in a private function; only the step itself can have any}}
  %0 = memref.alloc() : memref<4xf32>
  linalg.fill ins(%f : f32) outs(%0 : memref<4xf32>)
  return
}
