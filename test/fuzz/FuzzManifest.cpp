//===- FuzzManifest.cpp - Fuzzes the reader of manifests -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Manifest.h"
#include "Mutate.h"
#include <cstdlib>
#include <set>

static const std::vector<std::string> words = {"\"format\"",
                                               "\"muon-artifact\"",
                                               "\"version\"",
                                               "\"host_api\"",
                                               "\"compiler\"",
                                               "\"target\"",
                                               "\"arch\"",
                                               "\"cpu\"",
                                               "\"features\"",
                                               "\"arena\"",
                                               "\"bytes\"",
                                               "\"alignment\"",
                                               "\"slots\"",
                                               "\"frozen\"",
                                               "\"params\"",
                                               "\"tensor\"",
                                               "\"begin\"",
                                               "\"end\"",
                                               "\"rows\"",
                                               "\"arguments\"",
                                               "\"role\"",
                                               "\"type\"",
                                               "\"shape\"",
                                               "\"slot\"",
                                               "\"group\"",
                                               "\"default\"",
                                               "\"weight\"",
                                               "\"gradient\"",
                                               "\"momentum\"",
                                               "\"exp_avg\"",
                                               "\"exp_avg_sq\"",
                                               "\"master\"",
                                               "\"step\"",
                                               "\"lr\"",
                                               "\"weight_decay\"",
                                               "\"beta\"",
                                               "\"clip_limit\"",
                                               "\"ok\"",
                                               "\"clip\"",
                                               "\"gradient_sums\"",
                                               "\"momentum_sums\"",
                                               "\"update_sums\"",
                                               "\"weight_sums\"",
                                               "\"f32\"",
                                               "\"bf16\"",
                                               "\"f16\"",
                                               "\"f64\"",
                                               "\"i64\"",
                                               "\"i1\"",
                                               "\"device\"",
                                               "\"isa\"",
                                               "\"sharedBytes\"",
                                               "\"code\"",
                                               "\"kind\"",
                                               "\"offset\"",
                                               "\"kernels\"",
                                               "\"name\"",
                                               "\"phase\"",
                                               "\"threads\"",
                                               "\"shared\"",
                                               "\"registers\"",
                                               "\"ptx\"",
                                               "\"cubin\"",
                                               "\"cuda\"",
                                               "\"sm_80\"",
                                               "\"sm_90a\"",
                                               "null",
                                               "true",
                                               "false",
                                               "\"\"",
                                               "\"\\u0000\"",
                                               "\"\\ud800\"",
                                               "[]",
                                               "{}",
                                               "0",
                                               "1",
                                               ",",
                                               ":"};

MUON_FUZZ_TOKENS(words)

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  muon::Manifest manifest;
  muon::Error error =
      muon::parseManifest(muon::fuzz::asText(data, size), manifest);
  if (error) {
    if (error.message().empty())
      std::abort();
    muon::fuzz::refused(error.message());
    return 0;
  }
  // What the rest of the runtime relies on.
  uint64_t slots = 0;
  std::set<uint64_t> used;
  for (const muon::Argument &argument : manifest.arguments) {
    slots += argument.slotCount;
    if (argument.slot > manifest.slots ||
        argument.slotCount > manifest.slots - argument.slot)
      std::abort();
    for (uint64_t slot = 0; slot < argument.slotCount; ++slot)
      if (!used.insert(argument.slot + slot).second)
        std::abort();
    if (muon::hasMembers(argument.role) !=
        (argument.params && *argument.params < manifest.params.size()))
      std::abort();
    if (argument.bytes / muonTypeSize(argument.type) != argument.elements)
      std::abort();
  }
  if (slots != manifest.slots)
    std::abort();
  return 0;
}
