//===- SimTool.cpp - The muon-ptx-sim tool --------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/PTXSim/SimTool.h"

#include "../../Runtime/Text.h"
#include "Arguments.h"
#include "Options.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <ostream>

using namespace muon;
using namespace muon::ptxsim;

/// Text of files, without what moves a terminal's cursor.
static std::string printable(std::string_view text) {
  std::string safe;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f)
      safe += '?';
    else
      safe += c;
  }
  return safe;
}

/// On one line, cut where it would fill a terminal.
static std::string oneLine(std::string_view text) {
  constexpr size_t longest = 300;
  std::string line = printable(text.substr(0, longest));
  for (char &c : line)
    c = c == '\n' ? ' ' : c;
  return line + (text.size() > longest ? "..." : "");
}

static std::string dimText(const std::array<uint32_t, 3> &dim) {
  std::string text;
  for (size_t i = 0; i < dim.size() && dim[i]; ++i)
    text += (i ? "x" : "") + std::to_string(dim[i]);
  return text;
}

namespace {

/// What a run of one seed left behind.
struct Outcome {
  uint64_t seed = 0;
  /// By argument; empty for those that are no output.
  std::vector<std::vector<uint8_t>> outputs;
  std::string counters;
};

class Simulation {
public:
  Simulation(const SimOptions &options, std::ostream &out, std::ostream &err)
      : options(options), out(out), err(err) {}

  /// The exit code.
  int run();

private:
  static constexpr int inputError = 1, found = 2;

  int fail(const std::string &message) {
    out.flush();
    err << "muon-ptx-sim: error: " << printable(message) << std::endl;
    return inputError;
  }
  /// The kernel is not right, in a way that is no finding of the simulator.
  int reject(const std::string &message) {
    err << "muon-ptx-sim: " << printable(message) << std::endl;
    return found;
  }

  int checkOptions();
  int readModule();
  void listKernels();
  int selectKernel();
  int launch(uint64_t seed, Outcome &outcome);
  int checkMemory(const Device &device, const std::vector<uint64_t> &addresses,
                  Outcome &outcome);
  int compare(const Outcome &first, const Outcome &other);
  void compareCounters(const Outcome &first, const Outcome &other);
  int writeOutputs(const Outcome &outcome);

  const SimOptions &options;
  std::ostream &out, &err;
  std::shared_ptr<const Module> module;
  const KernelInfo *kernel = nullptr;
  ArgumentReader reader;
};

} // namespace

