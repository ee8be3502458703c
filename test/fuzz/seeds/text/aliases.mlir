#a = [1, "x", #muon.role<weight>]
#b = [#a, #a]
#map = affine_map<(d0, d1)[s0] -> (d0 + d1 * 2, -d0 floordiv s0 mod 7)>
!t = tensor<2x3xf32>
module attributes {a.b = #b, a.m = #map, a.s = affine_set<(d0): (d0 >= 0)>, a.d = dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : !t, a.h = dense<"0x00000000"> : tensor<f32>, a.p = sparse<[[0, 1]], 1.0> : !t, a.r = dense_resource<r> : tensor<1xi32>, a.l = loc(callsite("f" at "g":1:2))} {
  func.func private @f(!t, tuple<i1, complex<f32>>) -> (index, none)
}
{-#
  dialect_resources: {builtin: {r: "0x0400000001000000"}}
#-}
