// Every module gets kernels and a table of its own.

// RUN: muon-opt --pass-pipeline='builtin.module(builtin.module(convert-muon-gpu-to-nvvm))' %s | FileCheck %s

// CHECK: module @a attributes {muon.kernels = [{{[^]]*}}launches = 1 : i64
// CHECK: gpu.func @p_0(
// CHECK: module @b attributes {muon.kernels = [{{[^]]*}}launches = 1 : i64
// CHECK: gpu.func @p_0(
module { module @a {
func.func @step(%a: memref<4x4x16xf32>) {
  muon_gpu.launch {
  muon_gpu.stream ins(%a : memref<4x4x16xf32>) outs(%a : memref<4x4x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  } {schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 2, chunk = 65536>}
  } {phase = "p"}
  return
}}
module @b {
func.func @step(%a: memref<4x4x16xf32>) {
  muon_gpu.launch {
  muon_gpu.stream ins(%a : memref<4x4x16xf32>) outs(%a : memref<4x4x16xf32>) {
  ^bb0(%x: f32):
    muon_gpu.yield %x : f32
  } {schedule = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 2, chunk = 65536>}
  } {phase = "p"}
  return
}} }