//===- Rules.h - The rules file ---------------------------------*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which optimizer updates which tensor of a checkpoint, and how: the JSON file
// described in docs/rules.md. No MLIR types, so that it can be tested alone.
//
//===----------------------------------------------------------------------===//

#ifndef MUON_MLIR_IMPORT_RULES_H
#define MUON_MLIR_IMPORT_RULES_H

#include "muon-mlir/Dialect/Muon/Schedules.h"
#include "muon-mlir/Distribution/Placement.h"
#include "muon-mlir/Import/NamePattern.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mlir::muon::rules {

enum class OptimizerKind { Muon, AdamW, Frozen };
enum class MomentumForm { HeavyBall, Ema };
enum class ScaleRule { None, Original, MatchRmsAdamW, Spectral, Constant };
enum class ComputeType { Auto, F32, TF32, BF16, F16 };
enum class Iteration { Auto, Direct, Gram };
enum class MasterPolicy { Auto, Always, Never };
enum class GradType { Same, F32, BF16, F16 };
enum class StateType { F32, BF16, F16 };

/// What a checkpoint stores in a tensor, as far as optimizers care: the three
/// supported types, other floating-point types (f64, f8), and the rest.
enum class ElementKind { F32, BF16, F16, OtherFloat, NonFloat };

/// The spelling in the rules file. MasterPolicy is spelled auto, true, false.
llvm::StringRef stringify(OptimizerKind value);
llvm::StringRef stringify(MomentumForm value);
llvm::StringRef stringify(ScaleRule value);
llvm::StringRef stringify(ComputeType value);
llvm::StringRef stringify(Iteration value);
llvm::StringRef stringify(MasterPolicy value);
llvm::StringRef stringify(GradType value);
llvm::StringRef stringify(StateType value);

/// A coefficient schedule: the name of a table, or a list of its own if `name`
/// is empty.
struct Schedule {
  std::string name = "keller_jordan";
  std::vector<Coefficients> literal;

  llvm::ArrayRef<Coefficients> coefficients() const;
  bool operator==(const Schedule &other) const;
};

/// The rule for the scale of the update. `constant` counts for Constant only.
struct Scale {
  ScaleRule rule = ScaleRule::MatchRmsAdamW;
  double constant = 0.0;

  bool operator==(const Scale &other) const;
};

/// The "muon" section, or what a rule makes of it. The initial values are the
/// defaults of the file format.
struct MuonConfig {
  double momentum = 0.95;
  MomentumForm momentumForm = MomentumForm::HeavyBall;
  bool nesterov = true;
  double weightDecay = 0.1;
  Schedule schedule;
  int64_t steps = 5;
  double safety = 1.0;
  double eps = 0.0;
  ComputeType compute = ComputeType::Auto;
  Iteration iteration = Iteration::Auto;
  /// Steps before which the Gram iteration starts anew.
  std::optional<std::vector<int64_t>> restarts;
  Scale scale;
  double lrMultiplier = 1.0;
  bool transposed = false;
  /// Rows of the blocks of a fused matrix.
  std::optional<std::vector<int64_t>> split;
  MasterPolicy master = MasterPolicy::Auto;

  bool operator==(const MuonConfig &other) const;
};

/// The "adamw" section, or what a rule makes of it.
struct AdamWConfig {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weightDecay = 0.1;
  double lrMultiplier = 1.0;
  MasterPolicy master = MasterPolicy::Auto;

  bool operator==(const AdamWConfig &other) const;
};

/// The keys that belong to the step and not to a parameter.
struct StepConfig {
  std::optional<double> clipGlobalNorm;
  bool skipNonfinite = true;
  GradType gradType = GradType::Same;
  StateType stateType = StateType::F32;

  bool operator==(const StepConfig &other) const;
};

/// What the file says about how ranks have tensors. Axes are indices into the
/// grid's; what is absent follows from their names.
struct PlacementConfig {
  using AxisLists = llvm::SmallVector<llvm::SmallVector<int64_t>>;
  /// For each dimension the axes that it is split along.
  std::optional<AxisLists> sharding;
  /// Empty if gradients are summed already.
  std::optional<llvm::SmallVector<int64_t>> unreduced;
  bool isMean = true;

  bool operator==(const PlacementConfig &other) const;
};

