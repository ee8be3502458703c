//===- Runner.cpp - One rank of muon-run ----------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Runner.h"

#include "../Text.h"

#include <algorithm>
#include <cmath>
#include <ostream>
#include <sys/stat.h>

using namespace muon;

/// Columns that are as wide as their widest entry.
static void printTable(std::ostream &out,
                       const std::vector<std::vector<std::string>> &rows) {
  std::vector<size_t> widths;
  for (const auto &row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto &row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      out << row[i];
      if (i + 1 < row.size())
        out << std::string(widths[i] - row[i].size() + 2, ' ');
    }
    out << '\n';
  }
}

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

/// Whether two paths name one file, existing or not.
static bool isSamePath(const std::string &a, const std::string &b) {
  struct stat first, second;
  if (::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0)
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
  auto split = [](const std::string &path, std::string &directory) {
    size_t slash = path.rfind('/');
    directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    return slash == std::string::npos ? path : path.substr(slash + 1);
  };
  std::string directoryA, directoryB;
  return split(a, directoryA) == split(b, directoryB) &&
         ::stat(directoryA.c_str(), &first) == 0 &&
         ::stat(directoryB.c_str(), &second) == 0 &&
         first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

bool muon::checkOptions(const RunOptions &options, int32_t ranks,
                        std::string &error) {
  auto fail = [&](const std::string &message) {
    error = message;
    return false;
  };
  if (options.artifact.empty())
    return fail("no artifact given; see --help");
  if (options.list)
    return true;
  if (!options.params)
    return fail("--params is missing");
  if (!options.grads)
    return fail("--grads is missing");
  if (options.state && options.initState)
    return fail("--state and --init-state exclude each other");
  if (!options.outParams && !options.outState && !options.expect &&
      !options.stats && !options.counters && !options.traffic)
    return fail("the result would be lost; give --out-params, --out-state, "
                "--expect, --stats, --counters or --traffic");
  if (!options.expect && (options.rtol || options.atol))
    return fail("--rtol and --atol need --expect");
  if (options.stateRanks && !options.state)
    return fail("--state-ranks needs --state");

  // Files of which there is one for each rank.
  const struct {
    const char *name;
    const std::optional<std::string> &path;
    int64_t ranks;
    const char *what;
  } files[] = {
      {"the artifact", options.artifact, ranks, "are run"},
      {"--params", options.params, options.paramsRanks.value_or(1), "are read"},
      {"--state", options.state, options.stateRanks.value_or(1), "are read"},
      {"--out-params", options.outParams, ranks, "write it"},
      {"--out-state", options.outState, ranks, "write it"},
      {"--counters", options.counters, ranks, "write it"}};
  for (const auto &file : files)
    if (file.path && file.ranks > 1 && !hasRank(*file.path))
      return fail(std::string(file.name) + ": " + quote(*file.path) +
                  " is one file, and " + std::to_string(file.ranks) +
                  " ranks " + file.what +
                  "; put {rank} where the number of the rank shall be");
  return true;
}

static RunOptions optionsOfRank(RunOptions options, const RankOfRun &of) {
  const int32_t rank = of.rank;
  const std::string place = "{local_rank}";
  for (size_t at; (at = options.device.find(place)) != std::string::npos;)
    options.device.replace(at, place.size(), std::to_string(of.localRank));
  options.artifact = pathOfRank(options.artifact, rank);
  for (auto path : {&RunOptions::params, &RunOptions::grads, &RunOptions::state,
                    &RunOptions::outParams, &RunOptions::outState,
                    &RunOptions::expect, &RunOptions::counters})
    if (options.*path)
      options.*path = pathOfRank(*(options.*path), rank);
  return options;
}

Runner::Runner(const RunOptions &options, const RankOfRun &rank,
               std::ostream &out)
    : given(options), options(optionsOfRank(options, rank)), rank(rank),
      out(out) {}

/// Outputs may replace the inputs they update, if these are of this rank alone,
/// and nothing else.
bool Runner::checkOutputs() {
  const std::pair<const char *, const std::optional<std::string> &> outputs[] =
      {{"--out-params", options.outParams},
       {"--out-state", options.outState},
       {"--counters", options.counters}};
  auto isOwn = [&](const std::optional<std::string> &path,
                   const std::optional<int64_t> &otherRanks) {
    return path && !otherRanks && (rank.ranks == 1 || hasRank(*path));
  };
  auto pathsOf = [&](const std::optional<std::string> &path,
                     const std::optional<int64_t> &otherRanks) {
    std::vector<std::string> paths;
    for (int64_t i = 0; path && i < otherRanks.value_or(1); ++i)
      paths.push_back(pathOfRank(*path, otherRanks ? int32_t(i) : rank.rank));
    return paths;
  };
  const struct {
    const char *name;
    std::vector<std::string> paths;
    /// That may replace it.
    const std::optional<std::string> *updated;
  } inputs[] = {
      {"the artifact", {options.artifact}, nullptr},
      {"--grads", pathsOf(given.grads, {}), nullptr},
      {"--expect", pathsOf(given.expect, {}), nullptr},
      {"--state", pathsOf(given.state, given.stateRanks),
       isOwn(given.state, given.stateRanks) ? &options.outState : nullptr},
      {"--params", pathsOf(given.params, given.paramsRanks),
       isOwn(given.params, given.paramsRanks) ? &options.outParams : nullptr}};
  for (const auto &[name, output] : outputs) {
    if (!output)
      continue;
    for (const auto &[otherName, other] : outputs) {
      if (&other == &output)
        break;
      if (other && isSamePath(*other, *output))
        return fail(std::string(otherName) + " and " + name +
                    " are the same file");
    }
    for (const auto &input : inputs) {
      if (&output == input.updated)
        continue;
      for (const std::string &path : input.paths)
        if (isSamePath(*output, path))
          return fail(std::string(name) + " would overwrite " + input.name +
                      ", " + quote(path));
    }
  }
  return true;
}

//===----------------------------------------------------------------------===//
// The artifact
//===----------------------------------------------------------------------===//

bool Runner::loadArtifact() {
  MuonArtifact *loaded = nullptr;
  if (!check(muonArtifactLoad(options.artifact.c_str(), options.device.c_str(),
                              &loaded)))
    return false;
  artifact.reset(loaded);
  if (!check(muonArtifactInfo(loaded, &artifactInfo)))
    return false;
  // Said before the step has run in vain.
  const char *json = nullptr;
  if (options.counters && !check(muonArtifactCounters(loaded, &json)))
    return false;
  size_t count = muonArtifactTensorCount(loaded);
  tensors.resize(count);
  for (size_t i = 0; i < count; ++i) {
    MuonTensorInfo &info = tensors[i].info;
    if (!check(muonArtifactTensor(loaded, i, &info)))
      return false;
    if (info.role == MUON_ROLE_WEIGHT)
      weights.emplace(info.key, i);
    else if (info.role != MUON_ROLE_GRADIENT)
      states.emplace(info.key, i);
  }
  for (size_t i = 0; i < muonArtifactFrozenCount(loaded); ++i)
    frozen.insert(muonArtifactFrozen(loaded, i));
  return options.list || checkRanks();
}

/// Whether the artifact is for this rank of the run.
bool Runner::checkRanks() {
  const MuonArtifactInfo &info = artifactInfo;
  const std::string where = options.artifact + ": ";
  if (!info.distributed) {
    if (rank.ranks > 1)
      return fail(where + "compiled for one rank alone, but " +
                  std::to_string(rank.ranks) + " ranks run");
    return !options.traffic ||
           fail(where + "compiled for one rank alone, which has no --traffic");
  }
  if (info.ranks != rank.ranks || info.rank != rank.rank) {
    std::string text =
        where + "compiled for rank " + std::to_string(info.rank) + " of " +
        std::to_string(info.ranks) + " (" + info.grid + "), but run as rank " +
        std::to_string(rank.rank) + " of " + std::to_string(rank.ranks);
    if (info.ranks != rank.ranks)
      text += "; give --ranks " + std::to_string(info.ranks) +
              ", or start it by mpirun -n " + std::to_string(info.ranks);
    return fail(text);
  }
  if (rank.communicator)
    return true;
  MuonCommunicator *made = nullptr;
  if (!check(muonCommunicatorCreateThreads(1, &made)))
    return false;
  ownCommunicator.reset(made);
  rank.communicator = made;
  return true;
}

/// "-" if it is the whole tensor.
static std::string partText(const MuonTensorInfo &info) {
  return info.part == MUON_PART_WHOLE ? "-" : placementOf(info).text();
}

void Runner::printArguments() {
  const MuonArtifactInfo &info = artifactInfo;
  std::vector<std::vector<std::string>> rows = {
      {"compiler", info.compiler},
      {"target", info.target},
      {"arch", info.arch},
      {"cpu", info.cpu},
      {"arena", std::to_string(info.arena_bytes) + " bytes"}};
  if (info.distributed) {
    rows.push_back({"grid", info.grid});
    rows.push_back({"rank", std::to_string(info.rank) + " of " +
                                std::to_string(info.ranks)});
  }
  printTable(out, rows);

  rows = {{"role", "type", "shape", "tensor"}};
  if (info.distributed)
    rows.front().push_back("part");
  for (const BoundTensor &tensor : tensors) {
    rows.push_back({muonRoleName(tensor.info.role),
                    muonTypeName(tensor.info.type),
                    shapeText(tensor.info.shape, tensor.info.rank),
                    quote(tensor.info.key)});
    if (info.distributed)
      rows.back().push_back(partText(tensor.info));
  }
  for (size_t i = 0; i < muonArtifactFrozenCount(artifact.get()); ++i)
    rows.push_back(
        {"frozen", "-", "-", quote(muonArtifactFrozen(artifact.get(), i))});
  out << '\n';
  printTable(out, rows);

  rows = {{"scalar", "group", "default"}};
  for (size_t i = 0; i < muonArtifactScalarCount(artifact.get()); ++i) {
    MuonScalarInfo scalar;
    if (muonArtifactScalar(artifact.get(), i, &scalar) == MUON_OK)
      rows.push_back(
          {muonRoleName(scalar.role), scalar.group ? quote(scalar.group) : "-",
           scalar.has_default ? numberText(scalar.default_value) : "required"});
  }
  out << '\n';
  printTable(out, rows);

  rows = {{"report", "type", "elements"}};
  for (size_t i = 0; i < muonArtifactReportCount(artifact.get()); ++i) {
    MuonReportInfo report;
    if (muonArtifactReport(artifact.get(), i, &report) == MUON_OK)
      rows.push_back({muonRoleName(report.role), muonTypeName(report.type),
                      std::to_string(report.elements)});
  }
  out << '\n';
  printTable(out, rows);
}

//===----------------------------------------------------------------------===//
// The step
//===----------------------------------------------------------------------===//

bool Runner::upload(BoundTensor &tensor) {
  auto fail = [&] {
    return this->fail(quote(tensor.info.key) + ": " + muonLastError());
  };
  void *memory = nullptr;
  if (muonDeviceAllocate(artifact.get(), tensor.info.bytes, &memory))
    return fail();
  tensor.onDevice = {memory, DeviceDeleter{artifact.get()}};
  return muonDeviceUpload(artifact.get(), memory, tensor.data,
                          tensor.info.bytes, nullptr) == MUON_OK ||
         fail();
}

bool Runner::download(BoundTensor &tensor) {
  return muonDeviceDownload(artifact.get(), tensor.data, tensor.onDevice.get(),
                            tensor.info.bytes, nullptr) == MUON_OK ||
         fail(quote(tensor.info.key) + ": " + muonLastError());
}

bool Runner::bindTensors() {
  for (BoundTensor &tensor : tensors) {
    if (!artifactInfo.host_memory && !upload(tensor))
      return false;
    MuonBuffer buffer = {tensor.onDevice ? tensor.onDevice.get() : tensor.data,
                         tensor.info.type, tensor.info.rank, tensor.info.shape,
                         tensor.info.bytes};
    if (!check(muonStepBind(step.get(), tensor.info.role, tensor.info.name,
                            &buffer)))
      return false;
  }
  return true;
}

bool Runner::setScalars() {
  for (const ScalarSetting &setting : options.scalars)
    if (!check(muonStepSetScalar(
            step.get(), setting.role,
            setting.group ? setting.group->c_str() : nullptr, setting.value)))
      return false;
  return true;
}

bool Runner::makeStep() {
  MuonStep *created = nullptr;
  if (!check(muonStepCreate(artifact.get(), &created)))
    return false;
  step.reset(created);
  if (artifactInfo.distributed &&
      !check(muonStepSetCommunicator(created, rank.communicator)))
    return false;
  if (!bindTensors() || !setScalars())
    return false;
  return !options.threads ||
         check(muonSetCpuThreads(static_cast<int32_t>(*options.threads)));
}

bool Runner::runSteps() {
  MuonResult result = {};
  for (int64_t i = 0; i < options.repeat.value_or(1); ++i) {
    if (!check(muonStepRun(step.get(), nullptr, &result)))
      return false;
    // A skipped step changes nothing, so all that follow would be skipped too.
    if (!result.taken)
      break;
  }
  if (!artifactInfo.host_memory)
    for (BoundTensor &tensor : tensors)
      if (tensor.info.role != MUON_ROLE_GRADIENT && !download(tensor))
        return false;
  // What the step reports is the same on all ranks.
  if (rank.rank == 0) {
    if (!result.taken && !printSkipped(result))
      return false;
    if (options.stats && !printStatistics(result))
      return false;
  }
  return !options.traffic || printTraffic();
}

bool Runner::printSkipped(const MuonResult &result) {
  constexpr size_t shown = 10;
  for (size_t i = 0; i < std::min(result.non_finite, shown); ++i) {
    MuonNonFinite info;
    if (!check(muonStepNonFinite(step.get(), i, &info)))
      return false;
    out << "step skipped: " << muonRoleName(info.role) << " of "
        << quote(info.name) << " is not finite\n";
  }
  if (result.non_finite > shown)
    out << "step skipped: " << result.non_finite - shown
        << " more are not finite\n";
  if (result.non_finite == 0)
    out << "step skipped\n";
  return true;
}

bool Runner::printStatistics(const MuonResult &result) {
  std::unordered_set<std::string> nonFinite;
  for (size_t i = 0; i < result.non_finite; ++i) {
    MuonNonFinite info;
    if (!check(muonStepNonFinite(step.get(), i, &info)))
      return false;
    if (info.role == MUON_ROLE_GRADIENT)
      nonFinite.insert(info.name);
  }
  auto text = [](double value) {
    return std::isnan(value) ? std::string("-") : numberText(value);
  };
  std::vector<std::vector<std::string>> rows;
  rows.push_back({"parameter", "gradient norm", "update RMS", "weight norm"});
  for (size_t i = 0; i < result.statistics; ++i) {
    MuonStatistics statistics;
    if (!check(muonStepStatistics(step.get(), i, &statistics)))
      return false;
    rows.push_back({quote(statistics.name),
                    nonFinite.count(statistics.name)
                        ? "not finite"
                        : text(statistics.gradient_norm),
                    text(statistics.update_rms), text(statistics.weight_norm)});
  }
  printTable(out, rows);
  for (size_t i = 0; i < muonArtifactReportCount(artifact.get()); ++i) {
    MuonReportInfo report;
    if (!check(muonArtifactReport(artifact.get(), i, &report)))
      return false;
    if (report.role == MUON_ROLE_CLIP)
      out << "clip coefficient " << numberText(result.clip) << '\n';
  }
  return true;
}

bool Runner::printTraffic() {
  MuonTraffic traffic;
  if (!check(muonStepTraffic(step.get(), &traffic)))
    return false;
  out << "rank " << rank.rank << ": sent " << traffic.bytes_sent
      << " bytes, received " << traffic.bytes_received << " bytes in "
      << traffic.collectives << " collectives\n";
  const char *text = nullptr;
  if (!check(muonStepRunText(step.get(), &text)))
    return false;
  if (*text)
    out << "rank " << rank.rank << ": " << text << '\n';
  return true;
}

bool Runner::run() {
  if ((!options.list && !checkOutputs()) || !loadArtifact())
    return false;
  if (options.list) {
    printArguments();
    return true;
  }
  return openFiles() && readTensors() && makeStep() && runSteps() &&
         (!options.expect || compareResult()) &&
         (out.flush() || fail("cannot write to the standard output")) &&
         writeResult();
}
