//===- Options.cpp - Options of muon-run ----------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Options.h"

#include "../Text.h"

#include <charconv>
#include <cmath>

using namespace muon;

const char *const muon::runToolUsage =
    R"(usage: muon-run STEP.so --params FILE --grads FILE
                (--state FILE | --init-state) [options]

Runs one compiled optimizer step on safetensors files.

input:
  --params FILE         weights; frozen tensors are copied through
  --grads FILE          gradients
  --state FILE          optimizer state
  --init-state          start from zero state, masters from the weights
scalars, of one rule group or of all that have them:
  --lr [GROUP=]X            learning rate
  --weight-decay [GROUP=]X  decoupled weight decay
  --momentum [GROUP=]X      momentum coefficient (beta)
  --clip X                  limit of the gradient norm
output (nothing is written if the step or its checks fail):
  --out-params FILE     updated weights; may be the input file
  --out-state FILE      updated state; may be the input file
  --counters FILE       write what the launches did, as JSON; device sim
  --stats               print norms of each parameter
  --expect FILE         compare weights, and state if it is there, with a file
  --rtol X, --atol X    allowed: |found - expected| <= atol + rtol*|expected|;
                        default 1e-5 and 1e-6
several ranks, described in docs/ranks.md; "{rank}" in the name of a file, also
in that of the step, stands for the number of the rank:
  --ranks N             run N ranks as threads of this process
  --communicator NAME   threads, or mpi to be one of the processes that mpirun
                        started; found out by default. nccl to move data by
                        NCCL, as a process that torchrun, mpirun or srun started
  --rendezvous FILE     meet by a file that rank 0 writes; nccl
  --rank N              which of --ranks this process is; with --rendezvous
  --params-ranks N      weights are in the files of N ranks, whatever their parts
  --state-ranks N       likewise the state
  --timeout SECONDS     how long to wait for other ranks; default 600, 0 for ever
  --traffic             print what each rank sent and received in the last step,
                        and with nccl how the GPU got its work
other:
  --list                print the arguments of the step and exit
  --device NAME         cpu, the default; cuda for steps compiled for a GPU; sim
                        for the same on a simulated one, where
                        "sim:KEY=VALUE,..." sets seed=N, races=on|off,
                        threads=N, undefined=arithmetic|effects;
                        "{local_rank}" stands for the number of the rank among
                        those of this machine
  --threads N           threads for matrix products on the CPU
  --repeat N            take N steps with the same gradients
  --help, --version
)";

/// The whole text must be a finite decimal number.
static bool parseNumber(const std::string &text, double &value) {
  const char *end = text.data() + text.size();
  auto [rest, code] = std::from_chars(text.data(), end, value);
  return code == std::errc() && rest == end && std::isfinite(value);
}

static bool parseCount(const std::string &text, int64_t least, int64_t &value) {
  const char *end = text.data() + text.size();
  auto [rest, code] = std::from_chars(text.data(), end, value);
  return code == std::errc() && rest == end && value >= least;
}

namespace {

class OptionParser {
public:
  OptionParser(const std::vector<std::string> &arguments, RunOptions &options)
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
  bool setNumber(std::optional<double> &number);
  bool setCount(std::optional<int64_t> &count, int64_t most, int64_t least = 1);
  bool setScalar(MuonRole role);

