//===- RunTool.cpp - The muon-run tool ------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Runtime/RunTool.h"

#include "../Text.h"
#include "Compare.h"
#include "Options.h"
#include "muon-mlir/Runtime/Runtime.h"
#include "muon-mlir/Runtime/Safetensors.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <ostream>
#include <sys/stat.h>
#include <unordered_map>
#include <unordered_set>

using namespace muon;

static DType dtypeOf(MuonType type) {
  switch (type) {
  case MUON_TYPE_BF16:
    return DType::BF16;
  case MUON_TYPE_F16:
    return DType::F16;
  case MUON_TYPE_F64:
    return DType::F64;
  case MUON_TYPE_I64:
    return DType::I64;
  case MUON_TYPE_I1:
    return DType::Bool;
  default:
    return DType::F32;
  }
}

static std::vector<int64_t> shapeOf(const MuonTensorInfo &info) {
  return {info.shape, info.shape + info.rank};
}

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

namespace {

struct ArtifactDeleter {
  void operator()(MuonArtifact *artifact) { muonArtifactRelease(artifact); }
};
struct StepDeleter {
  void operator()(MuonStep *step) { muonStepDestroy(step); }
};
struct FreeDeleter {
  void operator()(void *memory) { std::free(memory); }
};

struct DeviceDeleter {
  const MuonArtifact *artifact;
  void operator()(void *memory) { muonDeviceFree(artifact, memory); }
};

/// A tensor of the step and where its data is.
struct BoundTensor {
  MuonTensorInfo info;
  /// In memory of the host.
  void *data = nullptr;
  /// Null if the data is that of a file.
  std::unique_ptr<void, FreeDeleter> owned;
  /// Null if the device works in memory of the host.
  std::unique_ptr<void, DeviceDeleter> onDevice{nullptr, {nullptr}};
};

class Runner {
public:
  Runner(const RunOptions &options, std::ostream &out)
      : options(options), out(out) {}

  bool run();
  std::string error;

private:
  using File = std::unique_ptr<SafetensorsFile>;

  bool checkOptions();
  bool checkOutputs();
  bool checkTolerances();
  bool loadArtifact();
  void printArguments();
  bool openFiles();
  bool checkExtra(const SafetensorsFile &file, bool allowFrozen,
                  const std::unordered_set<std::string> &expected);
  bool readTensor(BoundTensor &tensor, const SafetensorsFile &file);
  bool initTensor(BoundTensor &tensor);
  bool allocate(BoundTensor &tensor);
  bool readTensors();
  bool upload(BoundTensor &tensor);
  bool download(BoundTensor &tensor);
  bool bindTensors();
  bool setScalars();
  bool runSteps();
  bool printSkipped(const MuonResult &result);
  bool printStatistics(const MuonResult &result);
  bool compareResult();
  bool compareTensor(Comparison &comparison, const SafetensorsFile &file,
                     const TensorInfo &reference);
  bool writeResult();

  bool fail(const std::string &message) {
    error = message;
    return false;
  }
  bool check(MuonStatus status) {
    return status == MUON_OK || fail(muonLastError());
  }

  const RunOptions &options;
  std::ostream &out;
  std::unique_ptr<MuonArtifact, ArtifactDeleter> artifact;
  MuonArtifactInfo artifactInfo = {};
  File params, grads, state;
  std::vector<BoundTensor> tensors;
  /// Indices into `tensors`.
  std::unordered_map<std::string, size_t> weights, states;
  std::unordered_set<std::string> frozen;
  // After what it points to.
  std::unique_ptr<MuonStep, StepDeleter> step;
};

} // namespace

//===----------------------------------------------------------------------===//
// The artifact
//===----------------------------------------------------------------------===//

static bool isState(MuonRole role) {
  return role != MUON_ROLE_WEIGHT && role != MUON_ROLE_GRADIENT;
}

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

bool Runner::checkOptions() {
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
      !options.stats && !options.counters)
    return fail("the result would be lost; give --out-params, --out-state, "
                "--expect, --stats or --counters");
  return checkOutputs() && checkTolerances();
}

