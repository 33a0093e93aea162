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

/// The value of an argument of the kernel's function.
static const reference::Argument &argumentOf(const reference::Problem &call, mlir::Value value) {
  return call.arguments[mlir::cast<mlir::BlockArgument>(value).getArgNumber()];
}

/// The entry of an axis, which may be shared.
template <typename Entries> static const auto &entryOf(const Entries &entries, int64_t index) {
  return entries.size() == 1 ? entries.front() : entries[index];
}

/// An index value, or the batch's or the head's entry of lengths and per-head numbers. Scores alone use floats.
static int64_t symbolOf(const reference::Problem &call, mlir::Value symbol, int64_t batch, int64_t head) {
  const reference::Argument &argument = argumentOf(call, symbol);
  if (auto *table = std::get_if<reference::Table>(&argument))
    return entryOf(entryOf(*table, batch), head);
  return std::get<int64_t>(argument);
}

/// Adds the rows of a table of blocks that are the head's.
static void addBlocks(CallValues &values, const reference::Blocks &blocks, int64_t batch, int64_t head) {
  llvm::ArrayRef<int64_t> shape = blocks.shape;
  int64_t heads = shape[shape.size() - 3], size = shape[shape.size() - 2] * shape.back();
  bool hasBatches = shape.size() == 4 && shape[0] > 1;
  int64_t first = ((hasBatches ? batch * heads : 0) + (heads > 1 ? head : 0)) * size;
  values.tables.emplace_back(blocks.entries.begin() + first, blocks.entries.begin() + first + size);
  values.tableColumns.push_back(shape.back());
}

static void addTable(CallValues &values, const reference::Argument &argument, int64_t batch, int64_t head) {
  if (auto *blocks = std::get_if<reference::Blocks>(&argument))
    return addBlocks(values, *blocks, batch, head);
  values.tables.push_back(entryOf(std::get<reference::Table>(argument), batch));
  values.tableColumns.push_back(0);
}

CallValues attn::bindCall(const KernelSource &kernel, const reference::Problem &call, int64_t batch, int64_t head) {
  CallValues values;
  values.symbols.assign(FirstNamed, 0);
  values.symbols[Length] = call.length, values.symbols[KvLength] = call.kvLength;
  values.symbols[QueryOffset] = call.queryOffset, values.symbols[KeyOffset] = call.keyOffset;
  values.symbols[TopLeftOffset] = call.topLeftOffset;
  values.symbols[Heads] = call.heads, values.symbols[Head] = head;
  for (mlir::Value symbol : kernel.reading.symbols)
    values.symbols.push_back(symbolOf(call, symbol, batch, head));
  for (mlir::Value table : kernel.reading.tables)
    addTable(values, argumentOf(call, table), batch, head);
  bindOffsets(kernel.reading.pairs, values);
  auto programs = std::make_shared<std::vector<reference::RegionProgram>>();
  for (WhereOp where : kernel.reading.regions)
    programs->emplace_back(where.getBody(), call, /*roundToFloat=*/true);
  values.where = [programs, batch, head](unsigned region, int64_t query, int64_t key) {
    double arguments[] = {static_cast<double>(batch), static_cast<double>(head), static_cast<double>(query),
                          static_cast<double>(key)};
    return (*programs)[region].run(arguments) != 0;
  };
  return values;
}

std::vector<CallValues> attn::bindCalls(const KernelSource &kernel, const reference::Problem &call) {
  // Without run-time data and regions all batches are alike.
  bool hasData = kernel.layout.tensors.size() > FirstDataTensor || !kernel.reading.regions.empty();
  std::vector<CallValues> calls;
  for (int64_t batch = 0; batch < (hasData ? call.batch : 1); ++batch)
    for (int64_t head = 0; head < (kernel.reading.dependsOnHead() ? call.heads : 1); ++head)
      calls.push_back(bindCall(kernel, call, batch, head));
  return calls;
}

//===-- Report ----------------------------------------------------------------------------------------------------===//

static std::string nameOf(const KernelSource &kernel, const Order &order) {
  switch (order.kind) {
  case OrderKind::All:
    return "all";
  case OrderKind::Classes:
    return "classes";
  case OrderKind::Remainders:
    return "remainders";
  case OrderKind::Blocks:
    return "blocks";
  case OrderKind::Patches:
    return "patches";
  case OrderKind::Listed:
  case OrderKind::SegmentSorted:
    break;
  }
  unsigned argument = mlir::cast<mlir::BlockArgument>(kernel.reading.tables[order.table]).getArgNumber();
  const std::string &table = kernel.layout.tensors[kernel.layout.tensorOfArgument(argument)].name;
  return (order.kind == OrderKind::Listed ? "listed(" : "sorted(") + table + ")";
}

