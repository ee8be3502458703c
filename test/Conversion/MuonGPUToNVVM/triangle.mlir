// RUN: muon-opt --convert-muon-gpu-to-nvvm --canonicalize --cse --mlir-print-elementsattrs-with-hex-if-larger=-1 %s | FileCheck %s

// One kernel packs triangles of any size and number of one type; another type,
// the way back, and a condition, are other kernels. Half of a matrix is moved.

// CHECK: module attributes {muon.kernels = [
// CHECK-SAME: {arithmetic = "none", blocks = 7 : i64, bytes_read = 66 : i64, bytes_written = 66 : i64, flops = 0 : i64, launches = 1 : i64, name = "pack_0", phase = "pack", shared = 0 : i64, threads = 256 : i64}
// CHECK-SAME: {arithmetic = "none", blocks = 2 : i64, bytes_read = 12 : i64, bytes_written = 12 : i64, flops = 0 : i64, launches = 1 : i64, name = "half_1",
// CHECK-SAME: {arithmetic = "none", blocks = 6 : i64, bytes_read = 144 : i64, bytes_written = 216 : i64, flops = 0 : i64, launches = 2 : i64, name = "unpack_2",
// CHECK-SAME: {arithmetic = "none", blocks = 6 : i64, bytes_read = 72 : i64, bytes_written = 108 : i64, flops = 0 : i64, launches = 1 : i64, name = "flag_3",

// A block takes row i and row m − 1 − i: of 2 matrices of 5 rows 3 blocks each.

// CHECK-LABEL: func.func @pack(
// CHECK-DAG: %[[ZERO:.+]] = arith.constant 0 : i32
// CHECK-DAG: %[[NONE:.+]] = arith.constant 0 : i64
// CHECK-DAG: %[[BLOCKS:.+]] = arith.constant 7 : i64
// CHECK-DAG: %[[TWO:.+]] = arith.constant 2 : i32
// CHECK: muon.host_call "launch"(%[[ZERO]], %[[BLOCKS]], %[[NONE]], %[[ZERO]], %[[TWO]])
func.func @pack(%t: memref<2x1x15xbf16>, %u: memref<1x1x3xbf16>, %y: memref<1x2x2xbf16>) {
  %c256 = arith.constant 256 : index
  %arena = muon.arena : memref<1024xi8>
  %x = memref.view %arena[%c256][] : memref<1024xi8> to memref<2x5x5xbf16>
  muon_gpu.launch {
    muon.pack_triangle x(%x : memref<2x5x5xbf16>) out(%t : memref<2x1x15xbf16>)
    muon.pack_triangle x(%y : memref<1x2x2xbf16>) out(%u : memref<1x1x3xbf16>)
  } {phase = "pack"}
  return
}

func.func @half(%x: memref<1x3x3xf16>, %t: memref<1x1x6xf16>) {
  muon_gpu.launch {
    muon.pack_triangle x(%x : memref<1x3x3xf16>) out(%t : memref<1x1x6xf16>)
  } {phase = "half"}
  return
}

func.func @unpack(%t: memref<3x1x6xf32>, %x: memref<3x3x3xf32>) {
  muon_gpu.launch {
    muon.unpack_triangle x(%t : memref<3x1x6xf32>) out(%x : memref<3x3x3xf32>)
  } {phase = "unpack"}
  muon_gpu.launch {
    muon.unpack_triangle x(%t : memref<3x1x6xf32>) out(%x : memref<3x3x3xf32>)
  } {phase = "again"}
  return
}

func.func @flag(%ok: memref<i1>, %t: memref<3x1x6xf32>, %x: memref<3x3x3xf32>) {
  muon_gpu.launch when(%ok : memref<i1>) {
    muon.unpack_triangle x(%t : memref<3x1x6xf32>) out(%x : memref<3x3x3xf32>)
  } {phase = "flag"}
  return
}

// First blocks of the problems and the number of all; blocks of a matrix and its
// rows; then the operands, the flag first.

