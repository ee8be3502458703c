func.func @step(
    %a: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]},
    %ga: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"]},
    %b: tensor<48x16xf32> {muon.role = #muon.role<weight>, muon.names = ["b"]},
    %gb: tensor<48x16xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"]},
    %v: tensor<200xf32> {muon.role = #muon.role<weight>, muon.names = ["v"]},
    %gv: tensor<200xf32> {muon.role = #muon.role<gradient>, muon.names = ["v"]}) {
  %0 = muon.optimize weight(%a) gradient(%ga) {muon.strategy = "own"} : tensor<48x16xf32>, tensor<48x16xf32>
  %1 = muon.optimize weight(%b) gradient(%gb) {muon.strategy = "own"} : tensor<48x16xf32>, tensor<48x16xf32>
  %2 = muon.optimize weight(%v) gradient(%gv) {muon.strategy = "own"} : tensor<200xf32>, tensor<200xf32>
  return
}