  const std::vector<std::string> &arguments;
  RunOptions &options;
  size_t next = 0;
  bool hasDevice = false;
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
    } else if (!options.artifact.empty()) {
      return fail("unexpected argument " + quote(argument));
    } else if (argument.empty()) {
      return fail("the name of the artifact is empty");
    } else {
      options.artifact = argument;
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

  if (name == "--params")
    return setText(options.params);
  if (name == "--grads")
    return setText(options.grads);
  if (name == "--state")
    return setText(options.state);
  if (name == "--out-params")
    return setText(options.outParams);
  if (name == "--out-state")
    return setText(options.outState);
  if (name == "--expect")
    return setText(options.expect);
  if (name == "--counters")
    return setText(options.counters);
  if (name == "--device") {
    std::optional<std::string> device;
    if (hasDevice)
      device = options.device;
    if (!setText(device))
      return false;
    options.device = *device;
    hasDevice = true;
    return true;
  }
  if (name == "--lr")
    return setScalar(MUON_ROLE_LR);
  if (name == "--weight-decay")
    return setScalar(MUON_ROLE_WEIGHT_DECAY);
  if (name == "--momentum")
    return setScalar(MUON_ROLE_BETA);
  if (name == "--clip")
    return setScalar(MUON_ROLE_CLIP_LIMIT);
  if (name == "--rtol")
    return setNumber(options.rtol);
  if (name == "--atol")
    return setNumber(options.atol);
  if (name == "--timeout")
    return setNumber(options.timeout);
  if (name == "--threads")
    return setCount(options.threads, 4096);
  if (name == "--repeat")
    return setCount(options.repeat, INT64_MAX);
  if (name == "--ranks")
    return setCount(options.ranks, 4096);
  if (name == "--rank")
    return setCount(options.rank, 4095, /*least=*/0);
  if (name == "--rendezvous")
    return setText(options.rendezvous);
  if (name == "--params-ranks")
    return setCount(options.paramsRanks, 65536);
  if (name == "--state-ranks")
    return setCount(options.stateRanks, 65536);
  if (name == "--communicator") {
    if (!setText(options.communicator))
      return false;
    return *options.communicator == "threads" ||
           *options.communicator == "mpi" || *options.communicator == "nccl" ||
           fail("--communicator: " + quote(*options.communicator) +
                " is not 'threads', 'mpi' or 'nccl'");
  }
  if (name == "--traffic")
    return setFlag(options.traffic);
  if (name == "--init-state")
    return setFlag(options.initState);
  if (name == "--stats")
    return setFlag(options.stats);
  if (name == "--list")
    return setFlag(options.list);
  if (name == "--help" || name == "-h")
    return setFlag(options.help);
  if (name == "--version")
    return setFlag(options.version);
  return fail("unknown option " + quote(name) + "; see --help");
}

bool OptionParser::takeValue() {
  if (!value) {
    // A single dash may begin a number; whether it is a good one is decided by
    // who reads it.
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

bool OptionParser::setNumber(std::optional<double> &number) {
  if (number)
    return fail(name + " is given twice");
  double parsed = 0;
  if (!takeValue())
    return false;
  if (!parseNumber(*value, parsed) || parsed < 0)
    return fail(name + ": " + quote(*value) +
                " is not a finite number of at least 0");
  number = parsed;
  return true;
}

bool OptionParser::setCount(std::optional<int64_t> &count, int64_t most,
                            int64_t least) {
  if (count)
    return fail(name + " is given twice");
  int64_t number = 0;
  if (!takeValue())
    return false;
  if (!parseCount(*value, least, number) || number > most)
    return fail(name + ": " + quote(*value) + " is not an integer from " +
                std::to_string(least) + " to " + std::to_string(most));
  count = number;
  return true;
}

bool OptionParser::setScalar(MuonRole role) {
  if (!takeValue())
    return false;
  ScalarSetting setting{role, std::nullopt, 0};
  std::string number = *value;
  // Numbers have no '=', names of groups may.
  if (size_t equals = number.rfind('=');
      role != MUON_ROLE_CLIP_LIMIT && equals != std::string::npos) {
    setting.group = number.substr(0, equals);
    number.erase(0, equals + 1);
  }
  if (!parseNumber(number, setting.value))
    return fail(name + ": " + quote(number) + " is not a finite number");
  for (const ScalarSetting &other : options.scalars)
    if (other.role == role && other.group == setting.group)
      return fail(name + " is given twice" +
                  (setting.group ? " for group " + quote(*setting.group) : ""));
  auto position =
      setting.group ? options.scalars.end() : options.scalars.begin();
  options.scalars.insert(position, std::move(setting));
  return true;
}

bool muon::parseOptions(const std::vector<std::string> &arguments,
                        RunOptions &options, std::string &error) {
  OptionParser parser(arguments, options);
  if (parser.parse())
    return true;
  error = parser.error;
  return false;
}