/// Outputs may replace the inputs they update, and nothing else.
bool Runner::checkOutputs() {
  const std::pair<const char *, const std::optional<std::string> &> outputs[] =
      {{"--out-params", options.outParams},
       {"--out-state", options.outState},
       {"--counters", options.counters}};
  const std::optional<std::string> theArtifact = options.artifact;
  const std::pair<const char *, const std::optional<std::string> &> inputs[] = {
      {"the artifact", theArtifact},
      {"--grads", options.grads},
      {"--expect", options.expect},
      {"--state", options.state},
      {"--params", options.params}};
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
    for (const auto &[inputName, input] : inputs) {
      if (&output == &options.outParams
              ? &input == &options.params
              : &output == &options.outState && &input == &options.state)
        continue;
      if (input && isSamePath(*output, *input))
        return fail(std::string(name) + " would overwrite " + inputName + ", " +
                    quote(*input));
    }
  }
  return true;
}

bool Runner::checkTolerances() {
  if (!options.expect && (options.rtol || options.atol))
    return fail("--rtol and --atol need --expect");
  return true;
}

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
    else if (isState(info.role))
      states.emplace(info.key, i);
  }
  for (size_t i = 0; i < muonArtifactFrozenCount(loaded); ++i)
    frozen.insert(muonArtifactFrozen(loaded, i));
  return true;
}

