//===- FuzzRules.cpp - Fuzzes the rules file -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Mutate.h"
#include "muon-mlir/Import/Rules.h"
#include <cstdlib>
#include <set>

using namespace mlir::muon::rules;

static const std::vector<std::string> words = {"\"muon\"",
                                               "\"adamw\"",
                                               "\"clip_global_norm\"",
                                               "\"skip_nonfinite\"",
                                               "\"grad_type\"",
                                               "\"state_type\"",
                                               "\"rules\"",
                                               "\"momentum\"",
                                               "\"momentum_form\"",
                                               "\"nesterov\"",
                                               "\"weight_decay\"",
                                               "\"schedule\"",
                                               "\"steps\"",
                                               "\"safety\"",
                                               "\"eps\"",
                                               "\"compute\"",
                                               "\"iteration\"",
                                               "\"scale\"",
                                               "\"lr_multiplier\"",
                                               "\"transposed\"",
                                               "\"split\"",
                                               "\"restarts\"",
                                               "\"master\"",
                                               "\"betas\"",
                                               "\"match\"",
                                               "\"group\"",
                                               "\"optimizer\"",
                                               "\"grid\"",
                                               "\"sharding\"",
                                               "\"unreduced\"",
                                               "\"strategy\"",
                                               "\"axes\"",
                                               "\"reduction\"",
                                               "\"dp\"",
                                               "\"tp\"",
                                               "\"fsdp\"",
                                               "{\"dp\": 2, \"tp\": 3}",
                                               "[[\"tp\"], []]",
                                               "\"mean\"",
                                               "\"sum\"",
                                               "\"own\"",
                                               "\"distributed_gram\"",
                                               "\"heavy_ball\"",
                                               "\"ema\"",
                                               "\"none\"",
                                               "\"original\"",
                                               "\"match_rms_adamw\"",
                                               "\"spectral\"",
                                               "{\"constant\": 0.5}",
                                               "\"auto\"",
                                               "\"f32\"",
                                               "\"tf32\"",
                                               "\"bf16\"",
                                               "\"f16\"",
                                               "\"direct\"",
                                               "\"gram\"",
                                               "\"same\"",
                                               "\"frozen\"",
                                               "\"keller_jordan\"",
                                               "\"polar_express\"",
                                               "[[3.4, -4.7, 2.0]]",
                                               "[16, 16, 16]",
                                               "\"(a|b)*[[:alpha:]]{2,3}$\"",
                                               "\"((a*)*)*\"",
                                               "\"[^\"",
                                               "\"(x{100}){100}\"",
                                               "\"\\\\1\"",
                                               "\"\\u006d\"",
                                               "null",
                                               "true",
                                               "false",
                                               "\"\"",
                                               "[]",
                                               "{}",
                                               "0",
                                               "1",
                                               ",",
                                               ":"};

MUON_FUZZ_TOKENS(words)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  llvm::Expected<Rules> rules =
      Rules::parse(llvm::StringRef(reinterpret_cast<const char *>(data), size));
  if (!rules) {
    std::string error = llvm::toString(rules.takeError());
    if (error.empty())
      std::abort();
    muon::fuzz::refused(error);
    return 0;
  }
  static constexpr ElementKind kinds[] = {
      ElementKind::F32, ElementKind::BF16, ElementKind::F16,
      ElementKind::OtherFloat, ElementKind::NonFloat};
  unsigned kind = 0;
  for (llvm::StringRef name : {"embed.weight", "layers.0.attn.qkv.weight",
                               "aaaaaaaaaaaaaaaaaaaaaaab", "norm.weight", ""})
    for (std::vector<int64_t> shape :
         {std::vector<int64_t>{48, 16}, {48}, {}, {2, 48, 16}, {0, 3}}) {
      llvm::Expected<ResolvedParam> param =
          rules->resolve(name, shape, kinds[kind++ % 5]);
      if (!param) {
        llvm::consumeError(param.takeError());
        continue;
      }
      if ((param->optimizer == OptimizerKind::Frozen) != param->group.empty())
        std::abort();
      if (param->optimizer == OptimizerKind::Muon &&
          param->muon.schedule.coefficients().empty())
        std::abort();
      if (!param->placement)
        continue;
      if (param->placement->splitAxes.size() != shape.size())
        std::abort();
      std::set<int64_t> used;
      auto use = [&](llvm::ArrayRef<int64_t> axes) {
        for (int64_t axis : axes)
          if (axis < 0 || size_t(axis) >= rules->getGrid().size() ||
              !used.insert(axis).second)
            std::abort();
      };
      for (const auto &axes : param->placement->splitAxes)
        use(axes);
      use(param->placement->unreducedAxes);
    }
  for (unsigned rule : rules->getUnmatchedRules())
    if (rule >= rules->getNumRules())
      std::abort();
  return 0;
}
