// RUN: muon-opt %s --allow-unregistered-dialect | muon-opt --allow-unregistered-dialect | FileCheck %s
// RUN: muon-opt %s --allow-unregistered-dialect -o %t.mlir
// RUN: muon-opt %s --allow-unregistered-dialect --emit-bytecode | muon-opt --allow-unregistered-dialect | diff %t.mlir -

// CHECK: "test.reduction"() {mean = #muon.reduction<mean>, sum = #muon.reduction<sum>}
"test.reduction"() {sum = #muon.reduction<sum>, mean = #muon.reduction<mean>} : () -> ()

// CHECK: "test.part"()
// CHECK-SAME: block = #muon.part<tensor = "w", block = [48, 16], offset = [0, 16], shape = [48, 32]>
// CHECK-SAME: run = #muon.part<tensor = "v", from = 127 : i64, block = [64, 2], offset = [0, 1], shape = [64, 3]>
// CHECK-SAME: scalar = #muon.part<tensor = "s", block = [], offset = [], shape = []>
"test.part"() {
  block = #muon.part<tensor = "w", block = [48, 16], offset = [0, 16], shape = [48, 32]>,
  run = #muon.part<tensor = "v", from = 127, block = [64, 2], offset = [0, 1], shape = [64, 3]>,
  scalar = #muon.part<tensor = "s", block = [], offset = [], shape = []>
} : () -> ()

// CHECK: "test.sharding"()
// CHECK-SAME: none = #muon.sharding<{{\[}}[], []]>
// CHECK-SAME: several = #muon.sharding<{{\[}}[2, 0], [1], []]>
"test.sharding"() {
  none = #muon.sharding<[[], []]>,
  several = #muon.sharding<[[2, 0], [1], []]>
} : () -> ()

// CHECK: "test.unreduced"() {one = #muon.unreduced<[0], mean>, two = #muon.unreduced<[2, 1], sum>}
"test.unreduced"() {one = #muon.unreduced<[0], mean>, two = #muon.unreduced<[2, 1], sum>} : () -> ()

// CHECK: "test.group"() {alone = #muon.group<@g, [], 0 of 1>, last = #muon.group<@g, [1, 0], 7 of 8>}
"test.group"() {alone = #muon.group<@g, [], 0 of 1>, last = #muon.group<@g, [1, 0], 7 of 8>} : () -> ()

// CHECK: "test.exchange"()
// CHECK-SAME: gather = #muon.exchange<gather, group = #muon.group<@g, [0, 1], 1 of 4>, sharding = #muon.sharding<{{\[}}[0], [1]]>, shape = [48, 32], owners = []>
// CHECK-SAME: gram = #muon.exchange<distributed_gram, group = #muon.group<@g, [0], 1 of 2>, sharding = #muon.sharding<{{\[}}[], [0]]>, shape = [48, 32], owners = []>
// CHECK-SAME: own = #muon.exchange<own, group = #muon.group<@g, [0], 1 of 2>, sharding = #muon.sharding<{{\[}}[0], []]>, shape = [48, 32], owners = [0, 1]>
"test.exchange"() {
  own = #muon.exchange<own, group = #muon.group<@g, [0], 1 of 2>, sharding = #muon.sharding<[[0], []]>, shape = [48, 32], owners = [0, 1]>,
  gather = #muon.exchange<gather, group = #muon.group<@g, [0, 1], 1 of 4>, sharding = #muon.sharding<[[0], [1]]>, shape = [48, 32], owners = []>,
  gram = #muon.exchange<distributed_gram, group = #muon.group<@g, [0], 1 of 2>, sharding = #muon.sharding<[[], [0]]>, shape = [48, 32], owners = []>
} : () -> ()
