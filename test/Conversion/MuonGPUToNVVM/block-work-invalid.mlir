// RUN: muon-opt --convert-muon-gpu-to-nvvm --split-input-file --verify-diagnostics %s

func.func @tensors(%g: tensor<3xf64>, %ok: tensor<i1>, %clip: tensor<f32>) {
  muon_gpu.launch {
    // expected-error @below {{expected buffers of contiguous numbers, found 'tensor<3xf64>'}}
    %0, %1 = muon.look gradients(%g : tensor<3xf64>) ok(%ok : tensor<i1>) clip(%clip : tensor<f32>)
  }
  return
}
