//===- Report.cpp - Findings and counters as text -------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Execute.h"

#include <cstdio>

using namespace muon::ptxsim;

std::string muon::ptxsim::hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof(text), "0x%llx",
                static_cast<unsigned long long>(value));
  return text;
}

std::string muon::ptxsim::lanesText(uint32_t lanes) {
  std::string text;
  unsigned ranges = 0;
  for (unsigned l = 0; l < warpSize; ++l) {
    if (!(lanes >> l & 1))
      continue;
    unsigned end = l;
    while (end + 1 < warpSize && lanes >> (end + 1) & 1)
      ++end;
    text += ranges++ ? ", " : "";
    text += std::to_string(l);
    if (end != l)
      text += "-" + std::to_string(end);
    l = end;
  }
  if (!ranges)
    return "no lane";
  bool one = (lanes & (lanes - 1)) == 0;
  return (one ? "lane " : "lanes ") + text;
}

/// The line of the PTX, without the space around it.
static std::string lineText(const Program &program, unsigned line) {
  if (!line || line > program.lines.size())
    return {};
  std::string text = program.lines[line - 1];
  size_t begin = text.find_first_not_of(" \t"),
         end = text.find_last_not_of(" \t\r");
  if (begin == std::string::npos)
    return {};
  return text.substr(begin, end - begin + 1);
}

std::string muon::ptxsim::placeText(const Launch &launch, uint32_t line) {
  return "line " + std::to_string(line) + ": " + lineText(launch.program, line);
}

void muon::ptxsim::report(Block &block, Finding finding) {
  Launch &launch = block.launch;
  finding.instruction = lineText(launch.program, finding.line);
  std::lock_guard<std::mutex> lock(launch.mutex);
  for (Finding &known : launch.findings)
    if (known.kind == finding.kind && known.line == finding.line) {
      ++known.count;
      return;
    }
  if (launch.findings.size() >= launch.options.maxFindings) {
    launch.truncated = true;
    launch.stop = true;
    block.stopped = true;
    return;
  }
  launch.findings.push_back(std::move(finding));
}

void muon::ptxsim::report(Context &c, FindingKind kind, int lane,
                          std::string message, Space space, uint64_t address,
                          std::vector<std::string> notes) {
  Finding finding;
  finding.kind = kind;
  finding.kernel = c.launch->info.name;
  finding.line = c.op().line;
  finding.block = c.block->index;
  finding.warp = int(c.warp->index);
  finding.lane = lane;
  if (lane >= 0) {
    const Dim3 &size = c.launch->options.block;
    uint32_t thread = c.warp->index * warpSize + uint32_t(lane);
    finding.thread = {thread % size.x, thread / size.x % size.y,
                      thread / size.x / size.y};
  }
  finding.message = std::move(message);
  if (space != Space::Generic || address) {
    finding.space = spaceName(space);
    finding.address = address;
  }
  finding.notes = std::move(notes);
  report(*c.block, std::move(finding));
}

void muon::ptxsim::useUndefined(Context &c, uint32_t reg, uint32_t lanes,
                                const char *what) {
  std::vector<std::string> notes;
  if (uint32_t origin = c.frame->origins[reg])
    notes.push_back("it comes from " + placeText(*c.launch, origin));
  else
    notes.push_back("nothing wrote the register in this lane");
  std::string name;
  const Function &function = *c.frame->code.function;
  for (size_t i = 0; i < function.registers.size(); ++i)
    if (function.registers[i].type != Type::Pred &&
        c.frame->code.numbers[i] == reg)
      name = " " + function.registers[i].name;
  report(c, FindingKind::UndefinedValue, __builtin_ctz(lanes),
         "register" + name + " is used " + what +
             " but holds bits that were never written",
         Space::Generic, 0, std::move(notes));
  c.undefined[reg] &= ~lanes;
}

void muon::ptxsim::useUndefinedPredicate(Context &c, uint32_t reg,
                                         uint32_t lanes, const char *what) {
  std::string name;
  const Function &function = *c.frame->code.function;
  for (size_t i = 0; i < function.registers.size(); ++i)
    if (function.registers[i].type == Type::Pred &&
        c.frame->code.numbers[i] == reg)
      name = " " + function.registers[i].name;
  report(c, FindingKind::UndefinedValue, __builtin_ctz(lanes),
         "predicate" + name + " is used " + what + " but was never written");
  c.undefinedPredicates[reg] &= ~lanes;
}

const char *muon::ptxsim::findingName(FindingKind kind) {
  switch (kind) {
  case FindingKind::OutOfBounds:
    return "out-of-bounds";
  case FindingKind::Misaligned:
    return "misaligned";
  case FindingKind::ReadOnly:
    return "read-only";
  case FindingKind::UndefinedValue:
    return "undefined-value";
  case FindingKind::DataRace:
    return "data-race";
  case FindingKind::MissingAsyncWait:
    return "missing-async-wait";
  case FindingKind::BarrierMisuse:
    return "barrier-misuse";
  case FindingKind::WarpDivergence:
    return "warp-divergence";
  case FindingKind::Deadlock:
    return "deadlock";
  case FindingKind::NoProgress:
    return "no-progress";
  case FindingKind::Launch:
    return "launch";
  case FindingKind::Trap:
    return "trap";
  case FindingKind::InvalidOperand:
    return "invalid-operand";
  }
  return "";
}

