func.func @step(%t: tensor<i64> {muon.role = #muon.role<step>}) -> (tensor<i64>, tensor<i64>) {
  %0 = muon.advance step(%t : tensor<i64>)
  %1 = muon.advance step(%t : tensor<i64>)
  return %0, %1 : tensor<i64>, tensor<i64>
}
