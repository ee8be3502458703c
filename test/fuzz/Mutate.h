//===- Mutate.h - Mutations that know tokens -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_TEST_FUZZ_MUTATE_H
#define MUON_MLIR_TEST_FUZZ_MUTATE_H

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

/// libFuzzer's own mutation, of bytes.
extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maxSize);

namespace muon::fuzz {

class Random {
public:
  explicit Random(unsigned seed) : engine(seed) {}

  /// Below `end`; 0 if that is 0.
  size_t below(size_t end) { return end ? engine() % end : 0; }
  bool oneIn(size_t n) { return below(n) == 0; }
  template <typename Range>
  const auto &pick(const Range &range) {
    return *(std::begin(range) + below(std::size(range)));
  }

private:
  std::mt19937 engine;
};

/// A number at which code is likely to go wrong.
std::string interestingNumber(Random &random);
uint64_t interestingInteger(Random &random);

/// Changes JSON or IR by a few edits of tokens and of what brackets enclose.
/// `words` are tokens to put in.
std::string mutateTokens(std::string_view text,
                         const std::vector<std::string> &words, Random &random);

/// `text` with something enclosed by brackets of `other`.
std::string spliceTokens(std::string_view text, std::string_view other,
                         Random &random);

/// Copies as much as fits; returns its size.
size_t store(std::string_view text, uint8_t *data, size_t maxSize);

/// To be called for input that is refused. Seeds have to be good, which
/// scripts/fuzz.sh finds out by setting MUON_FUZZ_SEEDS: then this aborts.
void refused(std::string_view reason);

inline std::string_view asText(const uint8_t *data, size_t size) {
  return {reinterpret_cast<const char *>(data), size};
}

} // namespace muon::fuzz

/// Defines the mutator and the crossover of a format that is only tokens.
#define MUON_FUZZ_TOKENS(WORDS)                                                \
  extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,        \
                                            size_t maxSize, unsigned seed) {   \
    muon::fuzz::Random random(seed);                                           \
    if (random.oneIn(10))                                                      \
      return LLVMFuzzerMutate(data, size, maxSize);                            \
    return muon::fuzz::store(                                                  \
        muon::fuzz::mutateTokens(muon::fuzz::asText(data, size), WORDS,        \
                                 random),                                      \
        data, maxSize);                                                        \
  }                                                                            \
  extern "C" size_t LLVMFuzzerCustomCrossOver(                                 \
      const uint8_t *first, size_t firstSize, const uint8_t *second,           \
      size_t secondSize, uint8_t *out, size_t maxSize, unsigned seed) {        \
    muon::fuzz::Random random(seed);                                           \
    return muon::fuzz::store(                                                  \
        muon::fuzz::spliceTokens(muon::fuzz::asText(first, firstSize),         \
                                 muon::fuzz::asText(second, secondSize),       \
                                 random),                                      \
        out, maxSize);                                                         \
  }

#endif // MUON_MLIR_TEST_FUZZ_MUTATE_H
