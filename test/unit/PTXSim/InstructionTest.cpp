//===- InstructionTest.cpp - One instruction in a kernel ------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InstructionTest.h"

#include "ExactNumbers.h"

#include <algorithm>

using namespace muon::ptxsim;
using namespace muon::ptxsim::test;

namespace {

constexpr unsigned blockSize = 128;

struct TypeInfo {
  const char *name;
  /// Of the register, of the load and store.
  const char *declared, *moved;
  unsigned bytes, bits;
};

constexpr TypeInfo types[] = {
    {"b8", "b16", "b8", 1, 8},       {"u8", "u16", "u8", 1, 8},
    {"s8", "s16", "s8", 1, 8},       {"b16", "b16", "b16", 2, 16},
    {"u16", "u16", "u16", 2, 16},    {"s16", "s16", "s16", 2, 16},
    {"f16", "b16", "b16", 2, 16},    {"bf16", "b16", "b16", 2, 16},
    {"b32", "b32", "b32", 4, 32},    {"u32", "u32", "u32", 4, 32},
    {"s32", "s32", "s32", 4, 32},    {"f16x2", "b32", "b32", 4, 32},
    {"bf16x2", "b32", "b32", 4, 32}, {"tf32", "b32", "b32", 4, 32},
    {"f32", "f32", "f32", 4, 32},    {"b64", "b64", "b64", 8, 64},
    {"u64", "u64", "u64", 8, 64},    {"s64", "s64", "s64", 8, 64},
    {"f64", "f64", "f64", 8, 64},    {"pred", "pred", "u32", 4, 1},
};

const TypeInfo &typeInfo(const std::string &name) {
  std::string plain = name.substr(0, name.find('<'));
  for (const TypeInfo &type : types)
    if (plain == type.name)
      return type;
  ADD_FAILURE() << "no such type: " << name;
  return types[0];
}

std::shared_ptr<const Module> parse(const std::string &text) {
  std::vector<ParseError> errors;
  auto module = Module::parse(text, "test.ptx", errors);
  for (const ParseError &error : errors)
    ADD_FAILURE() << error.message << "\n  line " << error.line << ": "
                  << error.text;
  if (!module && errors.empty())
    ADD_FAILURE() << "rejected without an error:\n" << text;
  return errors.empty() ? module : nullptr;
}

/// False if the kernel was not accepted.
bool launch(const Kernel &kernel, LaunchResult &result,
            std::vector<uint8_t> &output) {
  auto module = parse(kernel.text());
  if (!module)
    return false;
  Device device;
  // No allocation is empty.
  uint64_t in = device.allocate(kernel.input.size() + 16, "in");
  uint64_t out = device.allocate(kernel.outputBytes + 16, "out");
  device.write(in, kernel.input.data(), kernel.input.size());
  if (!kernel.output.empty())
    device.write(out, kernel.output.data(), kernel.output.size());
  Parameters parameters;
  parameters.add(in).add(out);
  LaunchOptions options = kernel.options;
  options.hostThreads = 1;
  result = device.launch(module, "test", parameters, options);
  if (!result.findings.empty())
    return true;
  uint64_t missing = device.undefinedBytes(out, kernel.outputBytes);
  EXPECT_EQ(missing, 0u) << "bytes of the output were never written";
  output.resize(kernel.outputBytes);
  EXPECT_TRUE(device.read(out, output.data(), output.size()));
  return true;
}

std::string hex(const Values &values) {
  std::string text;
  for (uint64_t value : values) {
    char buffer[32];
    std::snprintf(buffer, sizeof(buffer), " 0x%llx",
                  static_cast<unsigned long long>(value));
    text += buffer;
  }
  return text;
}

/// Values of a type that are likely to be special to some instruction.
std::vector<uint64_t> edgesOf(const std::string &name) {
  std::string type = name.substr(0, name.find('<'));
  unsigned bits = bitsOfType(type);
  if (type == "pred")
    return {0, 1};
  if (type == "f16x2" || type == "bf16x2") {
    std::vector<uint64_t> half = edgesOf(type == "f16x2" ? "f16" : "bf16"),
                          result;
    for (size_t i = 0; i < half.size(); ++i)
      result.push_back(half[i] | half[(i * 7 + 3) % half.size()] << 16);
    return result;
  }
  if (type[0] == 'f' || type == "bf16" || type == "tf32") {
    exact::Format format = type == "f16"    ? exact::f16Format
                           : type == "bf16" ? exact::bf16Format
                           : type == "f64"  ? exact::f64Format
                                            : exact::f32Format;
    std::vector<uint64_t> result = exact::edges(format);
    uint64_t infinity = format.infinity();
    for (uint64_t special :
         {infinity, infinity | format.sign(), infinity | 1,
          infinity | infinity >> 1, infinity | format.sign() | infinity >> 1,
          infinity | (uint64_t(1) << (format.fractionBits - 1)) | 5})
      result.push_back(special & (format.sign() | (format.sign() - 1)));
    return result;
  }
  std::vector<uint64_t> result;
  for (uint64_t value :
       {uint64_t(0), uint64_t(1), uint64_t(2), uint64_t(3), uint64_t(7),
        uint64_t(31), uint64_t(32), uint64_t(33), uint64_t(64), ~uint64_t(0),
        ~uint64_t(1), uint64_t(1) << (bits - 1),
        (uint64_t(1) << (bits - 1)) - 1, (uint64_t(1) << (bits - 1)) + 1,
        uint64_t(0x5555555555555555), uint64_t(0x80808080ff7f0180),
        uint64_t(1) << (bits / 2), (uint64_t(1) << (bits / 2)) - 1})
    result.push_back(cut(value, bits));
  return result;
}

uint64_t randomOf(const std::string &name, Random &random) {
  size_t less = name.find('<');
  std::string type = name.substr(0, less);
  unsigned bits = bitsOfType(type);
  if (less != std::string::npos && random() % 8)
    return random() % std::stoul(name.substr(less + 1));
  if (random() % 4 == 0) {
    std::vector<uint64_t> edges = edgesOf(type);
    return edges[random() % edges.size()];
  }
  if (type == "f16")
    return exact::randomFinite(exact::f16Format, random);
  if (type == "bf16")
    return exact::randomFinite(exact::bf16Format, random);
  if (type == "f32" || type == "tf32")
    return exact::randomFinite(exact::f32Format, random);
  if (type == "f64")
    return exact::randomFinite(exact::f64Format, random);
  if (type == "f16x2" || type == "bf16x2") {
    std::string half = type.substr(0, type.size() - 2);
    return randomOf(half, random) | randomOf(half, random) << 16;
  }
  uint64_t value = random();
  switch (random() % 4) {
  case 0:
    value >>= random() % 64;
    break;
  case 1:
    value = uint64_t(int64_t(value) >> (random() % 64));
    break;
  default:
    break;
  }
  return cut(value, bits);
}

} // namespace

