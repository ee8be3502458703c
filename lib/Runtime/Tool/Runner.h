//===- Runner.h - One rank of muon-run ------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_LIB_RUNTIME_TOOL_RUNNER_H
#define MUON_MLIR_LIB_RUNTIME_TOOL_RUNNER_H

#include "Compare.h"
#include "Options.h"
#include "TensorSource.h"

#include <cstdlib>
#include <iosfwd>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace muon {

struct CommunicatorDeleter {
  void operator()(MuonCommunicator *communicator) {
    muonCommunicatorDestroy(communicator);
  }
};
using OwnedCommunicator =
    std::unique_ptr<MuonCommunicator, CommunicatorDeleter>;

/// Which rank of how many this is.
struct RankOfRun {
  int32_t rank = 0, ranks = 1;
  /// May be null if there is one rank.
  MuonCommunicator *communicator = nullptr;
  /// On this machine.
  int32_t localRank = 0;

  /// What lines for people begin with.
  std::string prefix() const {
    return ranks > 1 ? "rank " + std::to_string(rank) + ": " : "";
  }
};

/// Checks what can be checked without reading a file. False, with `error` set,
/// if the options contradict each other.
bool checkOptions(const RunOptions &options, int32_t ranks, std::string &error);

/// Runs the step of one rank.
class Runner {
public:
  Runner(const RunOptions &options, const RankOfRun &rank, std::ostream &out);

  bool run();
  std::string error;

private:
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

  struct OutputFile {
    std::vector<TensorToWrite> tensors;
    std::map<std::string, FilePart> parts;

    void add(const BoundTensor &tensor);
  };

  bool checkOutputs();
  bool loadArtifact();
  bool checkRanks();
  void printArguments();
  bool openFiles();
  TensorSource makeSource(const std::string &given,
                          const std::optional<int64_t> &otherRanks) const;
  bool open(std::optional<TensorSource> &source, const std::string &given,
            const std::optional<int64_t> &otherRanks);
  bool readTensor(BoundTensor &tensor, TensorSource &source);
  bool initTensor(BoundTensor &tensor);
  bool initMaster(BoundTensor &tensor);
  bool allocate(BoundTensor &tensor);
  bool readTensors();
  bool upload(BoundTensor &tensor);
  bool download(BoundTensor &tensor);
  bool bindTensors();
  bool setScalars();
  bool makeStep();
  bool runSteps();
  bool printSkipped(const MuonResult &result);
  bool printStatistics(const MuonResult &result);
  bool printTraffic();
  bool compareResult();
  bool compareOwn(Comparison &comparison, const SafetensorsFile &file);
  bool compareShared(Comparison &comparison, const SafetensorsFile &file);
  bool compareFrozen(const SafetensorsFile &file, const TensorInfo &reference);
  bool compareTensor(Comparison &comparison, const SafetensorsFile &file,
                     const TensorInfo &reference, const BoundTensor &tensor);
  bool writeResult();
  std::optional<StagedFile> stageParams();
  std::optional<StagedFile> stageState();
  std::optional<StagedFile> stage(const std::string &path,
                                  const OutputFile &file,
                                  SafetensorsMetadata metadata);

  bool fail(const std::string &message) {
    error = message;
    return false;
  }
  bool check(MuonStatus status) {
    return status == MUON_OK || fail(muonLastError());
  }

  /// As they were given, and with the number of the rank in the names.
  const RunOptions &given;
  RunOptions options;
  RankOfRun rank;
  std::ostream &out;
  std::unique_ptr<MuonArtifact, ArtifactDeleter> artifact;
  MuonArtifactInfo artifactInfo = {};
  std::optional<TensorSource> params, grads, state;
  std::vector<BoundTensor> tensors;
  /// Indices into `tensors`, by key.
  std::unordered_map<std::string, size_t> weights, states;
  std::unordered_set<std::string> frozen;
  /// Of an artifact for one rank of one.
  OwnedCommunicator ownCommunicator;
  // After what it points to.
  std::unique_ptr<MuonStep, StepDeleter> step;
};

} // namespace muon

#endif // MUON_MLIR_LIB_RUNTIME_TOOL_RUNNER_H
