func.func @step(
    %g: tensor<64x128xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"]},
    %w: tensor<64x128xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]},
    %m: tensor<64x128xf32> {muon.role = #muon.role<momentum>, muon.names = ["a"]},
    %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "muon"},
    %wd: tensor<f32> {muon.role = #muon.role<weight_decay>, muon.group = "muon"},
    %beta: tensor<f32> {muon.role = #muon.role<beta>, muon.group = "muon"},
    %gs0: tensor<1xf64> {muon.role = #muon.role<gradient_sums>, muon.names = ["a"]},
    %ms0: tensor<1xf64> {muon.role = #muon.role<momentum_sums>, muon.names = ["a"]})
    -> (tensor<1xf64>, tensor<1xf64>, tensor<64x128xf32>, tensor<64x128xf32>) {
  %gs = muon.sum_squares value(%g : tensor<64x128xf32>) sums(%gs0 : tensor<1xf64>)
  %ms = muon.sum_squares value(%m : tensor<64x128xf32>) sums(%ms0 : tensor<1xf64>)
  %w1, %m1 = muon.update gradient(%g : tensor<64x128xf32>) gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>) lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>) beta(%beta : tensor<f32>) weight(%w : tensor<64x128xf32>) momentum(%m : tensor<64x128xf32>) {schedule = #muon.schedule<keller_jordan>, compute = #muon.compute<bf16>}
  return %gs, %ms, %w1, %m1 : tensor<1xf64>, tensor<1xf64>, tensor<64x128xf32>, tensor<64x128xf32>
}
