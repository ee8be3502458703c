//===- RunTool.cpp - The muon-run tool ------------------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Runtime/RunTool.h"

#include "../Text.h"
#include "Runner.h"

#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <new>
#include <ostream>
#include <sstream>
#include <system_error>
#include <thread>

using namespace muon;

namespace {

/// Ends the process, for what cannot be told to stop waiting: the beginning and
/// the end of MPI, which all processes have to come to.
class Watchdog {
public:
  /// No limit for 0.
  Watchdog(double seconds, std::string message) {
    if (seconds <= 0)
      return;
    thread = std::thread([this, seconds, message = std::move(message)] {
      std::unique_lock<std::mutex> lock(mutex);
      if (over.wait_for(lock, std::chrono::duration<double>(seconds),
                        [&] { return isOver; }))
        return;
      std::fprintf(stderr, "muon-run: error: %s within %g s\n", message.c_str(),
                   seconds);
      std::_Exit(1);
    });
  }
  ~Watchdog() {
    if (!thread.joinable())
      return;
    {
      std::lock_guard<std::mutex> lock(mutex);
      isOver = true;
    }
    over.notify_one();
    thread.join();
  }

private:
  std::mutex mutex;
  std::condition_variable over;
  bool isOver = false;
  std::thread thread;
};

class Run {
public:
  Run(const RunOptions &options, std::ostream &out)
      : options(options), out(out) {}

  bool run();
  /// One for each rank that failed.
  std::vector<std::string> errors;

private:
  bool fail(const std::string &message) {
    errors.push_back(message);
    return false;
  }
  bool decideRanks();
  bool decideNcclRanks();
  MuonCommunicator *makeProcess();
  bool prepare(MuonCommunicator *communicator, std::string &error);
  bool runThreads();
  bool runProcess();
  std::string runRank(const RankOfRun &rank, std::ostream &rankOut) noexcept;

  const RunOptions &options;
  std::ostream &out;
  bool isMpi = false, isNccl = false;
  /// One rank for each process, instead of threads.
  bool isProcess = false;
  int32_t ranks = 1, localRank = 0;
};

} // namespace

/// Seconds that what knows a time-out itself has to say so.
static constexpr double kMargin = 10;

/// A number that mpirun tells its processes; nullopt if it did not start this.
static std::optional<int32_t> mpirunNumber(const char *name) {
  const char *text = std::getenv(name);
  int32_t number = 0;
  if (!text)
    return std::nullopt;
  auto [rest, code] = std::from_chars(text, text + std::strlen(text), number);
  if (code != std::errc() || *rest || number < 0)
    return std::nullopt;
  return number;
}

/// By processes, if something says which this is; by threads otherwise.
bool Run::decideNcclRanks() {
  isNccl = true;
  MuonLaunch launch = {};
  if (muonFindLaunch(&launch) != MUON_OK)
    return fail(muonLastError());
  isProcess = launch.launcher || options.rendezvous;
  localRank = launch.local_rank;
  ranks = int32_t(options.ranks.value_or(isProcess ? launch.ranks : 1));
  if (options.rank && (!options.rendezvous || !options.ranks))
    return fail("--rank needs --ranks and --rendezvous");
  if (options.rank && *options.rank >= *options.ranks)
    return fail("--rank is " + std::to_string(*options.rank) +
                ", and --ranks " + std::to_string(*options.ranks));
  if (options.rank || !launch.launcher || ranks == launch.ranks)
    return true;
  return fail("--ranks is " + std::to_string(ranks) + ", but " +
              launch.launcher + " started " + std::to_string(launch.ranks) +
              " processes; leave out --ranks");
}

bool Run::decideRanks() {
  const bool wantsNccl = options.communicator == "nccl";
  if (!wantsNccl && (options.rendezvous || options.rank))
    return fail("--rendezvous and --rank need --communicator=nccl");
  if (wantsNccl)
    return decideNcclRanks();
  const int32_t started = mpirunNumber("OMPI_COMM_WORLD_SIZE").value_or(1);
  if (options.communicator)
    isMpi = *options.communicator == "mpi";
  else
    isMpi = started > 1;
  isProcess = isMpi;
  ranks = int32_t(options.ranks.value_or(isMpi ? started : 1));
  // Whether that is all processes is known when MPI runs.
  if (!isMpi || started == 1 || ranks == started)
    return true;
  return fail("--ranks is " + std::to_string(ranks) + ", but mpirun started " +
              std::to_string(started) +
              " processes; leave out --ranks, or give --communicator=threads");
}

bool Run::run() {
  if (!decideRanks())
    return false;
  std::string error;
  if (options.list) {
    if (!checkOptions(options, 1, error))
      return fail(error);
    if (mpirunNumber("OMPI_COMM_WORLD_RANK").value_or(0) != 0)
      return true;
    error = runRank(RankOfRun(), out);
    return error.empty() || fail(error);
  }
  return isProcess ? runProcess() : runThreads();
}

bool Run::prepare(MuonCommunicator *communicator, std::string &error) {
  if (!options.timeout ||
      muonCommunicatorSetTimeout(communicator, *options.timeout) == MUON_OK)
    return true;
  error = std::string("--timeout: ") + muonLastError();
  return false;
}

