// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counts, predicts and lists what a plan does, from the maps that the emitters lower.

#include "attn/Compiler/Report.h"
#include "attn/Reference/RegionProgram.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace attn;
using llvm::StringRef;

//===-- Binding ---------------------------------------------------------------------------------------------------===//

/// A scalar argument of the kernel's function.
static double outerNumber(const KernelSource &kernel, const CallNumbers &numbers, mlir::Value value) {
  unsigned symbol = kernel.layout.symbolOfArgument(mlir::cast<mlir::BlockArgument>(value).getArgNumber());
  const NamedSymbol &named = kernel.layout.symbols[symbol - FirstNamed];
  const attn_scalar &scalar = numbers.scalars[named.source];
  return value.getType().isF32() ? scalar.number : static_cast<double>(scalar.index);
}

CallValues attn::bindCall(const KernelSource &kernel, const CallNumbers &numbers) {
  CallValues values;
  values.symbols.assign(FirstNamed + kernel.layout.symbols.size(), 0);
  values.symbols[Length] = numbers.length, values.symbols[KvLength] = numbers.kvLength;
  values.symbols[QueryOffset] = numbers.queryOffset, values.symbols[KeyOffset] = numbers.keyOffset;
  values.symbols[TopLeftOffset] = numbers.topLeftOffset;
  for (auto [i, symbol] : llvm::enumerate(kernel.layout.symbols)) {
    int64_t &value = values.symbols[FirstNamed + i];
    if (symbol.kind == NamedSymbol::Entry)
      value = numbers.tensor(symbol.source).at(0);
    else if (symbol.kind == NamedSymbol::Index)
      value = numbers.scalars[symbol.source].index;
  }
  for (mlir::Value table : kernel.reading.tables)
    values.tables.push_back(
        numbers.tensor(kernel.layout.tensorOfArgument(mlir::cast<mlir::BlockArgument>(table).getArgNumber())));
  auto programs = std::make_shared<std::vector<reference::RegionProgram>>();
  for (WhereOp where : kernel.reading.regions)
    programs->emplace_back(
        where.getBody(), [&](mlir::Value v) { return outerNumber(kernel, numbers, v); },
        /*roundToFloat=*/true);
  values.where = [programs, batch = numbers.batch, head = numbers.head](unsigned region, int64_t query, int64_t key) {
    double arguments[] = {static_cast<double>(batch), static_cast<double>(head), static_cast<double>(query),
                          static_cast<double>(key)};
    return (*programs)[region].run(arguments) != 0;
  };
  return values;
}

//===-- Report ----------------------------------------------------------------------------------------------------===//

static std::string nameOf(const KernelSource &kernel, const Order &order) {
  if (order.kind == OrderKind::All)
    return "all";
  unsigned argument = mlir::cast<mlir::BlockArgument>(kernel.reading.tables[order.table]).getArgNumber();
  const std::string &table = kernel.layout.tensors[kernel.layout.tensorOfArgument(argument)].name;
  return (order.kind == OrderKind::Listed ? "listed(" : "sorted(") + table + ")";
}

int64_t attn::planBytes(const KernelLayout &layout, const CallValues &values) {
  int64_t entries = 0;
  for (const OrderLayout &order : layout.orders)
    entries += values.rows(order.side) * ((order.rowsView >= 0) + (order.flagsView >= 0));
  entries += layout.matches.size() * 2 * values.length();
  return entries * sizeof(int32_t);
}

static PhaseReport describePhase(const KernelSource &kernel, const Phase &phase) {
  PhaseReport report;
  report.queryOrder = nameOf(kernel, kernel.plan.orders[phase.queries]);
  report.clause = phase.except.empty() ? "its rows" : "the other rows";
  for (const Box &box : phase.boxes) {
    std::string keys = nameOf(kernel, kernel.plan.orders[box.keys]);
    if (report.keyOrder.find(keys) == std::string::npos)
      report.keyOrder += (report.keyOrder.empty() ? "" : ", ") + keys;
  }
  return report;
}

/// What a phase costs in one batch.
static Cost costOf(const KernelSource &kernel, const Target &machine, const Phase &phase, const PairCounts &pairs,
                   const CallValues &values) {
  double columns = kernel.layout.headSize + kernel.layout.valueHeadSize;
  double elementBytes = kernel.layout.element.getIntOrFloatBitWidth() / 8.0;
  BoundOrder rows(kernel.plan.orders[phase.queries], values);
  Cost cost;
  cost.admittedPairs = static_cast<double>(pairs.admitted), cost.computedPairs = static_cast<double>(pairs.computed);
  cost.estimated = pairs.estimated;
  cost.flops = 2 * columns * cost.computedPairs;
  cost.bytes = elementBytes * columns * static_cast<double>(rows.size() + values.kvLength());
  cost.predictedMs = 1e3 * std::max(cost.flops / machine.flopsPerSecond, cost.bytes / machine.bytesPerSecond);
  return cost;
}

static void add(Cost &sum, const Cost &cost) {
  sum.admittedPairs += cost.admittedPairs, sum.computedPairs += cost.computedPairs;
  sum.bytes += cost.bytes, sum.flops += cost.flops, sum.predictedMs += cost.predictedMs;
  sum.estimated |= cost.estimated;
}

