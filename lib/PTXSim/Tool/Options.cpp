//===- Options.cpp - Options of muon-ptx-sim ------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"

#include "../../Runtime/Text.h"

#include <charconv>

using namespace muon;
using namespace muon::ptxsim;

const char *const muon::ptxsim::simToolUsage =
    R"(usage: muon-ptx-sim FILE.ptx [--kernel NAME] --grid X[,Y[,Z]]
                    --block X[,Y[,Z]] [--arg SPEC]... [options]

Runs a kernel of PTX text on the CPU and reports what it may not rely on.

launch:
  --kernel NAME         not needed if there is one kernel
  --grid X[,Y[,Z]]      blocks
  --block X[,Y[,Z]]     threads of a block
  --shared BYTES        dynamic shared memory
  --arg SPEC            once for each parameter of the kernel, in order:
    TYPE:VALUE                 u8 to u64, s8 to s64, b8 to b64, f16, bf16, f32,
                               f64; integers may begin with 0x
    bytes:HEX                  for a structure, byte by byte
    in:FILE#TENSOR             address of a tensor of a safetensors file; the
                               kernel must leave it as it is
    inout:FILE#TENSOR          likewise; the kernel may change it
    out:NAME=DTYPE[SHAPE]      address of memory that is undefined until it is
                               written, as y=F32[128,64]; all must be written
    zero:NAME=DTYPE[SHAPE]     likewise, but zero
output (nothing is written if there are findings):
  --output FILE         inout, out and zero tensors as safetensors
  --counters json       print what the launch did, of the first seed
  --trace               print each instruction of each warp to standard error
checks:
  --seed N              decides the order of threads and copies; default 0
  --seeds N             run N seeds from --seed on; all must agree in each bit
  --allow-differences   but need not, as for atomic sums of floats
  --no-races            do not look for data races
  --undefined USE       when undefined values are reported: in any arithmetic
                        ("arithmetic", the default), or in branches, addresses
                        and stores to global memory only ("effects")
  --max-instructions N  warp instructions after which a launch counts as one
                        that does not end; 0 for no limit; default 20000000000
other:
  --threads N           of the host; default one per core; with one, a seed
                        reproduces the order of blocks too
  --list                print the kernels of FILE.ptx and what they need
  --list-instructions   print the instructions that are executed, in Markdown
  --help, --version

Exit code: 0, 1 for an error of the input, 2 for findings.
)";

namespace {

class OptionParser {
public:
  OptionParser(const std::vector<std::string> &arguments, SimOptions &options)
      : arguments(arguments), options(options) {}

  bool parse();
  std::string error;

private:
  bool fail(const std::string &message) {
    error = message;
    return false;
  }

  bool parseOption(const std::string &argument);
  bool takeValue();
  bool setFlag(bool &flag);
  bool setText(std::optional<std::string> &text);
  bool setDim(std::optional<Dim3> &dim);
  bool setCount(std::optional<uint64_t> &count, uint64_t least, uint64_t most);

  const std::vector<std::string> &arguments;
  SimOptions &options;
  size_t next = 0;
  /// The option at hand.
  std::string name;
  std::optional<std::string> value;
};

} // namespace

bool OptionParser::parse() {
  while (next < arguments.size()) {
    const std::string &argument = arguments[next++];
    if (argument.size() > 1 && argument[0] == '-') {
      if (!parseOption(argument))
        return false;
    } else if (!options.file.empty()) {
      return fail("unexpected argument " + quote(argument));
    } else if (argument.empty()) {
      return fail("the name of the PTX file is empty");
    } else {
      options.file = argument;
    }
  }
  return true;
}

