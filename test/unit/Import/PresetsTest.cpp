//===- PresetsTest.cpp - The parameters of published models ---------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Import/Presets.h"

#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include "gtest/gtest.h"

#include <map>
#include <set>

using namespace mlir::muon;
using ::muon::DType;
using ::muon::TensorInfo;

namespace {

using Shape = std::vector<int64_t>;

std::vector<TensorInfo> get(llvm::StringRef name) {
  return llvm::cantFail(getPresetParameters(name));
}

int64_t countElements(const TensorInfo &info) {
  int64_t count = 1;
  for (int64_t size : info.shape)
    count *= size;
  return count;
}

int64_t countParameters(llvm::ArrayRef<TensorInfo> parameters) {
  int64_t count = 0;
  for (const TensorInfo &info : parameters)
    count += countElements(info);
  return count;
}

/// The parameters by name; checks that names are not repeated.
std::map<std::string, TensorInfo> getByName(llvm::StringRef preset) {
  std::map<std::string, TensorInfo> result;
  for (TensorInfo &info : get(preset))
    EXPECT_TRUE(result.emplace(info.name, info).second) << info.name;
  return result;
}

// Totals are those that others have published, without what is in a file
// besides parameters.

TEST(Presets, GPT2) {
  std::vector<TensorInfo> parameters = get("gpt2-124m");
  // 137,022,720 elements of F32, of which twelve causal masks of 1024×1024:
  // metadata of huggingface.co/openai-community/gpt2.
  EXPECT_EQ(countParameters(parameters), 137'022'720 - 12 * 1024 * 1024);
  EXPECT_EQ(parameters.size(), 148u);

  auto tensors = getByName("gpt2-124m");
  EXPECT_EQ(tensors.at("wte.weight").shape, Shape({50257, 768}));
  EXPECT_EQ(tensors.at("wpe.weight").shape, Shape({1024, 768}));
  EXPECT_EQ(tensors.at("h.0.attn.c_attn.weight").shape, Shape({768, 2304}));
  EXPECT_EQ(tensors.at("h.11.mlp.c_proj.weight").shape, Shape({3072, 768}));
  EXPECT_EQ(tensors.at("h.11.mlp.c_fc.bias").shape, Shape({3072}));
  EXPECT_EQ(tensors.at("ln_f.bias").shape, Shape({768}));
  for (const TensorInfo &info : parameters)
    EXPECT_EQ(info.dtype, DType::F32) << info.name;
}

TEST(Presets, Llama2) {
  std::vector<TensorInfo> parameters = get("llama2-7b");
  // 13,476,835,328 bytes, of which rotary_emb.inv_freq of 64 elements in each
  // layer: model.safetensors.index.json of meta-llama/Llama-2-7b-hf.
  EXPECT_EQ(2 * (countParameters(parameters) + 32 * 64), 13'476'835'328);
  EXPECT_EQ(parameters.size(), 291u);

  auto tensors = getByName("llama2-7b");
  EXPECT_EQ(tensors.at("model.embed_tokens.weight").shape,
            Shape({32000, 4096}));
  EXPECT_EQ(tensors.at("model.layers.31.self_attn.k_proj.weight").shape,
            Shape({4096, 4096}));
  EXPECT_EQ(tensors.at("model.layers.0.mlp.up_proj.weight").shape,
            Shape({11008, 4096}));
  EXPECT_EQ(tensors.at("model.layers.0.mlp.down_proj.weight").shape,
            Shape({4096, 11008}));
  EXPECT_EQ(tensors.at("model.norm.weight").shape, Shape({4096}));
  for (const TensorInfo &info : parameters)
    EXPECT_EQ(info.dtype, DType::F16) << info.name;
}

TEST(Presets, Moonlight) {
  std::vector<TensorInfo> parameters = get("moonlight-16b-a3b");
  // 15,960,111,936 elements, of which rotary_emb.inv_freq of 64 in each layer:
  // metadata of huggingface.co/moonshotai/Moonlight-16B-A3B. The number of
  // tensors is in NVIDIA-NeMo/Megatron-Bridge#1838.
  EXPECT_EQ(countParameters(parameters), 15'960'111'936 - 27 * 64);
  EXPECT_EQ(parameters.size(), 5317u);

  auto tensors = getByName("moonlight-16b-a3b");
  EXPECT_EQ(tensors.at("model.layers.0.self_attn.q_proj.weight").shape,
            Shape({3072, 2048}));
  EXPECT_EQ(tensors.count("model.layers.0.self_attn.q_a_proj.weight"), 0u);
  EXPECT_EQ(tensors.at("model.layers.0.mlp.gate_proj.weight").shape,
            Shape({11264, 2048}));
  EXPECT_EQ(tensors.count("model.layers.0.mlp.gate.weight"), 0u);
  EXPECT_EQ(tensors.count("model.layers.1.mlp.gate_proj.weight"), 0u);
  EXPECT_EQ(tensors.at("model.layers.1.mlp.gate.weight").shape,
            Shape({64, 2048}));
  EXPECT_EQ(tensors.at("model.layers.26.mlp.experts.63.down_proj.weight").shape,
            Shape({2048, 1408}));
  EXPECT_EQ(tensors.count("model.layers.26.mlp.experts.64.down_proj.weight"),
            0u);
  EXPECT_EQ(
      tensors.at("model.layers.26.mlp.shared_experts.up_proj.weight").shape,
      Shape({2816, 2048}));
  EXPECT_EQ(tensors.at("lm_head.weight").dtype, DType::BF16);
}

TEST(Presets, KimiK2) {
  std::vector<TensorInfo> parameters = get("kimi-k2-1t");
  EXPECT_EQ(parameters.size(), 69'975u);
  EXPECT_EQ(countParameters(parameters), 1'026'408'232'448);

  // 1,026,470,731,056 elements, of which rotary_emb.inv_freq of 56 in each
  // layer and the scales of the 128×128 blocks of all matrices that are
  // quantized: metadata of huggingface.co/moonshotai/Kimi-K2-Base.
  int64_t scales = 0;
  for (const TensorInfo &info : parameters) {
    llvm::StringRef name = info.name;
    if (info.shape.size() == 2 && !name.ends_with(".mlp.gate.weight") &&
        name != "model.embed_tokens.weight" && name != "lm_head.weight")
      scales += llvm::divideCeil(info.shape[0], 128) *
                llvm::divideCeil(info.shape[1], 128);
  }
  EXPECT_EQ(countParameters(parameters) + scales + 61 * 56, 1'026'470'731'056);

  auto tensors = getByName("kimi-k2-1t");
  std::string attention = "model.layers.60.self_attn.";
  EXPECT_EQ(tensors.at(attention + "q_a_proj.weight").shape,
            Shape({1536, 7168}));
  EXPECT_EQ(tensors.at(attention + "q_a_layernorm.weight").shape,
            Shape({1536}));
  EXPECT_EQ(tensors.at(attention + "q_b_proj.weight").shape,
            Shape({12288, 1536}));
  EXPECT_EQ(tensors.at(attention + "kv_a_proj_with_mqa.weight").shape,
            Shape({576, 7168}));
  EXPECT_EQ(tensors.at(attention + "kv_a_layernorm.weight").shape,
            Shape({512}));
  EXPECT_EQ(tensors.at(attention + "kv_b_proj.weight").shape,
            Shape({16384, 512}));
  EXPECT_EQ(tensors.at(attention + "o_proj.weight").shape, Shape({7168, 8192}));
  EXPECT_EQ(tensors.at("model.layers.1.mlp.experts.383.gate_proj.weight").shape,
            Shape({2048, 7168}));
  EXPECT_EQ(tensors.at("model.layers.1.mlp.gate.weight").dtype, DType::BF16);
  const TensorInfo &bias =
      tensors.at("model.layers.1.mlp.gate.e_score_correction_bias");
  EXPECT_EQ(bias.shape, Shape({384}));
  EXPECT_EQ(bias.dtype, DType::F32);
}

TEST(Presets, UnknownNameListsAll) {
  llvm::Expected<std::vector<TensorInfo>> parameters =
      getPresetParameters("gpt2");
  ASSERT_FALSE(parameters);
  EXPECT_EQ(llvm::toString(parameters.takeError()),
            "unknown preset 'gpt2'; expected one of gpt2-124m, llama2-7b, "
            "moonlight-16b-a3b, kimi-k2-1t");
}

std::string formatThousands(int64_t number) {
  std::string digits = std::to_string(number);
  for (int64_t i = static_cast<int64_t>(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(i, ",");
  return digits;
}

TEST(Presets, Documentation) {
  auto doc = llvm::MemoryBuffer::getFile(MUON_PRESETS_DOC);
  ASSERT_TRUE(doc);
  ASSERT_EQ(getPresetNames().size(), 4u);
  for (llvm::StringRef name : getPresetNames()) {
    std::vector<TensorInfo> parameters = get(name);
    std::set<Shape> shapes;
    int64_t matrices = 0;
    for (const TensorInfo &info : parameters)
      if (info.shape.size() == 2) {
        ++matrices;
        shapes.insert(info.shape);
      }
    std::string row = "| `" + name.str() + "` | " +
                      formatThousands(parameters.size()) + " | " +
                      formatThousands(countParameters(parameters)) + " | " +
                      formatThousands(matrices) + " | " +
                      std::to_string(shapes.size()) + " | ";
    EXPECT_TRUE((*doc)->getBuffer().contains(row)) << "expected: " << row;
  }
}

} // namespace
