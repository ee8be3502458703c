// RUN: echo '{"rules": [{"match": "^a$", "iteration": "gram", "restarts": [1, 3]}, {"match": "^b$", "restarts": []}]}' > %t.json
// RUN: muon-opt --muon-assign-optimizers="rules=%t.json" %s | FileCheck %s

// Restarts of a rule, none of a rule, and none said.

// CHECK: muon.update {{.*}} iteration = #muon.iteration<gram>, {{.*}}restarts = array<i64: 1, 3>,
// CHECK: muon.update {{.*}} iteration = #muon.iteration<auto>, {{.*}}restarts = array<i64>,
// CHECK: muon.update
// CHECK-NOT: restarts
// CHECK: return
func.func @step(
    %a: tensor<4x6xf32> {muon.role = #muon.role<weight>, muon.names = ["a"]},
    %ga: tensor<4x6xf32> {muon.role = #muon.role<gradient>, muon.names = ["a"]},
    %b: tensor<4x6xf32> {muon.role = #muon.role<weight>, muon.names = ["b"]},
    %gb: tensor<4x6xf32> {muon.role = #muon.role<gradient>, muon.names = ["b"]},
    %c: tensor<4x6xf32> {muon.role = #muon.role<weight>, muon.names = ["c"]},
    %gc: tensor<4x6xf32> {muon.role = #muon.role<gradient>, muon.names = ["c"]})
    -> (tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>) {
  %0 = muon.optimize weight(%a) gradient(%ga) : tensor<4x6xf32>, tensor<4x6xf32>
  %1 = muon.optimize weight(%b) gradient(%gb) : tensor<4x6xf32>, tensor<4x6xf32>
  %2 = muon.optimize weight(%c) gradient(%gc) : tensor<4x6xf32>, tensor<4x6xf32>
  return %0, %1, %2 : tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>
}
