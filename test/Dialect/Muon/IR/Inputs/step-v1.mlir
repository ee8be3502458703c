module attributes {muon.frozen = ["embed"]} {
  func.func @step(
      %w: !muon.stack<2x48x16xbf16> {
          muon.role = #muon.role<weight>,
          muon.names = [#muon.rows<"qkv", 0 to 48 of 144>, "proj"]},
      %g: !muon.stack<2x48x16xf32> {
          muon.role = #muon.role<gradient>,
          muon.names = [#muon.rows<"qkv", 0 to 48 of 144>, "proj"]},
      %m: !muon.stack<2x48x16xf32> {
          muon.role = #muon.role<momentum>,
          muon.names = [#muon.rows<"qkv", 0 to 48 of 144>, "proj"]},
      %master: !muon.stack<2x48x16xf32> {
          muon.role = #muon.role<master>,
          muon.names = [#muon.rows<"qkv", 0 to 48 of 144>, "proj"]},
      %b: tensor<16xf32> {muon.role = #muon.role<weight>, muon.names = ["b"]},
      %bg: tensor<16xf32> {muon.role = #muon.role<gradient>,
                           muon.names = ["b"]},
      %bm: tensor<16xf32> {muon.role = #muon.role<exp_avg>, muon.names = ["b"]},
      %bv: tensor<16xf32> {muon.role = #muon.role<exp_avg_sq>,
                           muon.names = ["b"]},
      %lr: tensor<f32> {muon.role = #muon.role<lr>, muon.group = "muon",
                        muon.default = 0.02 : f64},
      %wd: tensor<f32> {muon.role = #muon.role<weight_decay>,
                        muon.group = "muon"},
      %beta: tensor<f32> {muon.role = #muon.role<beta>, muon.group = "muon"},
      %limit: tensor<f32> {muon.role = #muon.role<clip_limit>},
      %t: tensor<i64> {muon.role = #muon.role<step>},
      %ok: tensor<i1> {muon.role = #muon.role<ok>},
      %clip: tensor<f32> {muon.role = #muon.role<clip>},
      %s0: tensor<2xf64>, %s1: tensor<2xf64>, %s2: tensor<1xf64>)
      -> (!muon.stack<2x48x16xbf16>, !muon.stack<2x48x16xf32>,
          !muon.stack<2x48x16xf32>, tensor<16xf32>, tensor<16xf32>,
          tensor<16xf32>, tensor<i64>) {
    %gs = muon.sum_squares value(%g : !muon.stack<2x48x16xf32>)
        sums(%s0 : tensor<2xf64>)
    %ms = muon.sum_squares value(%m : !muon.stack<2x48x16xf32>)
        sums(%s1 : tensor<2xf64>)
    %bs = muon.sum_squares value(%bg : tensor<16xf32>) sums(%s2 : tensor<1xf64>)
    %ok1, %clip1 = muon.look gradients(%gs, %bs : tensor<2xf64>, tensor<1xf64>)
        momenta(%ms : tensor<2xf64>) limit(%limit : tensor<f32>)
        ok(%ok : tensor<i1>) clip(%clip : tensor<f32>)
    %t1 = muon.advance when(%ok1 : tensor<i1>) step(%t : tensor<i64>)
    %w1, %m1, %master1 = muon.update gradient(%g : !muon.stack<2x48x16xf32>)
        gradient_sums(%gs : tensor<2xf64>) momentum_sums(%ms : tensor<2xf64>)
        lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
        beta(%beta : tensor<f32>) clip(%clip1 : tensor<f32>)
        when(%ok1 : tensor<i1>) weight(%w : !muon.stack<2x48x16xbf16>)
        momentum(%m : !muon.stack<2x48x16xf32>)
        master(%master : !muon.stack<2x48x16xf32>)
        {compute = #muon.compute<f32>, eps = 0.125,
         iteration = #muon.iteration<direct>, lr_multiplier = 0.5,
         momentum_form = #muon.momentum_form<ema>, nesterov = false,
         safety = 1.5, scale = #muon.scale<constant 0.25>,
         schedule = #muon.schedule<[2.0, -1.5, 0.5], [1.875, -1.25, 0.375]>,
         side = #muon.side<right>, steps = 4, transposed = true}
    %b1, %bm1, %bv1 = muon.adamw_update gradient(%bg : tensor<16xf32>)
        lr(%lr : tensor<f32>) weight_decay(%wd : tensor<f32>)
        step(%t1 : tensor<i64>) weight(%b : tensor<16xf32>)
        exp_avg(%bm : tensor<16xf32>) exp_avg_sq(%bv : tensor<16xf32>)
        {beta1 = 0.5, beta2 = 0.75, eps = 0.125, lr_multiplier = 2.0}
    return %w1, %m1, %master1, %b1, %bm1, %bv1, %t1
        : !muon.stack<2x48x16xbf16>, !muon.stack<2x48x16xf32>,
          !muon.stack<2x48x16xf32>, tensor<16xf32>, tensor<16xf32>,
          tensor<16xf32>, tensor<i64>
  }
  func.func private @table(!muon.table<2x48x16xf32>)
}