void Runner::printArguments() {
  const MuonArtifactInfo &info = artifactInfo;
  printTable(out, {{"compiler", info.compiler},
                   {"target", info.target},
                   {"arch", info.arch},
                   {"cpu", info.cpu},
                   {"arena", std::to_string(info.arena_bytes) + " bytes"}});

  std::vector<std::vector<std::string>> rows;
  rows.push_back({"role", "type", "shape", "tensor"});
  for (const BoundTensor &tensor : tensors)
    rows.push_back({muonRoleName(tensor.info.role),
                    muonTypeName(tensor.info.type),
                    shapeText(tensor.info.shape, tensor.info.rank),
                    quote(tensor.info.key)});
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
// Input
//===----------------------------------------------------------------------===//

bool Runner::openFiles() {
  params = SafetensorsFile::open(*options.params, error);
  if (!params)
    return false;
  grads = SafetensorsFile::open(*options.grads, error);
  if (!grads)
    return false;
  if (options.state) {
    state = SafetensorsFile::open(*options.state, error);
    if (!state)
      return false;
  } else if (!options.initState && !states.empty()) {
    return fail("the step has state; give --state or --init-state");
  }

  std::unordered_set<std::string> paramNames, gradNames, stateNames;
  for (const BoundTensor &tensor : tensors) {
    auto &names = tensor.info.role == MUON_ROLE_WEIGHT     ? paramNames
                  : tensor.info.role == MUON_ROLE_GRADIENT ? gradNames
                                                           : stateNames;
    names.insert(tensor.info.key);
  }
  return checkExtra(*params, true, paramNames) &&
         checkExtra(*grads, true, gradNames) &&
         (!state || checkExtra(*state, false, stateNames));
}

/// Checks that the tensors of a file are those expected, no more and no less.
bool Runner::checkExtra(const SafetensorsFile &file, bool allowFrozen,
                        const std::unordered_set<std::string> &expected) {
  std::vector<std::string> names;
  for (const TensorInfo &info : file.tensors())
    if (!expected.count(info.name) && !(allowFrozen && frozen.count(info.name)))
      names.push_back(quote(info.name));
  if (!names.empty())
    return fail(file.path() + ": the step does not know " +
                (names.size() == 1 ? "tensor " : "tensors ") + listed(names));
  for (const std::string &name : expected)
    if (!file.find(name))
      names.push_back(quote(name));
  if (names.empty())
    return true;
  std::sort(names.begin(), names.end());
  return fail(file.path() + ": " +
              (names.size() == 1 ? "tensor " : "tensors ") + listed(names) +
              (names.size() == 1 ? " is" : " are") + " missing");
}

bool Runner::allocate(BoundTensor &tensor) {
  void *memory = nullptr;
  if (::posix_memalign(&memory, 64, std::max<uint64_t>(tensor.info.bytes, 1)))
    return fail("cannot allocate " + std::to_string(tensor.info.bytes) +
                " bytes for " + quote(tensor.info.key));
  tensor.owned.reset(memory);
  tensor.data = memory;
  return true;
}

bool Runner::readTensor(BoundTensor &tensor, const SafetensorsFile &file) {
  const MuonTensorInfo &info = tensor.info;
  const TensorInfo *found = file.find(info.key);
  const std::string where = file.path() + ": tensor " + quote(info.key) + ": ";
  if (!found)
    return fail(where + "is missing");
  if (found->dtype != dtypeOf(info.type))
    return fail(where + "type is " + dtypeName(found->dtype) + ", expected " +
                dtypeName(dtypeOf(info.type)));
  if (found->shape != shapeOf(info))
    return fail(where + "shape is " + shapeText(found->shape) + ", expected " +
                shapeText(info.shape, info.rank));
  const void *data = file.data(*found);
  // Gradients are only read, so the file's pages serve if they are aligned.
  if (info.role == MUON_ROLE_GRADIENT &&
      reinterpret_cast<uintptr_t>(data) % muonTypeSize(info.type) == 0) {
    tensor.data = const_cast<void *>(data);
    return true;
  }
  if (!allocate(tensor))
    return false;
  file.read(*found, tensor.data);
  return true;
}

bool Runner::initTensor(BoundTensor &tensor) {
  const MuonTensorInfo &info = tensor.info;
  if (!allocate(tensor))
    return false;
  std::memset(tensor.data, 0, info.bytes);
  if (info.role != MUON_ROLE_MASTER)
    return true;
  auto it = weights.find(info.name);
  if (it == weights.end())
    return fail("master " + quote(info.name) + " has no weight");
  const BoundTensor &weight = tensors[it->second];
  DType dtype = dtypeOf(weight.info.type);
  for (uint64_t i = 0; i < info.elements; ++i) {
    double value = toDouble(dtype, weight.data, i);
    if (info.type == MUON_TYPE_F64)
      static_cast<double *>(tensor.data)[i] = value;
    else
      static_cast<float *>(tensor.data)[i] = static_cast<float>(value);
  }
  return true;
}

bool Runner::readTensors() {
  for (BoundTensor &tensor : tensors) {
    if (tensor.info.role == MUON_ROLE_WEIGHT && !readTensor(tensor, *params))
      return false;
    if (tensor.info.role == MUON_ROLE_GRADIENT && !readTensor(tensor, *grads))
      return false;
  }
  // Masters need the weights.
  for (BoundTensor &tensor : tensors)
    if (isState(tensor.info.role) &&
        !(state ? readTensor(tensor, *state) : initTensor(tensor)))
      return false;
  return true;
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

bool Runner::runSteps() {
  MuonStep *created = nullptr;
  if (!check(muonStepCreate(artifact.get(), &created)))
    return false;
  step.reset(created);
  if (!bindTensors() || !setScalars())
    return false;
  if (options.threads &&
      !check(muonSetCpuThreads(static_cast<int32_t>(*options.threads))))
    return false;

  MuonResult result = {};
  for (int64_t i = 0; i < options.repeat.value_or(1); ++i) {
    if (!check(muonStepRun(created, nullptr, &result)))
      return false;
    // A skipped step changes nothing, so all that follow would be skipped too.
    if (!result.taken)
      break;
  }
  if (!artifactInfo.host_memory)
    for (BoundTensor &tensor : tensors)
      if (tensor.info.role != MUON_ROLE_GRADIENT && !download(tensor))
        return false;
  if (!result.taken && !printSkipped(result))
    return false;
  return !options.stats || printStatistics(result);
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

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

bool Runner::compareTensor(Comparison &comparison, const SafetensorsFile &file,
                           const TensorInfo &reference) {
  const std::string where =
      file.path() + ": tensor " + quote(reference.name) + ": ";
  auto weight = weights.find(reference.name);
  auto other = states.find(reference.name);
  if (weight == weights.end() && other == states.end()) {
    const TensorInfo *copied = params->find(reference.name);
    if (!frozen.count(reference.name) || !copied)
      return fail(where + "the result has no such tensor");
    if ((copied->dtype != reference.dtype || copied->shape != reference.shape ||
         std::memcmp(params->data(*copied), file.data(reference),
                     reference.bytes()) != 0))
      return fail(where + "differs from the frozen tensor of the parameters");
    return true;
  }
  const BoundTensor &tensor =
      tensors[weight != weights.end() ? weight->second : other->second];
  DType dtype = dtypeOf(tensor.info.type);
  if (reference.shape != shapeOf(tensor.info))
    return fail(where + "shape is " + shapeText(reference.shape) +
                ", the result has " +
                shapeText(tensor.info.shape, tensor.info.rank));
  if (!isComparable(reference.dtype) ||
      (reference.dtype == DType::I64) != (dtype == DType::I64))
    return fail(where + "type " + dtypeName(reference.dtype) +
                " cannot be compared with the result, which is " +
                dtypeName(dtype));
  comparison.compare(reference.name, reference.shape, tensor.info.elements,
                     dtype, tensor.data, reference.dtype, file.data(reference));
  return true;
}

bool Runner::compareResult() {
  File file = SafetensorsFile::open(*options.expect, error);
  if (!file)
    return false;
  bool hasState = false;
  for (const TensorInfo &info : file->tensors())
    hasState |= !weights.count(info.name) && states.count(info.name);
  std::vector<std::string> missing;
  for (const BoundTensor &tensor : tensors) {
    bool isCompared = tensor.info.role == MUON_ROLE_WEIGHT ||
                      (hasState && isState(tensor.info.role));
    if (isCompared && !file->find(tensor.info.key))
      missing.push_back(quote(tensor.info.key));
  }
  if (!missing.empty())
    return fail(file->path() + ": " + listed(missing) +
                (missing.size() == 1 ? " is" : " are") +
                " missing, but the result has " +
                (missing.size() == 1 ? "it" : "them"));

  Comparison comparison(options.rtol.value_or(1e-5),
                        options.atol.value_or(1e-6));
  for (const TensorInfo &info : file->tensors())
    if (!compareTensor(comparison, *file, info))
      return false;
  if (!comparison.matches())
    return fail(file->path() + ": " + comparison.summary());
  out << file->path() << ": " << comparison.summary() << '\n';
  return true;
}

bool Runner::writeResult() {
  auto entry = [](const BoundTensor &tensor) {
    return TensorToWrite{tensor.info.key, dtypeOf(tensor.info.type),
                         shapeOf(tensor.info), tensor.data};
  };
  std::optional<StagedFile> stagedParams, stagedState, stagedCounters;
  if (options.outParams) {
    std::vector<TensorToWrite> list;
    for (const TensorInfo &info : params->tensors()) {
      auto it = weights.find(info.name);
      if (it != weights.end())
        list.push_back(entry(tensors[it->second]));
      else
        list.push_back({info.name, info.dtype, info.shape, params->data(info)});
    }
    stagedParams = StagedFile::writeSafetensors(*options.outParams, list,
                                                params->metadata(), error);
    if (!stagedParams)
      return false;
  }
  if (options.outState) {
    std::vector<TensorToWrite> list;
    for (const BoundTensor &tensor : tensors)
      if (isState(tensor.info.role))
        list.push_back(entry(tensor));
    stagedState = StagedFile::writeSafetensors(
        *options.outState, list,
        state ? state->metadata() : SafetensorsMetadata(), error);
    if (!stagedState)
      return false;
  }
  if (options.counters) {
    const char *json = nullptr;
    if (!check(muonArtifactCounters(artifact.get(), &json)))
      return false;
    stagedCounters = StagedFile::writeText(*options.counters,
                                           std::string(json) + "\n", error);
    if (!stagedCounters)
      return false;
  }
  std::string written;
  for (auto [staged, path] : {std::pair(&stagedParams, &options.outParams),
                              std::pair(&stagedState, &options.outState),
                              std::pair(&stagedCounters, &options.counters)}) {
    if (!*staged)
      continue;
    if (!(*staged)->commit(error)) {
      if (!written.empty())
        error += " (" + written + " was written already)";
      return false;
    }
    written += (written.empty() ? "" : ", ") + **path;
  }
  return true;
}

bool Runner::run() {
  if (!checkOptions() || !loadArtifact())
    return false;
  if (options.list) {
    printArguments();
    return true;
  }
  return openFiles() && readTensors() && runSteps() &&
         (!options.expect || compareResult()) &&
         (out.flush() || fail("cannot write to the standard output")) &&
         writeResult();
}

int muon::runTool(const std::vector<std::string> &arguments, std::ostream &out,
                  std::ostream &err) noexcept {
  auto fail = [&](const char *message) {
    out.flush();
    err << "muon-run: error: " << message << std::endl;
    return 1;
  };
  try {
    RunOptions options;
    std::string error;
    if (!parseOptions(arguments, options, error))
      return fail(error.c_str());
    if (options.help) {
      out << runToolUsage;
    } else if (options.version) {
      out << "muon-run (muon-mlir " << muonRuntimeVersion() << ")\n";
    } else {
      Runner runner(options, out);
      if (!runner.run())
        return fail(runner.error.c_str());
    }
    if (!out.flush())
      return fail("cannot write to the standard output");
    return 0;
  } catch (const std::bad_alloc &) {
    return fail("out of memory");
  } catch (const std::exception &e) {
    return fail(e.what());
  }
}
