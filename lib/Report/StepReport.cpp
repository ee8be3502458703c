//===- StepReport.cpp - Print a report -*- C++ -*-===//
//
// Part of the muon-mlir Project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "muon-mlir/Report/StepReport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Unicode.h"
#include <cmath>

using namespace mlir::muon;
using llvm::ArrayRef;
using llvm::StringRef;

namespace {

/// Sums over groups; what no group knows is unknown.
struct Sums {
  explicit Sums(const StepReport &report);

  int64_t members = 0;
  double matrices = 0, parameters = 0;
  std::optional<double> flops, denseFlops, bytesRead, bytesWritten;
};

} // namespace

static double getBytesRead(const StepReport::Memory &memory) {
  double bytes = 0;
  for (const StepReport::Stream &stream : memory.streams)
    bytes += stream.bytesRead;
  return bytes;
}

static double getBytesWritten(const StepReport::Memory &memory) {
  double bytes = 0;
  for (const StepReport::Stream &stream : memory.streams)
    bytes += stream.bytesWritten;
  return bytes;
}

Sums::Sums(const StepReport &report) {
  auto add = [](std::optional<double> &sum, double value) {
    sum = sum.value_or(0.0) + value;
  };
  for (const StepReport::Group &group : report.groups) {
    members += group.members.size();
    matrices += group.matrices;
    parameters += group.parameters;
    if (group.iteration) {
      add(flops, group.iteration->flops);
      add(denseFlops, group.iteration->denseFlops);
    }
    if (group.memory) {
      add(bytesRead, getBytesRead(*group.memory));
      add(bytesWritten, getBytesWritten(*group.memory));
    }
  }
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

namespace {

/// Rows of cells, printed in aligned columns. The first row is the header.
class Table {
public:
  /// One character per column: 'l' or 'r', the side its cells stand on.
  explicit Table(StringRef sides) : sides(sides) {}

  void addRow(std::vector<std::string> cells) {
    rows.push_back(std::move(cells));
  }
  void print(llvm::raw_ostream &os) const;

private:
  static size_t getWidth(StringRef cell) {
    int width = llvm::sys::unicode::columnWidthUTF8(cell);
    return width < 0 ? cell.size() : width;
  }

  StringRef sides;
  std::vector<std::vector<std::string>> rows;
};

} // namespace

void Table::print(llvm::raw_ostream &os) const {
  std::vector<size_t> widths(sides.size(), 0);
  for (const std::vector<std::string> &row : rows)
    for (auto [width, cell] : llvm::zip(widths, row))
      width = std::max(width, getWidth(cell));
  for (const std::vector<std::string> &row : rows) {
    std::string line;
    for (auto [side, width, cell] : llvm::zip(sides, widths, row)) {
      std::string padding(width - getWidth(cell), ' ');
      line += "  " + (side == 'r' ? padding + cell : cell + padding);
    }
    os << StringRef(line).rtrim() << "\n";
  }
}

/// Three digits and a unit.
static std::string formatQuantity(double value, double base,
                                  ArrayRef<StringRef> units) {
  size_t unit = 0;
  // What would be rounded to the next unit is written in it.
  while (value >= base - 0.5 && unit + 1 < units.size()) {
    value /= base;
    ++unit;
  }
  int digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::format("%.*f", digits, value);
  if (!units[unit].empty())
    os << " " << units[unit];
  return text;
}

static std::string formatCount(double value) {
  static constexpr StringRef units[] = {"", "K", "M", "G", "T", "P", "E"};
  return formatQuantity(value, 1000, units);
}

static std::string formatBytes(double value) {
  static constexpr StringRef units[] = {"B",   "KiB", "MiB", "GiB",
                                        "TiB", "PiB", "EiB"};
  return formatQuantity(value, 1024, units);
}

static std::string formatFlops(std::optional<double> value) {
  return value ? formatCount(*value) : "-";
}

static std::string formatBytes(std::optional<double> value) {
  return value ? formatBytes(*value) : "-";
}

/// A name in one line, whatever its characters.
static std::string escape(StringRef name) {
  std::string text;
  llvm::raw_string_ostream os(text);
  for (char c : name)
    if (llvm::isPrint(c) || static_cast<unsigned char>(c) >= 0x80)
      os << c;
    else
      os << "\\x" << llvm::toHex(StringRef(&c, 1));
  return text;
}

static std::string formatNames(ArrayRef<StepReport::Member> members) {
  if (members.empty())
    return "-";
  const StepReport::Member &first = members.front();
  std::string text = escape(first.tensor);
  if (first.rows)
    text += "[" + std::to_string(first.begin) + ":" +
            std::to_string(first.end) + "]";
  if (members.size() > 1)
    text += ", …";
  return text;
}

/// Element type of the tensors of a role.
static std::string getType(const StepReport::Group &group, StringRef role) {
  for (const auto &[name, type] : group.types)
    if (name == role)
      return type;
  return "-";
}

static std::string formatSeconds(double seconds) {
  static constexpr StringRef units[] = {"ns", "µs", "ms", "s"};
  return formatQuantity(seconds * 1e9, 1000, units);
}

/// The kernels of a GPU, and what bounds their launches together.
static void printDevice(const StepReport &report, llvm::raw_ostream &os) {
  const StepReport::Device &device = *report.device;
  auto formatCountOr = [](std::optional<int64_t> number) {
    return number ? std::to_string(*number) : "-";
  };
  Table table("llrrrrrrrrrrr");
  table.addRow({"kernel", "phase", "launches", "grid", "block", "shared",
                "registers", "spilled", "FLOPs", "read", "written", "FLOP/B",
                "floor"});
  int64_t launches = 0;
  double floor = 0;
  for (const StepReport::Kernel &kernel : device.kernels) {
    launches += kernel.launches;
    double bytes = kernel.bytesRead + kernel.bytesWritten;
    std::string least = "-";
    if (device.chip) {
      double seconds = getFloorSeconds(kernel, *device.chip);
      floor += seconds;
      least = formatSeconds(seconds);
    }
    table.addRow(
        {kernel.name, kernel.phase, std::to_string(kernel.launches),
         std::to_string(kernel.blocks), std::to_string(kernel.threads),
         formatBytes(kernel.sharedBytes), formatCountOr(kernel.registers),
         kernel.spilledBytes ? formatBytes(*kernel.spilledBytes) : "-",
         kernel.flops ? formatCount(kernel.flops) : "-",
         formatBytes(kernel.bytesRead), formatBytes(kernel.bytesWritten),
         kernel.flops && bytes ? formatCount(kernel.flops / bytes) : "-",
         least});
  }
  os << "\nkernels for " << device.arch << "\n";
  table.print(os);
  os << "\n" << launches << " launches, scratch memory ";
  os << (report.totals ? formatBytes(double(report.totals->scratchBytes)) : "-")
     << ", limit "
     << (device.scratchLimit ? formatBytes(double(device.scratchLimit))
                             : "none")
     << "\n";
  if (device.chip)
    os << "floors of " << device.chip->name << ", " << formatSeconds(floor)
       << " in all: " << formatCount(device.chip->half)
       << "FLOP/s in f16 and bf16, " << formatCount(device.chip->tf32)
       << "FLOP/s in tf32, " << formatCount(device.chip->f32)
       << "FLOP/s in f32, " << formatCount(device.chip->bandwidth) << "B/s\n";
}

static void printDistribution(const StepReport::Distribution &distribution,
                              llvm::raw_ostream &os) {
  os << "\nrank " << distribution.rank << " of " << distribution.ranks << "\n";
  Table table("llrrr");
  table.addRow({"what", "collective", "number", "sent", "received"});
  StepReport::Collective all;
  for (const StepReport::Collective &entry : distribution.collectives) {
    table.addRow({entry.what, entry.kind, std::to_string(entry.count),
                  formatBytes(entry.bytesSent),
                  formatBytes(entry.bytesReceived)});
    all.count += entry.count;
    all.bytesSent += entry.bytesSent;
    all.bytesReceived += entry.bytesReceived;
  }
  table.addRow({"all", "", std::to_string(all.count),
                formatBytes(all.bytesSent), formatBytes(all.bytesReceived)});
  table.print(os);
  os << "\nplan of all ranks\n";
  for (const std::string &line : distribution.plan)
    os << "  " << escape(line) << "\n";
}

void mlir::muon::printReportText(const StepReport &report,
                                 llvm::raw_ostream &os) {
  Table updates("rllrllllll");
  updates.addRow({"#", "optimizer", "rules", "tensors", "shape", "weight",
                  "gradient", "state", "master", "names"});
  Table iterations("rlllrl");
  iterations.addRow({"#", "side", "compute", "iteration", "steps", "why"});
  // Of a GPU, what is done to memory is told kernel by kernel.
  bool isGpu = report.device.has_value();
  Table work(isGpu ? "rrrr" : "rrrrrrrrr");
  auto addWork = [&](std::vector<std::string> cells) {
    if (isGpu)
      cells.resize(4);
    work.addRow(std::move(cells));
  };
  addWork({"#", "parameters", "FLOPs", "dense", "read", "written",
           "per parameter", "scratch", "passes"});

  for (auto [index, group] : llvm::enumerate(report.groups)) {
    std::string number = std::to_string(index + 1);
    // AdamW has two of a type.
    updates.addRow(
        {number, group.optimizer, escape(group.ruleGroup),
         std::to_string(group.members.size()),
         llvm::join(
             llvm::map_range(group.shape,
                             [](int64_t dim) { return std::to_string(dim); }),
             "x"),
         getType(group, "weight"), getType(group, "gradient"),
         getType(group, group.optimizer == "muon" ? "momentum" : "exp_avg"),
         getType(group, "master"), formatNames(group.members)});
    if (const auto &it = group.iteration)
      iterations.addRow({number, it->side, it->compute, it->kind,
                         std::to_string(it->steps), escape(it->why)});

    std::optional<double> flops, dense, read, written, scratch;
    std::string perParameter = "-", passes = "-";
    if (group.iteration) {
      flops = group.iteration->flops;
      dense = group.iteration->denseFlops;
    }
    if (group.memory) {
      read = getBytesRead(*group.memory);
      written = getBytesWritten(*group.memory);
      scratch = group.memory->scratchBytes;
      perParameter = formatBytes((*read + *written) / group.parameters);
      passes = std::to_string(group.memory->passes);
    }
    addWork({number, formatCount(group.parameters), formatFlops(flops),
             formatFlops(dense), formatBytes(read), formatBytes(written),
             perParameter, formatBytes(scratch), passes});
  }

  Sums sums(report);
  std::optional<double> scratch;
  if (report.totals)
    scratch = report.totals->scratchBytes;
  addWork({"all", formatCount(sums.parameters), formatFlops(sums.flops),
           formatFlops(sums.denseFlops), formatBytes(sums.bytesRead),
           formatBytes(sums.bytesWritten), "", formatBytes(scratch), ""});

  os << "updates\n";
  updates.print(os);
  if (sums.flops) {
    os << "\niterations\n";
    iterations.print(os);
  }
  os << "\nwork of one step\n";
  work.print(os);
  if (report.totals)
    os << "\n"
       << sums.members << " tensors or parts of tensors, "
       << llvm::format("%.0f", sums.matrices) << " matrices, "
       << report.totals->slots << " slots\n";
  if (report.distribution)
    printDistribution(*report.distribution, os);
  if (report.device)
    printDevice(report, os);
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

/// Numbers are integers where they are whole.
static llvm::json::Value toJson(double value) {
  if (value == std::floor(value) && value < 0x1p63)
    return static_cast<int64_t>(value);
  return value;
}

/// Names come from files and need not be UTF-8.
static std::string toUtf8(StringRef text) {
  return llvm::json::isUTF8(text) ? text.str() : llvm::json::fixUTF8(text);
}

static void printMember(llvm::json::OStream &json,
                        const StepReport::Member &member) {
  if (!member.rows) {
    json.value(toUtf8(member.tensor));
    return;
  }
  json.object([&] {
    json.attribute("tensor", toUtf8(member.tensor));
    json.attribute("begin", member.begin);
    json.attribute("end", member.end);
    json.attribute("rows", member.rows);
  });
}

static void printIteration(llvm::json::OStream &json,
                           const StepReport::Iteration &iteration) {
  json.attribute("side", iteration.side);
  json.attribute("compute", iteration.compute);
  json.attribute("iteration", iteration.kind);
  json.attribute("restarts", llvm::json::Array(iteration.restarts));
  json.attribute("steps", iteration.steps);
  json.attribute("why", toUtf8(iteration.why));
  json.attribute("flops", toJson(iteration.flops));
  json.attribute("dense_flops", toJson(iteration.denseFlops));
}

static void printMemory(llvm::json::OStream &json,
                        const StepReport::Memory &memory) {
  json.attributeArray("streams", [&] {
    for (const StepReport::Stream &stream : memory.streams)
      json.object([&] {
        json.attribute("stream", stream.name);
        json.attribute("bytes_read", toJson(stream.bytesRead));
        json.attribute("bytes_written", toJson(stream.bytesWritten));
      });
  });
  json.attribute("bytes_read", toJson(getBytesRead(memory)));
  json.attribute("bytes_written", toJson(getBytesWritten(memory)));
  json.attribute("scratch_bytes", memory.scratchBytes);
  json.attribute("passes", memory.passes);
}

static void printGroup(llvm::json::OStream &json,
                       const StepReport::Group &group) {
  bool isMuon = group.optimizer == "muon";
  json.attribute("optimizer", group.optimizer);
  json.attribute("rule_group", toUtf8(group.ruleGroup));
  json.attributeArray("members", [&] {
    for (const StepReport::Member &member : group.members)
      printMember(json, member);
  });
  json.attribute("shape", llvm::json::Array(group.shape));
  if (isMuon)
    json.attribute("matrices", group.matrices);
  json.attribute("parameters", group.parameters);
  json.attributeObject("types", [&] {
    for (const auto &[role, type] : group.types)
      json.attribute(role, type);
  });
  if (group.iteration)
    printIteration(json, *group.iteration);
  if (group.memory) {
    printMemory(json, *group.memory);
    if (isMuon)
      json.attribute("matrices_per_pass", group.memory->matricesPerPass);
  }
}

static void printKernel(llvm::json::OStream &json,
                        const StepReport::Kernel &kernel,
                        const std::optional<Chip> &chip) {
  json.attribute("name", kernel.name);
  json.attribute("phase", kernel.phase);
  json.attribute("arithmetic", kernel.arithmetic);
  json.attribute("launches", kernel.launches);
  json.attribute("blocks", kernel.blocks);
  json.attribute("threads", kernel.threads);
  json.attribute("shared_bytes", kernel.sharedBytes);
  if (kernel.registers)
    json.attribute("registers", *kernel.registers);
  if (kernel.spilledBytes)
    json.attribute("spilled_bytes", *kernel.spilledBytes);
  json.attribute("flops", toJson(kernel.flops));
  json.attribute("bytes_read", toJson(kernel.bytesRead));
  json.attribute("bytes_written", toJson(kernel.bytesWritten));
  if (chip)
    json.attribute("floor_seconds", getFloorSeconds(kernel, *chip));
}

static void printDevice(llvm::json::OStream &json,
                        const StepReport::Device &device) {
  int64_t launches = 0;
  for (const StepReport::Kernel &kernel : device.kernels)
    launches += kernel.launches;
  json.attribute("arch", device.arch);
  json.attribute("launches", launches);
  json.attribute("scratch_limit", device.scratchLimit);
  if (device.chip)
    json.attributeObject("chip", [&] {
      json.attribute("name", device.chip->name);
      json.attribute("half_flops", toJson(device.chip->half));
      json.attribute("tf32_flops", toJson(device.chip->tf32));
      json.attribute("f32_flops", toJson(device.chip->f32));
      json.attribute("bandwidth", toJson(device.chip->bandwidth));
    });
  json.attributeArray("kernels", [&] {
    for (const StepReport::Kernel &kernel : device.kernels)
      json.object([&] { printKernel(json, kernel, device.chip); });
  });
}

void mlir::muon::printReportJson(const StepReport &report,
                                 llvm::raw_ostream &os) {
  llvm::json::OStream json(os, /*IndentSize=*/2);
  Sums sums(report);
  auto attribute = [&](StringRef key, std::optional<double> value) {
    if (value)
      json.attribute(key, toJson(*value));
  };
  json.object([&] {
    json.attribute("format", "muon-report");
    json.attribute("version", 1);
    json.attributeArray("groups", [&] {
      for (const StepReport::Group &group : report.groups)
        json.object([&] { printGroup(json, group); });
    });
    json.attributeObject("totals", [&] {
      json.attribute("members", sums.members);
      json.attribute("matrices", toJson(sums.matrices));
      json.attribute("parameters", toJson(sums.parameters));
      attribute("flops", sums.flops);
      attribute("dense_flops", sums.denseFlops);
      attribute("bytes_read", sums.bytesRead);
      attribute("bytes_written", sums.bytesWritten);
      if (report.totals) {
        json.attribute("scratch_bytes", report.totals->scratchBytes);
        json.attribute("slots", report.totals->slots);
      }
    });
    if (const auto &distribution = report.distribution)
      json.attributeObject("distribution", [&] {
        json.attribute("rank", distribution->rank);
        json.attribute("ranks", distribution->ranks);
        json.attributeArray("plan", [&] {
          for (const std::string &line : distribution->plan)
            json.value(toUtf8(line));
        });
        json.attributeArray("collectives", [&] {
          for (const StepReport::Collective &entry : distribution->collectives)
            json.object([&] {
              json.attribute("what", entry.what);
              json.attribute("kind", entry.kind);
              json.attribute("number", entry.count);
              json.attribute("bytes_sent", toJson(entry.bytesSent));
              json.attribute("bytes_received", toJson(entry.bytesReceived));
            });
        });
      });
    if (report.device)
      json.attributeObject("device",
                           [&] { printDevice(json, *report.device); });
  });
  json.flush();
  os << "\n";
}
