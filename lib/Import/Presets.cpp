//===- Presets.cpp - The parameters of published models -------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Import/Presets.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"

using namespace llvm;
using ::muon::DType;
using ::muon::TensorInfo;

namespace {

/// Collects parameters of one element type.
class ParameterList {
public:
  explicit ParameterList(DType dtype) : dtype(dtype) {}

  void add(const Twine &name, std::initializer_list<int64_t> shape) {
    add(name, shape, dtype);
  }
  void add(const Twine &name, std::initializer_list<int64_t> shape,
           DType dtype) {
    TensorInfo &info = parameters.emplace_back();
    info.name = name.str();
    info.dtype = dtype;
    info.shape = shape;
  }
  /// The three matrices of a gated feed-forward network, out×in.
  void addGatedMlp(const Twine &prefix, int64_t hidden, int64_t intermediate) {
    add(prefix + ".gate_proj.weight", {intermediate, hidden});
    add(prefix + ".up_proj.weight", {intermediate, hidden});
    add(prefix + ".down_proj.weight", {hidden, intermediate});
  }

  std::vector<TensorInfo> take() { return std::move(parameters); }

private:
  DType dtype;
  std::vector<TensorInfo> parameters;
};

//===----------------------------------------------------------------------===//
// Architectures: config.json's keys and the names of modules in transformers
//===----------------------------------------------------------------------===//

struct GPT2Config {
  DType dtype;
  int64_t nLayer, nEmbd, nPositions, vocabSize;
};

struct LlamaConfig {
  DType dtype;
  int64_t numHiddenLayers, hiddenSize, intermediateSize, vocabSize;
};

/// DeepSeek-V3: latent attention (MLA) and a mixture of experts (arXiv:
/// 2412.19437, section 2.1), without layers for the prediction of more tokens.
struct DeepSeekConfig {
  DType dtype;
  /// Of mlp.gate.e_score_correction_bias.
  DType correctionBiasDType;
  int64_t numHiddenLayers, firstKDenseReplace;
  int64_t hiddenSize, intermediateSize, vocabSize;
  int64_t numAttentionHeads;
  /// 0 stands for null: one matrix makes the queries.
  int64_t qLoraRank;
  int64_t kvLoraRank, qkNopeHeadDim, qkRopeHeadDim, vHeadDim;
  int64_t nRoutedExperts, nSharedExperts, moeIntermediateSize;
};

} // namespace

/// Matrices of blocks are in×out here (transformers' Conv1D); the output head
/// is the embedding.
static std::vector<TensorInfo> makeGPT2(const GPT2Config &config) {
  ParameterList list(config.dtype);
  int64_t e = config.nEmbd;
  list.add("wte.weight", {config.vocabSize, e});
  list.add("wpe.weight", {config.nPositions, e});
  auto addAffine = [&](const Twine &name, int64_t in, int64_t out) {
    list.add(name + ".weight", {in, out});
    list.add(name + ".bias", {out});
  };
  auto addNorm = [&](const Twine &name) {
    list.add(name + ".weight", {e});
    list.add(name + ".bias", {e});
  };
  for (int64_t i = 0; i < config.nLayer; ++i) {
    std::string layer = "h." + std::to_string(i);
    addNorm(layer + ".ln_1");
    addAffine(layer + ".attn.c_attn", e, 3 * e);
    addAffine(layer + ".attn.c_proj", e, e);
    addNorm(layer + ".ln_2");
    addAffine(layer + ".mlp.c_fc", e, 4 * e);
    addAffine(layer + ".mlp.c_proj", 4 * e, e);
  }
  addNorm("ln_f");
  return list.take();
}

static std::vector<TensorInfo> makeLlama(const LlamaConfig &config) {
  ParameterList list(config.dtype);
  int64_t hidden = config.hiddenSize;
  list.add("model.embed_tokens.weight", {config.vocabSize, hidden});
  for (int64_t i = 0; i < config.numHiddenLayers; ++i) {
    std::string layer = "model.layers." + std::to_string(i);
    for (StringRef projection : {"q_proj", "k_proj", "v_proj", "o_proj"})
      list.add(layer + ".self_attn." + projection + ".weight",
               {hidden, hidden});
    list.addGatedMlp(layer + ".mlp", hidden, config.intermediateSize);
    list.add(layer + ".input_layernorm.weight", {hidden});
    list.add(layer + ".post_attention_layernorm.weight", {hidden});
  }
  list.add("model.norm.weight", {hidden});
  list.add("lm_head.weight", {config.vocabSize, hidden});
  return list.take();
}