int Simulation::checkOptions() {
  if (options.file.empty())
    return fail("no PTX file; see --help");
  if (options.list)
    return 0;
  if (!options.grid)
    return fail("--grid is missing");
  if (!options.block)
    return fail("--block is missing");
  if (options.trace && options.seeds.value_or(1) > 1)
    return fail("--trace and --seeds exclude each other");
  if (options.allowDifferences && !options.seeds)
    return fail("--allow-differences needs --seeds");
  return 0;
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

/// False, with a message, if the file cannot be read or is far too long.
static bool readText(const std::string &path, std::string &text,
                     std::string &error) {
  constexpr size_t longest = size_t(64) << 20;
  std::FILE *file = std::fopen(path.c_str(), "rb");
  if (!file) {
    error = path + ": cannot open: " + std::strerror(errno);
    return false;
  }
  std::vector<char> chunk(1 << 16);
  errno = 0;
  while (text.size() <= longest) {
    size_t count = std::fread(chunk.data(), 1, chunk.size(), file);
    if (!count)
      break;
    text.append(chunk.data(), count);
  }
  if (std::ferror(file))
    error = path + ": cannot read: " + std::strerror(errno);
  else if (text.size() > longest)
    error = path + ": file has more than " + std::to_string(longest) + " bytes";
  std::fclose(file);
  return error.empty();
}

int Simulation::readModule() {
  std::string text, error;
  if (!readText(options.file, text, error))
    return fail(error);
  std::vector<ParseError> errors;
  module = Module::parse(text, options.file, errors);
  if (module)
    return 0;
  unsigned shown = 0;
  for (const ParseError &wrong : errors) {
    err << printable(options.file) << ':' << wrong.line
        << ": error: " << oneLine(wrong.message) << '\n';
    if (!wrong.text.empty() && wrong.line != shown)
      err << "  " << oneLine(wrong.text) << '\n';
    shown = wrong.line;
  }
  err.flush();
  return inputError;
}

void Simulation::listKernels() {
  out << printable(module->name()) << ": PTX ISA " << module->isaVersion() / 10
      << '.' << module->isaVersion() % 10 << ", sm_" << module->target()
      << '\n';
  for (const KernelInfo &info : module->kernels()) {
    const KernelResources &needs = info.resources;
    out << "kernel " << info.name << "\n  live registers: " << needs.registers
        << "; bytes: " << needs.staticSharedBytes << " static shared, "
        << needs.localBytes << " local, " << needs.parameterBytes
        << " parameters\n";
    if (needs.requiredThreads[0])
      out << "  .reqntid " << dimText(needs.requiredThreads) << '\n';
    if (needs.maxThreads[0])
      out << "  .maxntid " << dimText(needs.maxThreads) << '\n';
    if (needs.maxRegisters)
      out << "  .maxnreg " << needs.maxRegisters << '\n';
    if (needs.minBlocksPerMultiprocessor)
      out << "  .minnctapersm " << needs.minBlocksPerMultiprocessor << '\n';
    for (const ParameterInfo &parameter : info.parameters)
      out << "  ." << parameter.type << ' ' << parameter.name << ": offset "
          << parameter.offset << ", size " << parameter.size << '\n';
  }
}

int Simulation::selectKernel() {
  const std::vector<KernelInfo> &kernels = module->kernels();
  std::vector<std::string> names;
  for (const KernelInfo &info : kernels)
    names.push_back(quote(info.name));
  if (kernels.empty())
    return fail(options.file + ": there is no kernel");
  if (!options.kernel && kernels.size() > 1)
    return fail(options.file + ": expected --kernel, there are " +
                listed(names, 8));
  kernel = options.kernel ? module->find(*options.kernel) : &kernels[0];
  if (!kernel)
    return fail(options.file + ": no kernel " + quote(*options.kernel) +
                ", there is " + listed(names, 8));
  if (!reader.read(options.arguments, *kernel))
    return fail(reader.error);
  bool hasOutput = false;
  for (const Argument &argument : reader.arguments)
    hasOutput |= argument.isOutput();
  if (options.output && !hasOutput)
    return fail("--output: no argument is inout, out or zero");
  return 0;
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

int Simulation::launch(uint64_t seed, Outcome &outcome) {
  Device device;
  std::vector<uint8_t> packed(kernel->resources.parameterBytes);
  std::vector<uint64_t> addresses(reader.arguments.size());
  for (size_t i = 0; i < reader.arguments.size(); ++i) {
    const Argument &argument = reader.arguments[i];
    const ParameterInfo &parameter = kernel->parameters[i];
    const void *from = argument.bytes.data();
    if (argument.isTensor()) {
      addresses[i] = device.allocate(argument.tensorBytes, argument.name);
      if (!addresses[i])
        return fail("cannot allocate " + std::to_string(argument.tensorBytes) +
                    " bytes for " + quote(argument.name));
      if (argument.source)
        device.write(addresses[i], argument.file->data(*argument.source),
                     argument.tensorBytes);
      else if (argument.kind == Argument::Kind::Zero)
        device.write(addresses[i],
                     std::vector<uint8_t>(argument.tensorBytes).data(),
                     argument.tensorBytes);
      from = &addresses[i];
    }
    std::memcpy(packed.data() + parameter.offset, from, parameter.size);
  }
  Parameters parameters;
  if (!packed.empty())
    parameters.addBytes(packed.data(), packed.size(), 1);

  LaunchOptions launch;
  launch.grid = *options.grid;
  launch.block = *options.block;
  launch.dynamicSharedBytes = uint32_t(options.sharedBytes.value_or(0));
  launch.seed = outcome.seed = seed;
  launch.detectRaces = !options.noRaces;
  launch.undefinedUse = options.undefinedUse.value_or(launch.undefinedUse);
  launch.hostThreads = unsigned(options.threads.value_or(0));
  launch.maxInstructions =
      options.maxInstructions.value_or(launch.maxInstructions);
  launch.trace = options.trace ? &err : nullptr;
  LaunchResult result = device.launch(module, kernel->name, parameters, launch);
  if (!result) {
    for (const Finding &finding : result.findings)
      err << printable(finding.text());
    std::string count =
        std::to_string(result.findings.size()) +
        (result.findings.size() == 1 ? " finding" : " findings");
    return reject(count + (result.truncated ? ", and more" : "") +
                  " with seed " + std::to_string(seed));
  }
  outcome.counters = result.counters.json();
  return checkMemory(device, addresses, outcome);
}

/// Reads what the kernel made of its tensors.
int Simulation::checkMemory(const Device &device,
                            const std::vector<uint64_t> &addresses,
                            Outcome &outcome) {
  int code = 0;
  outcome.outputs.resize(addresses.size());
  for (size_t i = 0; i < addresses.size(); ++i) {
    const Argument &argument = reader.arguments[i];
    uint64_t size = argument.elementBytes();
    if (!argument.isTensor() || !argument.tensorBytes)
      continue;
    std::vector<uint8_t> &bytes = outcome.outputs[i];
    bytes.resize(argument.tensorBytes);
    device.read(addresses[i], bytes.data(), bytes.size());
    uint64_t elements = bytes.size() / size, wrong = 0, first = 0;
    auto count = [&](auto &&isWrong) {
      for (uint64_t e = 0; e < elements; ++e)
        if (isWrong(e) && !wrong++)
          first = e;
    };
    auto summary = [&](const char *kind, const char *what) {
      code = reject(std::string(kind) + " " + quote(argument.name) + ": " +
                    std::to_string(wrong) + " of " + std::to_string(elements) +
                    " elements were " + what + ", the first is " +
                    argument.elementName(first) + ", with seed " +
                    std::to_string(outcome.seed));
    };
    if (argument.kind == Argument::Kind::In) {
      auto *before =
          static_cast<const uint8_t *>(argument.file->data(*argument.source));
      if (std::memcmp(before, bytes.data(), bytes.size()) != 0) {
        count([&](uint64_t e) {
          return std::memcmp(before + e * size, bytes.data() + e * size,
                             size) != 0;
        });
        summary("in", "changed by the kernel");
      }
      bytes.clear();
      bytes.shrink_to_fit();
    } else if (device.undefinedBytes(addresses[i], bytes.size())) {
      count([&](uint64_t e) {
        return device.undefinedBytes(addresses[i] + e * size, size) != 0;
      });
      summary("out", "never written");
    }
  }
  return code;
}

/// Outputs of two seeds, bit for bit.
int Simulation::compare(const Outcome &a, const Outcome &b) {
  for (size_t i = 0; i < a.outputs.size(); ++i) {
    const Argument &argument = reader.arguments[i];
    if (a.outputs[i] == b.outputs[i])
      continue;
    uint64_t size = argument.elementBytes(), wrong = 0, first = 0;
    uint64_t elements = a.outputs[i].size() / size;
    for (uint64_t e = 0; e < elements; ++e)
      if (std::memcmp(a.outputs[i].data() + e * size,
                      b.outputs[i].data() + e * size, size) != 0 &&
          !wrong++)
        first = e;
    auto value = [&](const Outcome &outcome) {
      return valueText(argument.dtype,
                       outcome.outputs[i].data() + first * size) +
             " with seed " + std::to_string(outcome.seed);
    };
    return reject("seeds differ: " + argument.elementName(first) + " is " +
                  value(a) + " and " + value(b) + "; " + std::to_string(wrong) +
                  " of " + std::to_string(elements) + " elements differ");
  }
  return 0;
}

/// Loops that wait for other threads take as long as those need, so that this
/// is no defect.
void Simulation::compareCounters(const Outcome &a, const Outcome &b) {
  const std::string &text = a.counters;
  size_t at = size_t(std::mismatch(text.begin(), text.end(), b.counters.begin(),
                                   b.counters.end())
                         .first -
                     text.begin());
  // The number at that place, the name before it, and that of the line.
  size_t number = text.rfind(' ', at) + 1;
  size_t nameEnd = text.rfind('"', number);
  size_t name = text.rfind('"', nameEnd - 1) + 1;
  size_t key = text.find('"', text.rfind('\n', number)) + 1;
  auto value = [&](const Outcome &outcome) {
    size_t end = outcome.counters.find_first_not_of("0123456789", number);
    return outcome.counters.substr(number, end - number) + " with seed " +
           std::to_string(outcome.seed);
  };
  err << "muon-ptx-sim: note: counters differ: "
      << (key == name ? "" : text.substr(key, text.find('"', key) - key) + ".")
      << text.substr(name, nameEnd - name) << " is " << value(a) << " and "
      << value(b) << std::endl;
}

int Simulation::writeOutputs(const Outcome &outcome) {
  std::vector<TensorToWrite> tensors;
  for (size_t i = 0; i < reader.arguments.size(); ++i) {
    const Argument &argument = reader.arguments[i];
    if (argument.isOutput())
      tensors.push_back({argument.name, argument.dtype, argument.shape,
                         outcome.outputs[i].data()});
  }
  std::string error;
  if (!writeSafetensors(*options.output, tensors, {}, error))
    return fail(error);
  return 0;
}

int Simulation::run() {
  if (int code = checkOptions())
    return code;
  if (int code = readModule())
    return code;
  if (options.list) {
    listKernels();
    return 0;
  }
  if (int code = selectKernel())
    return code;
  Outcome first;
  uint64_t seed = options.seed.value_or(0);
  if (int code = launch(seed, first))
    return code;
  bool differed = false;
  for (uint64_t i = 1; i < options.seeds.value_or(1); ++i) {
    Outcome other;
    if (int code = launch(seed + i, other))
      return code;
    if (options.allowDifferences)
      continue;
    if (int code = compare(first, other))
      return code;
    if (options.countersJson && !differed && first.counters != other.counters) {
      compareCounters(first, other);
      differed = true;
    }
  }
  if (options.countersJson)
    out << first.counters;
  // Nothing may be left to fail once the output is there.
  if (!out.flush())
    return fail("cannot write to the standard output");
  return options.output ? writeOutputs(first) : 0;
}

int muon::ptxsim::simTool(const std::vector<std::string> &arguments,
                          std::ostream &out, std::ostream &err) noexcept {
  auto fail = [&](const char *message) {
    out.flush();
    err << "muon-ptx-sim: error: " << message << std::endl;
    return 1;
  };
  try {
    SimOptions options;
    std::string error;
    int code = 0;
    if (!parseOptions(arguments, options, error))
      return fail(error.c_str());
    if (options.help) {
      out << simToolUsage;
    } else if (options.version) {
      out << "muon-ptx-sim (muon-mlir " << MUON_VERSION << ")\n";
    } else if (options.listInstructions) {
      out << instructionsMarkdown();
    } else {
      Simulation simulation(options, out, err);
      code = simulation.run();
    }
    if (!out.flush() && !code)
      return fail("cannot write to the standard output");
    return code;
  } catch (const std::bad_alloc &) {
    return fail("out of memory");
  } catch (const std::exception &e) {
    return fail(e.what());
  }
}