/// The message of what failed; "" if nothing did.
std::string Run::runRank(const RankOfRun &rank,
                         std::ostream &rankOut) noexcept {
  std::string error;
  try {
    Runner runner(options, rank, rankOut);
    if (!runner.run())
      error = runner.error;
  } catch (const std::bad_alloc &) {
    error = "out of memory";
  } catch (const std::exception &e) {
    error = e.what();
  }
  // The others would wait for this rank until their time is over.
  if (!error.empty() && rank.communicator)
    muonCommunicatorAbort(rank.communicator, error.c_str());
  return error;
}

/// Null if it fails.
MuonCommunicator *Run::makeProcess() {
  MuonCommunicator *made = nullptr;
  MuonStatus status = MUON_OK;
  const double timeout = options.timeout.value_or(600);
  const Watchdog watchdog(timeout > 0 ? timeout + kMargin : 0,
                          "the ranks did not all start");
  if (isNccl) {
    MuonNcclOptions how = {};
    how.size = sizeof(how);
    how.rendezvous = options.rendezvous ? options.rendezvous->c_str() : nullptr;
    if (options.rank) {
      how.rank = int32_t(*options.rank);
      how.ranks = ranks;
    }
    how.timeout = options.timeout.value_or(0);
    status = muonCommunicatorCreateNccl(&how, &made);
  } else {
    status = muonCommunicatorCreateMpi(&made);
  }
  if (status != MUON_OK)
    fail(muonLastError());
  return made;
}

bool Run::runProcess() {
  std::string invalid;
  if (isNccl && !checkOptions(options, ranks, invalid))
    return fail(invalid);
  MuonCommunicator *made = makeProcess();
  if (!made)
    return false;
  OwnedCommunicator communicator(made);
  RankOfRun rank{muonCommunicatorRank(made), muonCommunicatorSize(made), made};
  MuonLaunch launch = {};
  if (muonFindLaunch(&launch) == MUON_OK)
    rank.localRank = launch.local_rank;
  std::string error;
  // From the end of the run on; MPI ends with the process. Never destroyed.
  auto watchEnd = [&] {
    const double timeout = options.timeout.value_or(600);
    if (mpirunNumber("OMPI_COMM_WORLD_RANK"))
      (void)new Watchdog(timeout > 0 ? timeout + kMargin : 0,
                         rank.prefix() + "the ranks did not all end");
  };
  if (options.ranks && *options.ranks != rank.ranks)
    error = "--ranks is " + std::to_string(*options.ranks) + ", but MPI has " +
            std::to_string(rank.ranks);
  else if (checkOptions(options, rank.ranks, error) && prepare(made, error))
    error = runRank(rank, out);
  watchEnd();
  if (error.empty())
    return true;
  // Other processes may have found nothing wrong, and wait for this one.
  muonCommunicatorAbort(made, error.c_str());
  return fail(rank.prefix() + error);
}

bool Run::runThreads() {
  std::string error;
  if (!checkOptions(options, ranks, error))
    return fail(error);
  std::vector<MuonCommunicator *> made(size_t(ranks), nullptr);
  std::vector<OwnedCommunicator> communicators(made.size());
  if (muonCommunicatorCreateThreads(ranks, made.data()) != MUON_OK)
    return fail(muonLastError());
  for (size_t i = 0; i < made.size(); ++i)
    communicators[i].reset(made[i]);
  for (size_t i = 0; isNccl && i < made.size(); ++i) {
    MuonNcclOptions how = {};
    how.size = sizeof(how);
    how.control = made[i];
    if (muonCommunicatorCreateNccl(&how, &made[i]) != MUON_OK)
      return fail(muonLastError());
    communicators[i].reset(made[i]);
  }
  for (MuonCommunicator *communicator : made)
    if (!prepare(communicator, error))
      return fail(error);
  if (ranks == 1) {
    error = runRank({0, 1, made[0]}, out);
    return error.empty() || fail(error);
  }

  std::vector<std::ostringstream> outputs(made.size());
  std::vector<std::string> messages(made.size());
  std::vector<std::thread> threads;
  threads.reserve(made.size());
  for (size_t i = 0; i < made.size(); ++i) {
    try {
      threads.emplace_back([&, i] {
        messages[i] =
            runRank({int32_t(i), ranks, made[i], int32_t(i)}, outputs[i]);
        // The last step is over. Ranks of NCCL leave together.
        if (isNccl)
          communicators[i].reset();
      });
    } catch (const std::system_error &e) {
      messages[i] = std::string("cannot start a thread: ") + e.what();
      for (size_t j = i; j < made.size(); ++j)
        muonCommunicatorAbort(made[j], messages[i].c_str());
      break;
    }
  }
  for (std::thread &thread : threads)
    thread.join();
  for (size_t i = 0; i < made.size(); ++i) {
    out << outputs[i].str();
    if (!messages[i].empty())
      fail("rank " + std::to_string(i) + ": " + messages[i]);
  }
  return errors.empty();
}

int muon::runTool(const std::vector<std::string> &arguments, std::ostream &out,
                  std::ostream &err) noexcept {
  auto fail = [&](const char *message) {
    out.flush();
    // In one piece: other ranks may write there too.
    std::ostringstream line;
    line << "muon-run: error: " << message << '\n';
    err << line.str() << std::flush;
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
      Run run(options, out);
      if (!run.run()) {
        for (const std::string &message : run.errors)
          fail(message.c_str());
        return 1;
      }
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
