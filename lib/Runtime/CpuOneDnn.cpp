//===- CpuOneDnn.cpp - Products by oneDNN ---------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CpuOneDnn.h"

#if !MUON_HAS_ONEDNN

bool muon::oneDnnHasF32() { return false; }

bool muon::oneDnnHasBf16() { return false; }

bool muon::oneDnnProduct(OneDnnType, int64_t, int64_t, int64_t, const Operand &,
                         const Operand &, bool, float *, int64_t) {
  return false;
}

#else

#include <dlfcn.h>
#include <dnnl.h>

#include <array>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>

using namespace muon;

namespace {

template <typename T, dnnl_status_t (*destroy)(T *)>
struct Deleter {
  void operator()(T *object) const { destroy(object); }
};
using Descriptor =
    std::unique_ptr<dnnl_primitive_desc,
                    Deleter<dnnl_primitive_desc, dnnl_primitive_desc_destroy>>;
using Attributes =
    std::unique_ptr<dnnl_primitive_attr,
                    Deleter<dnnl_primitive_attr, dnnl_primitive_attr_destroy>>;
using Operations =
    std::unique_ptr<dnnl_post_ops,
                    Deleter<dnnl_post_ops, dnnl_post_ops_destroy>>;
using Primitive =
    std::unique_ptr<dnnl_primitive,
                    Deleter<dnnl_primitive, dnnl_primitive_destroy>>;
using Memory =
    std::unique_ptr<dnnl_memory, Deleter<dnnl_memory, dnnl_memory_destroy>>;
using Stream =
    std::unique_ptr<dnnl_stream, Deleter<dnnl_stream, dnnl_stream_destroy>>;

/// oneDNN takes its number of threads from OpenMP, where it is a variable of
/// the calling thread: one, as long as this lives. Libraries that were built
/// without OpenMP are left alone.
class OneThreadOfOpenMP {
public:
  OneThreadOfOpenMP() {
    if (!get || !set)
      return;
    before = get();
    if (before != 1)
      set(1);
  }
  ~OneThreadOfOpenMP() {
    if (before > 1)
      set(before);
  }
  OneThreadOfOpenMP(const OneThreadOfOpenMP &) = delete;
  OneThreadOfOpenMP &operator=(const OneThreadOfOpenMP &) = delete;

private:
  static int (*const get)();
  static void (*const set)(int);
  int before = 0;
};

int (*const OneThreadOfOpenMP::get)() =
    reinterpret_cast<int (*)()>(::dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
void (*const OneThreadOfOpenMP::set)(int) = reinterpret_cast<void (*)(int)>(
    ::dlsym(RTLD_DEFAULT, "omp_set_num_threads"));

/// A product that oneDNN has made code for. May be executed by several threads
/// at once, each with scratch memory of its own.
struct Code {
  dnnl_memory_desc_t a, b, out, scratch;
  Primitive primitive;
};

/// All that the code depends on.
using Shape = std::array<int64_t, 10>;

} // namespace

static dnnl_engine_t engine() {
  // Never destroyed: memory and code refer to it until the process ends.
  static dnnl_engine_t engine = [] {
    dnnl_engine_t result = nullptr;
    if (dnnl_engine_create(&result, dnnl_cpu, 0) != dnnl_success)
      result = nullptr;
    return result;
  }();
  return engine;
}

static bool describe(dnnl_memory_desc_t &desc, int64_t rows, int64_t columns,
                     dnnl_data_type_t type, int64_t stride, bool isTransposed) {
  dnnl_dims_t dims = {rows, columns}, strides = {stride, 1};
  if (isTransposed)
    std::swap(strides[0], strides[1]);
  return dnnl_memory_desc_init_by_strides(&desc, 2, dims, type, strides) ==
         dnnl_success;
}

/// Null if oneDNN refuses.
static std::unique_ptr<Code> makeCode(OneDnnType operandType, int64_t m,
                                      int64_t n, int64_t k, const Operand &a,
                                      const Operand &b, bool accumulates,
                                      int64_t stride) {
  dnnl_data_type_t type =
      operandType == OneDnnType::BF16 ? dnnl_bf16 : dnnl_f32;
  auto code = std::make_unique<Code>();
  if (!engine() || !describe(code->a, m, k, type, a.stride, a.isTransposed) ||
      !describe(code->b, k, n, type, b.stride, b.isTransposed) ||
      !describe(code->out, m, n, dnnl_f32, stride, false))
    return nullptr;
  dnnl_matmul_desc_t product;
  if (dnnl_matmul_desc_init(&product, &code->a, &code->b, nullptr,
                            &code->out) != dnnl_success)
    return nullptr;
  dnnl_primitive_attr_t rawAttributes = nullptr;
  if (dnnl_primitive_attr_create(&rawAttributes) != dnnl_success)
    return nullptr;
  Attributes attributes(rawAttributes);
  // oneDNN's own scratch memory would tie code to the thread that made it.
  if (dnnl_primitive_attr_set_scratchpad_mode(
          rawAttributes, dnnl_scratchpad_mode_user) != dnnl_success)
    return nullptr;
  dnnl_post_ops_t rawOperations = nullptr;
  if (accumulates) {
    if (dnnl_post_ops_create(&rawOperations) != dnnl_success)
      return nullptr;
    Operations operations(rawOperations);
    if (dnnl_post_ops_append_sum(rawOperations, 1.0f) != dnnl_success ||
        dnnl_primitive_attr_set_post_ops(rawAttributes, rawOperations) !=
            dnnl_success)
      return nullptr;
  }
  dnnl_primitive_desc_t rawDescriptor = nullptr;
  if (dnnl_primitive_desc_create(&rawDescriptor, &product, rawAttributes,
                                 engine(), nullptr) != dnnl_success)
    return nullptr;
  Descriptor descriptor(rawDescriptor);
  dnnl_primitive_t rawPrimitive = nullptr;
  if (dnnl_primitive_create(&rawPrimitive, rawDescriptor) != dnnl_success)
    return nullptr;
  code->primitive.reset(rawPrimitive);
  code->scratch =
      *dnnl_primitive_desc_query_md(rawDescriptor, dnnl_query_scratchpad_md, 0);
  return code;
}

/// The code for a shape, made once; null if oneDNN refuses.
static std::shared_ptr<const Code> findCode(OneDnnType type, int64_t m,
                                            int64_t n, int64_t k,
                                            const Operand &a, const Operand &b,
                                            bool accumulates, int64_t stride) {
  // Enough for any step; a process that meets more shapes starts anew.
  constexpr size_t limit = 4096;
  static std::mutex mutex;
  static std::map<Shape, std::shared_ptr<const Code>> cache;
  Shape shape = {
      int64_t(type),  m,           n,     k, a.stride, a.isTransposed, b.stride,
      b.isTransposed, accumulates, stride};
  std::lock_guard<std::mutex> lock(mutex);
  auto it = cache.find(shape);
  if (it != cache.end())
    return it->second;
  if (cache.size() >= limit)
    cache.clear();
  return cache
      .emplace(shape, makeCode(type, m, n, k, a, b, accumulates, stride))
      .first->second;
}

static Memory bindMemory(const dnnl_memory_desc_t &desc, const void *data) {
  dnnl_memory_t memory = nullptr;
  if (dnnl_memory_create(&memory, &desc, engine(), const_cast<void *>(data)) !=
      dnnl_success)
    return nullptr;
  return Memory(memory);
}

static bool hasIsa(dnnl_cpu_isa_t isa) {
  static const int effective = dnnl_get_effective_cpu_isa();
  return (effective & isa) == isa;
}

bool muon::oneDnnHasF32() { return hasIsa(dnnl_cpu_isa_avx512_core); }

bool muon::oneDnnHasBf16() { return hasIsa(dnnl_cpu_isa_avx512_core_bf16); }

bool muon::oneDnnProduct(OneDnnType type, int64_t m, int64_t n, int64_t k,
                         const Operand &a, const Operand &b, bool accumulates,
                         float *out, int64_t stride) {
  OneThreadOfOpenMP setting;
  std::shared_ptr<const Code> code =
      findCode(type, m, n, k, a, b, accumulates, stride);
  dnnl_stream_t rawStream = nullptr;
  if (!code || dnnl_stream_create(&rawStream, engine(),
                                  dnnl_stream_default_flags) != dnnl_success)
    return false;
  Stream stream(rawStream);

  std::unique_ptr<void, void (*)(void *)> scratch(nullptr, std::free);
  if (size_t bytes = dnnl_memory_desc_get_size(&code->scratch)) {
    void *memory = nullptr;
    if (::posix_memalign(&memory, 4096, bytes) != 0)
      return false;
    scratch.reset(memory);
  }
  Memory memories[] = {bindMemory(code->a, a.data), bindMemory(code->b, b.data),
                       bindMemory(code->out, out),
                       bindMemory(code->scratch, scratch.get())};
  for (const Memory &memory : memories)
    if (!memory)
      return false;
  const dnnl_exec_arg_t arguments[] = {
      {DNNL_ARG_SRC, memories[0].get()},
      {DNNL_ARG_WEIGHTS, memories[1].get()},
      {DNNL_ARG_DST, memories[2].get()},
      {DNNL_ARG_SCRATCHPAD, memories[3].get()}};
  return dnnl_primitive_execute(code->primitive.get(), rawStream, 4,
                                arguments) == dnnl_success &&
         dnnl_stream_wait(rawStream) == dnnl_success;
}

#endif // MUON_HAS_ONEDNN
