// RUN: muon-opt %s --allow-unregistered-dialect --split-input-file --verify-diagnostics

// expected-error @below {{expected ::mlir::muon::Reduction to be one of: sum, mean}}
// expected-error @below {{failed to parse Muon_ReductionAttr parameter 'value'}}
"test.reduction"() {a = #muon.reduction<max>} : () -> ()

// -----

// expected-error @below {{expected block, offset and shape of one rank, found 1, 2 and 2}}
"test.part_ranks"() {a = #muon.part<tensor = "w", block = [48], offset = [0, 16], shape = [48, 32]>} : () -> ()

// -----

// expected-error @below {{expected a block within the shape, found 17 from 16 on of 32}}
"test.part_outside"() {a = #muon.part<tensor = "w", block = [48, 17], offset = [0, 16], shape = [48, 32]>} : () -> ()

// -----

// expected-error @below {{expected a block within the shape, found 4 from -1 on of 8}}
"test.part_before"() {a = #muon.part<tensor = "w", block = [4], offset = [-1], shape = [8]>} : () -> ()

// -----

// expected-error @below {{expected a block within the shape, found 0 from 0 on of 8}}
"test.part_empty"() {a = #muon.part<tensor = "w", block = [0], offset = [0], shape = [8]>} : () -> ()

// -----

// The end of this one is beyond 2^63.
// expected-error @below {{expected a block within the shape, found 9223372036854775807 from 1 on of 9223372036854775807}}
"test.part_overflow"() {a = #muon.part<tensor = "w", block = [9223372036854775807], offset = [1], shape = [9223372036854775807]>} : () -> ()

// -----

// expected-error @below {{expected a block of less than 2^63 elements}}
"test.part_elements"() {a = #muon.part<tensor = "w", block = [4294967296, 4294967296], offset = [0, 0], shape = [4294967296, 4294967296]>} : () -> ()

// -----

// expected-error @below {{expected 'from' to be a 64-bit number from 0 to 31, found 32 : i64}}
"test.part_from_end"() {a = #muon.part<tensor = "w", from = 32, block = [8, 4], offset = [0, 0], shape = [8, 32]>} : () -> ()

// -----

// expected-error @below {{expected 'from' to be a 64-bit number from 0 to 31, found -1 : i64}}
"test.part_from_negative"() {a = #muon.part<tensor = "w", from = -1, block = [8, 4], offset = [0, 0], shape = [8, 32]>} : () -> ()

// -----

// expected-error @below {{expected 'from' to be a 64-bit number from 0 to 31, found 1 : i32}}
"test.part_from_type"() {a = #muon.part<tensor = "w", from = 1 : i32, block = [8, 4], offset = [0, 0], shape = [8, 32]>} : () -> ()

// -----

// expected-error @below {{expected distinct axes of at least 0, found 1 twice}}
"test.sharding_twice"() {a = #muon.sharding<[[1], [0, 1]]>} : () -> ()

// -----

// expected-error @below {{expected distinct axes of at least 0, found -1}}
"test.sharding_negative"() {a = #muon.sharding<[[-1], []]>} : () -> ()

// -----

// expected-error @below {{expected at least one axis}}
"test.unreduced_none"() {a = #muon.unreduced<[], sum>} : () -> ()

// -----

// expected-error @below {{expected distinct axes of at least 0, found 0 twice}}
"test.unreduced_twice"() {a = #muon.unreduced<[0, 0], sum>} : () -> ()

// -----

// expected-error @below {{expected 0 <= place < size, found place 2 of 2}}
"test.group_place"() {a = #muon.group<@g, [0], 2 of 2>} : () -> ()

// -----

// expected-error @below {{expected 0 <= place < size, found place -1 of 2}}
"test.group_negative"() {a = #muon.group<@g, [0], -1 of 2>} : () -> ()

// -----

// expected-error @below {{expected distinct axes of at least 0, found 3 twice}}
"test.group_axes"() {a = #muon.group<@g, [3, 3], 0 of 2>} : () -> ()

// -----

// expected-error @below {{expected a sharding and a shape of two dimensions}}
"test.exchange_sharding"() {a = #muon.exchange<gather, group = #muon.group<@g, [0], 1 of 2>, sharding = #muon.sharding<[[0], [], []]>, shape = [48, 32], owners = []>} : () -> ()

// -----

// expected-error @below {{expected a sharding and a shape of two dimensions}}
"test.exchange_shape"() {a = #muon.exchange<gather, group = #muon.group<@g, [0], 1 of 2>, sharding = #muon.sharding<[[0], []]>, shape = [48], owners = []>} : () -> ()

// -----

// expected-error @below {{expected positive dimensions, found 0}}
"test.exchange_empty"() {a = #muon.exchange<gather, group = #muon.group<@g, [0], 1 of 2>, sharding = #muon.sharding<[[0], []]>, shape = [48, 0], owners = []>} : () -> ()

// -----

// expected-error @below {{expected owners with strategy own alone}}
"test.exchange_without_owners"() {a = #muon.exchange<own, group = #muon.group<@g, [0], 1 of 2>, sharding = #muon.sharding<[[0], []]>, shape = [48, 32], owners = []>} : () -> ()

// -----

// expected-error @below {{expected owners with strategy own alone}}
"test.exchange_with_owners"() {a = #muon.exchange<gather, group = #muon.group<@g, [0], 1 of 2>, sharding = #muon.sharding<[[0], []]>, shape = [48, 32], owners = [0]>} : () -> ()

// -----

// expected-error @below {{expected owners from 0 to 1, found 2}}
"test.exchange_owner"() {a = #muon.exchange<own, group = #muon.group<@g, [0], 1 of 2>, sharding = #muon.sharding<[[0], []]>, shape = [48, 32], owners = [0, 2]>} : () -> ()