std::string Finding::text() const {
  std::string text = findingName(kind);
  text += " in kernel '" + kernel + "'";
  if (line)
    text += ", line " + std::to_string(line) + ": " + instruction;
  text += "\n  " + message;
  auto triple = [](const Dim3 &d) {
    return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " +
           std::to_string(d.z) + ")";
  };
  if (warp >= 0) {
    text += "\n  block " + triple(block) + ", warp " + std::to_string(warp);
    if (lane >= 0)
      text += ", lane " + std::to_string(lane) + ", thread " + triple(thread);
  }
  if (!space.empty())
    text += "\n  " + space + " address " + hex(address);
  for (const std::string &note : notes)
    text += "\n  note: " + note;
  if (count > 1)
    text += "\n  " + std::to_string(count) + " times in all";
  return text + "\n";
}

const char *muon::ptxsim::instructionClassName(InstructionClass cls) {
  static constexpr const char *names[numInstructionClasses] = {
      "integer", "float",  "convert",   "logic",   "move",   "control",
      "memory",  "atomic", "warp_sync", "barrier", "tensor", "async"};
  return names[unsigned(cls)];
}

uint64_t Counters::totalWarpInstructions() const {
  uint64_t sum = 0;
  for (uint64_t count : warpInstructions)
    sum += count;
  return sum;
}

void Counters::add(const Counters &other) {
  for (unsigned i = 0; i < numInstructionClasses; ++i) {
    warpInstructions[i] += other.warpInstructions[i];
    threadInstructions[i] += other.threadInstructions[i];
  }
  tensorFlops.f16 += other.tensorFlops.f16;
  tensorFlops.bf16 += other.tensorFlops.bf16;
  tensorFlops.tf32 += other.tensorFlops.tf32;
  tensorFlops.f64 += other.tensorFlops.f64;
  auto addTraffic = [](Traffic &to, const Traffic &from) {
    to.readBytes += from.readBytes;
    to.writtenBytes += from.writtenBytes;
  };
  addTraffic(global, other.global);
  addTraffic(shared, other.shared);
  addTraffic(local, other.local);
  addTraffic(constant, other.constant);
  addTraffic(parameter, other.parameter);
  asyncBytes += other.asyncBytes;
  globalRequests += other.globalRequests;
  globalSectors += other.globalSectors;
  globalSectorsIdeal += other.globalSectorsIdeal;
  sharedRequests += other.sharedRequests;
  sharedWavefronts += other.sharedWavefronts;
  sharedBankConflicts += other.sharedBankConflicts;
  barrierWaits += other.barrierWaits;
}

std::string Counters::json() const {
  std::string text = "{\n";
  auto number = [&](const char *name, uint64_t value, bool last = false) {
    text += std::string("  \"") + name + "\": " + std::to_string(value) +
            (last ? "\n" : ",\n");
  };
  auto classes = [&](const char *name, const auto &counts) {
    text += std::string("  \"") + name + "\": {";
    for (unsigned i = 0; i < numInstructionClasses; ++i)
      text += std::string(i ? ", " : "") + "\"" +
              instructionClassName(InstructionClass(i)) +
              "\": " + std::to_string(counts[i]);
    text += "},\n";
  };
  auto traffic = [&](const char *name, const Traffic &bytes) {
    text += std::string("  \"") + name +
            "\": {\"read_bytes\": " + std::to_string(bytes.readBytes) +
            ", \"written_bytes\": " + std::to_string(bytes.writtenBytes) +
            "},\n";
  };
  classes("warp_instructions", warpInstructions);
  classes("thread_instructions", threadInstructions);
  text += "  \"tensor_flops\": {\"f16\": " + std::to_string(tensorFlops.f16) +
          ", \"bf16\": " + std::to_string(tensorFlops.bf16) +
          ", \"tf32\": " + std::to_string(tensorFlops.tf32) +
          ", \"f64\": " + std::to_string(tensorFlops.f64) + "},\n";
  traffic("global", global);
  traffic("shared", shared);
  traffic("local", local);
  traffic("constant", constant);
  traffic("parameter", parameter);
  number("async_bytes", asyncBytes);
  number("global_requests", globalRequests);
  number("global_sectors", globalSectors);
  number("global_sectors_ideal", globalSectorsIdeal);
  number("shared_requests", sharedRequests);
  number("shared_wavefronts", sharedWavefronts);
  number("shared_bank_conflicts", sharedBankConflicts);
  number("barrier_waits", barrierWaits, true);
  return text + "}\n";
}
