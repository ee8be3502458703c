//===- Schedules.cpp - Named coefficient schedules ------------------------===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Dialect/Muon/Schedules.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <array>
#include <cassert>

using namespace llvm;

namespace mlir::muon {

// K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks",
// https://kellerjordan.github.io/posts/muon; KellerJordan/Muon, muon.py. It
// maximises the slope at 0 and settles for singular values in about [0.7, 1.2]
// instead of converging to 1.
static constexpr Coefficients kellerJordan[] = {
    {3.4445, -4.7750, 2.0315},
};

// Jiacheng You's schedule with different coefficients for each of five steps:
// KellerJordan/modded-nanogpt, train_gpt_medium.py; microsoft/dion; the set
// called "quintic" in NVIDIA-NeMo/Emerging-Optimizers.
static constexpr Coefficients you[] = {
    {4.0848, -6.8946, 2.9270}, {3.9505, -6.3029, 2.6377},
    {3.7418, -5.5913, 2.3037}, {2.8769, -3.1427, 1.2046},
    {2.8366, -3.0525, 1.2012},
};

// N. Amsel, D. Persson, C. Musco, R. Gower, "The Polar Express: Optimal Matrix
// Sign Methods and Their Application to the Muon Algorithm",
// arXiv:2505.16932. The numbers are those that KellerJordan/modded-nanogpt and
// microsoft/dion ship, made with safety 2e-2 and cushion 2: the input must be
// divided by 1.02 times its norm.
static constexpr Coefficients polarExpress[] = {
    {8.156554524902461, -22.48329292557795, 15.878769915207462},
    {4.042929935166739, -2.808917465908714, 0.5000178451051316},
    {3.8916678022926607, -2.772484153217685, 0.5060648178503393},
    {3.285753657755655, -2.3681294933425376, 0.46449024233003106},
    {2.3465413258596377, -1.7097828382687081, 0.42323551169305323},
};

// E. Grishina, M. Smirnov, M. Rakhuba, "Accelerating Newton-Schulz Iteration
// for Orthogonalization via Chebyshev-type Polynomials", arXiv:2506.10935, as
// in NVIDIA-NeMo/Emerging-Optimizers, muon_utils.py ("cans").
static constexpr Coefficients cans[] = {
    {8.4703, -25.1081, 18.6293}, {4.1828, -3.1087, 0.5806},
    {3.9619, -2.9541, 0.5630},   {3.2866, -2.4647, 0.5074},
    {2.2737, -1.6447, 0.4162},
};

// Relaxed cubic steps, arXiv:2606.00371, as in
// NVIDIA-NeMo/Emerging-Optimizers, muon_utils.py ("cubic5"). Because c = 0, the
// product A^2 is not needed; singular values end in about [0.7, 1.3].
static constexpr Coefficients cubic[] = {
    {3.3656576, -3.3420992, 0.0}, {2.5744352, -1.4957376, 0.0},
    {2.5368962, -1.4312570, 0.0}, {2.4418906, -1.2764040, 0.0},
    {2.2230472, -0.9630650, 0.0},
};

namespace {
struct NamedSchedule {
  StringRef name;
  ArrayRef<Coefficients> table;
  double safety;
};
} // namespace

static constexpr NamedSchedule schedules[] = {
    {"keller_jordan", kellerJordan, 1.0},
    {"you", you, 1.0},
    {"polar_express", polarExpress, 1.02},
    {"cans", cans, 1.0},
    {"cubic", cubic, 1.0},
};

static const NamedSchedule *find(StringRef name) {
  const NamedSchedule *it =
      llvm::find_if(schedules, [&](const NamedSchedule &schedule) {
        return schedule.name == name;
      });
  return it == std::end(schedules) ? nullptr : it;
}

std::optional<ArrayRef<Coefficients>> lookupSchedule(StringRef name) {
  if (const NamedSchedule *schedule = find(name))
    return schedule->table;
  return std::nullopt;
}

ArrayRef<StringRef> scheduleNames() {
  static constexpr auto names = [] {
    std::array<StringRef, std::size(schedules)> result;
    for (size_t i = 0; i < result.size(); ++i)
      result[i] = schedules[i].name;
    return result;
  }();
  return names;
}

Coefficients coefficientsAt(ArrayRef<Coefficients> table, unsigned step) {
  assert(!table.empty() && "a schedule has at least one entry");
  return table[std::min<size_t>(step, table.size() - 1)];
}

double recommendedSafety(StringRef name) {
  const NamedSchedule *schedule = find(name);
  return schedule ? schedule->safety : 1.0;
}

} // namespace mlir::muon
