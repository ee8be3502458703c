func.func @step(
    %a: tensor<16x2048xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]},
    %ga: tensor<16x2048xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"]}) {
  %0 = muon.optimize weight(%a) gradient(%ga) : tensor<16x2048xf32>, tensor<16x2048xf32>
  return
}
