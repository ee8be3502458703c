//===- planning.cpp - How long it takes to plan a step --------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   planning_bench                 time, memory and balance of plans
//   planning_bench --update PAGE   writes the tables of PAGE between its marks
//
//===----------------------------------------------------------------------===//

#include "../test/unit/Distribution/Models.h"
#include "muon-mlir/Distribution/Report.h"
#include "muon-mlir/Distribution/Schemes.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <sys/resource.h>
#include <utility>

using namespace mlir::muon::distribution;
using llvm::StringRef;

/// Plans and prints one line. With `isUngrouped`, every parameter is a group.
static void measure(StringRef preset, StringRef grid, bool hasExpertAxis,
                    bool isUngrouped) {
  Topology topology;
  topology.axes = llvm::cantFail(parseGrid(grid));
  std::vector<int64_t> unreduced(topology.axes.size());
  for (size_t axis = 0; axis < unreduced.size(); ++axis)
    unreduced[axis] = axis;
  std::vector<int64_t> experts;
  if (hasExpertAxis)
    experts = {1};
  std::vector<Group> groups =
      makeModel(preset, /*isGram=*/true, unreduced, experts);
  if (isUngrouped) {
    std::vector<Group> single;
    for (Group group : groups) {
      int64_t members = std::exchange(group.members, 1);
      single.insert(single.end(), members, group);
    }
    groups = std::move(single);
  }
  size_t count = groups.size();
  auto start = std::chrono::steady_clock::now();
  Plan plan = llvm::cantFail(makePlan(topology, std::move(groups)));
  std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - start;
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto imbalance = [&](double RankTotals::*figure) {
    return getSpread(plan.totals, figure).getImbalance();
  };
  llvm::outs() << llvm::format("%-18s %-16s %6zu groups %8.3f s %7ld MB  ",
                               preset.data(), grid.data(), count,
                               seconds.count(), usage.ru_maxrss / 1000)
               << llvm::format("%8.3f s a step  ", getStepTime(plan).getTime())
               << llvm::format("most/mean: FLOPs %.4f, state %.4f, sent %.4f\n",
                               imbalance(&RankTotals::flops),
                               imbalance(&RankTotals::state),
                               imbalance(&RankTotals::bytesSent));
}

static int update(StringRef path) {
  auto fail = [&](const llvm::Twine &message) {
    llvm::errs() << "planning_bench: error: " << path << ": " << message
                 << "\n";
    return 1;
  };
  auto page = llvm::MemoryBuffer::getFile(path);
  if (!page)
    return fail(page.getError().message());
  StringRef text = (*page)->getBuffer();
  StringRef begin = "<!-- begin tables -->\n", end = "<!-- end tables -->\n";
  size_t first = text.find(begin), last = text.find(end);
  if (first == StringRef::npos || last == StringRef::npos || last < first)
    return fail("expected tables between '" + begin.trim() + "' and '" +
                end.trim() + "', found none");
  llvm::Error error =
      llvm::writeToOutput(path, [&](llvm::raw_ostream &os) -> llvm::Error {
        os << text.take_front(first + begin.size());
        printSchemeTables(os);
        os << "\n" << text.drop_front(last);
        return llvm::Error::success();
      });
  return error ? fail(llvm::toString(std::move(error))) : 0;
}

int main(int argc, char **argv) {
  if (argc == 3 && StringRef(argv[1]) == "--update")
    return update(argv[2]);
  if (argc != 1) {
    llvm::errs() << "usage: planning_bench [--update PAGE]\n";
    return 2;
  }
  measure("llama2-7b", "dp=8", false, false);
  measure("llama2-7b", "dp=64", false, false);
  measure("moonlight-16b-a3b", "dp=8,ep=8", true, false);
  measure("kimi-k2-1t", "dp=32,ep=64", true, false);
  measure("kimi-k2-1t", "dp=2048", false, false);
  measure("kimi-k2-1t", "dp=2048", false, true);
  return 0;
}
