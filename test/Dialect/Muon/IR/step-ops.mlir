// RUN: muon-opt %s | muon-opt | FileCheck %s
// RUN: muon-opt %s --mlir-print-op-generic | muon-opt | FileCheck %s

// CHECK-LABEL: func.func @optimize(
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<64x128xbf16>
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<64x128xf32>
// CHECK:         %[[R:.+]] = muon.optimize weight(%[[W]]) gradient(%[[G]]) : tensor<64x128xbf16>, tensor<64x128xf32>
// CHECK-NEXT:    return %[[R]] : tensor<64x128xbf16>
func.func @optimize(
    %w: tensor<64x128xbf16> {muon.role = #muon.role<weight>,
                             muon.names = ["w"]},
    %g: tensor<64x128xf32> {muon.role = #muon.role<gradient>,
                            muon.names = ["w"]}) -> tensor<64x128xbf16> {
  %0 = muon.optimize weight(%w) gradient(%g)
      : tensor<64x128xbf16>, tensor<64x128xf32>
  return %0 : tensor<64x128xbf16>
}

// One matrix.
// CHECK-LABEL: func.func @sum_squares_matrix(
// CHECK-SAME:    %[[V:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<1xf64>)
// CHECK:         %[[R:.+]] = muon.sum_squares value(%[[V]] : tensor<16x64xf32>) sums(%[[S]] : tensor<1xf64>){{$}}
// CHECK-NEXT:    return %[[R]] : tensor<1xf64>
func.func @sum_squares_matrix(
    %v: tensor<16x64xf32>, %s: tensor<1xf64>) -> tensor<1xf64> {
  %0 = muon.sum_squares value(%v : tensor<16x64xf32>) sums(%s : tensor<1xf64>)
  return %0 : tensor<1xf64>
}

// A tensor of rank less than two counts as one matrix.
// CHECK-LABEL: func.func @sum_squares_scalar(
// CHECK-SAME:    %[[V:[a-z0-9]+]]: tensor<f16>, %[[S:[a-z0-9]+]]: tensor<1xf64>)
// CHECK:         %[[R:.+]] = muon.sum_squares value(%[[V]] : tensor<f16>) sums(%[[S]] : tensor<1xf64>){{$}}
// CHECK-NEXT:    return %[[R]] : tensor<1xf64>
func.func @sum_squares_scalar(
    %v: tensor<f16>, %s: tensor<1xf64>) -> tensor<1xf64> {
  %0 = muon.sum_squares value(%v : tensor<f16>) sums(%s : tensor<1xf64>)
  return %0 : tensor<1xf64>
}

// Leading dimensions are a batch.
// CHECK-LABEL: func.func @sum_squares_batch(
// CHECK-SAME:    %[[V:[a-z0-9]+]]: tensor<3x5x7x9xbf16>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<15xf64>)
// CHECK:         %[[R:.+]] = muon.sum_squares value(%[[V]] : tensor<3x5x7x9xbf16>) sums(%[[S]] : tensor<15xf64>){{$}}
// CHECK-NEXT:    return %[[R]] : tensor<15xf64>
func.func @sum_squares_batch(
    %v: tensor<3x5x7x9xbf16>, %s: tensor<15xf64>) -> tensor<15xf64> {
  %0 = muon.sum_squares value(%v : tensor<3x5x7x9xbf16>)
      sums(%s : tensor<15xf64>)
  return %0 : tensor<15xf64>
}

// CHECK-LABEL: func.func @sum_squares_stack(
// CHECK-SAME:    %[[V:[a-z0-9]+]]: !muon.stack<2x3x48x16xf32>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: tensor<6xf64>)
// CHECK:         %[[R:.+]] = muon.sum_squares value(%[[V]] : !muon.stack<2x3x48x16xf32>) sums(%[[S]] : tensor<6xf64>){{$}}
// CHECK-NEXT:    return %[[R]] : tensor<6xf64>
func.func @sum_squares_stack(
    %v: !muon.stack<2x3x48x16xf32>, %s: tensor<6xf64>) -> tensor<6xf64> {
  %0 = muon.sum_squares value(%v : !muon.stack<2x3x48x16xf32>)
      sums(%s : tensor<6xf64>)
  return %0 : tensor<6xf64>
}

// CHECK-LABEL: func.func @sum_squares_memref(
// CHECK-SAME:    %[[V:[a-z0-9]+]]: memref<16x64xf32>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<1xf64>)
// CHECK:         {{^ +}}muon.sum_squares value(%[[V]] : memref<16x64xf32>) sums(%[[S]] : memref<1xf64>){{$}}
// CHECK-NEXT:    return{{$}}
func.func @sum_squares_memref(%v: memref<16x64xf32>, %s: memref<1xf64>) {
  muon.sum_squares value(%v : memref<16x64xf32>) sums(%s : memref<1xf64>)
  return
}

// CHECK-LABEL: func.func @sum_squares_table(
// CHECK-SAME:    %[[V:[a-z0-9]+]]: !muon.table<2x48x16xf32>,
// CHECK-SAME:    %[[S:[a-z0-9]+]]: memref<2xf64>)
// CHECK:         {{^ +}}muon.sum_squares value(%[[V]] : !muon.table<2x48x16xf32>) sums(%[[S]] : memref<2xf64>){{$}}
// CHECK-NEXT:    return{{$}}
func.func @sum_squares_table(%v: !muon.table<2x48x16xf32>, %s: memref<2xf64>) {
  muon.sum_squares value(%v : !muon.table<2x48x16xf32>) sums(%s : memref<2xf64>)
  return
}

// CHECK-LABEL: func.func @look_none(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: tensor<i1>, %[[CLIP:[a-z0-9]+]]: tensor<f32>)
// CHECK:         %[[R:.+]]:2 = muon.look ok(%[[OK]] : tensor<i1>) clip(%[[CLIP]] : tensor<f32>) {skip_nonfinite = true}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : tensor<i1>, tensor<f32>
func.func @look_none(
    %ok: tensor<i1>, %clip: tensor<f32>) -> (tensor<i1>, tensor<f32>) {
  %0:2 = muon.look ok(%ok : tensor<i1>) clip(%clip : tensor<f32>)
      {skip_nonfinite = true}
  return %0#0, %0#1 : tensor<i1>, tensor<f32>
}

// CHECK-LABEL: func.func @look_all(
// CHECK-SAME:    %[[GS0:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[GS1:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[MS0:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[LIMIT:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: tensor<i1>, %[[CLIP:[a-z0-9]+]]: tensor<f32>)
// CHECK:         %[[R:.+]]:2 = muon.look gradients(%[[GS0]], %[[GS1]] : tensor<2xf64>, tensor<1xf64>) momenta(%[[MS0]] : tensor<2xf64>) limit(%[[LIMIT]] : tensor<f32>) ok(%[[OK]] : tensor<i1>) clip(%[[CLIP]] : tensor<f32>) {skip_nonfinite = false}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : tensor<i1>, tensor<f32>
func.func @look_all(
    %gs0: tensor<2xf64>, %gs1: tensor<1xf64>, %ms0: tensor<2xf64>,
    %limit: tensor<f32>, %ok: tensor<i1>,
    %clip: tensor<f32>) -> (tensor<i1>, tensor<f32>) {
  %0:2 = muon.look gradients(%gs0, %gs1 : tensor<2xf64>, tensor<1xf64>)
      momenta(%ms0 : tensor<2xf64>) limit(%limit : tensor<f32>)
      ok(%ok : tensor<i1>) clip(%clip : tensor<f32>) {skip_nonfinite = false}
  return %0#0, %0#1 : tensor<i1>, tensor<f32>
}

// CHECK-LABEL: func.func @look_gradients(
// CHECK-SAME:    %[[GS0:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[GS1:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[GS2:[a-z0-9]+]]: tensor<7xf64>,
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: tensor<i1>, %[[CLIP:[a-z0-9]+]]: tensor<f32>)
// CHECK:         %[[R:.+]]:2 = muon.look gradients(%[[GS0]], %[[GS1]], %[[GS2]] : tensor<2xf64>, tensor<1xf64>, tensor<7xf64>) ok(%[[OK]] : tensor<i1>) clip(%[[CLIP]] : tensor<f32>) {skip_nonfinite = true}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : tensor<i1>, tensor<f32>
func.func @look_gradients(
    %gs0: tensor<2xf64>, %gs1: tensor<1xf64>, %gs2: tensor<7xf64>,
    %ok: tensor<i1>, %clip: tensor<f32>) -> (tensor<i1>, tensor<f32>) {
  %0:2 = muon.look
      gradients(%gs0, %gs1, %gs2 : tensor<2xf64>, tensor<1xf64>, tensor<7xf64>)
      ok(%ok : tensor<i1>) clip(%clip : tensor<f32>) {skip_nonfinite = true}
  return %0#0, %0#1 : tensor<i1>, tensor<f32>
}

