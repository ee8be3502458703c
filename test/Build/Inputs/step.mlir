// A bias, which AdamW updates, and a matrix, which Muon updates.
func.func @step(
    %b: tensor<4xf32> {muon.role = #muon.role<weight>, muon.names = ["b"]},
    %bg: tensor<4xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"]},
    %w: tensor<8x4xf32> {muon.role = #muon.role<weight>, muon.names = ["w"]},
    %wg: tensor<8x4xf32> {muon.role = #muon.role<gradient>, muon.names = ["w"]})
    -> (tensor<4xf32>, tensor<8x4xf32>) {
  %0 = muon.optimize weight(%b) gradient(%bg) : tensor<4xf32>, tensor<4xf32>
  %1 = muon.optimize weight(%w) gradient(%wg) : tensor<8x4xf32>, tensor<8x4xf32>
  return %0, %1 : tensor<4xf32>, tensor<8x4xf32>
}
