// RUN: muon-opt --convert-muon-to-runtime --verify-diagnostics %s

// A function of the user's may not have the name of one that lowering makes.

func.func @product(%x: memref<1x4x4xf32>, %o: memref<1x4x4xf32>) {
  muon.symmetric_product x(%x : memref<1x4x4xf32>) out(%o : memref<1x4x4xf32>) {side = #muon.side<left>}
  return
}
// expected-error @+1 {{has the name of a function that lowering makes}}
func.func private @muon_mirror_triangle() {
  return
}