// CHECK-LABEL: func.func @look_momenta(
// CHECK-SAME:    %[[MS0:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[MS1:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: tensor<i1>, %[[CLIP:[a-z0-9]+]]: tensor<f32>)
// CHECK:         %[[R:.+]]:2 = muon.look momenta(%[[MS0]], %[[MS1]] : tensor<2xf64>, tensor<1xf64>) ok(%[[OK]] : tensor<i1>) clip(%[[CLIP]] : tensor<f32>) {skip_nonfinite = true}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : tensor<i1>, tensor<f32>
func.func @look_momenta(
    %ms0: tensor<2xf64>, %ms1: tensor<1xf64>, %ok: tensor<i1>,
    %clip: tensor<f32>) -> (tensor<i1>, tensor<f32>) {
  %0:2 = muon.look momenta(%ms0, %ms1 : tensor<2xf64>, tensor<1xf64>)
      ok(%ok : tensor<i1>) clip(%clip : tensor<f32>) {skip_nonfinite = true}
  return %0#0, %0#1 : tensor<i1>, tensor<f32>
}

// CHECK-LABEL: func.func @look_limit(
// CHECK-SAME:    %[[LIMIT:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: tensor<i1>, %[[CLIP:[a-z0-9]+]]: tensor<f32>)
// CHECK:         %[[R:.+]]:2 = muon.look limit(%[[LIMIT]] : tensor<f32>) ok(%[[OK]] : tensor<i1>) clip(%[[CLIP]] : tensor<f32>) {skip_nonfinite = true}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : tensor<i1>, tensor<f32>
func.func @look_limit(
    %limit: tensor<f32>, %ok: tensor<i1>,
    %clip: tensor<f32>) -> (tensor<i1>, tensor<f32>) {
  %0:2 = muon.look limit(%limit : tensor<f32>) ok(%ok : tensor<i1>)
      clip(%clip : tensor<f32>) {skip_nonfinite = true}
  return %0#0, %0#1 : tensor<i1>, tensor<f32>
}

// CHECK-LABEL: func.func @look_memref(
// CHECK-SAME:    %[[GS0:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[GS1:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME:    %[[MS0:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[LIMIT:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>, %[[CLIP:[a-z0-9]+]]: memref<f32>)
// CHECK:         {{^ +}}muon.look gradients(%[[GS0]], %[[GS1]] : memref<2xf64>, memref<1xf64>) momenta(%[[MS0]] : memref<2xf64>) limit(%[[LIMIT]] : memref<f32>) ok(%[[OK]] : memref<i1>) clip(%[[CLIP]] : memref<f32>) {skip_nonfinite = true}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @look_memref(
    %gs0: memref<2xf64>, %gs1: memref<1xf64>, %ms0: memref<2xf64>,
    %limit: memref<f32>, %ok: memref<i1>, %clip: memref<f32>) {
  muon.look gradients(%gs0, %gs1 : memref<2xf64>, memref<1xf64>)
      momenta(%ms0 : memref<2xf64>) limit(%limit : memref<f32>)
      ok(%ok : memref<i1>) clip(%clip : memref<f32>) {skip_nonfinite = true}
  return
}

// CHECK-LABEL: func.func @advance(
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<i64>)
// CHECK:         %[[R:.+]] = muon.advance step(%[[T]] : tensor<i64>){{$}}
// CHECK-NEXT:    return %[[R]] : tensor<i64>
func.func @advance(%t: tensor<i64>) -> tensor<i64> {
  %0 = muon.advance step(%t : tensor<i64>)
  return %0 : tensor<i64>
}

// CHECK-LABEL: func.func @advance_when(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: tensor<i1>, %[[T:[a-z0-9]+]]: tensor<i64>)
// CHECK:         %[[R:.+]] = muon.advance when(%[[OK]] : tensor<i1>) step(%[[T]] : tensor<i64>){{$}}
// CHECK-NEXT:    return %[[R]] : tensor<i64>
func.func @advance_when(%ok: tensor<i1>, %t: tensor<i64>) -> tensor<i64> {
  %0 = muon.advance when(%ok : tensor<i1>) step(%t : tensor<i64>)
  return %0 : tensor<i64>
}

// CHECK-LABEL: func.func @advance_memref(
// CHECK-SAME:    %[[T:[a-z0-9]+]]: memref<i64>)
// CHECK:         {{^ +}}muon.advance step(%[[T]] : memref<i64>){{$}}
// CHECK-NEXT:    return{{$}}
func.func @advance_memref(%t: memref<i64>) {
  muon.advance step(%t : memref<i64>)
  return
}

// CHECK-LABEL: func.func @advance_memref_when(
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>, %[[T:[a-z0-9]+]]: memref<i64>)
// CHECK:         {{^ +}}muon.advance when(%[[OK]] : memref<i1>) step(%[[T]] : memref<i64>){{$}}
// CHECK-NEXT:    return{{$}}
func.func @advance_memref_when(%ok: memref<i1>, %t: memref<i64>) {
  muon.advance when(%ok : memref<i1>) step(%t : memref<i64>)
  return
}

