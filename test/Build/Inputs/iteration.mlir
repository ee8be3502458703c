// Two Newton–Schulz steps X ← 2X − 1.5AX + 0.5A²X, A = XXᵀ, in a loop.
#rows = affine_map<(m, n, k) -> (m, k)>
#columns = affine_map<(m, n, k) -> (n, k)>
#result = affine_map<(m, n, k) -> (m, n)>

func.func @iterate(%x: tensor<4x6xf32>) -> tensor<4x6xf32> {
  %zero = arith.constant dense<0.0> : tensor<4x4xf32>
  %a = arith.constant dense<2.0> : tensor<4x6xf32>
  %b = arith.constant dense<-1.5> : tensor<4x4xf32>
  %c = arith.constant dense<0.5> : tensor<4x4xf32>
  %from = arith.constant 0 : index
  %to = arith.constant 2 : index
  %by = arith.constant 1 : index
  %y = scf.for %i = %from to %to step %by iter_args(%s = %x) -> (tensor<4x6xf32>) {
    %g = linalg.matmul indexing_maps = [#rows, #columns, #result]
        ins(%s, %s : tensor<4x6xf32>, tensor<4x6xf32>)
        outs(%zero : tensor<4x4xf32>) -> tensor<4x4xf32>
    %gg = linalg.matmul ins(%g, %g : tensor<4x4xf32>, tensor<4x4xf32>)
        outs(%zero : tensor<4x4xf32>) -> tensor<4x4xf32>
    %bg = arith.mulf %b, %g : tensor<4x4xf32>
    %cgg = arith.mulf %c, %gg : tensor<4x4xf32>
    %p = arith.addf %bg, %cgg : tensor<4x4xf32>
    %as = arith.mulf %a, %s : tensor<4x6xf32>
    %next = linalg.matmul ins(%p, %s : tensor<4x4xf32>, tensor<4x6xf32>)
        outs(%as : tensor<4x6xf32>) -> tensor<4x6xf32>
    scf.yield %next : tensor<4x6xf32>
  }
  return %y : tensor<4x6xf32>
}