int64_t attn::planBytes(const KernelLayout &layout, const CallValues &values) {
  int64_t entries = 0;
  for (const OrderLayout &order : layout.orders)
    entries += values.rows(order.order.side) * ((order.rowsView >= 0) + (order.flagsView >= 0));
  entries += layout.matches.size() * 2 * values.length();
  for (const std::vector<int32_t> &offsets : values.offsets)
    entries += offsets.size();
  return entries * sizeof(int32_t);
}

static PhaseReport describePhase(const KernelSource &kernel, const Phase &phase) {
  PhaseReport report;
  report.queryOrder = nameOf(kernel, kernel.plan.orders[phase.queries]);
  report.clause = phase.except.empty() ? "its rows" : "the other rows";
  if (phase.continues)
    report.clause += ", continued";
  if (phase.when)
    report.clause += ", in some calls";
  for (const Box &box : phase.boxes) {
    std::string keys = nameOf(kernel, kernel.plan.orders[box.keys]);
    if (report.keyOrder.find(keys) == std::string::npos)
      report.keyOrder += (report.keyOrder.empty() ? "" : ", ") + keys;
  }
  return report;
}

/// What a phase costs in one batch and head.
static Cost costOf(const KernelSource &kernel, const Target &machine, const Phase &phase, const PairCounts &pairs,
                   const CallValues &values) {
  double columns = kernel.layout.headSize + kernel.layout.valueHeadSize;
  double elementBytes = kernel.layout.element.getIntOrFloatBitWidth() / 8.0;
  BoundOrder rows(kernel.plan.orders[phase.queries], values);
  Cost cost;
  if (!Plan::runs(phase, values))
    return cost;
  cost.admittedPairs = static_cast<double>(pairs.admitted), cost.computedPairs = static_cast<double>(pairs.computed);
  cost.estimated = pairs.estimated;
  cost.flops = 2 * columns * cost.computedPairs;
  cost.bytes = elementBytes * columns * static_cast<double>(rows.size() + values.kvLength());
  bool isOnGrid = llvm::any_of(phase.boxes, [](const Box &box) { return box.columns.has_value(); });
  double computing = cost.flops / machine.flopsPerSecond * (isOnGrid ? machine.gridPairTime : 1) +
                     machine.secondsPerRow * static_cast<double>(rows.size());
  cost.predictedMs = 1e3 * std::max(computing, cost.bytes / machine.bytesPerSecond);
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

Report attn::makeReport(const KernelSource &kernel, StringRef target, llvm::ArrayRef<CallValues> calls) {
  Target machine = *findTarget(target, kernel.attention);
  Report report;
  report.kernel = kernel.layout.name, report.target = target.str();
  report.tested = kernel.plan.tested;
  for (const Phase &phase : kernel.plan.phases)
    report.phases.push_back(describePhase(kernel, phase));
  for (const CallValues &values : calls) {
    report.length = values.length();
    report.planBytes = std::max(report.planBytes, planBytes(kernel.layout, values));
    for (auto [phase, pairs, part] :
         llvm::zip_equal(kernel.plan.phases, countPairs(kernel.plan, values), report.phases))
      add(part.cost, costOf(kernel, machine, phase, pairs, values));
  }
  for (PhaseReport &phase : report.phases) {
    divide(phase.cost, static_cast<double>(calls.size()));
    add(report.cost, phase.cost);
  }
  return report;
}

/// A mean is a whole number unless batches or heads differ.
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
  object["plan_bytes"] = report.planBytes;
  object["workspace_bytes"] = report.workspaceBytes ? llvm::json::Value(*report.workspaceBytes) : nullptr;
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
     << llvm::format("  plan              %14lld bytes of tables, no mask\n", static_cast<long long>(report.planBytes));
  if (report.workspaceBytes)
    os << llvm::format("  workspace         %14lld bytes for the whole call\n",
                       static_cast<long long>(*report.workspaceBytes));
  os << llvm::format("  predicted         %14.3f ms: %.3g FLOP, %.3g bytes\n", cost.predictedMs, cost.flops,
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