// CHECK-LABEL: func.func @update_tensor(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<16x64xf32>)
// CHECK:         %[[R:.+]]:2 = muon.update gradient(%[[G]] : tensor<16x64xf32>) gradient_sums(%[[GS]] : tensor<1xf64>) momentum_sums(%[[MS]] : tensor<1xf64>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) beta(%[[BETA]] : tensor<f32>) weight(%[[W]] : tensor<16x64xf32>) momentum(%[[M]] : tensor<16x64xf32>) {{[{].*}}schedule = #muon.schedule<keller_jordan>{{.*[}]$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : tensor<16x64xf32>, tensor<16x64xf32>
func.func @update_tensor(
    %g: tensor<16x64xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: tensor<16x64xf32>,
    %m: tensor<16x64xf32>) -> (tensor<16x64xf32>, tensor<16x64xf32>) {
  %0:2 = muon.update gradient(%g : tensor<16x64xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<16x64xf32>)
      momentum(%m : tensor<16x64xf32>)
      {schedule = #muon.schedule<keller_jordan>}
  return %0#0, %0#1 : tensor<16x64xf32>, tensor<16x64xf32>
}

// CHECK-LABEL: func.func @update_clip(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[CLIP:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<16x64xf32>)
// CHECK:         %[[R:.+]]:2 = muon.update gradient(%[[G]] : tensor<16x64xf32>) gradient_sums(%[[GS]] : tensor<1xf64>) momentum_sums(%[[MS]] : tensor<1xf64>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) beta(%[[BETA]] : tensor<f32>) clip(%[[CLIP]] : tensor<f32>) weight(%[[W]] : tensor<16x64xf32>) momentum(%[[M]] : tensor<16x64xf32>) {{[{].*}}schedule = #muon.schedule<keller_jordan>{{.*[}]$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : tensor<16x64xf32>, tensor<16x64xf32>
func.func @update_clip(
    %g: tensor<16x64xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %clip: tensor<f32>,
    %w: tensor<16x64xf32>,
    %m: tensor<16x64xf32>) -> (tensor<16x64xf32>, tensor<16x64xf32>) {
  %0:2 = muon.update gradient(%g : tensor<16x64xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) clip(%clip : tensor<f32>)
      weight(%w : tensor<16x64xf32>) momentum(%m : tensor<16x64xf32>)
      {schedule = #muon.schedule<keller_jordan>}
  return %0#0, %0#1 : tensor<16x64xf32>, tensor<16x64xf32>
}

// CHECK-LABEL: func.func @update_when(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>, %[[OK:[a-z0-9]+]]: tensor<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<16x64xf32>)
// CHECK:         %[[R:.+]]:2 = muon.update gradient(%[[G]] : tensor<16x64xf32>) gradient_sums(%[[GS]] : tensor<1xf64>) momentum_sums(%[[MS]] : tensor<1xf64>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) beta(%[[BETA]] : tensor<f32>) when(%[[OK]] : tensor<i1>) weight(%[[W]] : tensor<16x64xf32>) momentum(%[[M]] : tensor<16x64xf32>) {{[{].*}}schedule = #muon.schedule<keller_jordan>{{.*[}]$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : tensor<16x64xf32>, tensor<16x64xf32>
func.func @update_when(
    %g: tensor<16x64xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %ok: tensor<i1>,
    %w: tensor<16x64xf32>,
    %m: tensor<16x64xf32>) -> (tensor<16x64xf32>, tensor<16x64xf32>) {
  %0:2 = muon.update gradient(%g : tensor<16x64xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) when(%ok : tensor<i1>)
      weight(%w : tensor<16x64xf32>) momentum(%m : tensor<16x64xf32>)
      {schedule = #muon.schedule<keller_jordan>}
  return %0#0, %0#1 : tensor<16x64xf32>, tensor<16x64xf32>
}

// CHECK-LABEL: func.func @update_master(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<16x64xf16>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: tensor<16x64xf32>)
// CHECK:         %[[R:.+]]:3 = muon.update gradient(%[[G]] : tensor<16x64xf32>) gradient_sums(%[[GS]] : tensor<1xf64>) momentum_sums(%[[MS]] : tensor<1xf64>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) beta(%[[BETA]] : tensor<f32>) weight(%[[W]] : tensor<16x64xf16>) momentum(%[[M]] : tensor<16x64xf32>) master(%[[MASTER]] : tensor<16x64xf32>) {{[{].*}}schedule = #muon.schedule<keller_jordan>{{.*[}]$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2 : tensor<16x64xf16>, tensor<16x64xf32>, tensor<16x64xf32>
func.func @update_master(
    %g: tensor<16x64xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: tensor<16x64xf16>, %m: tensor<16x64xf32>, %master: tensor<16x64xf32>)
    -> (tensor<16x64xf16>, tensor<16x64xf32>, tensor<16x64xf32>) {
  %0:3 = muon.update gradient(%g : tensor<16x64xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<16x64xf16>)
      momentum(%m : tensor<16x64xf32>) master(%master : tensor<16x64xf32>)
      {schedule = #muon.schedule<keller_jordan>}
  return %0#0, %0#1, %0#2
      : tensor<16x64xf16>, tensor<16x64xf32>, tensor<16x64xf32>
}

// CHECK-LABEL: func.func @update_update_sums(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: tensor<1xf64>)
// CHECK:         %[[R:.+]]:3 = muon.update gradient(%[[G]] : tensor<16x64xf32>) gradient_sums(%[[GS]] : tensor<1xf64>) momentum_sums(%[[MS]] : tensor<1xf64>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) beta(%[[BETA]] : tensor<f32>) weight(%[[W]] : tensor<16x64xf32>) momentum(%[[M]] : tensor<16x64xf32>) update_sums(%[[US]] : tensor<1xf64>) {{[{].*}}schedule = #muon.schedule<keller_jordan>{{.*[}]$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2 : tensor<16x64xf32>, tensor<16x64xf32>, tensor<1xf64>
func.func @update_update_sums(
    %g: tensor<16x64xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: tensor<16x64xf32>, %m: tensor<16x64xf32>, %us: tensor<1xf64>)
    -> (tensor<16x64xf32>, tensor<16x64xf32>, tensor<1xf64>) {
  %0:3 = muon.update gradient(%g : tensor<16x64xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<16x64xf32>)
      momentum(%m : tensor<16x64xf32>) update_sums(%us : tensor<1xf64>)
      {schedule = #muon.schedule<keller_jordan>}
  return %0#0, %0#1, %0#2 : tensor<16x64xf32>, tensor<16x64xf32>, tensor<1xf64>
}

// CHECK-LABEL: func.func @update_weight_sums(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: tensor<1xf64>)
// CHECK:         %[[R:.+]]:3 = muon.update gradient(%[[G]] : tensor<16x64xf32>) gradient_sums(%[[GS]] : tensor<1xf64>) momentum_sums(%[[MS]] : tensor<1xf64>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) beta(%[[BETA]] : tensor<f32>) weight(%[[W]] : tensor<16x64xf32>) momentum(%[[M]] : tensor<16x64xf32>) weight_sums(%[[WS]] : tensor<1xf64>) {{[{].*}}schedule = #muon.schedule<keller_jordan>{{.*[}]$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2 : tensor<16x64xf32>, tensor<16x64xf32>, tensor<1xf64>
func.func @update_weight_sums(
    %g: tensor<16x64xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: tensor<16x64xf32>, %m: tensor<16x64xf32>, %ws: tensor<1xf64>)
    -> (tensor<16x64xf32>, tensor<16x64xf32>, tensor<1xf64>) {
  %0:3 = muon.update gradient(%g : tensor<16x64xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<16x64xf32>)
      momentum(%m : tensor<16x64xf32>) weight_sums(%ws : tensor<1xf64>)
      {schedule = #muon.schedule<keller_jordan>}
  return %0#0, %0#1, %0#2 : tensor<16x64xf32>, tensor<16x64xf32>, tensor<1xf64>
}

// Every optional group; a gradient of another type than the weight.
// CHECK-LABEL: func.func @update_batch_all(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<3x16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<3xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<3xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[CLIP:[a-z0-9]+]]: tensor<f32>, %[[OK:[a-z0-9]+]]: tensor<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<3x16x64xbf16>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<3x16x64xf32>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: tensor<3x16x64xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: tensor<3xf64>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: tensor<3xf64>)
// CHECK:         %[[R:.+]]:5 = muon.update gradient(%[[G]] : tensor<3x16x64xf32>) gradient_sums(%[[GS]] : tensor<3xf64>) momentum_sums(%[[MS]] : tensor<3xf64>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) beta(%[[BETA]] : tensor<f32>) clip(%[[CLIP]] : tensor<f32>) when(%[[OK]] : tensor<i1>) weight(%[[W]] : tensor<3x16x64xbf16>) momentum(%[[M]] : tensor<3x16x64xf32>) master(%[[MASTER]] : tensor<3x16x64xf32>) update_sums(%[[US]] : tensor<3xf64>) weight_sums(%[[WS]] : tensor<3xf64>) {{[{].*}}schedule = #muon.schedule<keller_jordan>{{.*[}]$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3, %[[R]]#4 : tensor<3x16x64xbf16>, tensor<3x16x64xf32>, tensor<3x16x64xf32>, tensor<3xf64>, tensor<3xf64>
func.func @update_batch_all(
    %g: tensor<3x16x64xf32>, %gs: tensor<3xf64>, %ms: tensor<3xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %clip: tensor<f32>,
    %ok: tensor<i1>, %w: tensor<3x16x64xbf16>, %m: tensor<3x16x64xf32>,
    %master: tensor<3x16x64xf32>, %us: tensor<3xf64>, %ws: tensor<3xf64>)
    -> (tensor<3x16x64xbf16>, tensor<3x16x64xf32>, tensor<3x16x64xf32>,
        tensor<3xf64>, tensor<3xf64>) {
  %0:5 = muon.update gradient(%g : tensor<3x16x64xf32>)
      gradient_sums(%gs : tensor<3xf64>) momentum_sums(%ms : tensor<3xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) clip(%clip : tensor<f32>) when(%ok : tensor<i1>)
      weight(%w : tensor<3x16x64xbf16>) momentum(%m : tensor<3x16x64xf32>)
      master(%master : tensor<3x16x64xf32>) update_sums(%us : tensor<3xf64>)
      weight_sums(%ws : tensor<3xf64>)
      {schedule = #muon.schedule<keller_jordan>}
  return %0#0, %0#1, %0#2, %0#3, %0#4
      : tensor<3x16x64xbf16>, tensor<3x16x64xf32>, tensor<3x16x64xf32>,
        tensor<3xf64>, tensor<3xf64>
}

// CHECK-LABEL: func.func @update_stack(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: !muon.stack<2x48x16xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: !muon.stack<2x48x16xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: !muon.stack<2x48x16xf32>)
// CHECK:         %[[R:.+]]:2 = muon.update gradient(%[[G]] : !muon.stack<2x48x16xf32>) gradient_sums(%[[GS]] : tensor<2xf64>) momentum_sums(%[[MS]] : tensor<2xf64>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) beta(%[[BETA]] : tensor<f32>) weight(%[[W]] : !muon.stack<2x48x16xf32>) momentum(%[[M]] : !muon.stack<2x48x16xf32>) {{[{].*}}schedule = #muon.schedule<keller_jordan>{{.*[}]$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : !muon.stack<2x48x16xf32>, !muon.stack<2x48x16xf32>
func.func @update_stack(
    %g: !muon.stack<2x48x16xf32>, %gs: tensor<2xf64>, %ms: tensor<2xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: !muon.stack<2x48x16xf32>, %m: !muon.stack<2x48x16xf32>)
    -> (!muon.stack<2x48x16xf32>, !muon.stack<2x48x16xf32>) {
  %0:2 = muon.update gradient(%g : !muon.stack<2x48x16xf32>)
      gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<2xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : !muon.stack<2x48x16xf32>)
      momentum(%m : !muon.stack<2x48x16xf32>)
      {schedule = #muon.schedule<keller_jordan>}
  return %0#0, %0#1 : !muon.stack<2x48x16xf32>, !muon.stack<2x48x16xf32>
}

// CHECK-LABEL: func.func @update_stack_all(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: !muon.stack<2x48x16xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[CLIP:[a-z0-9]+]]: tensor<f32>, %[[OK:[a-z0-9]+]]: tensor<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: !muon.stack<2x48x16xbf16>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: !muon.stack<2x48x16xf32>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: !muon.stack<2x48x16xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: tensor<2xf64>)
// CHECK:         %[[R:.+]]:5 = muon.update gradient(%[[G]] : !muon.stack<2x48x16xf32>) gradient_sums(%[[GS]] : tensor<2xf64>) momentum_sums(%[[MS]] : tensor<2xf64>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) beta(%[[BETA]] : tensor<f32>) clip(%[[CLIP]] : tensor<f32>) when(%[[OK]] : tensor<i1>) weight(%[[W]] : !muon.stack<2x48x16xbf16>) momentum(%[[M]] : !muon.stack<2x48x16xf32>) master(%[[MASTER]] : !muon.stack<2x48x16xf32>) update_sums(%[[US]] : tensor<2xf64>) weight_sums(%[[WS]] : tensor<2xf64>) {{[{].*}}schedule = #muon.schedule<keller_jordan>{{.*[}]$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3, %[[R]]#4 : !muon.stack<2x48x16xbf16>, !muon.stack<2x48x16xf32>, !muon.stack<2x48x16xf32>, tensor<2xf64>, tensor<2xf64>
func.func @update_stack_all(
    %g: !muon.stack<2x48x16xf32>, %gs: tensor<2xf64>, %ms: tensor<2xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>, %clip: tensor<f32>,
    %ok: tensor<i1>, %w: !muon.stack<2x48x16xbf16>,
    %m: !muon.stack<2x48x16xf32>, %master: !muon.stack<2x48x16xf32>,
    %us: tensor<2xf64>, %ws: tensor<2xf64>)
    -> (!muon.stack<2x48x16xbf16>, !muon.stack<2x48x16xf32>,
        !muon.stack<2x48x16xf32>, tensor<2xf64>, tensor<2xf64>) {
  %0:5 = muon.update gradient(%g : !muon.stack<2x48x16xf32>)
      gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<2xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) clip(%clip : tensor<f32>) when(%ok : tensor<i1>)
      weight(%w : !muon.stack<2x48x16xbf16>)
      momentum(%m : !muon.stack<2x48x16xf32>)
      master(%master : !muon.stack<2x48x16xf32>)
      update_sums(%us : tensor<2xf64>) weight_sums(%ws : tensor<2xf64>)
      {schedule = #muon.schedule<keller_jordan>}
  return %0#0, %0#1, %0#2, %0#3, %0#4
      : !muon.stack<2x48x16xbf16>, !muon.stack<2x48x16xf32>,
        !muon.stack<2x48x16xf32>, tensor<2xf64>, tensor<2xf64>
}

// CHECK-LABEL: func.func @update_memref(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: memref<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: memref<f32>, %[[WD:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: memref<16x64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: memref<16x64xf32>)
// CHECK:         {{^ +}}muon.update gradient(%[[G]] : memref<16x64xf32>) gradient_sums(%[[GS]] : memref<1xf64>) momentum_sums(%[[MS]] : memref<1xf64>) lr(%[[LR]] : memref<f32>) weight_decay(%[[WD]] : memref<f32>) beta(%[[BETA]] : memref<f32>) weight(%[[W]] : memref<16x64xf32>) momentum(%[[M]] : memref<16x64xf32>) {{[{].*}}schedule = #muon.schedule<keller_jordan>{{.*[}]$}}
// CHECK-NEXT:    return{{$}}
func.func @update_memref(
    %g: memref<16x64xf32>, %gs: memref<1xf64>, %ms: memref<1xf64>,
    %lr: memref<f32>, %wd: memref<f32>, %beta: memref<f32>,
    %w: memref<16x64xf32>, %m: memref<16x64xf32>) {
  muon.update gradient(%g : memref<16x64xf32>)
      gradient_sums(%gs : memref<1xf64>) momentum_sums(%ms : memref<1xf64>)
      lr(%lr : memref<f32>) weight_decay(%wd : memref<f32>)
      beta(%beta : memref<f32>) weight(%w : memref<16x64xf32>)
      momentum(%m : memref<16x64xf32>)
      {schedule = #muon.schedule<keller_jordan>}
  return
}

// CHECK-LABEL: func.func @update_memref_all(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: memref<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: memref<f32>, %[[WD:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[CLIP:[a-z0-9]+]]: memref<f32>, %[[OK:[a-z0-9]+]]: memref<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: memref<16x64xbf16>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: memref<16x64xf32>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: memref<16x64xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: memref<1xf64>)
// CHECK:         {{^ +}}muon.update gradient(%[[G]] : memref<16x64xf32>) gradient_sums(%[[GS]] : memref<1xf64>) momentum_sums(%[[MS]] : memref<1xf64>) lr(%[[LR]] : memref<f32>) weight_decay(%[[WD]] : memref<f32>) beta(%[[BETA]] : memref<f32>) clip(%[[CLIP]] : memref<f32>) when(%[[OK]] : memref<i1>) weight(%[[W]] : memref<16x64xbf16>) momentum(%[[M]] : memref<16x64xf32>) master(%[[MASTER]] : memref<16x64xf32>) update_sums(%[[US]] : memref<1xf64>) weight_sums(%[[WS]] : memref<1xf64>) {{[{].*}}schedule = #muon.schedule<keller_jordan>{{.*[}]$}}
// CHECK-NEXT:    return{{$}}
func.func @update_memref_all(
    %g: memref<16x64xf32>, %gs: memref<1xf64>, %ms: memref<1xf64>,
    %lr: memref<f32>, %wd: memref<f32>, %beta: memref<f32>, %clip: memref<f32>,
    %ok: memref<i1>, %w: memref<16x64xbf16>, %m: memref<16x64xf32>,
    %master: memref<16x64xf32>, %us: memref<1xf64>, %ws: memref<1xf64>) {
  muon.update gradient(%g : memref<16x64xf32>)
      gradient_sums(%gs : memref<1xf64>) momentum_sums(%ms : memref<1xf64>)
      lr(%lr : memref<f32>) weight_decay(%wd : memref<f32>)
      beta(%beta : memref<f32>) clip(%clip : memref<f32>) when(%ok : memref<i1>)
      weight(%w : memref<16x64xbf16>) momentum(%m : memref<16x64xf32>)
      master(%master : memref<16x64xf32>) update_sums(%us : memref<1xf64>)
      weight_sums(%ws : memref<1xf64>)
      {schedule = #muon.schedule<keller_jordan>}
  return
}

// CHECK-LABEL: func.func @update_table(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: !muon.table<2x48x16xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: memref<f32>, %[[WD:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: !muon.table<2x48x16xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: !muon.table<2x48x16xf32>)
// CHECK:         {{^ +}}muon.update gradient(%[[G]] : !muon.table<2x48x16xf32>) gradient_sums(%[[GS]] : memref<2xf64>) momentum_sums(%[[MS]] : memref<2xf64>) lr(%[[LR]] : memref<f32>) weight_decay(%[[WD]] : memref<f32>) beta(%[[BETA]] : memref<f32>) weight(%[[W]] : !muon.table<2x48x16xf32>) momentum(%[[M]] : !muon.table<2x48x16xf32>) {{[{].*}}schedule = #muon.schedule<keller_jordan>{{.*[}]$}}
// CHECK-NEXT:    return{{$}}
func.func @update_table(
    %g: !muon.table<2x48x16xf32>, %gs: memref<2xf64>, %ms: memref<2xf64>,
    %lr: memref<f32>, %wd: memref<f32>, %beta: memref<f32>,
    %w: !muon.table<2x48x16xf32>, %m: !muon.table<2x48x16xf32>) {
  muon.update gradient(%g : !muon.table<2x48x16xf32>)
      gradient_sums(%gs : memref<2xf64>) momentum_sums(%ms : memref<2xf64>)
      lr(%lr : memref<f32>) weight_decay(%wd : memref<f32>)
      beta(%beta : memref<f32>) weight(%w : !muon.table<2x48x16xf32>)
      momentum(%m : !muon.table<2x48x16xf32>)
      {schedule = #muon.schedule<keller_jordan>}
  return
}

// CHECK-LABEL: func.func @update_table_all(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: !muon.table<2x48x16xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: memref<f32>, %[[WD:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[CLIP:[a-z0-9]+]]: memref<f32>, %[[OK:[a-z0-9]+]]: memref<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: !muon.table<2x48x16xbf16>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: !muon.table<2x48x16xf32>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: !muon.table<2x48x16xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: memref<2xf64>)
// CHECK:         {{^ +}}muon.update gradient(%[[G]] : !muon.table<2x48x16xf32>) gradient_sums(%[[GS]] : memref<2xf64>) momentum_sums(%[[MS]] : memref<2xf64>) lr(%[[LR]] : memref<f32>) weight_decay(%[[WD]] : memref<f32>) beta(%[[BETA]] : memref<f32>) clip(%[[CLIP]] : memref<f32>) when(%[[OK]] : memref<i1>) weight(%[[W]] : !muon.table<2x48x16xbf16>) momentum(%[[M]] : !muon.table<2x48x16xf32>) master(%[[MASTER]] : !muon.table<2x48x16xf32>) update_sums(%[[US]] : memref<2xf64>) weight_sums(%[[WS]] : memref<2xf64>) {{[{].*}}schedule = #muon.schedule<keller_jordan>{{.*[}]$}}
// CHECK-NEXT:    return{{$}}
func.func @update_table_all(
    %g: !muon.table<2x48x16xf32>, %gs: memref<2xf64>, %ms: memref<2xf64>,
    %lr: memref<f32>, %wd: memref<f32>, %beta: memref<f32>, %clip: memref<f32>,
    %ok: memref<i1>, %w: !muon.table<2x48x16xbf16>,
    %m: !muon.table<2x48x16xf32>, %master: !muon.table<2x48x16xf32>,
    %us: memref<2xf64>, %ws: memref<2xf64>) {
  muon.update gradient(%g : !muon.table<2x48x16xf32>)
      gradient_sums(%gs : memref<2xf64>) momentum_sums(%ms : memref<2xf64>)
      lr(%lr : memref<f32>) weight_decay(%wd : memref<f32>)
      beta(%beta : memref<f32>) clip(%clip : memref<f32>) when(%ok : memref<i1>)
      weight(%w : !muon.table<2x48x16xbf16>)
      momentum(%m : !muon.table<2x48x16xf32>)
      master(%master : !muon.table<2x48x16xf32>)
      update_sums(%us : memref<2xf64>) weight_sums(%ws : memref<2xf64>)
      {schedule = #muon.schedule<keller_jordan>}
  return
}

// Every attribute, none with its default.
// CHECK-LABEL: func.func @update_attributes(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<16x64xf32>)
// CHECK:         %[[R:.+]]:2 = muon.update gradient(%[[G]] : tensor<16x64xf32>) gradient_sums(%[[GS]] : tensor<1xf64>) momentum_sums(%[[MS]] : tensor<1xf64>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) beta(%[[BETA]] : tensor<f32>) weight(%[[W]] : tensor<16x64xf32>) momentum(%[[M]] : tensor<16x64xf32>) {compute = #muon.compute<bf16>, eps = 1.250000e-01 : f64, iteration = #muon.iteration<gram>, lr_multiplier = 5.000000e-01 : f64, momentum_form = #muon.momentum_form<ema>, nesterov = false, safety = 1.500000e+00 : f64, scale = #muon.scale<spectral>, schedule = #muon.schedule<{{\[}}2.000000e+00, -1.500000e+00, 5.000000e-01]>, side = #muon.side<right>, steps = 7 : i64, transposed = true}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : tensor<16x64xf32>, tensor<16x64xf32>
func.func @update_attributes(
    %g: tensor<16x64xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: tensor<16x64xf32>,
    %m: tensor<16x64xf32>) -> (tensor<16x64xf32>, tensor<16x64xf32>) {
  %0:2 = muon.update gradient(%g : tensor<16x64xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<16x64xf32>)
      momentum(%m : tensor<16x64xf32>) {compute = #muon.compute<bf16>,
      eps = 1.250000e-01 : f64, iteration = #muon.iteration<gram>,
      lr_multiplier = 5.000000e-01 : f64,
      momentum_form = #muon.momentum_form<ema>, nesterov = false,
      safety = 1.500000e+00 : f64, scale = #muon.scale<spectral>,
      schedule = #muon.schedule<[2.000000e+00, -1.500000e+00, 5.000000e-01]>,
      side = #muon.side<right>, steps = 7 : i64, transposed = true}
  return %0#0, %0#1 : tensor<16x64xf32>, tensor<16x64xf32>
}

// The limits of the ranges.
// CHECK-LABEL: func.func @update_fewest_steps(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<16x64xf32>)
// CHECK:         %[[R:.+]]:2 = muon.update gradient(%[[G]] : tensor<16x64xf32>) gradient_sums(%[[GS]] : tensor<1xf64>) momentum_sums(%[[MS]] : tensor<1xf64>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) beta(%[[BETA]] : tensor<f32>) weight(%[[W]] : tensor<16x64xf32>) momentum(%[[M]] : tensor<16x64xf32>) {{.*}}eps = 0.000000e+00 : f64{{.*}}steps = 1 : i64
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : tensor<16x64xf32>, tensor<16x64xf32>
func.func @update_fewest_steps(
    %g: tensor<16x64xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: tensor<16x64xf32>,
    %m: tensor<16x64xf32>) -> (tensor<16x64xf32>, tensor<16x64xf32>) {
  %0:2 = muon.update gradient(%g : tensor<16x64xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<16x64xf32>)
      momentum(%m : tensor<16x64xf32>) {eps = 0.000000e+00 : f64,
      schedule = #muon.schedule<you>, steps = 1 : i64}
  return %0#0, %0#1 : tensor<16x64xf32>, tensor<16x64xf32>
}

// CHECK-LABEL: func.func @update_most_steps(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[GS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[MS:[a-z0-9]+]]: tensor<1xf64>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[BETA:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<16x64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<16x64xf32>)
// CHECK:         %[[R:.+]]:2 = muon.update gradient(%[[G]] : tensor<16x64xf32>) gradient_sums(%[[GS]] : tensor<1xf64>) momentum_sums(%[[MS]] : tensor<1xf64>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) beta(%[[BETA]] : tensor<f32>) weight(%[[W]] : tensor<16x64xf32>) momentum(%[[M]] : tensor<16x64xf32>) {{.*}}steps = 100 : i64
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1 : tensor<16x64xf32>, tensor<16x64xf32>
func.func @update_most_steps(
    %g: tensor<16x64xf32>, %gs: tensor<1xf64>, %ms: tensor<1xf64>,
    %lr: tensor<f32>, %wd: tensor<f32>, %beta: tensor<f32>,
    %w: tensor<16x64xf32>,
    %m: tensor<16x64xf32>) -> (tensor<16x64xf32>, tensor<16x64xf32>) {
  %0:2 = muon.update gradient(%g : tensor<16x64xf32>)
      gradient_sums(%gs : tensor<1xf64>) momentum_sums(%ms : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      beta(%beta : tensor<f32>) weight(%w : tensor<16x64xf32>)
      momentum(%m : tensor<16x64xf32>) {schedule = #muon.schedule<you>,
      steps = 100 : i64}
  return %0#0, %0#1 : tensor<16x64xf32>, tensor<16x64xf32>
}

// CHECK-LABEL: func.func @adamw_tensor(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<i64>, %[[W:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[V:[a-z0-9]+]]: tensor<64xf32>)
// CHECK:         %[[R:.+]]:3 = muon.adamw_update gradient(%[[G]] : tensor<64xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) step(%[[T]] : tensor<i64>) weight(%[[W]] : tensor<64xf32>) exp_avg(%[[M]] : tensor<64xf32>) exp_avg_sq(%[[V]] : tensor<64xf32>) {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2 : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>
func.func @adamw_tensor(
    %g: tensor<64xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<64xf32>, %m: tensor<64xf32>,
    %v: tensor<64xf32>) -> (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) {
  %0:3 = muon.adamw_update gradient(%g : tensor<64xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<64xf32>) exp_avg(%m : tensor<64xf32>)
      exp_avg_sq(%v : tensor<64xf32>) {beta1 = 5.000000e-01 : f64,
      beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64,
      lr_multiplier = 2.000000e+00 : f64}
  return %0#0, %0#1, %0#2 : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>
}

// CHECK-LABEL: func.func @adamw_clip(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<i64>, %[[CLIP:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[V:[a-z0-9]+]]: tensor<64xf32>)
// CHECK:         %[[R:.+]]:3 = muon.adamw_update gradient(%[[G]] : tensor<64xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) step(%[[T]] : tensor<i64>) clip(%[[CLIP]] : tensor<f32>) weight(%[[W]] : tensor<64xf32>) exp_avg(%[[M]] : tensor<64xf32>) exp_avg_sq(%[[V]] : tensor<64xf32>) {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2 : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>
func.func @adamw_clip(
    %g: tensor<64xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %clip: tensor<f32>, %w: tensor<64xf32>, %m: tensor<64xf32>,
    %v: tensor<64xf32>) -> (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) {
  %0:3 = muon.adamw_update gradient(%g : tensor<64xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      clip(%clip : tensor<f32>) weight(%w : tensor<64xf32>)
      exp_avg(%m : tensor<64xf32>) exp_avg_sq(%v : tensor<64xf32>)
      {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64,
      eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}
  return %0#0, %0#1, %0#2 : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>
}

// CHECK-LABEL: func.func @adamw_when(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<i64>, %[[OK:[a-z0-9]+]]: tensor<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[V:[a-z0-9]+]]: tensor<64xf32>)
// CHECK:         %[[R:.+]]:3 = muon.adamw_update gradient(%[[G]] : tensor<64xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) step(%[[T]] : tensor<i64>) when(%[[OK]] : tensor<i1>) weight(%[[W]] : tensor<64xf32>) exp_avg(%[[M]] : tensor<64xf32>) exp_avg_sq(%[[V]] : tensor<64xf32>) {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2 : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>
func.func @adamw_when(
    %g: tensor<64xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %ok: tensor<i1>, %w: tensor<64xf32>, %m: tensor<64xf32>,
    %v: tensor<64xf32>) -> (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) {
  %0:3 = muon.adamw_update gradient(%g : tensor<64xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      when(%ok : tensor<i1>) weight(%w : tensor<64xf32>)
      exp_avg(%m : tensor<64xf32>) exp_avg_sq(%v : tensor<64xf32>)
      {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64,
      eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}
  return %0#0, %0#1, %0#2 : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>
}

// CHECK-LABEL: func.func @adamw_master(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<i64>, %[[W:[a-z0-9]+]]: tensor<64xf16>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[V:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: tensor<64xf32>)
// CHECK:         %[[R:.+]]:4 = muon.adamw_update gradient(%[[G]] : tensor<64xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) step(%[[T]] : tensor<i64>) weight(%[[W]] : tensor<64xf16>) exp_avg(%[[M]] : tensor<64xf32>) exp_avg_sq(%[[V]] : tensor<64xf32>) master(%[[MASTER]] : tensor<64xf32>) {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3 : tensor<64xf16>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>
func.func @adamw_master(
    %g: tensor<64xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<64xf16>, %m: tensor<64xf32>, %v: tensor<64xf32>,
    %master: tensor<64xf32>)
    -> (tensor<64xf16>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) {
  %0:4 = muon.adamw_update gradient(%g : tensor<64xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<64xf16>) exp_avg(%m : tensor<64xf32>)
      exp_avg_sq(%v : tensor<64xf32>) master(%master : tensor<64xf32>)
      {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64,
      eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}
  return %0#0, %0#1, %0#2, %0#3
      : tensor<64xf16>, tensor<64xf32>, tensor<64xf32>, tensor<64xf32>
}

// CHECK-LABEL: func.func @adamw_update_sums(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<i64>, %[[W:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[V:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: tensor<1xf64>)
// CHECK:         %[[R:.+]]:4 = muon.adamw_update gradient(%[[G]] : tensor<64xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) step(%[[T]] : tensor<i64>) weight(%[[W]] : tensor<64xf32>) exp_avg(%[[M]] : tensor<64xf32>) exp_avg_sq(%[[V]] : tensor<64xf32>) update_sums(%[[US]] : tensor<1xf64>) {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3 : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<1xf64>
func.func @adamw_update_sums(
    %g: tensor<64xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<64xf32>, %m: tensor<64xf32>, %v: tensor<64xf32>,
    %us: tensor<1xf64>)
    -> (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<1xf64>) {
  %0:4 = muon.adamw_update gradient(%g : tensor<64xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<64xf32>) exp_avg(%m : tensor<64xf32>)
      exp_avg_sq(%v : tensor<64xf32>) update_sums(%us : tensor<1xf64>)
      {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64,
      eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}
  return %0#0, %0#1, %0#2, %0#3
      : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<1xf64>
}

// CHECK-LABEL: func.func @adamw_weight_sums(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<i64>, %[[W:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[V:[a-z0-9]+]]: tensor<64xf32>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: tensor<1xf64>)
// CHECK:         %[[R:.+]]:4 = muon.adamw_update gradient(%[[G]] : tensor<64xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) step(%[[T]] : tensor<i64>) weight(%[[W]] : tensor<64xf32>) exp_avg(%[[M]] : tensor<64xf32>) exp_avg_sq(%[[V]] : tensor<64xf32>) weight_sums(%[[WS]] : tensor<1xf64>) {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3 : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<1xf64>
func.func @adamw_weight_sums(
    %g: tensor<64xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<64xf32>, %m: tensor<64xf32>, %v: tensor<64xf32>,
    %ws: tensor<1xf64>)
    -> (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<1xf64>) {
  %0:4 = muon.adamw_update gradient(%g : tensor<64xf32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<64xf32>) exp_avg(%m : tensor<64xf32>)
      exp_avg_sq(%v : tensor<64xf32>) weight_sums(%ws : tensor<1xf64>)
      {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64,
      eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}
  return %0#0, %0#1, %0#2, %0#3
      : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>, tensor<1xf64>
}

// CHECK-LABEL: func.func @adamw_scalar(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<f32>, %[[LR:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[WD:[a-z0-9]+]]: tensor<f32>, %[[T:[a-z0-9]+]]: tensor<i64>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<f32>, %[[M:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[V:[a-z0-9]+]]: tensor<f32>)
// CHECK:         %[[R:.+]]:3 = muon.adamw_update gradient(%[[G]] : tensor<f32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) step(%[[T]] : tensor<i64>) weight(%[[W]] : tensor<f32>) exp_avg(%[[M]] : tensor<f32>) exp_avg_sq(%[[V]] : tensor<f32>) {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2 : tensor<f32>, tensor<f32>, tensor<f32>
func.func @adamw_scalar(
    %g: tensor<f32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: tensor<f32>, %m: tensor<f32>,
    %v: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  %0:3 = muon.adamw_update gradient(%g : tensor<f32>) lr(%lr : tensor<f32>)
      weight_decay(%wd : tensor<f32>) step(%t : tensor<i64>)
      weight(%w : tensor<f32>) exp_avg(%m : tensor<f32>)
      exp_avg_sq(%v : tensor<f32>) {beta1 = 5.000000e-01 : f64,
      beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64,
      lr_multiplier = 2.000000e+00 : f64}
  return %0#0, %0#1, %0#2 : tensor<f32>, tensor<f32>, tensor<f32>
}

// CHECK-LABEL: func.func @adamw_rank_4_all(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<2x3x4x5xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<i64>, %[[CLIP:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: tensor<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: tensor<2x3x4x5xbf16>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<2x3x4x5xf32>,
// CHECK-SAME:    %[[V:[a-z0-9]+]]: tensor<2x3x4x5xf32>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: tensor<2x3x4x5xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: tensor<6xf64>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: tensor<6xf64>)
// CHECK:         %[[R:.+]]:6 = muon.adamw_update gradient(%[[G]] : tensor<2x3x4x5xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) step(%[[T]] : tensor<i64>) clip(%[[CLIP]] : tensor<f32>) when(%[[OK]] : tensor<i1>) weight(%[[W]] : tensor<2x3x4x5xbf16>) exp_avg(%[[M]] : tensor<2x3x4x5xf32>) exp_avg_sq(%[[V]] : tensor<2x3x4x5xf32>) master(%[[MASTER]] : tensor<2x3x4x5xf32>) update_sums(%[[US]] : tensor<6xf64>) weight_sums(%[[WS]] : tensor<6xf64>) {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3, %[[R]]#4, %[[R]]#5 : tensor<2x3x4x5xbf16>, tensor<2x3x4x5xf32>, tensor<2x3x4x5xf32>, tensor<2x3x4x5xf32>, tensor<6xf64>, tensor<6xf64>
func.func @adamw_rank_4_all(
    %g: tensor<2x3x4x5xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %t: tensor<i64>, %clip: tensor<f32>, %ok: tensor<i1>,
    %w: tensor<2x3x4x5xbf16>, %m: tensor<2x3x4x5xf32>, %v: tensor<2x3x4x5xf32>,
    %master: tensor<2x3x4x5xf32>, %us: tensor<6xf64>, %ws: tensor<6xf64>)
    -> (tensor<2x3x4x5xbf16>, tensor<2x3x4x5xf32>, tensor<2x3x4x5xf32>,
        tensor<2x3x4x5xf32>, tensor<6xf64>, tensor<6xf64>) {
  %0:6 = muon.adamw_update gradient(%g : tensor<2x3x4x5xf32>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      step(%t : tensor<i64>) clip(%clip : tensor<f32>) when(%ok : tensor<i1>)
      weight(%w : tensor<2x3x4x5xbf16>) exp_avg(%m : tensor<2x3x4x5xf32>)
      exp_avg_sq(%v : tensor<2x3x4x5xf32>) master(%master : tensor<2x3x4x5xf32>)
      update_sums(%us : tensor<6xf64>) weight_sums(%ws : tensor<6xf64>)
      {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64,
      eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}
  return %0#0, %0#1, %0#2, %0#3, %0#4, %0#5
      : tensor<2x3x4x5xbf16>, tensor<2x3x4x5xf32>, tensor<2x3x4x5xf32>,
        tensor<2x3x4x5xf32>, tensor<6xf64>, tensor<6xf64>
}

// Members of rank 0.
// CHECK-LABEL: func.func @adamw_stack_of_scalars(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: !muon.stack<2xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<i64>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: !muon.stack<2xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: !muon.stack<2xf32>,
// CHECK-SAME:    %[[V:[a-z0-9]+]]: !muon.stack<2xf32>)
// CHECK:         %[[R:.+]]:3 = muon.adamw_update gradient(%[[G]] : !muon.stack<2xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) step(%[[T]] : tensor<i64>) weight(%[[W]] : !muon.stack<2xf32>) exp_avg(%[[M]] : !muon.stack<2xf32>) exp_avg_sq(%[[V]] : !muon.stack<2xf32>) {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2 : !muon.stack<2xf32>, !muon.stack<2xf32>, !muon.stack<2xf32>
func.func @adamw_stack_of_scalars(
    %g: !muon.stack<2xf32>, %lr: tensor<f32>, %wd: tensor<f32>, %t: tensor<i64>,
    %w: !muon.stack<2xf32>, %m: !muon.stack<2xf32>, %v: !muon.stack<2xf32>)
    -> (!muon.stack<2xf32>, !muon.stack<2xf32>, !muon.stack<2xf32>) {
  %0:3 = muon.adamw_update gradient(%g : !muon.stack<2xf32>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      step(%t : tensor<i64>) weight(%w : !muon.stack<2xf32>)
      exp_avg(%m : !muon.stack<2xf32>) exp_avg_sq(%v : !muon.stack<2xf32>)
      {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64,
      eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}
  return %0#0, %0#1, %0#2
      : !muon.stack<2xf32>, !muon.stack<2xf32>, !muon.stack<2xf32>
}

// CHECK-LABEL: func.func @adamw_stack_all(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: !muon.stack<2x64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: tensor<f32>, %[[WD:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[T:[a-z0-9]+]]: tensor<i64>, %[[CLIP:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: tensor<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: !muon.stack<2x64xbf16>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: !muon.stack<2x64xf32>,
// CHECK-SAME:    %[[V:[a-z0-9]+]]: !muon.stack<2x64xf32>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: !muon.stack<2x64xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: tensor<2xf64>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: tensor<2xf64>)
// CHECK:         %[[R:.+]]:6 = muon.adamw_update gradient(%[[G]] : !muon.stack<2x64xf32>) lr(%[[LR]] : tensor<f32>) weight_decay(%[[WD]] : tensor<f32>) step(%[[T]] : tensor<i64>) clip(%[[CLIP]] : tensor<f32>) when(%[[OK]] : tensor<i1>) weight(%[[W]] : !muon.stack<2x64xbf16>) exp_avg(%[[M]] : !muon.stack<2x64xf32>) exp_avg_sq(%[[V]] : !muon.stack<2x64xf32>) master(%[[MASTER]] : !muon.stack<2x64xf32>) update_sums(%[[US]] : tensor<2xf64>) weight_sums(%[[WS]] : tensor<2xf64>) {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return %[[R]]#0, %[[R]]#1, %[[R]]#2, %[[R]]#3, %[[R]]#4, %[[R]]#5 : !muon.stack<2x64xbf16>, !muon.stack<2x64xf32>, !muon.stack<2x64xf32>, !muon.stack<2x64xf32>, tensor<2xf64>, tensor<2xf64>
func.func @adamw_stack_all(
    %g: !muon.stack<2x64xf32>, %lr: tensor<f32>, %wd: tensor<f32>,
    %t: tensor<i64>, %clip: tensor<f32>, %ok: tensor<i1>,
    %w: !muon.stack<2x64xbf16>, %m: !muon.stack<2x64xf32>,
    %v: !muon.stack<2x64xf32>, %master: !muon.stack<2x64xf32>,
    %us: tensor<2xf64>, %ws: tensor<2xf64>)
    -> (!muon.stack<2x64xbf16>, !muon.stack<2x64xf32>, !muon.stack<2x64xf32>,
        !muon.stack<2x64xf32>, tensor<2xf64>, tensor<2xf64>) {
  %0:6 = muon.adamw_update gradient(%g : !muon.stack<2x64xf32>)
      lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
      step(%t : tensor<i64>) clip(%clip : tensor<f32>) when(%ok : tensor<i1>)
      weight(%w : !muon.stack<2x64xbf16>) exp_avg(%m : !muon.stack<2x64xf32>)
      exp_avg_sq(%v : !muon.stack<2x64xf32>)
      master(%master : !muon.stack<2x64xf32>) update_sums(%us : tensor<2xf64>)
      weight_sums(%ws : tensor<2xf64>) {beta1 = 5.000000e-01 : f64,
      beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64,
      lr_multiplier = 2.000000e+00 : f64}
  return %0#0, %0#1, %0#2, %0#3, %0#4, %0#5
      : !muon.stack<2x64xbf16>, !muon.stack<2x64xf32>, !muon.stack<2x64xf32>,
        !muon.stack<2x64xf32>, tensor<2xf64>, tensor<2xf64>
}

// CHECK-LABEL: func.func @adamw_memref(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: memref<64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: memref<f32>, %[[WD:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[T:[a-z0-9]+]]: memref<i64>, %[[W:[a-z0-9]+]]: memref<64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: memref<64xf32>,
// CHECK-SAME:    %[[V:[a-z0-9]+]]: memref<64xf32>)
// CHECK:         {{^ +}}muon.adamw_update gradient(%[[G]] : memref<64xf32>) lr(%[[LR]] : memref<f32>) weight_decay(%[[WD]] : memref<f32>) step(%[[T]] : memref<i64>) weight(%[[W]] : memref<64xf32>) exp_avg(%[[M]] : memref<64xf32>) exp_avg_sq(%[[V]] : memref<64xf32>) {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @adamw_memref(
    %g: memref<64xf32>, %lr: memref<f32>, %wd: memref<f32>, %t: memref<i64>,
    %w: memref<64xf32>, %m: memref<64xf32>, %v: memref<64xf32>) {
  muon.adamw_update gradient(%g : memref<64xf32>) lr(%lr : memref<f32>)
      weight_decay(%wd : memref<f32>) step(%t : memref<i64>)
      weight(%w : memref<64xf32>) exp_avg(%m : memref<64xf32>)
      exp_avg_sq(%v : memref<64xf32>) {beta1 = 5.000000e-01 : f64,
      beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64,
      lr_multiplier = 2.000000e+00 : f64}
  return
}

// CHECK-LABEL: func.func @adamw_memref_all(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: memref<64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: memref<f32>, %[[WD:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[T:[a-z0-9]+]]: memref<i64>, %[[CLIP:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: memref<64xbf16>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: memref<64xf32>,
// CHECK-SAME:    %[[V:[a-z0-9]+]]: memref<64xf32>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: memref<64xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: memref<1xf64>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: memref<1xf64>)
// CHECK:         {{^ +}}muon.adamw_update gradient(%[[G]] : memref<64xf32>) lr(%[[LR]] : memref<f32>) weight_decay(%[[WD]] : memref<f32>) step(%[[T]] : memref<i64>) clip(%[[CLIP]] : memref<f32>) when(%[[OK]] : memref<i1>) weight(%[[W]] : memref<64xbf16>) exp_avg(%[[M]] : memref<64xf32>) exp_avg_sq(%[[V]] : memref<64xf32>) master(%[[MASTER]] : memref<64xf32>) update_sums(%[[US]] : memref<1xf64>) weight_sums(%[[WS]] : memref<1xf64>) {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @adamw_memref_all(
    %g: memref<64xf32>, %lr: memref<f32>, %wd: memref<f32>, %t: memref<i64>,
    %clip: memref<f32>, %ok: memref<i1>, %w: memref<64xbf16>,
    %m: memref<64xf32>, %v: memref<64xf32>, %master: memref<64xf32>,
    %us: memref<1xf64>, %ws: memref<1xf64>) {
  muon.adamw_update gradient(%g : memref<64xf32>) lr(%lr : memref<f32>)
      weight_decay(%wd : memref<f32>) step(%t : memref<i64>)
      clip(%clip : memref<f32>) when(%ok : memref<i1>)
      weight(%w : memref<64xbf16>) exp_avg(%m : memref<64xf32>)
      exp_avg_sq(%v : memref<64xf32>) master(%master : memref<64xf32>)
      update_sums(%us : memref<1xf64>) weight_sums(%ws : memref<1xf64>)
      {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64,
      eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}
  return
}

// CHECK-LABEL: func.func @adamw_table(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: !muon.table<2x64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: memref<f32>, %[[WD:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[T:[a-z0-9]+]]: memref<i64>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: !muon.table<2x64xf32>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: !muon.table<2x64xf32>,
// CHECK-SAME:    %[[V:[a-z0-9]+]]: !muon.table<2x64xf32>)
// CHECK:         {{^ +}}muon.adamw_update gradient(%[[G]] : !muon.table<2x64xf32>) lr(%[[LR]] : memref<f32>) weight_decay(%[[WD]] : memref<f32>) step(%[[T]] : memref<i64>) weight(%[[W]] : !muon.table<2x64xf32>) exp_avg(%[[M]] : !muon.table<2x64xf32>) exp_avg_sq(%[[V]] : !muon.table<2x64xf32>) {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @adamw_table(
    %g: !muon.table<2x64xf32>, %lr: memref<f32>, %wd: memref<f32>,
    %t: memref<i64>, %w: !muon.table<2x64xf32>, %m: !muon.table<2x64xf32>,
    %v: !muon.table<2x64xf32>) {
  muon.adamw_update gradient(%g : !muon.table<2x64xf32>) lr(%lr : memref<f32>)
      weight_decay(%wd : memref<f32>) step(%t : memref<i64>)
      weight(%w : !muon.table<2x64xf32>) exp_avg(%m : !muon.table<2x64xf32>)
      exp_avg_sq(%v : !muon.table<2x64xf32>) {beta1 = 5.000000e-01 : f64,
      beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64,
      lr_multiplier = 2.000000e+00 : f64}
  return
}

// CHECK-LABEL: func.func @adamw_table_all(
// CHECK-SAME:    %[[G:[a-z0-9]+]]: !muon.table<2x64xf32>,
// CHECK-SAME:    %[[LR:[a-z0-9]+]]: memref<f32>, %[[WD:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[T:[a-z0-9]+]]: memref<i64>, %[[CLIP:[a-z0-9]+]]: memref<f32>,
// CHECK-SAME:    %[[OK:[a-z0-9]+]]: memref<i1>,
// CHECK-SAME:    %[[W:[a-z0-9]+]]: !muon.table<2x64xbf16>,
// CHECK-SAME:    %[[M:[a-z0-9]+]]: !muon.table<2x64xf32>,
// CHECK-SAME:    %[[V:[a-z0-9]+]]: !muon.table<2x64xf32>,
// CHECK-SAME:    %[[MASTER:[a-z0-9]+]]: !muon.table<2x64xf32>,
// CHECK-SAME:    %[[US:[a-z0-9]+]]: memref<2xf64>,
// CHECK-SAME:    %[[WS:[a-z0-9]+]]: memref<2xf64>)
// CHECK:         {{^ +}}muon.adamw_update gradient(%[[G]] : !muon.table<2x64xf32>) lr(%[[LR]] : memref<f32>) weight_decay(%[[WD]] : memref<f32>) step(%[[T]] : memref<i64>) clip(%[[CLIP]] : memref<f32>) when(%[[OK]] : memref<i1>) weight(%[[W]] : !muon.table<2x64xbf16>) exp_avg(%[[M]] : !muon.table<2x64xf32>) exp_avg_sq(%[[V]] : !muon.table<2x64xf32>) master(%[[MASTER]] : !muon.table<2x64xf32>) update_sums(%[[US]] : memref<2xf64>) weight_sums(%[[WS]] : memref<2xf64>) {beta1 = 5.000000e-01 : f64, beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64, lr_multiplier = 2.000000e+00 : f64}{{$}}
// CHECK-NEXT:    return{{$}}
func.func @adamw_table_all(
    %g: !muon.table<2x64xf32>, %lr: memref<f32>, %wd: memref<f32>,
    %t: memref<i64>, %clip: memref<f32>, %ok: memref<i1>,
    %w: !muon.table<2x64xbf16>, %m: !muon.table<2x64xf32>,
    %v: !muon.table<2x64xf32>, %master: !muon.table<2x64xf32>,
    %us: memref<2xf64>, %ws: memref<2xf64>) {
  muon.adamw_update gradient(%g : !muon.table<2x64xf32>) lr(%lr : memref<f32>)
      weight_decay(%wd : memref<f32>) step(%t : memref<i64>)
      clip(%clip : memref<f32>) when(%ok : memref<i1>)
      weight(%w : !muon.table<2x64xbf16>) exp_avg(%m : !muon.table<2x64xf32>)
      exp_avg_sq(%v : !muon.table<2x64xf32>)
      master(%master : !muon.table<2x64xf32>) update_sums(%us : memref<2xf64>)
      weight_sums(%ws : memref<2xf64>) {beta1 = 5.000000e-01 : f64,
      beta2 = 2.500000e-01 : f64, eps = 1.250000e-01 : f64,
      lr_multiplier = 2.000000e+00 : f64}
  return
}

// CHECK-LABEL: func.func @update_restarts(
// CHECK:         muon.update {{.*}} {{{.*}}iteration = #muon.iteration<gram>, {{.*}}restarts = array<i64: 1, 3>, {{.*}}}{{$}}
func.func @update_restarts(
    %g: tensor<4x6xf32>, %s: tensor<1xf64>, %lr: tensor<f32>,
    %w: tensor<4x6xf32>, %m: tensor<4x6xf32>)
    -> (tensor<4x6xf32>, tensor<4x6xf32>) {
  %0:2 = muon.update gradient(%g : tensor<4x6xf32>)
      gradient_sums(%s : tensor<1xf64>) momentum_sums(%s : tensor<1xf64>)
      lr(%lr : tensor<f32>) weight_decay(%lr : tensor<f32>)
      beta(%lr : tensor<f32>) weight(%w : tensor<4x6xf32>)
      momentum(%m : tensor<4x6xf32>) {schedule = #muon.schedule<you>,
      iteration = #muon.iteration<gram>, restarts = array<i64: 1, 3>}
  return %0#0, %0#1 : tensor<4x6xf32>, tensor<4x6xf32>
}