/// What becomes of one tensor.
struct ResolvedParam {
  OptimizerKind optimizer = OptimizerKind::Frozen;
  /// Counts if the optimizer is Muon; `split` is absent unless it has at least
  /// two blocks.
  MuonConfig muon;
  /// Counts if the optimizer is AdamW.
  AdamWConfig adamw;
  /// The group whose run-time scalars the parameter uses; empty if frozen.
  std::string group;
  /// Equal for parameters with the same optimizer, group and configuration up
  /// to `split`; stacks are made of these. Counts unless frozen.
  unsigned settings = 0;
  /// The state holds an f32 master of the weight.
  bool keepsMaster = false;
  /// How ranks have weight, gradient and state; absent without a grid.
  std::optional<distribution::Placement> placement;
  /// The file says how it is split, or that nothing is left to sum: even where
  /// that is what it would be anyway, other grids must not change it.
  bool isPlacedByFile = false;
  /// The strategy that the file asks for.
  std::optional<distribution::Strategy> strategy;
  /// The index of the rule that matched, if one did.
  std::optional<unsigned> rule;
  /// Worth telling the user; mostly empty.
  std::string note;
};

/// A parsed rules file. Use one object for all parameters of one step: it
/// checks that those of a group fit together.
class Rules {
public:
  /// What an empty file says.
  Rules();
  Rules(Rules &&);
  Rules &operator=(Rules &&);
  ~Rules();

  /// Files larger than this are refused.
  static constexpr size_t maxFileSize = size_t(16) << 20;
  static constexpr size_t maxRules = 10000;
  static constexpr int64_t maxSteps = 100;

  /// Parses the contents of a rules file. Messages start with `fileName`. A
  /// `grid`, as parseGrid takes it, gives that of the file other sizes, or is
  /// the grid if the file has none.
  static llvm::Expected<Rules> parse(llvm::StringRef text,
                                     llvm::StringRef fileName = "rules.json",
                                     llvm::StringRef grid = "");

  /// Reads and parses the file at `path`.
  static llvm::Expected<Rules> load(llvm::StringRef path,
                                    llvm::StringRef grid = "");

  /// Decides about the tensor `name`.
  llvm::Expected<ResolvedParam> resolve(llvm::StringRef name,
                                        llvm::ArrayRef<int64_t> shape,
                                        ElementKind type);

  const MuonConfig &getMuon() const { return muon; }
  const AdamWConfig &getAdamW() const { return adamw; }
  const StepConfig &getStep() const { return step; }
  /// Axes of the grid, outermost first; none without a grid.
  llvm::ArrayRef<distribution::Axis> getGrid() const { return grid; }
  const PlacementConfig &getPlacement() const { return placement; }
  size_t getNumRules() const { return rules.size(); }

  /// Complete sentences about what is allowed and probably not meant.
  llvm::ArrayRef<std::string> getWarnings() const { return warnings; }

  /// The rules that no tensor resolved so far has matched first.
  std::vector<unsigned> getUnmatchedRules() const;

private:
  friend class RulesParser;

  struct Rule {
    NamePattern pattern;
    bool matched = false;
    std::optional<OptimizerKind> optimizer;
    std::string group;
    /// Overrides the default of a run-time scalar, which exists once per group.
    bool overridesScalar = false;
    /// A key that only the one optimizer knows, if the rule has any.
    std::string muonOnlyKey, adamwOnlyKey;
    /// The placement with this rule's overrides, and whether its sharding is
    /// one of them.
    PlacementConfig placement;
    bool hasSharding = false;
    std::optional<distribution::Strategy> strategy;
    /// The sections with this rule's overrides.
    MuonConfig muon;
    AdamWConfig adamw;
  };

  struct Settings {
    OptimizerKind optimizer;
    std::string group;
    MuonConfig muon;
    AdamWConfig adamw;
  };

  /// Who uses a group, for the diagnostic about a second user that does not
  /// fit.
  struct GroupUse {
    OptimizerKind optimizer;
    double weightDecay, momentum;
    std::string description;
  };

  llvm::Error fail(const llvm::Twine &message) const;
  std::optional<unsigned> findRule(llvm::StringRef name);
  /// The settings of (rule, optimizer), checked when `name` is the first
  /// parameter that has them.
  llvm::Expected<unsigned> getSettings(std::optional<unsigned> rule,
                                       OptimizerKind optimizer,
                                       llvm::StringRef name);

  /// Decides how ranks have the tensor `name`.
  llvm::Error place(llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                    ResolvedParam &result) const;

  /// Prefix of messages; empty without a file.
  std::string fileName;
  MuonConfig muon;
  AdamWConfig adamw;
  StepConfig step;
  std::vector<distribution::Axis> grid;
  PlacementConfig placement;
  std::vector<Rule> rules;
  std::vector<std::string> warnings;
  std::vector<Settings> settings;
  /// Index into `settings` by 2 * (rule + 1) + optimizer.
  std::vector<std::optional<unsigned>> settingsOf;
  llvm::StringMap<GroupUse> groups;
};

/// A rules file that says what an absent one does.
std::string printDefaults();

} // namespace mlir::muon::rules

#endif // MUON_MLIR_IMPORT_RULES_H
