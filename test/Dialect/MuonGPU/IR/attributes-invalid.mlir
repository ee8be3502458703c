// RUN: muon-opt %s -split-input-file -verify-diagnostics

// expected-error@+1 {{expected tile sizes that are multiples of 16 from 16 to 256, found 8x64x64}}
func.func private @m() attributes {s = #muon_gpu.schedule<m = 8, n = 64, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>}

// -----

// expected-error@+1 {{expected tile sizes that are multiples of 16 from 16 to 256, found 64x272x64}}
func.func private @n() attributes {s = #muon_gpu.schedule<m = 64, n = 272, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>}

// -----

// expected-error@+1 {{expected tile sizes that are multiples of 16 from 16 to 256, found 64x64x24}}
func.func private @k() attributes {s = #muon_gpu.schedule<m = 64, n = 64, k = 24, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>}

// -----

// expected-error@+1 {{expected 0x2 warps to share a tile of 64x64 in parts that are multiples of 16x8}}
func.func private @no_warps() attributes {s = #muon_gpu.schedule<m = 64, n = 64, k = 64, warps_m = 0, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>}

// -----

// expected-error@+1 {{expected 2x-1 warps to share a tile of 64x64 in parts that are multiples of 16x8}}
func.func private @negative_warps() attributes {s = #muon_gpu.schedule<m = 64, n = 64, k = 64, warps_m = 2, warps_n = -1, stages = 4, raster = 8, width = 4, masked = false>}

// -----

// expected-error@+1 {{expected 4x2 warps to share a tile of 32x64 in parts that are multiples of 16x8}}
func.func private @rows_of_warps() attributes {s = #muon_gpu.schedule<m = 32, n = 64, k = 64, warps_m = 4, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>}

// -----

// expected-error@+1 {{expected 2x3 warps to share a tile of 32x32 in parts that are multiples of 16x8}}
func.func private @columns_of_warps() attributes {s = #muon_gpu.schedule<m = 32, n = 32, k = 64, warps_m = 2, warps_n = 3, stages = 4, raster = 8, width = 4, masked = false>}

// -----

// expected-error@+1 {{expected at most 32 warps, found 64}}
func.func private @threads() attributes {s = #muon_gpu.schedule<m = 128, n = 64, k = 16, warps_m = 8, warps_n = 8, stages = 2, raster = 8, width = 4, masked = false>}

// -----

// expected-error@+1 {{expected 2 to 8 stages, found 1}}
func.func private @few_stages() attributes {s = #muon_gpu.schedule<m = 64, n = 64, k = 64, warps_m = 2, warps_n = 2, stages = 1, raster = 8, width = 4, masked = false>}

// -----

// expected-error@+1 {{expected 2 to 8 stages, found 9}}
func.func private @many_stages() attributes {s = #muon_gpu.schedule<m = 64, n = 64, k = 64, warps_m = 2, warps_n = 2, stages = 9, raster = 8, width = 4, masked = false>}

// -----

// expected-error@+1 {{expected a raster from 1 to 32768, found 0}}
func.func private @raster() attributes {s = #muon_gpu.schedule<m = 64, n = 64, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 0, width = 4, masked = false>}

// -----

// expected-error@+1 {{expected width 1 or 4, found 2}}
func.func private @width() attributes {s = #muon_gpu.schedule<m = 64, n = 64, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 2, masked = false>}

// -----

// expected-error@+1 {{expected a multiple of 32 threads up to 1024, found 48}}
func.func private @stream_threads() attributes {s = #muon_gpu.stream_schedule<threads = 48, width = 4, unroll = 4, chunk = 4096>}

// -----

// expected-error@+1 {{expected a multiple of 32 threads up to 1024, found 1056}}
func.func private @stream_many_threads() attributes {s = #muon_gpu.stream_schedule<threads = 1056, width = 4, unroll = 4, chunk = 4096>}

// -----

// expected-error@+1 {{expected a multiple of 32 threads up to 1024, found 0}}
func.func private @stream_no_threads() attributes {s = #muon_gpu.stream_schedule<threads = 0, width = 4, unroll = 4, chunk = 4096>}

// -----

// expected-error@+1 {{expected width 1 or 4, found 8}}
func.func private @stream_width() attributes {s = #muon_gpu.stream_schedule<threads = 256, width = 8, unroll = 4, chunk = 8192>}

// -----

// expected-error@+1 {{expected unroll from 1 to 16, found 0}}
func.func private @stream_unroll() attributes {s = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 0, chunk = 4096>}

// -----

// expected-error@+1 {{expected unroll from 1 to 16, found 17}}
func.func private @stream_large_unroll() attributes {s = #muon_gpu.stream_schedule<threads = 32, width = 1, unroll = 17, chunk = 544>}

// -----

// expected-error@+1 {{expected a chunk up to 2^30 that is a multiple of 4096, found 1000}}
func.func private @stream_chunk() attributes {s = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 4, chunk = 1000>}

// -----

// expected-error@+1 {{expected a chunk up to 2^30 that is a multiple of 4096, found 0}}
func.func private @stream_no_chunk() attributes {s = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 4, chunk = 0>}

// -----

// expected-error@+1 {{expected 1152921504606846976x2 warps to share a tile of 64x64}}
func.func private @overflow() attributes {s = #muon_gpu.schedule<m = 64, n = 64, k = 64, warps_m = 1152921504606846976, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false>}

// -----

// expected-error@+1 {{expected a raster from 1 to 32768, found 32769}}
func.func private @raster() attributes {s = #muon_gpu.schedule<m = 64, n = 64, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 32769, width = 4, masked = false>}

// -----

// expected-error@+1 {{expected a chunk up to 2^30 that is a multiple of 4096, found 2147483648}}
func.func private @chunk() attributes {s = #muon_gpu.stream_schedule<threads = 256, width = 4, unroll = 4, chunk = 2147483648>}

// -----

// expected-error@+1 {{expected a split from 1 to 32, found 0}}
func.func private @split() attributes {s = #muon_gpu.schedule<m = 64, n = 64, k = 64, warps_m = 2, warps_n = 2, stages = 4, raster = 8, width = 4, masked = false, split = 0>}