// CHECK: @muon_problems(dense<[
// CHECK-SAME: 0, 6, 7, 3, 5, 256, 0, 0, 2147483647, 50, -1, 0, 0, 2147483647, 30,
// CHECK-SAME: 1, 2, -3, 0, 0, 2147483647, 8, -2, 0, 0, 2147483647, 6,
// CHECK-SAME: 0, 2, 2, 3, -1, 0, 0, 2147483647, 18, -2, 0, 0, 2147483647, 12,
// CHECK-SAME: 0, 6, 2, 3, -1, 0, 0, 2147483647, 24, -2, 0, 0, 2147483647, 36,
// CHECK-SAME: 0, 6, 2, 3, -1, 0, 0, 2147483647, 24, -2, 0, 0, 2147483647, 36,
// CHECK-SAME: 0, 6, 2, 3, -1, 0, 0, 2147483647, 0, -2, 0, 0, 2147483647, 24, -3, 0, 0, 2147483647, 36]>

// Bits are copied, from the diagonal on. Row r has r(r + 1)/2 elements fewer before
// its columns than in the matrix. The middle row of an odd number is alone.

// CHECK-LABEL: gpu.func @pack_0(
// CHECK-DAG: %[[ONE:.+]] = arith.constant 1 : i64
// CHECK-DAG: %[[HALF:.+]] = arith.constant 2 : i64
// CHECK-DAG: %[[THREADS:.+]] = arith.constant 256 : i64
// CHECK: %[[LAST:.+]] = arith.subi %[[SIZE:.+]], %[[ONE]] : i64
// CHECK: %[[OTHER:.+]] = arith.subi %[[LAST]], %[[ROW:.+]] : i64
// CHECK: %[[FIRST:.+]] = arith.addi %[[ROW]], %{{.+}} : i64
// CHECK: scf.for %[[COL:.+]] = %[[FIRST]] to %[[SIZE]] step %[[THREADS]] : i64 {
// CHECK: %[[START:.+]] = arith.muli %[[ROW]], %[[SIZE]] : i64
// CHECK: %[[FROM:.+]] = arith.addi %[[START]], %[[COL]] : i64
// CHECK: %[[NEXT:.+]] = arith.addi %[[ROW]], %[[ONE]] : i64
// CHECK: %[[AREA:.+]] = arith.muli %[[ROW]], %[[NEXT]] : i64
// CHECK: %[[BEFORE:.+]] = arith.divui %[[AREA]], %[[HALF]] : i64
// CHECK: %[[PACKED:.+]] = arith.subi %[[START]], %[[BEFORE]] : i64
// CHECK: %[[TO:.+]] = arith.addi %[[PACKED]], %[[COL]] : i64
// CHECK: %[[READ:.+]] = arith.muli %[[FROM]], %[[HALF]] : i64
// CHECK: llvm.getelementptr %{{.+}}[%[[READ]]]
// CHECK: %[[BITS:.+]] = llvm.load %{{.+}} {alignment = 2 : i64} : !llvm.ptr<1> -> i16
// CHECK: %[[WRITTEN:.+]] = arith.muli %[[TO]], %[[HALF]] : i64
// CHECK: llvm.getelementptr %{{.+}}[%[[WRITTEN]]]
// CHECK: llvm.store %[[BITS]], %{{.+}} {alignment = 2 : i64} : i16, !llvm.ptr<1>
// CHECK: %[[IS_OTHER:.+]] = arith.cmpi slt, %[[ROW]], %[[OTHER]] : i64
// CHECK: scf.if %[[IS_OTHER]] {
// CHECK: arith.muli %[[OTHER]], %[[SIZE]] : i64

// Back, all columns of a row are read from the upper triangle.

// CHECK-LABEL: gpu.func @unpack_2(
// CHECK: scf.for %[[COL:.+]] = %{{.+}} to %[[SIZE:.+]] step %{{.+}} : i64 {
// CHECK: arith.muli %[[ROW:.+]], %[[SIZE]] : i64
// CHECK: %[[LOW:.+]] = arith.minsi %[[ROW]], %[[COL]] : i64
// CHECK: %[[HIGH:.+]] = arith.maxsi %[[ROW]], %[[COL]] : i64
// CHECK: %[[PACKED:.+]] = arith.subi %{{.+}}, %{{.+}} : i64
// CHECK: arith.addi %[[PACKED]], %[[HIGH]] : i64
// CHECK: llvm.load %{{.+}} {alignment = 4 : i64} : !llvm.ptr<1> -> i32
// CHECK: llvm.store %{{.+}} {alignment = 4 : i64} : i32, !llvm.ptr<1>

// The flag decides for the whole block.

// CHECK-LABEL: gpu.func @flag_3(
// CHECK: %[[SET:.+]] = arith.cmpi ne, %{{.+}}, %{{.+}} : i8
// CHECK: scf.if %[[SET]] {
// CHECK: scf.for
