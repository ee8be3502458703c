module {
  func.func @step(%arg0: tensor<8x4xf32> {muon.names = ["w"], muon.role = #muon.role<weight>}, %arg1: tensor<8x4xf32> {muon.names = ["w"], muon.role = #muon.role<gradient>}) -> tensor<8x4xf32> {
    %0 = muon.optimize weight(%arg0) gradient(%arg1) : tensor<8x4xf32>, tensor<8x4xf32>
    return %0 : tensor<8x4xf32>
  }
}
