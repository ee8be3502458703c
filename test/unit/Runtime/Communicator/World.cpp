//===- World.cpp - Ranks for tests of communicators -----------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "World.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <thread>

using namespace muon;

std::string World::run(const std::function<std::string(Communicator &)> &body) {
  std::vector<std::string> results(communicators.size());
  std::vector<std::thread> threads;
  for (size_t i = 1; i < communicators.size(); ++i)
    threads.emplace_back([&, i] { results[i] = body(*communicators[i]); });
  results[0] = body(*communicators[0]);
  for (std::thread &thread : threads)
    thread.join();
  std::string text;
  for (size_t i = 0; i < results.size(); ++i)
    if (!results[i].empty())
      text += "rank " + std::to_string(communicators[i]->rank()) + ": " +
              results[i] + "\n";
  return text;
}

std::vector<int32_t> muon::firstRanks(int32_t count) {
  std::vector<int32_t> ranks(static_cast<size_t>(count));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

static int64_t bytesOf(MuonType type) {
  return type == MUON_TYPE_F64 ? 8 : type == MUON_TYPE_F32 ? 4 : 2;
}

/// The nearest number with `digits` binary digits, the last of which counts at
/// least 2^least; infinity from 2^limit on.
static double roundTo(double value, int digits, int least, int limit) {
  if (value == 0 || !std::isfinite(value))
    return value;
  int exponent = 0;
  std::frexp(value, &exponent);
  double unit = std::ldexp(1.0, std::max(exponent - digits, least));
  double rounded = std::nearbyint(value / unit) * unit;
  if (std::fabs(rounded) >= std::ldexp(1.0, limit))
    return std::copysign(std::numeric_limits<double>::infinity(), value);
  return rounded;
}

template <typename T>
static std::vector<char> bitsOf(T value) {
  std::vector<char> bits(sizeof(T));
  std::memcpy(bits.data(), &value, sizeof(T));
  return bits;
}

std::vector<char> muon::encode(MuonType type, double value) {
  if (type == MUON_TYPE_F64)
    return bitsOf(value);
  if (type == MUON_TYPE_F32)
    return bitsOf(float(value));
  if (type == MUON_TYPE_BF16) {
    auto exact = float(roundTo(value, 8, -133, 128));
    uint32_t bits;
    std::memcpy(&bits, &exact, sizeof(bits));
    return bitsOf(uint16_t(bits >> 16));
  }
  double exact = roundTo(value, 11, -24, 16);
  uint16_t sign = std::signbit(exact) ? 0x8000 : 0;
  exact = std::fabs(exact);
  if (std::isnan(exact))
    return bitsOf(uint16_t(sign | 0x7e00));
  if (std::isinf(exact))
    return bitsOf(uint16_t(sign | 0x7c00));
  if (exact < std::ldexp(1.0, -14))
    return bitsOf(uint16_t(sign | uint16_t(std::ldexp(exact, 24))));
  int exponent = 0;
  double fraction = std::frexp(exact, &exponent);
  return bitsOf(uint16_t(sign | uint16_t((exponent + 14) << 10) |
                         (uint16_t(std::ldexp(fraction, 11)) & 0x3ff)));
}

double muon::decode(MuonType type, const char *bits) {
  if (type == MUON_TYPE_F64) {
    double value;
    std::memcpy(&value, bits, sizeof(value));
    return value;
  }
  if (type == MUON_TYPE_F32) {
    float value;
    std::memcpy(&value, bits, sizeof(value));
    return double(value);
  }
  uint16_t half;
  std::memcpy(&half, bits, sizeof(half));
  int digits = type == MUON_TYPE_BF16 ? 7 : 10;
  int bias = type == MUON_TYPE_BF16 ? 127 : 15;
  int exponent = (half & 0x7fff) >> digits;
  int fraction = half & ((1 << digits) - 1);
  double sign = half & 0x8000 ? -1 : 1;
  if (exponent == 2 * bias + 1)
    return fraction ? std::nan("")
                    : sign * std::numeric_limits<double>::infinity();
  if (!exponent)
    return sign * std::ldexp(fraction, 1 - bias - digits);
  return sign * std::ldexp(fraction + (1 << digits), exponent - bias - digits);
}

static uint64_t scramble(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/// Sums of such values depend on the order of their terms.
std::vector<char> muon::elementOf(const Trial::Options &options, int32_t rank,
                                  size_t segment, int64_t index) {
  uint64_t random = scramble(options.seed * 1000003 +
                             scramble(uint64_t(rank) << 40 ^ segment << 56 ^
                                      segment ^ scramble(uint64_t(index))));
  double fraction = std::ldexp(double(random >> 11), -53) - 0.5;
  return encode(options.type,
                fraction * std::ldexp(1.0, int(random % 24) - 12));
}

//===----------------------------------------------------------------------===//
// Trial
//===----------------------------------------------------------------------===//

static constexpr size_t kGuard = 64;

/// Elements after which values repeat, so that large segments cost little: a
/// prime, so that no part of a segment is taken for another.
static constexpr int64_t kPeriod = 1021;

static void repeat(std::vector<char> &bytes, size_t total) {
  size_t period = bytes.size();
  bytes.resize(total);
  for (size_t i = period; i < total; ++i)
    bytes[i] = bytes[i - period];
}

static bool isReduction(Collective::Kind kind) {
  return kind == Collective::AllReduce || kind == Collective::ReduceScatter;
}

bool Trial::has(size_t index, bool isReceived) const {
  const Collective::Segment &segment = collective.segments[index];
  bool isSent = isReduction(options.kind) || segment.from == collective.place;
  if (!isReceived)
    return isSent;
  if (options.kind == Collective::AllReduce)
    return true;
  if (options.kind == Collective::AllGather)
    // Some of what this rank has is wanted elsewhere, too.
    return !isSent || (index % 2 && !options.isInPlace);
  return segment.to == collective.place;
}

Trial::Trial(const Options &options, int32_t rank)
    : options(options), elementBytes(bytesOf(options.type)) {
  collective.kind = options.kind;
  collective.name = options.name;
  collective.type = options.type;
  collective.isMean = options.isMean;
  collective.group = options.group;
  auto ranks = int32_t(options.group.size());
  while (collective.group[size_t(collective.place)] != rank)
    ++collective.place;
  for (size_t i = 0; i < options.elements.size(); ++i) {
    Collective::Segment segment;
    segment.elements = options.elements[i];
    uint64_t random = scramble(options.seed + i);
    if (options.kind == Collective::AllGather ||
        options.kind == Collective::AllToAll)
      segment.from = int32_t(random % uint64_t(ranks));
    if (options.kind == Collective::ReduceScatter ||
        options.kind == Collective::AllToAll)
      segment.to = int32_t((random >> 32) % uint64_t(ranks));
    collective.segments.push_back(segment);
  }

  size_t count = options.elements.size();
  buffers.send.resize(count);
  buffers.receive.resize(count);
  struct Spot {
    bool isReceived;
    size_t segment, buffer, offset;
  };
  std::vector<Spot> spots;
  for (bool isReceived : {false, true}) {
    size_t first = memory.size();
    for (size_t i = 0; i < count; ++i) {
      if (!has(i, isReceived) ||
          (isReceived && has(i, false) && options.isInPlace))
        continue;
      if (memory.size() == first || !options.isContiguous)
        memory.emplace_back(kGuard, '\x5a');
      std::vector<char> &buffer = memory.back();
      spots.push_back({isReceived, i, memory.size() - 1, buffer.size()});
      auto bytes = size_t(options.elements[i] * elementBytes);
      std::vector<char> content(isReceived ? bytes : 0, '\x77');
      for (int64_t j = 0; j < kPeriod && content.size() < bytes; ++j) {
        std::vector<char> bits = elementOf(options, rank, i, j);
        content.insert(content.end(), bits.begin(), bits.end());
      }
      repeat(content, bytes);
      buffer.insert(buffer.end(), content.begin(), content.end());
    }
  }
  for (std::vector<char> &buffer : memory)
    buffer.insert(buffer.end(), kGuard, '\x5a');
  for (const Spot &spot : spots) {
    char *address = memory[spot.buffer].data() + spot.offset;
    if (spot.isReceived)
      buffers.receive[spot.segment] = address;
    else
      buffers.send[spot.segment] = address;
  }
  if (options.isInPlace && options.kind != Collective::AllGather)
    for (size_t i = 0; i < count; ++i)
      if (has(i, false) && has(i, true))
        buffers.receive[i] = const_cast<void *>(buffers.send[i]);
  before = memory;
}

std::vector<char> Trial::expected(size_t segment, bool &isWritten) const {
  const Collective::Segment &part = collective.segments[segment];
  isWritten = buffers.receive[segment];
  std::vector<char> bytes;
  for (int64_t i = 0; i < std::min(part.elements, kPeriod); ++i) {
    if (part.from >= 0) {
      std::vector<char> bits =
          elementOf(options, collective.group[size_t(part.from)], segment, i);
      bytes.insert(bytes.end(), bits.begin(), bits.end());
      continue;
    }
    double wide = 0;
    float narrow = 0;
    for (size_t j = 0; j < collective.group.size(); ++j) {
      double term =
          decode(options.type,
                 elementOf(options, collective.group[j], segment, i).data());
      wide = j ? wide + term : term;
      narrow = j ? narrow + float(term) : float(term);
    }
    if (options.isMean) {
      wide *= 1.0 / double(collective.group.size());
      narrow *= 1.0f / float(collective.group.size());
    }
    std::vector<char> bits = encode(
        options.type, options.type == MUON_TYPE_F64 ? wide : double(narrow));
    bytes.insert(bytes.end(), bits.begin(), bits.end());
  }
  repeat(bytes, size_t(part.elements * elementBytes));
  return bytes;
}

std::string Trial::verify() const {
  std::vector<std::vector<char>> wanted = before;
  for (size_t i = 0; i < collective.segments.size(); ++i) {
    bool isWritten = false;
    std::vector<char> bytes = expected(i, isWritten);
    if (!isWritten || bytes.empty())
      continue;
    auto *address = static_cast<const char *>(buffers.receive[i]);
    for (size_t j = 0; j < memory.size(); ++j)
      if (address >= memory[j].data() &&
          address < memory[j].data() + memory[j].size())
        std::copy(bytes.begin(), bytes.end(),
                  wanted[j].begin() + (address - memory[j].data()));
  }
  if (memory == wanted)
    return std::string();
  for (size_t j = 0; j < memory.size(); ++j)
    for (size_t k = 0; k < memory[j].size(); ++k)
      if (memory[j][k] != wanted[j][k])
        return options.name + ": buffer " + std::to_string(j) + " of " +
               std::to_string(memory.size()) + " differs at byte " +
               std::to_string(k) + " of " + std::to_string(memory[j].size());
  return std::string();
}

std::string Trial::execute(Communicator &communicator) {
  std::unique_ptr<Transfer> transfer;
  if (Error error = communicator.start(collective, buffers, transfer))
    return error.message();
  if (Error error = transfer->wait())
    return error.message();
  return verify();
}
