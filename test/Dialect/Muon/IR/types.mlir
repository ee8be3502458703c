// RUN: muon-opt %s | muon-opt | FileCheck %s

// CHECK-LABEL: func.func private @stacks(
// CHECK-SAME:    !muon.stack<24x1024x4096xbf16>, !muon.stack<2x48x16xf32>, !muon.stack<3x5x7xf16>)
func.func private @stacks(
    !muon.stack<24x1024x4096xbf16>, !muon.stack<2x48x16xf32>,
    !muon.stack<3x5x7xf16>)

// CHECK-LABEL: func.func private @tables(
// CHECK-SAME:    !muon.table<24x1024x4096xbf16>, !muon.table<2x48x16xf32>, !muon.table<3x5x7xf16>)
func.func private @tables(
    !muon.table<24x1024x4096xbf16>, !muon.table<2x48x16xf32>,
    !muon.table<3x5x7xf16>)

// A single number counts members of rank 0.
// CHECK-LABEL: func.func private @members_of_rank_0(
// CHECK-SAME:    !muon.stack<2xf32>, !muon.table<2xf32>)
func.func private @members_of_rank_0(!muon.stack<2xf32>, !muon.table<2xf32>)

// CHECK-LABEL: func.func private @members_of_rank_4(
// CHECK-SAME:    !muon.stack<2x3x4x5x6xf32>, !muon.table<2x3x4x5x6xf32>)
func.func private @members_of_rank_4(
    !muon.stack<2x3x4x5x6xf32>, !muon.table<2x3x4x5x6xf32>)

// CHECK-LABEL: func.func private @one_member(
// CHECK-SAME:    !muon.stack<1x1x1xf32>)
func.func private @one_member(!muon.stack<1x1x1xf32>)

// The largest number of elements, 2^56.
// CHECK-LABEL: func.func private @most_elements(
// CHECK-SAME:    !muon.stack<268435456x268435456xf32>, !muon.table<72057594037927936xbf16>)
func.func private @most_elements(
    !muon.stack<268435456x268435456xf32>, !muon.table<72057594037927936xbf16>)

// CHECK-LABEL: func.func private @nested(
// CHECK-SAME:    tuple<!muon.stack<2x3x4xf32>, !muon.table<2x3x4xf32>>)
func.func private @nested(tuple<!muon.stack<2x3x4xf32>, !muon.table<2x3x4xf32>>)