unsigned muon::ptxsim::test::bitsOfType(const std::string &type) {
  return typeInfo(type).bits;
}
bool muon::ptxsim::test::isSignedType(const std::string &type) {
  return type[0] == 's';
}

std::string Kernel::text() const {
  return target + ".address_size 64\n" + module + R"(
.visible .entry test(.param .u64 in, .param .u64 out)
{
  .reg .u64 %in, %out;
  .reg .u32 %thread, %index, %lane, %block, %blockThreads;
  ld.param.u64 %in, [in];
  ld.param.u64 %out, [out];
  cvta.to.global.u64 %in, %in;
  cvta.to.global.u64 %out, %out;
  mov.u32 %thread, %tid.x;
  mov.u32 %lane, %laneid;
  mov.u32 %block, %ctaid.x;
  mov.u32 %blockThreads, %ntid.x;
  mad.lo.u32 %index, %block, %blockThreads, %thread;
)" + body +
         "\n  ret;\n}\n";
}

std::vector<uint8_t> muon::ptxsim::test::run(const Kernel &kernel) {
  LaunchResult result;
  std::vector<uint8_t> output;
  if (!launch(kernel, result, output))
    return {};
  for (const Finding &finding : result.findings)
    ADD_FAILURE() << finding.text();
  return output;
}

std::vector<Finding> muon::ptxsim::test::findings(const Kernel &kernel) {
  LaunchResult result;
  std::vector<uint8_t> output;
  launch(kernel, result, output);
  return result.findings;
}

