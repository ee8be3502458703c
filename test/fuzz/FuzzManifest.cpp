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
                                               "\"distribution\"",
                                               "\"grid\"",
                                               "\"rank\"",
                                               "\"plan\"",
                                               "\"collectives\"",
                                               "\"reduction\"",
                                               "\"group\"",
                                               "\"segments\"",
                                               "\"send\"",
                                               "\"receive\"",
                                               "\"table\"",
                                               "\"from\"",
                                               "\"of\"",
                                               "\"block\"",
                                               "\"sum\"",
                                               "\"mean\"",
                                               "\"all_reduce\"",
                                               "\"reduce_scatter\"",
                                               "\"all_gather\"",
                                               "\"all_to_all\"",
                                               "-1",
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

static void require(bool condition) {
  if (!condition)
    std::abort();
}

/// A part lies within its tensor.
static void checkMember(const muon::Member &member,
                        const muon::Argument &argument) {
  const std::vector<int64_t> &shape = argument.shape;
  if (member.kind == muon::Member::Block || member.kind == muon::Member::Run) {
    const bool isRun = member.kind == muon::Member::Run;
    const std::vector<int64_t> &block = isRun ? member.block : shape;
    require(block.size() == member.of.size() &&
            block.size() == member.offset.size());
    int64_t all = 1;
    for (size_t i = 0; i < block.size(); ++i) {
      require(block[i] <= member.of[i] && member.offset[i] >= 0 &&
              member.offset[i] <= member.of[i] - block[i]);
      require(!__builtin_mul_overflow(all, block[i], &all));
    }
    const auto elements = int64_t(argument.elements);
    require(!isRun || (member.from >= 0 && elements <= all &&
                       member.from <= all - elements));
  } else if (member.kind == muon::Member::Rows) {
    require(!shape.empty() && member.begin >= 0 && member.end <= member.rows &&
            member.end - member.begin == shape[0]);
  }
}

/// All numbers are places and segments that there are.
static void checkCollective(const muon::Collective &collective,
                            const muon::Distribution &distribution) {
  auto size = int32_t(collective.group.size());
  require(collective.place >= 0 && collective.place < size &&
          collective.group[size_t(collective.place)] == distribution.rank);
  for (int32_t rank : collective.group)
    require(rank >= 0 && rank < distribution.ranks);
  int64_t bytes = 0;
  for (const muon::Collective::Segment &segment : collective.segments) {
    require(segment.elements >= 0 && segment.from >= -1 && segment.to >= -1 &&
            segment.from < size && segment.to < size);
    require(!__builtin_add_overflow(bytes, segment.elements, &bytes) &&
            bytes <= INT64_MAX / 8);
  }
  for (const auto *operands : {&collective.send, &collective.receive})
    for (const muon::Collective::Operand &operand : *operands)
      for (int32_t segment : operand.segments)
        require(segment >= 0 && size_t(segment) < collective.segments.size());
}

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
  for (const muon::Argument &argument : manifest.arguments)
    if (argument.params && argument.role <= MUON_ROLE_MASTER)
      for (const muon::Member &member : manifest.params[*argument.params])
        checkMember(member, argument);
  if (manifest.distribution)
    for (const muon::Collective &collective :
         manifest.distribution->collectives)
      checkCollective(collective, *manifest.distribution);
  return 0;
}