static void divide(Cost &cost, double by) {
  cost.admittedPairs /= by, cost.computedPairs /= by;
  cost.bytes /= by, cost.flops /= by, cost.predictedMs /= by;
}

Report attn::makeReport(const KernelSource &kernel, StringRef target, llvm::ArrayRef<CallValues> batches) {
  Target machine = *findTarget(target, kernel.attention);
  Report report;
  report.kernel = kernel.layout.name, report.target = target.str();
  report.tested = kernel.plan.tested;
  for (const Phase &phase : kernel.plan.phases)
    report.phases.push_back(describePhase(kernel, phase));
  for (const CallValues &values : batches) {
    report.length = values.length();
    report.planBytes = std::max(report.planBytes, planBytes(kernel.layout, values));
    for (auto [phase, pairs, part] :
         llvm::zip_equal(kernel.plan.phases, countPairs(kernel.plan, values), report.phases))
      add(part.cost, costOf(kernel, machine, phase, pairs, values));
  }
  for (PhaseReport &phase : report.phases) {
    divide(phase.cost, static_cast<double>(batches.size()));
    add(report.cost, phase.cost);
  }
  return report;
}

/// A mean is a whole number unless batches differ.
static llvm::json::Value countToJson(double mean) {
  double whole = std::round(mean);
  return std::abs(mean - whole) < 1e-9 * std::max(1.0, whole) ? llvm::json::Value(static_cast<int64_t>(whole))
                                                              : llvm::json::Value(mean);
}

static llvm::json::Object toJson(const Cost &cost) {
  return llvm::json::Object{{"admitted_pairs", countToJson(cost.admittedPairs)},
                            {"computed_pairs", countToJson(cost.computedPairs)},
                            {"waste", cost.waste()},
                            {"bytes", cost.bytes},
                            {"flops", cost.flops},
                            {"predicted_ms", cost.predictedMs},
                            {"estimated", cost.estimated}};
}

llvm::json::Value attn::toJson(const Report &report) {
  llvm::json::Object object = ::toJson(report.cost);
  object["kernel"] = report.kernel, object["target"] = report.target, object["length"] = report.length;
  object["plan_bytes"] = report.planBytes, object["workspace_bytes"] = report.workspaceBytes;
  llvm::json::Array phases;
  for (const PhaseReport &phase : report.phases) {
    llvm::json::Object part = ::toJson(phase.cost);
    part["query_order"] = phase.queryOrder, part["key_order"] = phase.keyOrder, part["clause"] = phase.clause;
    phases.push_back(std::move(part));
  }
  object["phases"] = std::move(phases);
  object["tested"] = llvm::json::Array(report.tested);
  return object;
}

void attn::printText(const Report &report, llvm::raw_ostream &os) {
  const Cost &cost = report.cost;
  os << "kernel " << report.kernel << " for " << report.target << ", length " << report.length << ", one head\n"
     << llvm::format("  pairs admitted    %14.0f%s\n", cost.admittedPairs,
                     cost.estimated ? "  (estimated: sampled)" : "")
     << llvm::format("  pairs multiplied  %14.0f  waste %.3f\n", cost.computedPairs, cost.waste())
     << llvm::format("  plan              %14lld bytes of tables, no mask\n", static_cast<long long>(report.planBytes))
     << llvm::format("  workspace         %14lld bytes for the whole call\n",
                     static_cast<long long>(report.workspaceBytes))
     << llvm::format("  predicted         %14.3f ms: %.3g FLOP, %.3g bytes\n", cost.predictedMs, cost.flops,
                     cost.bytes);
  for (auto [i, phase] : llvm::enumerate(report.phases))
    os << llvm::format("  phase %d: ", static_cast<int>(i)) << phase.clause << " in order " << phase.queryOrder
       << ", keys " << phase.keyOrder
       << llvm::format(": %.0f of %.0f pairs, %.3f ms\n", phase.cost.admittedPairs, phase.cost.computedPairs,
                       phase.cost.predictedMs);
  for (const std::string &clause : report.tested)
    os << "  tested pair by pair: " << clause << '\n';
}

//===-- Visits ----------------------------------------------------------------------------------------------------===//

void attn::printVisits(const KernelSource &kernel, const CallValues &values, bool byKey, bool json,
                       llvm::raw_ostream &os) {
  bool first = true;
  auto print = [&](const Visit &visit) {
    if (json) {
      os << (first ? "[\n " : ",\n ")
         << llvm::json::Value(llvm::json::Object{{"phase", visit.phase},
                                                 {"box", visit.box},
                                                 {"queries", llvm::json::Array{visit.queryBegin, visit.queryEnd}},
                                                 {"keys", llvm::json::Array{visit.keyBegin, visit.keyEnd}},
                                                 {"class", visit.full ? "full" : "boundary"}});
    } else {
      os << "phase " << visit.phase << " box " << visit.box << " queries [" << visit.queryBegin << ", "
         << visit.queryEnd << ") keys [" << visit.keyBegin << ", " << visit.keyEnd << ") "
         << (visit.full ? "full" : "boundary") << '\n';
    }
    first = false;
  };
  if (byKey)
    walkByKey(kernel.plan, values, print);
  else
    walkByQuery(kernel.plan, values, print);
  if (json)
    os << (first ? "[]\n" : "\n]\n");
}