std::vector<Values> muon::ptxsim::test::runLanes(
    const std::string &instruction, const std::vector<std::string> &results,
    const std::vector<std::string> &sources,
    const std::vector<Values> &operands, const std::string &target,
    const std::string &module) {
  // Eight bytes for each operand and result.
  Kernel kernel;
  if (!target.empty())
    kernel.target = target;
  kernel.module = module;
  std::string &body = kernel.body;
  auto offset = [](size_t i) { return "+" + std::to_string(8 * i); };
  body = "  .reg .u64 %inAt, %outAt;\n  .reg .u32 %word;\n";
  body += "  mad.wide.u32 %inAt, %index, " +
          std::to_string(8 * sources.size()) + ", %in;\n";
  body += "  mad.wide.u32 %outAt, %index, " +
          std::to_string(8 * results.size()) + ", %out;\n";
  for (size_t i = 0; i < sources.size(); ++i) {
    const TypeInfo &type = typeInfo(sources[i]);
    std::string name = "%s" + std::to_string(i);
    body += "  .reg ." + std::string(type.declared) + " " + name + ";\n";
    if (type.bits == 1)
      body += "  ld.global.u32 %word, [%inAt" + offset(i) +
              "];\n  setp.ne.u32 " + name + ", %word, 0;\n";
    else
      body += "  ld.global." + std::string(type.moved) + " " + name +
              ", [%inAt" + offset(i) + "];\n";
  }
  for (size_t i = 0; i < results.size(); ++i)
    body += "  .reg ." + std::string(typeInfo(results[i]).declared) + " %d" +
            std::to_string(i) + ";\n";
  body += "  " + instruction + "\n";
  for (size_t i = 0; i < results.size(); ++i) {
    const TypeInfo &type = typeInfo(results[i]);
    std::string name = "%d" + std::to_string(i);
    if (type.bits == 1) {
      body += "  selp.u32 %word, 1, 0, " + name + ";\n";
      name = "%word";
    }
    body += "  st.global." + std::string(type.moved) + " [%outAt" + offset(i) +
            "], " + name + ";\n";
  }

  size_t padded = (operands.size() + blockSize - 1) / blockSize * blockSize;
  std::vector<uint64_t> input;
  for (size_t i = 0; i < padded; ++i)
    for (uint64_t value : operands[std::min(i, operands.size() - 1)])
      input.push_back(value);
  kernel.input = bytesOf(input);
  kernel.outputBytes = 8 * results.size() * padded;
  // The upper bytes of narrow results stay as they are.
  kernel.output.assign(kernel.outputBytes, 0);
  kernel.options.block = {blockSize, 1, 1};
  kernel.options.grid = {uint32_t(padded / blockSize), 1, 1};
  std::vector<uint64_t> output = valuesOf<uint64_t>(run(kernel));
  std::vector<Values> rows;
  if (output.empty())
    return rows;
  for (size_t i = 0; i < operands.size(); ++i)
    rows.emplace_back(output.begin() + i * results.size(),
                      output.begin() + (i + 1) * results.size());
  return rows;
}

std::vector<Values>
muon::ptxsim::test::makeOperands(const std::vector<std::string> &sources,
                                 size_t count, uint64_t seed) {
  Random random(seed * 1000 + sources.size());
  std::vector<Values> rows;
  // All pairs of edges, if they fit into half of the rows.
  std::vector<std::vector<uint64_t>> edges;
  size_t combinations = 1;
  for (const std::string &source : sources) {
    edges.push_back(edgesOf(source));
    combinations *= edges.back().size();
  }
  if (sources.size() <= 2 && combinations <= 3000)
    for (size_t i = 0; i < combinations; ++i) {
      Values row;
      size_t rest = i;
      for (const auto &list : edges) {
        row.push_back(list[rest % list.size()]);
        rest /= list.size();
      }
      rows.push_back(row);
    }
  for (size_t i = 0; i < count; ++i) {
    Values row;
    for (const std::string &source : sources)
      row.push_back(randomOf(source, random));
    rows.push_back(row);
  }
  return rows;
}

void muon::ptxsim::test::checkBy(const std::string &instruction,
                                 const std::vector<std::string> &results,
                                 const std::vector<std::string> &sources,
                                 const Judge &judge,
                                 const CheckOptions &options) {
  SCOPED_TRACE(instruction);
  std::vector<Values> operands = options.operands;
  for (Values &row : makeOperands(sources, options.count, options.seed))
    operands.push_back(std::move(row));
  if (options.adjust)
    for (Values &row : operands)
      options.adjust(row);
  std::vector<Values> actual = runLanes(instruction, results, sources, operands,
                                        options.target, options.module);
  unsigned failures = 0;
  for (size_t i = 0; i < actual.size() && failures < 3; ++i) {
    std::string problem = judge(operands[i], actual[i]);
    if (problem.empty())
      continue;
    ++failures;
    ADD_FAILURE() << "operands" << hex(operands[i]) << "\n  expected" << problem
                  << "\n  found" << hex(actual[i]);
  }
}

void muon::ptxsim::test::check(const std::string &instruction,
                               const std::vector<std::string> &results,
                               const std::vector<std::string> &sources,
                               const Definition &definition,
                               const CheckOptions &options) {
  checkBy(
      instruction, results, sources,
      [&](const Values &operands, const Values &actual) -> std::string {
        Values expected = definition(operands);
        for (size_t i = 0; i < expected.size(); ++i)
          expected[i] = cut(expected[i], bitsOfType(results[i]));
        return expected.empty() || expected == actual ? "" : hex(expected);
      },
      options);
}

void muon::ptxsim::test::checkOp(
    const std::string &name, const std::string &result,
    const std::vector<std::string> &sources,
    const std::function<uint64_t(const Values &)> &definition,
    const CheckOptions &options) {
  std::string text = name + " %d0";
  for (size_t i = 0; i < sources.size(); ++i)
    text += ", %s" + std::to_string(i);
  check(
      text + ";", {result}, sources,
      [&](const Values &operands) { return Values{definition(operands)}; },
      options);
}