static std::vector<TensorInfo> makeDeepSeek(const DeepSeekConfig &config) {
  ParameterList list(config.dtype);
  int64_t hidden = config.hiddenSize;
  int64_t heads = config.numAttentionHeads;
  int64_t queries = heads * (config.qkNopeHeadDim + config.qkRopeHeadDim);
  list.add("model.embed_tokens.weight", {config.vocabSize, hidden});
  for (int64_t i = 0; i < config.numHiddenLayers; ++i) {
    std::string layer = "model.layers." + std::to_string(i);
    std::string attention = layer + ".self_attn.";
    if (config.qLoraRank) {
      list.add(attention + "q_a_proj.weight", {config.qLoraRank, hidden});
      list.add(attention + "q_a_layernorm.weight", {config.qLoraRank});
      list.add(attention + "q_b_proj.weight", {queries, config.qLoraRank});
    } else {
      list.add(attention + "q_proj.weight", {queries, hidden});
    }
    list.add(attention + "kv_a_proj_with_mqa.weight",
             {config.kvLoraRank + config.qkRopeHeadDim, hidden});
    list.add(attention + "kv_a_layernorm.weight", {config.kvLoraRank});
    list.add(
        attention + "kv_b_proj.weight",
        {heads * (config.qkNopeHeadDim + config.vHeadDim), config.kvLoraRank});
    list.add(attention + "o_proj.weight", {hidden, heads * config.vHeadDim});

    std::string mlp = layer + ".mlp";
    if (i < config.firstKDenseReplace) {
      list.addGatedMlp(mlp, hidden, config.intermediateSize);
    } else {
      list.add(mlp + ".gate.weight", {config.nRoutedExperts, hidden});
      list.add(mlp + ".gate.e_score_correction_bias", {config.nRoutedExperts},
               config.correctionBiasDType);
      for (int64_t expert = 0; expert < config.nRoutedExperts; ++expert)
        list.addGatedMlp(mlp + ".experts." + Twine(expert), hidden,
                         config.moeIntermediateSize);
      list.addGatedMlp(mlp + ".shared_experts", hidden,
                       config.nSharedExperts * config.moeIntermediateSize);
    }
    list.add(layer + ".input_layernorm.weight", {hidden});
    list.add(layer + ".post_attention_layernorm.weight", {hidden});
  }
  list.add("model.norm.weight", {hidden});
  list.add("lm_head.weight", {config.vocabSize, hidden});
  return list.take();
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

/// Source: huggingface.co/openai-community/gpt2, config.json. The file also
/// has the causal masks of attention, h.N.attn.bias of 1×1×1024×1024: buffers,
/// left out.
static std::vector<TensorInfo> makeGPT2Small() {
  GPT2Config config;
  config.dtype = DType::F32;
  config.nLayer = 12;
  config.nEmbd = 768;
  config.nPositions = 1024;
  config.vocabSize = 50257;
  return makeGPT2(config);
}

/// Source: huggingface.co/meta-llama/Llama-2-7b-hf, config.json. Queries and
/// keys have equally many heads. The file also has rotary_emb.inv_freq of 64
/// elements in each layer: buffers, left out.
static std::vector<TensorInfo> makeLlama2Small() {
  LlamaConfig config;
  config.dtype = DType::F16;
  config.numHiddenLayers = 32;
  config.hiddenSize = 4096;
  config.intermediateSize = 11008;
  config.vocabSize = 32000;
  return makeLlama(config);
}

/// Source: huggingface.co/moonshotai/Moonlight-16B-A3B, config.json
/// (arXiv:2502.16982). The file also has rotary_emb.inv_freq of 64 elements in
/// each layer: buffers, left out. That the correction bias is bf16 is not
/// stated by a source; only the listings of copies of the file, which show no
/// other type, say so.
static std::vector<TensorInfo> makeMoonlight() {
  DeepSeekConfig config;
  config.dtype = DType::BF16;
  config.correctionBiasDType = DType::BF16;
  config.numHiddenLayers = 27;
  config.firstKDenseReplace = 1;
  config.hiddenSize = 2048;
  config.intermediateSize = 11264;
  config.vocabSize = 163840;
  config.numAttentionHeads = 16;
  config.qLoraRank = 0;
  config.kvLoraRank = 512;
  config.qkNopeHeadDim = 128;
  config.qkRopeHeadDim = 64;
  config.vHeadDim = 128;
  config.nRoutedExperts = 64;
  config.nSharedExperts = 2;
  config.moeIntermediateSize = 1408;
  return makeDeepSeek(config);
}

/// Source: huggingface.co/moonshotai/Kimi-K2-Base, config.json
/// (arXiv:2507.20534). What is published is quantized: f8e4m3 matrices, each
/// with weight_scale_inv for blocks of 128×128. The preset has the bf16
/// matrices that these stand for, because nobody takes optimizer steps on the
/// former. Also left out: rotary_emb.inv_freq of 56 elements in each layer.
static std::vector<TensorInfo> makeKimiK2() {
  DeepSeekConfig config;
  config.dtype = DType::BF16;
  config.correctionBiasDType = DType::F32;
  config.numHiddenLayers = 61;
  config.firstKDenseReplace = 1;
  config.hiddenSize = 7168;
  config.intermediateSize = 18432;
  config.vocabSize = 163840;
  config.numAttentionHeads = 64;
  config.qLoraRank = 1536;
  config.kvLoraRank = 512;
  config.qkNopeHeadDim = 128;
  config.qkRopeHeadDim = 64;
  config.vHeadDim = 128;
  config.nRoutedExperts = 384;
  config.nSharedExperts = 1;
  config.moeIntermediateSize = 2048;
  return makeDeepSeek(config);
}

static constexpr StringRef names[] = {"gpt2-124m", "llama2-7b",
                                      "moonlight-16b-a3b", "kimi-k2-1t"};
static constexpr std::vector<TensorInfo> (*makers[])() = {
    makeGPT2Small, makeLlama2Small, makeMoonlight, makeKimiK2};
static_assert(std::size(names) == std::size(makers));

ArrayRef<StringRef> mlir::muon::getPresetNames() { return names; }

Expected<std::vector<TensorInfo>>
mlir::muon::getPresetParameters(StringRef name) {
  for (auto [known, make] : zip_equal(names, makers))
    if (name == known)
      return make();
  return createStringError("unknown preset '" + name + "'; expected one of " +
                           join(mlir::muon::getPresetNames(), ", "));
}
