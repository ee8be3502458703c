// RUN: muon-opt %s | muon-opt | FileCheck %s
// RUN: muon-opt %s --mlir-print-op-generic | muon-opt | FileCheck %s

// CHECK-LABEL: func.func @momentum_tensor(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<1x16x64xf32>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[U:[a-z0-9]+]]: tensor<1xf64>)
// CHECK:         %[[R:.+]]:4 = muon.momentum gradient(%[[G]] : tensor<16x64xf32>) gradient_sums(%[[GS]] : tensor<1xf64>) momentum_sums(%[[MS]] : tensor<1xf64>) beta(%[[BETA]] : tensor<f32>) momentum(%[[M]] : tensor<16x64xf32>) x(%[[X]] : tensor<1x16x64xf32>) sums(%[[S]] : tensor<1xf64>) unit(%[[U]] : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3 : tensor<16x64xf32>, tensor<1x16x64xf32>, tensor<1xf64>, tensor<1xf64>
func.func @momentum_tensor(
    %g: tensor<16x64xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %m: tensor<16x64xf32>, %x: tensor<1x16x64xf32>,
    %s: tensor<1xf64>, %u: tensor<1xf64>)
    -> (tensor<16x64xf32>, tensor<1x16x64xf32>, tensor<1xf64>, tensor<1xf64>) {
  %0:4 = muon.momentum gradient(%g : tensor<16x64xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<16x64xf32>)
      x(%x : tensor<1x16x64xf32>) sums(%s : tensor<1xf64>)
      unit(%u : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return %0#0, %0#1, %0#2, %0#3
      : tensor<16x64xf32>, tensor<1x16x64xf32>, tensor<1xf64>, tensor<1xf64>
}

// CHECK-LABEL: func.func @momentum_clip(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[CLIP:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<1x16x64xf32>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[U:[a-z0-9]+]]: tensor<1xf64>)
// CHECK:         %[[R:.+]]:4 = muon.momentum gradient(%[[G]] : tensor<16x64xf32>) gradient_sums(%[[GS]] : tensor<1xf64>) momentum_sums(%[[MS]] : tensor<1xf64>) beta(%[[BETA]] : tensor<f32>) clip(%[[CLIP]] : tensor<f32>) momentum(%[[M]] : tensor<16x64xf32>) x(%[[X]] : tensor<1x16x64xf32>) sums(%[[S]] : tensor<1xf64>) unit(%[[U]] : tensor<1xf64>) {momentum_form = #muon.momentum_form<heavy_ball>, nesterov = false}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3 : tensor<16x64xf32>, tensor<1x16x64xf32>, tensor<1xf64>, tensor<1xf64>
func.func @momentum_clip(
    %g: tensor<16x64xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %clip: tensor<f32>, %m: tensor<16x64xf32>,
    %x: tensor<1x16x64xf32>, %s: tensor<1xf64>, %u: tensor<1xf64>)
    -> (tensor<16x64xf32>, tensor<1x16x64xf32>, tensor<1xf64>, tensor<1xf64>) {
  %0:4 = muon.momentum gradient(%g : tensor<16x64xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) clip(%clip : tensor<f32>)
      momentum(%m : tensor<16x64xf32>) x(%x : tensor<1x16x64xf32>)
      sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      {momentum_form = #muon.momentum_form<heavy_ball>, nesterov = false}
  return %0#0, %0#1, %0#2, %0#3
      : tensor<16x64xf32>, tensor<1x16x64xf32>, tensor<1xf64>, tensor<1xf64>
}

// CHECK-LABEL: func.func @momentum_when(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>, %[[OK:[a-z0-9]+]]: tensor<i1>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<1x16x64xf32>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[U:[a-z0-9]+]]: tensor<1xf64>)
// CHECK:         %[[R:.+]]:4 = muon.momentum gradient(%[[G]] : tensor<16x64xf32>) gradient_sums(%[[GS]] : tensor<1xf64>) momentum_sums(%[[MS]] : tensor<1xf64>) beta(%[[BETA]] : tensor<f32>) when(%[[OK]] : tensor<i1>) momentum(%[[M]] : tensor<16x64xf32>) x(%[[X]] : tensor<1x16x64xf32>) sums(%[[S]] : tensor<1xf64>) unit(%[[U]] : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3 : tensor<16x64xf32>, tensor<1x16x64xf32>, tensor<1xf64>, tensor<1xf64>
func.func @momentum_when(
    %g: tensor<16x64xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %beta: tensor<f32>, %ok: tensor<i1>, %m: tensor<16x64xf32>,
    %x: tensor<1x16x64xf32>, %s: tensor<1xf64>, %u: tensor<1xf64>)
    -> (tensor<16x64xf32>, tensor<1x16x64xf32>, tensor<1xf64>, tensor<1xf64>) {
  %0:4 = muon.momentum gradient(%g : tensor<16x64xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      beta(%beta : tensor<f32>) when(%ok : tensor<i1>)
      momentum(%m : tensor<16x64xf32>) x(%x : tensor<1x16x64xf32>)
      sums(%s : tensor<1xf64>) unit(%u : tensor<1xf64>)
      {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  return %0#0, %0#1, %0#2, %0#3
      : tensor<16x64xf32>, tensor<1x16x64xf32>, tensor<1xf64>, tensor<1xf64>
}

// CHECK-LABEL: func.func @momentum_batch_all(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<3x16x64xbf16>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<3xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<3xf64>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[CLIP:[a-z0-9]+]]: tensor<f32>, %[[OK:[a-z0-9]+]]: tensor<i1>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<3x16x64xbf16>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<3x16x64xf32>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<3xf64>,
// CHECK-SAME:    %[[U:[a-z0-9]+]]: tensor<3xf64>)
// CHECK:         %[[R:.+]]:4 = muon.momentum gradient(%[[G]] : tensor<3x16x64xbf16>) gradient_sums(%[[GS]] : tensor<3xf64>) momentum_sums(%[[MS]] : tensor<3xf64>) beta(%[[BETA]] : tensor<f32>) clip(%[[CLIP]] : tensor<f32>) when(%[[OK]] : tensor<i1>) momentum(%[[M]] : tensor<3x16x64xbf16>) x(%[[X]] : tensor<3x16x64xf32>) sums(%[[S]] : tensor<3xf64>) unit(%[[U]] : tensor<3xf64>) {momentum_form = #muon.momentum_form<heavy_ball>, nesterov = false}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3 : tensor<3x16x64xbf16>, tensor<3x16x64xf32>, tensor<3xf64>, tensor<3xf64>
func.func @momentum_batch_all(
    %g: tensor<3x16x64xbf16>, %gs: tensor<3xf64>, %ms: tensor<3xf64>,
    %beta: tensor<f32>, %clip: tensor<f32>, %ok: tensor<i1>,
    %m: tensor<3x16x64xbf16>, %x: tensor<3x16x64xf32>, %s: tensor<3xf64>,
    %u: tensor<3xf64>)
    -> (tensor<3x16x64xbf16>, tensor<3x16x64xf32>, tensor<3xf64>,
        tensor<3xf64>) {
  %0:4 = muon.momentum gradient(%g : tensor<3x16x64xbf16>)
      gradient_sums(%gs : tensor<3xf64>) momentum_sums(%ms : tensor<3xf64>)
      beta(%beta : tensor<f32>) clip(%clip : tensor<f32>) when(%ok : tensor<i1>)
      momentum(%m : tensor<3x16x64xbf16>) x(%x : tensor<3x16x64xf32>)
      sums(%s : tensor<3xf64>) unit(%u : tensor<3xf64>)
      {momentum_form = #muon.momentum_form<heavy_ball>, nesterov = false}
  return %0#0, %0#1, %0#2, %0#3
      : tensor<3x16x64xbf16>, tensor<3x16x64xf32>, tensor<3xf64>, tensor<3xf64>
}

// Members of rank 3: one matrix for each of 2 x 3.
// CHECK-LABEL: func.func @momentum_stack(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: !muon.stack<2x3x48x16xf16>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<6xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<6xf64>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: !muon.stack<2x3x48x16xf16>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<6x48x16xf32>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<6xf64>,
// CHECK-SAME:    %[[U:[a-z0-9]+]]: tensor<6xf64>)
// CHECK:         %[[R:.+]]:4 = muon.momentum gradient(%[[G]] : !muon.stack<2x3x48x16xf16>) gradient_sums(%[[GS]] : tensor<6xf64>) momentum_sums(%[[MS]] : tensor<6xf64>) beta(%[[BETA]] : tensor<f32>) momentum(%[[M]] : !muon.stack<2x3x48x16xf16>) x(%[[X]] : tensor<6x48x16xf32>) sums(%[[S]] : tensor<6xf64>) unit(%[[U]] : tensor<6xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3 : !muon.stack<2x3x48x16xf16>, tensor<6x48x16xf32>, tensor<6xf64>, tensor<6xf64>
func.func @momentum_stack(
    %g: !muon.stack<2x3x48x16xf16>, %gs: tensor<6xf64>, %ms: tensor<6xf64>,
    %beta: tensor<f32>, %m: !muon.stack<2x3x48x16xf16>, %x: tensor<6x48x16xf32>,
    %s: tensor<6xf64>, %u: tensor<6xf64>)
    -> (!muon.stack<2x3x48x16xf16>, tensor<6x48x16xf32>, tensor<6xf64>,
        tensor<6xf64>) {
  %0:4 = muon.momentum gradient(%g : !muon.stack<2x3x48x16xf16>)
      gradient_sums(%gs : tensor<6xf64>) momentum_sums(%ms : tensor<6xf64>)
      beta(%beta : tensor<f32>) momentum(%m : !muon.stack<2x3x48x16xf16>)
      x(%x : tensor<6x48x16xf32>) sums(%s : tensor<6xf64>)
      unit(%u : tensor<6xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return %0#0, %0#1, %0#2, %0#3
      : !muon.stack<2x3x48x16xf16>, tensor<6x48x16xf32>, tensor<6xf64>,
        tensor<6xf64>
}

// CHECK-LABEL: func.func @momentum_stack_all(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: !muon.stack<2x48x16xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[CLIP:[a-z0-9]+]]: tensor<f32>, %[[OK:[a-z0-9]+]]: tensor<i1>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: !muon.stack<2x48x16xf32>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[U:[a-z0-9]+]]: tensor<2xf64>)
// CHECK:         %[[R:.+]]:4 = muon.momentum gradient(%[[G]] : !muon.stack<2x48x16xf32>) gradient_sums(%[[GS]] : tensor<2xf64>) momentum_sums(%[[MS]] : tensor<2xf64>) beta(%[[BETA]] : tensor<f32>) clip(%[[CLIP]] : tensor<f32>) when(%[[OK]] : tensor<i1>) momentum(%[[M]] : !muon.stack<2x48x16xf32>) x(%[[X]] : tensor<2x48x16xf32>) sums(%[[S]] : tensor<2xf64>) unit(%[[U]] : tensor<2xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3 : !muon.stack<2x48x16xf32>, tensor<2x48x16xf32>, tensor<2xf64>, tensor<2xf64>
func.func @momentum_stack_all(
    %g: !muon.stack<2x48x16xf32>, %gs: tensor<2xf64>, %ms: tensor<2xf64>,
    %beta: tensor<f32>, %clip: tensor<f32>, %ok: tensor<i1>,
    %m: !muon.stack<2x48x16xf32>, %x: tensor<2x48x16xf32>, %s: tensor<2xf64>,
    %u: tensor<2xf64>)
    -> (!muon.stack<2x48x16xf32>, tensor<2x48x16xf32>, tensor<2xf64>,
        tensor<2xf64>) {
  %0:4 = muon.momentum gradient(%g : !muon.stack<2x48x16xf32>)
      gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<2xf64>)
      beta(%beta : tensor<f32>) clip(%clip : tensor<f32>) when(%ok : tensor<i1>)
      momentum(%m : !muon.stack<2x48x16xf32>) x(%x : tensor<2x48x16xf32>)
      sums(%s : tensor<2xf64>) unit(%u : tensor<2xf64>)
      {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  return %0#0, %0#1, %0#2, %0#3
      : !muon.stack<2x48x16xf32>, tensor<2x48x16xf32>, tensor<2xf64>,
        tensor<2xf64>
}

// CHECK-LABEL: func.func @momentum_memref(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: memref<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: memref<16x64xf32>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<1x16x64xf32>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME:    %[[U:[a-z0-9]+]]: memref<1xf64>)
// CHECK:         {{^ +}}muon.momentum gradient(%[[G]] : memref<16x64xf32>) gradient_sums(%[[GS]] : memref<1xf64>) momentum_sums(%[[MS]] : memref<1xf64>) beta(%[[BETA]] : memref<f32>) momentum(%[[M]] : memref<16x64xf32>) x(%[[X]] : memref<1x16x64xf32>) sums(%[[S]] : memref<1xf64>) unit(%[[U]] : memref<1xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @momentum_memref(
    %g: memref<16x64xf32>, %gs: memref<1xf64>, %ms: memref<1xf64>,
    %beta: memref<f32>, %m: memref<16x64xf32>, %x: memref<1x16x64xf32>,
    %s: memref<1xf64>, %u: memref<1xf64>) {
  muon.momentum gradient(%g : memref<16x64xf32>)
      gradient_sums(%gs : memref<1xf64>) momentum_sums(%ms : memref<1xf64>)
      beta(%beta : memref<f32>) momentum(%m : memref<16x64xf32>)
      x(%x : memref<1x16x64xf32>) sums(%s : memref<1xf64>)
      unit(%u : memref<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// CHECK-LABEL: func.func @momentum_memref_all(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: memref<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[CLIP:[a-z0-9]+]]: memref<f32>, %[[OK:[a-z0-9]+]]: memref<i1>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: memref<16x64xf32>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<1x16x64xf32>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME:    %[[U:[a-z0-9]+]]: memref<1xf64>)
// CHECK:         {{^ +}}muon.momentum gradient(%[[G]] : memref<16x64xf32>) gradient_sums(%[[GS]] : memref<1xf64>) momentum_sums(%[[MS]] : memref<1xf64>) beta(%[[BETA]] : memref<f32>) clip(%[[CLIP]] : memref<f32>) when(%[[OK]] : memref<i1>) momentum(%[[M]] : memref<16x64xf32>) x(%[[X]] : memref<1x16x64xf32>) sums(%[[S]] : memref<1xf64>) unit(%[[U]] : memref<1xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @momentum_memref_all(
    %g: memref<16x64xf32>, %gs: memref<1xf64>, %ms: memref<1xf64>,
    %beta: memref<f32>, %clip: memref<f32>, %ok: memref<i1>,
    %m: memref<16x64xf32>, %x: memref<1x16x64xf32>, %s: memref<1xf64>,
    %u: memref<1xf64>) {
  muon.momentum gradient(%g : memref<16x64xf32>)
      gradient_sums(%gs : memref<1xf64>) momentum_sums(%ms : memref<1xf64>)
      beta(%beta : memref<f32>) clip(%clip : memref<f32>) when(%ok : memref<i1>)
      momentum(%m : memref<16x64xf32>) x(%x : memref<1x16x64xf32>)
      sums(%s : memref<1xf64>) unit(%u : memref<1xf64>)
      {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  return
}

// CHECK-LABEL: func.func @momentum_table(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: !muon.table<2x48x16xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: !muon.table<2x48x16xf32>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x48x16xf32>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[U:[a-z0-9]+]]: memref<2xf64>)
// CHECK:         {{^ +}}muon.momentum gradient(%[[G]] : !muon.table<2x48x16xf32>) gradient_sums(%[[GS]] : memref<2xf64>) momentum_sums(%[[MS]] : memref<2xf64>) beta(%[[BETA]] : memref<f32>) momentum(%[[M]] : !muon.table<2x48x16xf32>) x(%[[X]] : memref<2x48x16xf32>) sums(%[[S]] : memref<2xf64>) unit(%[[U]] : memref<2xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @momentum_table(
    %g: !muon.table<2x48x16xf32>, %gs: memref<2xf64>, %ms: memref<2xf64>,
    %beta: memref<f32>, %m: !muon.table<2x48x16xf32>, %x: memref<2x48x16xf32>,
    %s: memref<2xf64>, %u: memref<2xf64>) {
  muon.momentum gradient(%g : !muon.table<2x48x16xf32>)
      gradient_sums(%gs : memref<2xf64>) momentum_sums(%ms : memref<2xf64>)
      beta(%beta : memref<f32>) momentum(%m : !muon.table<2x48x16xf32>)
      x(%x : memref<2x48x16xf32>) sums(%s : memref<2xf64>)
      unit(%u : memref<2xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  return
}

// CHECK-LABEL: func.func @momentum_table_all(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: !muon.table<2x48x16xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[CLIP:[a-z0-9]+]]: memref<f32>, %[[OK:[a-z0-9]+]]: memref<i1>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: !muon.table<2x48x16xf32>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x48x16xf32>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[U:[a-z0-9]+]]: memref<2xf64>)
// CHECK:         {{^ +}}muon.momentum gradient(%[[G]] : !muon.table<2x48x16xf32>) gradient_sums(%[[GS]] : memref<2xf64>) momentum_sums(%[[MS]] : memref<2xf64>) beta(%[[BETA]] : memref<f32>) clip(%[[CLIP]] : memref<f32>) when(%[[OK]] : memref<i1>) momentum(%[[M]] : !muon.table<2x48x16xf32>) x(%[[X]] : memref<2x48x16xf32>) sums(%[[S]] : memref<2xf64>) unit(%[[U]] : memref<2xf64>) {momentum_form = #muon.momentum_form<ema>, nesterov = true}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @momentum_table_all(
    %g: !muon.table<2x48x16xf32>, %gs: memref<2xf64>, %ms: memref<2xf64>,
    %beta: memref<f32>, %clip: memref<f32>, %ok: memref<i1>,
    %m: !muon.table<2x48x16xf32>, %x: memref<2x48x16xf32>, %s: memref<2xf64>,
    %u: memref<2xf64>) {
  muon.momentum gradient(%g : !muon.table<2x48x16xf32>)
      gradient_sums(%gs : memref<2xf64>) momentum_sums(%ms : memref<2xf64>)
      beta(%beta : memref<f32>) clip(%clip : memref<f32>) when(%ok : memref<i1>)
      momentum(%m : !muon.table<2x48x16xf32>) x(%x : memref<2x48x16xf32>)
      sums(%s : memref<2xf64>) unit(%u : memref<2xf64>)
      {momentum_form = #muon.momentum_form<ema>, nesterov = true}
  return
}

// CHECK-LABEL: func.func @normalize_tensor(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[U:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[F:[a-z0-9]+]]: tensor<2xf32>)
// CHECK:         %[[R:.+]] = muon.normalize sums(%[[S]] : tensor<2xf64>) unit(%[[U]] : tensor<2xf64>) factor(%[[F]] : tensor<2xf32>) {eps = 1.250000e-01 : f64, safety = 1.500000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<2xf32>
func.func @normalize_tensor(
    %s: tensor<2xf64>, %u: tensor<2xf64>, %f: tensor<2xf32>) -> tensor<2xf32> {
  %0 = muon.normalize sums(%s : tensor<2xf64>) unit(%u : tensor<2xf64>)
      factor(%f : tensor<2xf32>) {eps = 1.250000e-01 : f64,
      safety = 1.500000e+00 : f64}
  return %0 : tensor<2xf32>
}

// CHECK-LABEL: func.func @normalize_memref(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[U:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[F:[a-z0-9]+]]: memref<2xf32>)
// CHECK:         {{^ +}}muon.normalize sums(%[[S]] : memref<2xf64>) unit(%[[U]] : memref<2xf64>) factor(%[[F]] : memref<2xf32>) {eps = 1.250000e-01 : f64, safety = 1.500000e+00 : f64}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @normalize_memref(
    %s: memref<2xf64>, %u: memref<2xf64>, %f: memref<2xf32>) {
  muon.normalize sums(%s : memref<2xf64>) unit(%u : memref<2xf64>)
      factor(%f : memref<2xf32>) {eps = 1.250000e-01 : f64,
      safety = 1.500000e+00 : f64}
  return
}

// CHECK-LABEL: func.func @orthogonalize_tensor(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x48x16xf32>)
// CHECK:         %[[R:.+]] = muon.orthogonalize x(%[[X]] : tensor<2x48x16xf32>) out(%[[O]] : tensor<2x48x16xf32>) {compute = #muon.compute<tf32>, iteration = #muon.iteration<direct>, schedule = #muon.schedule<cans>, side = #muon.side<left>, steps = 3 : i64}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<2x48x16xf32>
func.func @orthogonalize_tensor(
    %x: tensor<2x48x16xf32>, %o: tensor<2x48x16xf32>) -> tensor<2x48x16xf32> {
  %0 = muon.orthogonalize x(%x : tensor<2x48x16xf32>)
      out(%o : tensor<2x48x16xf32>) {compute = #muon.compute<tf32>,
      iteration = #muon.iteration<direct>, schedule = #muon.schedule<cans>,
      side = #muon.side<left>, steps = 3 : i64}
  return %0 : tensor<2x48x16xf32>
}

// CHECK-LABEL: func.func @orthogonalize_factor(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[F:[a-z0-9]+]]: tensor<2xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x48x16xf32>)
// CHECK:         %[[R:.+]] = muon.orthogonalize x(%[[X]] : tensor<2x48x16xf32>) factor(%[[F]] : tensor<2xf32>) out(%[[O]] : tensor<2x48x16xf32>) {compute = #muon.compute<tf32>, iteration = #muon.iteration<direct>, schedule = #muon.schedule<cans>, side = #muon.side<left>, steps = 3 : i64}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<2x48x16xf32>
func.func @orthogonalize_factor(
    %x: tensor<2x48x16xf32>, %f: tensor<2xf32>,
    %o: tensor<2x48x16xf32>) -> tensor<2x48x16xf32> {
  %0 = muon.orthogonalize x(%x : tensor<2x48x16xf32>) factor(%f : tensor<2xf32>)
      out(%o : tensor<2x48x16xf32>) {compute = #muon.compute<tf32>,
      iteration = #muon.iteration<direct>, schedule = #muon.schedule<cans>,
      side = #muon.side<left>, steps = 3 : i64}
  return %0 : tensor<2x48x16xf32>
}

// CHECK-LABEL: func.func @orthogonalize_memref(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x48x16xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: memref<2x48x16xf32>)
// CHECK:         {{^ +}}muon.orthogonalize x(%[[X]] : memref<2x48x16xf32>) out(%[[O]] : memref<2x48x16xf32>) {compute = #muon.compute<tf32>, iteration = #muon.iteration<direct>, schedule = #muon.schedule<cans>, side = #muon.side<left>, steps = 3 : i64}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @orthogonalize_memref(
    %x: memref<2x48x16xf32>, %o: memref<2x48x16xf32>) {
  muon.orthogonalize x(%x : memref<2x48x16xf32>) out(%o : memref<2x48x16xf32>)
      {compute = #muon.compute<tf32>, iteration = #muon.iteration<direct>,
      schedule = #muon.schedule<cans>, side = #muon.side<left>, steps = 3 : i64}
  return
}

// CHECK-LABEL: func.func @orthogonalize_memref_factor(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x48x16xf32>,
// CHECK-SAME:    %[[F:[a-z0-9]+]]: memref<2xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: memref<2x48x16xf32>)
// CHECK:         {{^ +}}muon.orthogonalize x(%[[X]] : memref<2x48x16xf32>) factor(%[[F]] : memref<2xf32>) out(%[[O]] : memref<2x48x16xf32>) {compute = #muon.compute<tf32>, iteration = #muon.iteration<direct>, schedule = #muon.schedule<cans>, side = #muon.side<left>, steps = 3 : i64}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @orthogonalize_memref_factor(
    %x: memref<2x48x16xf32>, %f: memref<2xf32>, %o: memref<2x48x16xf32>) {
  muon.orthogonalize x(%x : memref<2x48x16xf32>) factor(%f : memref<2xf32>)
      out(%o : memref<2x48x16xf32>) {compute = #muon.compute<tf32>,
      iteration = #muon.iteration<direct>, schedule = #muon.schedule<cans>,
      side = #muon.side<left>, steps = 3 : i64}
  return
}

// CHECK-LABEL: func.func @polynomial_step_tensor(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x48x16xf32>)
// CHECK:         %[[R:.+]] = muon.polynomial_step x(%[[X]] : tensor<2x48x16xf32>) out(%[[O]] : tensor<2x48x16xf32>) {a = 3.000000e+00 : f64, b = -4.500000e+00 : f64, c = 2.000000e+00 : f64, side = #muon.side<right>}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<2x48x16xf32>
func.func @polynomial_step_tensor(
    %x: tensor<2x48x16xf32>, %o: tensor<2x48x16xf32>) -> tensor<2x48x16xf32> {
  %0 = muon.polynomial_step x(%x : tensor<2x48x16xf32>)
      out(%o : tensor<2x48x16xf32>) {a = 3.000000e+00 : f64,
      b = -4.500000e+00 : f64, c = 2.000000e+00 : f64, side = #muon.side<right>}
  return %0 : tensor<2x48x16xf32>
}

// CHECK-LABEL: func.func @polynomial_step_factor(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[F:[a-z0-9]+]]: tensor<2xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x48x16xf32>)
// CHECK:         %[[R:.+]] = muon.polynomial_step x(%[[X]] : tensor<2x48x16xf32>) factor(%[[F]] : tensor<2xf32>) out(%[[O]] : tensor<2x48x16xf32>) {a = 3.000000e+00 : f64, b = -4.500000e+00 : f64, c = 2.000000e+00 : f64, side = #muon.side<right>}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<2x48x16xf32>
func.func @polynomial_step_factor(
    %x: tensor<2x48x16xf32>, %f: tensor<2xf32>,
    %o: tensor<2x48x16xf32>) -> tensor<2x48x16xf32> {
  %0 = muon.polynomial_step x(%x : tensor<2x48x16xf32>)
      factor(%f : tensor<2xf32>) out(%o : tensor<2x48x16xf32>)
      {a = 3.000000e+00 : f64, b = -4.500000e+00 : f64, c = 2.000000e+00 : f64,
      side = #muon.side<right>}
  return %0 : tensor<2x48x16xf32>
}

// CHECK-LABEL: func.func @polynomial_step_memref(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x48x16xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: memref<2x48x16xf32>)
// CHECK:         {{^ +}}muon.polynomial_step x(%[[X]] : memref<2x48x16xf32>) out(%[[O]] : memref<2x48x16xf32>) {a = 3.000000e+00 : f64, b = -4.500000e+00 : f64, c = 2.000000e+00 : f64, side = #muon.side<right>}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @polynomial_step_memref(
    %x: memref<2x48x16xf32>, %o: memref<2x48x16xf32>) {
  muon.polynomial_step x(%x : memref<2x48x16xf32>) out(%o : memref<2x48x16xf32>)
      {a = 3.000000e+00 : f64, b = -4.500000e+00 : f64, c = 2.000000e+00 : f64,
      side = #muon.side<right>}
  return
}

// CHECK-LABEL: func.func @polynomial_step_memref_factor(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x48x16xf32>,
// CHECK-SAME:    %[[F:[a-z0-9]+]]: memref<2xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: memref<2x48x16xf32>)
// CHECK:         {{^ +}}muon.polynomial_step x(%[[X]] : memref<2x48x16xf32>) factor(%[[F]] : memref<2xf32>) out(%[[O]] : memref<2x48x16xf32>) {a = 3.000000e+00 : f64, b = -4.500000e+00 : f64, c = 2.000000e+00 : f64, side = #muon.side<right>}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @polynomial_step_memref_factor(
    %x: memref<2x48x16xf32>, %f: memref<2xf32>, %o: memref<2x48x16xf32>) {
  muon.polynomial_step x(%x : memref<2x48x16xf32>) factor(%f : memref<2xf32>)
      out(%o : memref<2x48x16xf32>) {a = 3.000000e+00 : f64,
      b = -4.500000e+00 : f64, c = 2.000000e+00 : f64, side = #muon.side<right>}
  return
}

// CHECK-LABEL: func.func @symmetric_product_left(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x48x48xf32>)
// CHECK:         %[[R:.+]] = muon.symmetric_product x(%[[X]] : tensor<2x48x16xf32>) out(%[[O]] : tensor<2x48x48xf32>) {alpha = 2.000000e+00 : f64, beta = 0.000000e+00 : f64, side = #muon.side<left>}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<2x48x48xf32>
func.func @symmetric_product_left(
    %x: tensor<2x48x16xf32>, %o: tensor<2x48x48xf32>) -> tensor<2x48x48xf32> {
  %0 = muon.symmetric_product x(%x : tensor<2x48x16xf32>)
      out(%o : tensor<2x48x48xf32>) {alpha = 2.000000e+00 : f64,
      beta = 0.000000e+00 : f64, side = #muon.side<left>}
  return %0 : tensor<2x48x48xf32>
}

// CHECK-LABEL: func.func @symmetric_product_right(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x16x16xf32>)
// CHECK:         %[[R:.+]] = muon.symmetric_product x(%[[X]] : tensor<2x48x16xf32>) out(%[[O]] : tensor<2x16x16xf32>) {alpha = 2.000000e+00 : f64, beta = 0.000000e+00 : f64, side = #muon.side<right>}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<2x16x16xf32>
func.func @symmetric_product_right(
    %x: tensor<2x48x16xf32>, %o: tensor<2x16x16xf32>) -> tensor<2x16x16xf32> {
  %0 = muon.symmetric_product x(%x : tensor<2x48x16xf32>)
      out(%o : tensor<2x16x16xf32>) {alpha = 2.000000e+00 : f64,
      beta = 0.000000e+00 : f64, side = #muon.side<right>}
  return %0 : tensor<2x16x16xf32>
}

// CHECK-LABEL: func.func @symmetric_product_factor(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[F:[a-z0-9]+]]: tensor<2xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x48x48xf32>)
// CHECK:         %[[R:.+]] = muon.symmetric_product x(%[[X]] : tensor<2x48x16xf32>) factor(%[[F]] : tensor<2xf32>) out(%[[O]] : tensor<2x48x48xf32>) {alpha = 2.000000e+00 : f64, beta = 0.000000e+00 : f64, side = #muon.side<left>}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<2x48x48xf32>
func.func @symmetric_product_factor(
    %x: tensor<2x48x16xf32>, %f: tensor<2xf32>,
    %o: tensor<2x48x48xf32>) -> tensor<2x48x48xf32> {
  %0 = muon.symmetric_product x(%x : tensor<2x48x16xf32>)
      factor(%f : tensor<2xf32>) out(%o : tensor<2x48x48xf32>)
      {alpha = 2.000000e+00 : f64, beta = 0.000000e+00 : f64,
      side = #muon.side<left>}
  return %0 : tensor<2x48x48xf32>
}

// CHECK-LABEL: func.func @symmetric_product_addend(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[C:[a-z0-9]+]]: tensor<2x48x48xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x48x48xf32>)
// CHECK:         %[[R:.+]] = muon.symmetric_product x(%[[X]] : tensor<2x48x16xf32>) addend(%[[C]] : tensor<2x48x48xf32>) out(%[[O]] : tensor<2x48x48xf32>) {alpha = 2.000000e+00 : f64, beta = -4.500000e+00 : f64, side = #muon.side<left>}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<2x48x48xf32>
func.func @symmetric_product_addend(
    %x: tensor<2x48x16xf32>, %c: tensor<2x48x48xf32>,
    %o: tensor<2x48x48xf32>) -> tensor<2x48x48xf32> {
  %0 = muon.symmetric_product x(%x : tensor<2x48x16xf32>)
      addend(%c : tensor<2x48x48xf32>) out(%o : tensor<2x48x48xf32>)
      {alpha = 2.000000e+00 : f64, beta = -4.500000e+00 : f64,
      side = #muon.side<left>}
  return %0 : tensor<2x48x48xf32>
}

// CHECK-LABEL: func.func @symmetric_product_all(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[C:[a-z0-9]+]]: tensor<2x48x48xf32>,
// CHECK-SAME:    %[[F:[a-z0-9]+]]: tensor<2xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x48x48xf32>)
// CHECK:         %[[R:.+]] = muon.symmetric_product x(%[[X]] : tensor<2x48x16xf32>) addend(%[[C]] : tensor<2x48x48xf32>) factor(%[[F]] : tensor<2xf32>) out(%[[O]] : tensor<2x48x48xf32>) {alpha = 2.000000e+00 : f64, beta = -4.500000e+00 : f64, side = #muon.side<left>}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<2x48x48xf32>
func.func @symmetric_product_all(
    %x: tensor<2x48x16xf32>, %c: tensor<2x48x48xf32>, %f: tensor<2xf32>,
    %o: tensor<2x48x48xf32>) -> tensor<2x48x48xf32> {
  %0 = muon.symmetric_product x(%x : tensor<2x48x16xf32>)
      addend(%c : tensor<2x48x48xf32>) factor(%f : tensor<2xf32>)
      out(%o : tensor<2x48x48xf32>) {alpha = 2.000000e+00 : f64,
      beta = -4.500000e+00 : f64, side = #muon.side<left>}
  return %0 : tensor<2x48x48xf32>
}

// CHECK-LABEL: func.func @symmetric_product_memref(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x48x16xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: memref<2x48x48xf32>)
// CHECK:         {{^ +}}muon.symmetric_product x(%[[X]] : memref<2x48x16xf32>) out(%[[O]] : memref<2x48x48xf32>) {alpha = 2.000000e+00 : f64, beta = 0.000000e+00 : f64, side = #muon.side<left>}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @symmetric_product_memref(
    %x: memref<2x48x16xf32>, %o: memref<2x48x48xf32>) {
  muon.symmetric_product x(%x : memref<2x48x16xf32>)
      out(%o : memref<2x48x48xf32>) {alpha = 2.000000e+00 : f64,
      beta = 0.000000e+00 : f64, side = #muon.side<left>}
  return
}

// CHECK-LABEL: func.func @symmetric_product_memref_all(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x48x16xf32>,
// CHECK-SAME:    %[[C:[a-z0-9]+]]: memref<2x48x48xf32>,
// CHECK-SAME:    %[[F:[a-z0-9]+]]: memref<2xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: memref<2x48x48xf32>)
// CHECK:         {{^ +}}muon.symmetric_product x(%[[X]] : memref<2x48x16xf32>) addend(%[[C]] : memref<2x48x48xf32>) factor(%[[F]] : memref<2xf32>) out(%[[O]] : memref<2x48x48xf32>) {alpha = 2.000000e+00 : f64, beta = -4.500000e+00 : f64, side = #muon.side<left>}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @symmetric_product_memref_all(
    %x: memref<2x48x16xf32>, %c: memref<2x48x48xf32>, %f: memref<2xf32>,
    %o: memref<2x48x48xf32>) {
  muon.symmetric_product x(%x : memref<2x48x16xf32>)
      addend(%c : memref<2x48x48xf32>) factor(%f : memref<2xf32>)
      out(%o : memref<2x48x48xf32>) {alpha = 2.000000e+00 : f64,
      beta = -4.500000e+00 : f64, side = #muon.side<left>}
  return
}

// CHECK-LABEL: func.func @symmetric_apply_left(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<2x48x48xf32>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x48x16xf32>)
// CHECK:         %[[R:.+]] = muon.symmetric_apply s(%[[S]] : tensor<2x48x48xf32>) x(%[[X]] : tensor<2x48x16xf32>) out(%[[O]] : tensor<2x48x16xf32>) {alpha = 1.000000e+00 : f64, beta = 3.000000e+00 : f64, side = #muon.side<left>}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<2x48x16xf32>
func.func @symmetric_apply_left(
    %s: tensor<2x48x48xf32>, %x: tensor<2x48x16xf32>,
    %o: tensor<2x48x16xf32>) -> tensor<2x48x16xf32> {
  %0 = muon.symmetric_apply s(%s : tensor<2x48x48xf32>)
      x(%x : tensor<2x48x16xf32>) out(%o : tensor<2x48x16xf32>)
      {beta = 3.000000e+00 : f64, side = #muon.side<left>}
  return %0 : tensor<2x48x16xf32>
}

// CHECK-LABEL: func.func @symmetric_apply_right(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<2x16x16xf32>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x48x16xf32>)
// CHECK:         %[[R:.+]] = muon.symmetric_apply s(%[[S]] : tensor<2x16x16xf32>) x(%[[X]] : tensor<2x48x16xf32>) out(%[[O]] : tensor<2x48x16xf32>) {alpha = 1.000000e+00 : f64, beta = 0.000000e+00 : f64, side = #muon.side<right>}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<2x48x16xf32>
func.func @symmetric_apply_right(
    %s: tensor<2x16x16xf32>, %x: tensor<2x48x16xf32>,
    %o: tensor<2x48x16xf32>) -> tensor<2x48x16xf32> {
  %0 = muon.symmetric_apply s(%s : tensor<2x16x16xf32>)
      x(%x : tensor<2x48x16xf32>) out(%o : tensor<2x48x16xf32>)
      {beta = 0.000000e+00 : f64, side = #muon.side<right>}
  return %0 : tensor<2x48x16xf32>
}

// CHECK-LABEL: func.func @symmetric_apply_factor(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<2x48x48xf32>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[F:[a-z0-9]+]]: tensor<2xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x48x16xf32>)
// CHECK:         %[[R:.+]] = muon.symmetric_apply s(%[[S]] : tensor<2x48x48xf32>) x(%[[X]] : tensor<2x48x16xf32>) factor(%[[F]] : tensor<2xf32>) out(%[[O]] : tensor<2x48x16xf32>) {alpha = 1.000000e+00 : f64, beta = 3.000000e+00 : f64, side = #muon.side<left>}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<2x48x16xf32>
func.func @symmetric_apply_factor(
    %s: tensor<2x48x48xf32>, %x: tensor<2x48x16xf32>, %f: tensor<2xf32>,
    %o: tensor<2x48x16xf32>) -> tensor<2x48x16xf32> {
  %0 = muon.symmetric_apply s(%s : tensor<2x48x48xf32>)
      x(%x : tensor<2x48x16xf32>) factor(%f : tensor<2xf32>)
      out(%o : tensor<2x48x16xf32>) {beta = 3.000000e+00 : f64,
      side = #muon.side<left>}
  return %0 : tensor<2x48x16xf32>
}

// CHECK-LABEL: func.func @symmetric_apply_memref(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<2x48x48xf32>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x48x16xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: memref<2x48x16xf32>)
// CHECK:         {{^ +}}muon.symmetric_apply s(%[[S]] : memref<2x48x48xf32>) x(%[[X]] : memref<2x48x16xf32>) out(%[[O]] : memref<2x48x16xf32>) {alpha = 1.000000e+00 : f64, beta = 3.000000e+00 : f64, side = #muon.side<left>}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @symmetric_apply_memref(
    %s: memref<2x48x48xf32>, %x: memref<2x48x16xf32>, %o: memref<2x48x16xf32>) {
  muon.symmetric_apply s(%s : memref<2x48x48xf32>) x(%x : memref<2x48x16xf32>)
      out(%o : memref<2x48x16xf32>) {beta = 3.000000e+00 : f64,
      side = #muon.side<left>}
  return
}

// CHECK-LABEL: func.func @symmetric_apply_memref_factor(
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<2x48x48xf32>,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x48x16xf32>,
// CHECK-SAME:    %[[F:[a-z0-9]+]]: memref<2xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: memref<2x48x16xf32>)
// CHECK:         {{^ +}}muon.symmetric_apply s(%[[S]] : memref<2x48x48xf32>) x(%[[X]] : memref<2x48x16xf32>) factor(%[[F]] : memref<2xf32>) out(%[[O]] : memref<2x48x16xf32>) {alpha = 1.000000e+00 : f64, beta = 3.000000e+00 : f64, side = #muon.side<left>}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @symmetric_apply_memref_factor(
    %s: memref<2x48x48xf32>, %x: memref<2x48x16xf32>, %f: memref<2xf32>,
    %o: memref<2x48x16xf32>) {
  muon.symmetric_apply s(%s : memref<2x48x48xf32>) x(%x : memref<2x48x16xf32>)
      factor(%f : memref<2xf32>) out(%o : memref<2x48x16xf32>)
      {beta = 3.000000e+00 : f64, side = #muon.side<left>}
  return
}

// CHECK-LABEL: func.func @apply_tensor(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<1x16x64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<16x64xf32>)
// CHECK:         %[[R:.+]] = muon.apply x(%[[X]] : tensor<1x16x64xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) weight(%[[W]] : tensor<16x64xf32>) {scale = 1.500000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<16x64xf32>
func.func @apply_tensor(
    %x: tensor<1x16x64xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<16x64xf32>) -> tensor<16x64xf32> {
  %0 = muon.apply x(%x : tensor<1x16x64xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<16x64xf32>)
      {scale = 1.500000e+00 : f64}
  return %0 : tensor<16x64xf32>
}

// CHECK-LABEL: func.func @apply_when(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<1x16x64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: tensor<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<16x64xf32>)
// CHECK:         %[[R:.+]] = muon.apply x(%[[X]] : tensor<1x16x64xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) when(%[[OK]] : tensor<i1>) weight(%[[W]] : tensor<16x64xf32>) {scale = 1.500000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<16x64xf32>
func.func @apply_when(
    %x: tensor<1x16x64xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %ok: tensor<i1>, %w: tensor<16x64xf32>) -> tensor<16x64xf32> {
  %0 = muon.apply x(%x : tensor<1x16x64xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) when(%ok : tensor<i1>)
      weight(%w : tensor<16x64xf32>) {scale = 1.500000e+00 : f64}
  return %0 : tensor<16x64xf32>
}

// CHECK-LABEL: func.func @apply_master(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<1x16x64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<16x64xf16>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: tensor<16x64xf32>)
// CHECK:         %[[R:.+]]:2 = muon.apply x(%[[X]] : tensor<1x16x64xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) weight(%[[W]] : tensor<16x64xf16>) master(%[[MASTER]] : tensor<16x64xf32>) {scale = 1.500000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : tensor<16x64xf16>, tensor<16x64xf32>
func.func @apply_master(
    %x: tensor<1x16x64xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<16x64xf16>,
    %master: tensor<16x64xf32>) -> (tensor<16x64xf16>, tensor<16x64xf32>) {
  %0:2 = muon.apply x(%x : tensor<1x16x64xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<16x64xf16>)
      master(%master : tensor<16x64xf32>) {scale = 1.500000e+00 : f64}
  return %0#0, %0#1 : tensor<16x64xf16>, tensor<16x64xf32>
}

// CHECK-LABEL: func.func @apply_update_sums(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<1x16x64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: tensor<1xf64>)
// CHECK:         %[[R:.+]]:2 = muon.apply x(%[[X]] : tensor<1x16x64xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) weight(%[[W]] : tensor<16x64xf32>) update_sums(%[[US]] : tensor<1xf64>) {scale = 1.500000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : tensor<16x64xf32>, tensor<1xf64>
func.func @apply_update_sums(
    %x: tensor<1x16x64xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<16x64xf32>,
    %us: tensor<1xf64>) -> (tensor<16x64xf32>, tensor<1xf64>) {
  %0:2 = muon.apply x(%x : tensor<1x16x64xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<16x64xf32>)
      update_sums(%us : tensor<1xf64>) {scale = 1.500000e+00 : f64}
  return %0#0, %0#1 : tensor<16x64xf32>, tensor<1xf64>
}

// CHECK-LABEL: func.func @apply_weight_sums(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<1x16x64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: tensor<1xf64>)
// CHECK:         %[[R:.+]]:2 = muon.apply x(%[[X]] : tensor<1x16x64xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) weight(%[[W]] : tensor<16x64xf32>) weight_sums(%[[WS]] : tensor<1xf64>) {scale = 1.500000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : tensor<16x64xf32>, tensor<1xf64>
func.func @apply_weight_sums(
    %x: tensor<1x16x64xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: tensor<16x64xf32>,
    %ws: tensor<1xf64>) -> (tensor<16x64xf32>, tensor<1xf64>) {
  %0:2 = muon.apply x(%x : tensor<1x16x64xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : tensor<16x64xf32>)
      weight_sums(%ws : tensor<1xf64>) {scale = 1.500000e+00 : f64}
  return %0#0, %0#1 : tensor<16x64xf32>, tensor<1xf64>
}

// CHECK-LABEL: func.func @apply_batch_all(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<3x16x64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: tensor<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<3x16x64xbf16>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: tensor<3x16x64xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: tensor<3xf64>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: tensor<3xf64>)
// CHECK:         %[[R:.+]]:4 = muon.apply x(%[[X]] : tensor<3x16x64xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) when(%[[OK]] : tensor<i1>) weight(%[[W]] : tensor<3x16x64xbf16>) master(%[[MASTER]] : tensor<3x16x64xf32>) update_sums(%[[US]] : tensor<3xf64>) weight_sums(%[[WS]] : tensor<3xf64>) {scale = 1.500000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3 : tensor<3x16x64xbf16>, tensor<3x16x64xf32>, tensor<3xf64>, tensor<3xf64>
func.func @apply_batch_all(
    %x: tensor<3x16x64xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %ok: tensor<i1>, %w: tensor<3x16x64xbf16>, %master: tensor<3x16x64xf32>,
    %us: tensor<3xf64>, %ws: tensor<3xf64>)
    -> (tensor<3x16x64xbf16>, tensor<3x16x64xf32>, tensor<3xf64>,
        tensor<3xf64>) {
  %0:4 = muon.apply x(%x : tensor<3x16x64xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) when(%ok : tensor<i1>)
      weight(%w : tensor<3x16x64xbf16>) master(%master : tensor<3x16x64xf32>)
      update_sums(%us : tensor<3xf64>) weight_sums(%ws : tensor<3xf64>)
      {scale = 1.500000e+00 : f64}
  return %0#0, %0#1, %0#2, %0#3
      : tensor<3x16x64xbf16>, tensor<3x16x64xf32>, tensor<3xf64>, tensor<3xf64>
}

// CHECK-LABEL: func.func @apply_stack(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: !muon.stack<2x48x16xf32>)
// CHECK:         %[[R:.+]] = muon.apply x(%[[X]] : tensor<2x48x16xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) weight(%[[W]] : !muon.stack<2x48x16xf32>) {scale = 1.500000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]] : !muon.stack<2x48x16xf32>
func.func @apply_stack(
    %x: tensor<2x48x16xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %w: !muon.stack<2x48x16xf32>) -> !muon.stack<2x48x16xf32> {
  %0 = muon.apply x(%x : tensor<2x48x16xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) weight(%w : !muon.stack<2x48x16xf32>)
      {scale = 1.500000e+00 : f64}
  return %0 : !muon.stack<2x48x16xf32>
}

// CHECK-LABEL: func.func @apply_stack_all(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<2x48x16xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: tensor<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: !muon.stack<2x48x16xbf16>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: !muon.stack<2x48x16xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: tensor<2xf64>)
// CHECK:         %[[R:.+]]:4 = muon.apply x(%[[X]] : tensor<2x48x16xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) when(%[[OK]] : tensor<i1>) weight(%[[W]] : !muon.stack<2x48x16xbf16>) master(%[[MASTER]] : !muon.stack<2x48x16xf32>) update_sums(%[[US]] : tensor<2xf64>) weight_sums(%[[WS]] : tensor<2xf64>) {scale = 1.500000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3 : !muon.stack<2x48x16xbf16>, !muon.stack<2x48x16xf32>, tensor<2xf64>, tensor<2xf64>
func.func @apply_stack_all(
    %x: tensor<2x48x16xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %ok: tensor<i1>, %w: !muon.stack<2x48x16xbf16>,
    %master: !muon.stack<2x48x16xf32>, %us: tensor<2xf64>, %ws: tensor<2xf64>)
    -> (!muon.stack<2x48x16xbf16>, !muon.stack<2x48x16xf32>, tensor<2xf64>,
        tensor<2xf64>) {
  %0:4 = muon.apply x(%x : tensor<2x48x16xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) when(%ok : tensor<i1>)
      weight(%w : !muon.stack<2x48x16xbf16>)
      master(%master : !muon.stack<2x48x16xf32>)
      update_sums(%us : tensor<2xf64>) weight_sums(%ws : tensor<2xf64>)
      {scale = 1.500000e+00 : f64}
  return %0#0, %0#1, %0#2, %0#3
      : !muon.stack<2x48x16xbf16>, !muon.stack<2x48x16xf32>, tensor<2xf64>,
        tensor<2xf64>
}

// CHECK-LABEL: func.func @apply_memref(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<1x16x64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: memref<f32>, %[[WD:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: memref<16x64xf32>)
// CHECK:         {{^ +}}muon.apply x(%[[X]] : memref<1x16x64xf32>) lr(%[[LR]] : memref<f32>) weight_decay(%[[WD]] : memref<f32>) weight(%[[W]] : memref<16x64xf32>) {scale = 1.500000e+00 : f64}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @apply_memref(
    %x: memref<1x16x64xf32>, %lr: memref<f32>, %wd: memref<f32>,
    %w: memref<16x64xf32>) {
  muon.apply x(%x : memref<1x16x64xf32>) lr(%lr : memref<f32>)
      weight_decay(%wd : memref<f32>) weight(%w : memref<16x64xf32>)
      {scale = 1.500000e+00 : f64}
  return
}

// CHECK-LABEL: func.func @apply_memref_all(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<1x16x64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: memref<f32>, %[[WD:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: memref<16x64xbf16>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: memref<16x64xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: memref<1xf64>)
// CHECK:         {{^ +}}muon.apply x(%[[X]] : memref<1x16x64xf32>) lr(%[[LR]] : memref<f32>) weight_decay(%[[WD]] : memref<f32>) when(%[[OK]] : memref<i1>) weight(%[[W]] : memref<16x64xbf16>) master(%[[MASTER]] : memref<16x64xf32>) update_sums(%[[US]] : memref<1xf64>) weight_sums(%[[WS]] : memref<1xf64>) {scale = 1.500000e+00 : f64}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @apply_memref_all(
    %x: memref<1x16x64xf32>, %lr: memref<f32>, %wd: memref<f32>,
    %ok: memref<i1>, %w: memref<16x64xbf16>, %master: memref<16x64xf32>,
    %us: memref<1xf64>, %ws: memref<1xf64>) {
  muon.apply x(%x : memref<1x16x64xf32>) lr(%lr : memref<f32>)
      weight_decay(%wd : memref<f32>) when(%ok : memref<i1>)
      weight(%w : memref<16x64xbf16>) master(%master : memref<16x64xf32>)
      update_sums(%us : memref<1xf64>) weight_sums(%ws : memref<1xf64>)
      {scale = 1.500000e+00 : f64}
  return
}

// CHECK-LABEL: func.func @apply_table(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x48x16xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: memref<f32>, %[[WD:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: !muon.table<2x48x16xf32>)
// CHECK:         {{^ +}}muon.apply x(%[[X]] : memref<2x48x16xf32>) lr(%[[LR]] : memref<f32>) weight_decay(%[[WD]] : memref<f32>) weight(%[[W]] : !muon.table<2x48x16xf32>) {scale = 1.500000e+00 : f64}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @apply_table(
    %x: memref<2x48x16xf32>, %lr: memref<f32>, %wd: memref<f32>,
    %w: !muon.table<2x48x16xf32>) {
  muon.apply x(%x : memref<2x48x16xf32>) lr(%lr : memref<f32>)
      weight_decay(%wd : memref<f32>) weight(%w : !muon.table<2x48x16xf32>)
      {scale = 1.500000e+00 : f64}
  return
}

// CHECK-LABEL: func.func @apply_table_all(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x48x16xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: memref<f32>, %[[WD:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: !muon.table<2x48x16xbf16>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: !muon.table<2x48x16xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: memref<2xf64>)
// CHECK:         {{^ +}}muon.apply x(%[[X]] : memref<2x48x16xf32>) lr(%[[LR]] : memref<f32>) weight_decay(%[[WD]] : memref<f32>) when(%[[OK]] : memref<i1>) weight(%[[W]] : !muon.table<2x48x16xbf16>) master(%[[MASTER]] : !muon.table<2x48x16xf32>) update_sums(%[[US]] : memref<2xf64>) weight_sums(%[[WS]] : memref<2xf64>) {scale = 1.500000e+00 : f64}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @apply_table_all(
    %x: memref<2x48x16xf32>, %lr: memref<f32>, %wd: memref<f32>,
    %ok: memref<i1>, %w: !muon.table<2x48x16xbf16>,
    %master: !muon.table<2x48x16xf32>, %us: memref<2xf64>, %ws: memref<2xf64>) {
  muon.apply x(%x : memref<2x48x16xf32>) lr(%lr : memref<f32>)
      weight_decay(%wd : memref<f32>) when(%ok : memref<i1>)
      weight(%w : !muon.table<2x48x16xbf16>)
      master(%master : !muon.table<2x48x16xf32>)
      update_sums(%us : memref<2xf64>) weight_sums(%ws : memref<2xf64>)
      {scale = 1.500000e+00 : f64}
  return
}

// CHECK-LABEL: func.func @commuting_product(
// CHECK-SAME:    %[[A:[a-z0-9]+]]: tensor<2x16x16xf32>, %[[B:[a-z0-9]+]]: tensor<2x16x16xf32>,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: tensor<2x16x16xf32>)
// CHECK:         %[[R:.+]] = muon.commuting_product lhs(%[[A]] : tensor<2x16x16xf32>) rhs(%[[B]] : tensor<2x16x16xf32>) out(%[[O]] : tensor<2x16x16xf32>) {alpha = 1.000000e+00 : f64, lhs_shift = 0.000000e+00 : f64, rhs_shift = 0.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]] : tensor<2x16x16xf32>
func.func @commuting_product(
    %a: tensor<2x16x16xf32>, %b: tensor<2x16x16xf32>,
    %o: tensor<2x16x16xf32>) -> tensor<2x16x16xf32> {
  %0 = muon.commuting_product lhs(%a : tensor<2x16x16xf32>)
      rhs(%b : tensor<2x16x16xf32>) out(%o : tensor<2x16x16xf32>)
  return %0 : tensor<2x16x16xf32>
}

// CHECK-LABEL: func.func @commuting_product_all(
// CHECK:         muon.commuting_product {{.*}} {alpha = 5.000000e-01 : f64, lhs_shift = 3.000000e+00 : f64, rhs_shift = -2.000000e+00 : f64, tf32}{{$}}
func.func @commuting_product_all(
    %a: tensor<2x16x16xf32>, %o: tensor<2x16x16xf32>) -> tensor<2x16x16xf32> {
  %0 = muon.commuting_product lhs(%a : tensor<2x16x16xf32>)
      rhs(%a : tensor<2x16x16xf32>) out(%o : tensor<2x16x16xf32>)
      {alpha = 0.5 : f64, lhs_shift = 3.0 : f64, rhs_shift = -2.0 : f64, tf32}
  return %0 : tensor<2x16x16xf32>
}

// CHECK-LABEL: func.func @commuting_product_memref(
// CHECK:         {{^ +}}muon.commuting_product lhs(%{{.+}} : memref<1x4x4xbf16>) rhs(%{{.+}} : memref<1x4x4xbf16>) out(%{{.+}} : memref<1x4x4xbf16>) {{{.*}}}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @commuting_product_memref(
    %a: memref<1x4x4xbf16>, %b: memref<1x4x4xbf16>, %o: memref<1x4x4xbf16>) {
  muon.commuting_product lhs(%a : memref<1x4x4xbf16>)
      rhs(%b : memref<1x4x4xbf16>) out(%o : memref<1x4x4xbf16>)
  return
}

// Products of f16 and bf16; the last one may keep f32.

// CHECK-LABEL: func.func @low_precision(
// CHECK:         muon.momentum {{.*}} x(%{{.+}} : tensor<1x4x6xf16>)
// CHECK:         muon.orthogonalize x(%{{.+}} : tensor<1x4x6xf16>) out(%{{.+}} : tensor<1x4x6xf32>)
// CHECK:         muon.polynomial_step x(%{{.+}} : tensor<1x4x6xf16>) out(%{{.+}} : tensor<1x4x6xf16>)
// CHECK:         muon.symmetric_product x(%{{.+}} : tensor<1x4x6xf16>) out(%{{.+}} : tensor<1x4x4xf16>)
// CHECK:         muon.symmetric_apply s(%{{.+}} : tensor<1x4x4xf16>) x(%{{.+}} : tensor<1x4x6xf16>) out(%{{.+}} : tensor<1x4x6xf32>) {alpha = 2.500000e-01 : f64,
// CHECK:         muon.apply x(%{{.+}} : tensor<1x4x6xbf16>)
func.func @low_precision(
    %g: tensor<4x6xbf16>, %s: tensor<1xf64>, %u: tensor<1xf64>,
    %v: tensor<1xf64>, %beta: tensor<f32>, %m: tensor<4x6xf32>,
    %x: tensor<1x4x6xf16>, %y: tensor<1x4x6xf16>, %p: tensor<1x4x4xf16>,
    %o: tensor<1x4x6xf32>, %q: tensor<1x4x6xbf16>, %w: tensor<4x6xf32>) {
  %0:4 = muon.momentum gradient(%g : tensor<4x6xbf16>)
      gradient_sums(%s : tensor<1xf64>) momentum_sums(%s : tensor<1xf64>)
      beta(%beta : tensor<f32>) momentum(%m : tensor<4x6xf32>)
      x(%x : tensor<1x4x6xf16>) sums(%u : tensor<1xf64>)
      unit(%v : tensor<1xf64>) {momentum_form = #muon.momentum_form<ema>,
      nesterov = true}
  %1 = muon.orthogonalize x(%x : tensor<1x4x6xf16>)
      out(%o : tensor<1x4x6xf32>) {schedule = #muon.schedule<you>,
      steps = 5 : i64, compute = #muon.compute<f16>}
  %2 = muon.polynomial_step x(%x : tensor<1x4x6xf16>)
      out(%y : tensor<1x4x6xf16>) {a = 3.0 : f64, b = -4.0 : f64, c = 2.0 : f64,
      side = #muon.side<left>}
  %3 = muon.symmetric_product x(%x : tensor<1x4x6xf16>)
      out(%p : tensor<1x4x4xf16>) {side = #muon.side<left>}
  %4 = muon.symmetric_apply s(%3 : tensor<1x4x4xf16>) x(%x : tensor<1x4x6xf16>)
      out(%o : tensor<1x4x6xf32>) {alpha = 0.25 : f64, side = #muon.side<left>}
  %5 = muon.apply x(%q : tensor<1x4x6xbf16>) lr(%beta : tensor<f32>)
      weight_decay(%beta : tensor<f32>) weight(%w : tensor<4x6xf32>)
      {scale = 1.0 : f64}
  return
}

// CHECK-LABEL: func.func @tf32(
// CHECK:         muon.orthogonalize {{.*}} {compute = #muon.compute<tf32>,
// CHECK:         muon.polynomial_step {{.*}} side = #muon.side<left>, tf32}{{$}}
// CHECK:         muon.symmetric_product {{.*}} side = #muon.side<left>, tf32}{{$}}
// CHECK:         muon.symmetric_apply {{.*}} side = #muon.side<left>, tf32}{{$}}
func.func @tf32(
    %x: tensor<1x4x6xf32>, %p: tensor<1x4x4xf32>, %o: tensor<1x4x6xf32>) {
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {schedule = #muon.schedule<you>,
      steps = 5 : i64, compute = #muon.compute<tf32>}
  %1 = muon.polynomial_step x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {a = 3.0 : f64, b = -4.0 : f64, c = 2.0 : f64,
      side = #muon.side<left>, tf32}
  %2 = muon.symmetric_product x(%x : tensor<1x4x6xf32>)
      out(%p : tensor<1x4x4xf32>) {side = #muon.side<left>, tf32}
  %3 = muon.symmetric_apply s(%2 : tensor<1x4x4xf32>) x(%x : tensor<1x4x6xf32>)
      out(%o : tensor<1x4x6xf32>) {side = #muon.side<left>, tf32}
  return
}

// Restarts: every one allowed, none at all, and not said.

// CHECK-LABEL: func.func @restarts(
// CHECK:         muon.orthogonalize {{.*}} restarts = array<i64: 1, 2, 3, 4>,
// CHECK:         muon.orthogonalize {{.*}} iteration = #muon.iteration<auto>, restarts = array<i64: 3>,
// CHECK:         muon.orthogonalize {{.*}} iteration = #muon.iteration<direct>, restarts = array<i64>,
// CHECK:         muon.orthogonalize {{.*}} iteration = #muon.iteration<gram>, schedule
func.func @restarts(%x: tensor<1x4x6xf32>, %o: tensor<1x4x6xf32>) {
  %0 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64,
       iteration = #muon.iteration<gram>, restarts = array<i64: 1, 2, 3, 4>}
  %1 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64,
       restarts = array<i64: 3>}
  %2 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64,
       iteration = #muon.iteration<direct>, restarts = array<i64>}
  %3 = muon.orthogonalize x(%x : tensor<1x4x6xf32>) out(%o : tensor<1x4x6xf32>)
      {schedule = #muon.schedule<you>, steps = 5 : i64,
       iteration = #muon.iteration<gram>}
  return
}