bool OptionParser::parseOption(const std::string &argument) {
  size_t equals = argument.find('=');
  name = argument.substr(0, equals);
  value.reset();
  if (equals != std::string::npos)
    value = argument.substr(equals + 1);

  if (name == "--kernel")
    return setText(options.kernel);
  if (name == "--output")
    return setText(options.output);
  if (name == "--grid")
    return setDim(options.grid);
  if (name == "--block")
    return setDim(options.block);
  if (name == "--arg") {
    if (!takeValue())
      return false;
    options.arguments.push_back(*value);
    return true;
  }
  if (name == "--shared")
    return setCount(options.sharedBytes, 0, UINT32_MAX);
  if (name == "--seed")
    return setCount(options.seed, 0, UINT64_MAX);
  if (name == "--seeds")
    return setCount(options.seeds, 1, UINT32_MAX);
  if (name == "--threads")
    return setCount(options.threads, 1, 1024);
  if (name == "--max-instructions")
    return setCount(options.maxInstructions, 0, UINT64_MAX);
  if (name == "--undefined") {
    if (options.undefinedUse)
      return fail(name + " is given twice");
    if (!takeValue())
      return false;
    if (*value != "arithmetic" && *value != "effects")
      return fail(name + ": expected 'arithmetic' or 'effects', found " +
                  quote(*value));
    options.undefinedUse =
        *value == "effects" ? UndefinedUse::Effects : UndefinedUse::Arithmetic;
    return true;
  }
  if (name == "--counters") {
    if (!takeValue())
      return false;
    if (*value != "json")
      return fail(name + ": expected 'json', found " + quote(*value));
    options.countersJson = true;
    return true;
  }
  if (name == "--trace")
    return setFlag(options.trace);
  if (name == "--no-races")
    return setFlag(options.noRaces);
  if (name == "--allow-differences")
    return setFlag(options.allowDifferences);
  if (name == "--list")
    return setFlag(options.list);
  if (name == "--list-instructions")
    return setFlag(options.listInstructions);
  if (name == "--help" || name == "-h")
    return setFlag(options.help);
  if (name == "--version")
    return setFlag(options.version);
  return fail("unknown option " + quote(name) + "; see --help");
}

bool OptionParser::takeValue() {
  if (!value) {
    if (next == arguments.size() || arguments[next].rfind("--", 0) == 0)
      return fail(name + " needs a value");
    value = arguments[next++];
  }
  if (value->empty())
    return fail("the value of " + name + " is empty");
  return true;
}

bool OptionParser::setFlag(bool &flag) {
  if (value)
    return fail(name + " takes no value");
  flag = true;
  return true;
}

bool OptionParser::setText(std::optional<std::string> &text) {
  if (text)
    return fail(name + " is given twice");
  if (!takeValue())
    return false;
  text = value;
  return true;
}

/// The whole text must be a decimal number.
template <class T>
static bool parseWhole(std::string_view text, T &number) {
  const char *end = text.data() + text.size();
  auto [rest, code] = std::from_chars(text.data(), end, number);
  return code == std::errc() && rest == end;
}

bool OptionParser::setCount(std::optional<uint64_t> &count, uint64_t least,
                            uint64_t most) {
  if (count)
    return fail(name + " is given twice");
  if (!takeValue())
    return false;
  uint64_t number = 0;
  if (!parseWhole(*value, number) || number < least || number > most)
    return fail(name + ": expected an integer from " + std::to_string(least) +
                " to " + std::to_string(most) + ", found " + quote(*value));
  count = number;
  return true;
}

bool OptionParser::setDim(std::optional<Dim3> &dim) {
  if (dim)
    return fail(name + " is given twice");
  if (!takeValue())
    return false;
  auto wrong = [&] {
    return fail(name +
                ": expected one to three integers from 1, apart by commas, "
                "found " +
                quote(*value));
  };
  uint32_t sizes[3] = {1, 1, 1};
  std::string_view rest = *value;
  for (unsigned i = 0;; ++i) {
    size_t comma = rest.find(',');
    if (i == 3 || !parseWhole(rest.substr(0, comma), sizes[i]) || !sizes[i])
      return wrong();
    if (comma == std::string_view::npos)
      break;
    rest.remove_prefix(comma + 1);
  }
  dim = Dim3{sizes[0], sizes[1], sizes[2]};
  return true;
}

bool muon::ptxsim::parseOptions(const std::vector<std::string> &arguments,
                                SimOptions &options, std::string &error) {
  OptionParser parser(arguments, options);
  if (parser.parse())
    return true;
  error = parser.error;
  return false;
}
