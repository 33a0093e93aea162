// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counts, predicts and lists what a plan does, from the maps that the emitters lower.

#include "attn/Compiler/Report.h"
#include "attn/Reference/RegionProgram.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

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

static double wasteOf(const PairCounts &pairs) {
  return pairs.admitted ? static_cast<double>(pairs.computed) / static_cast<double>(pairs.admitted) : 0;
}

double Report::waste() const { return wasteOf(pairs); }

static std::string nameOf(const KernelSource &kernel, const Order &order) {
  if (order.kind == OrderKind::All)
    return "all";
  unsigned argument = mlir::cast<mlir::BlockArgument>(kernel.reading.tables[order.table]).getArgNumber();
  const std::string &table = kernel.layout.tensors[kernel.layout.tensorOfArgument(argument)].name;
  return (order.kind == OrderKind::Listed ? "listed(" : "sorted(") + table + ")";
}

/// Bytes of the tables that the prologue makes for one batch.
static int64_t planBytes(const KernelLayout &layout, const CallValues &values) {
  int64_t entries = 0;
  for (const OrderLayout &order : layout.orders)
    entries += values.rows(order.side) * ((order.rowsView >= 0) + (order.flagsView >= 0));
  entries += layout.matches.size() * 2 * values.length();
  return entries * sizeof(int32_t);
}

Report attn::makeReport(const KernelSource &kernel, StringRef target, const CallValues &values) {
  const KernelLayout &layout = kernel.layout;
  Target machine = Target::cpu();
  Report report;
  report.kernel = layout.name, report.target = target.str(), report.length = values.length();
  report.planBytes = planBytes(layout, values);
  report.tested = kernel.plan.tested;
  std::vector<PairCounts> counts = countPairs(kernel.plan, values);
  double columns = layout.headSize + layout.valueHeadSize, element = 4;
  for (auto [phase, pairs] : llvm::zip_equal(kernel.plan.phases, counts)) {
    PhaseReport part;
    part.pairs = pairs;
    part.queryOrder = nameOf(kernel, kernel.plan.orders[phase.queries]);
    for (const Box &box : phase.boxes) {
      std::string keys = nameOf(kernel, kernel.plan.orders[box.keys]);
      if (part.keyOrder.find(keys) == std::string::npos)
        part.keyOrder += (part.keyOrder.empty() ? "" : ", ") + keys;
    }
    part.clause = phase.except.empty() ? "its rows" : "the other rows";
    BoundOrder rows(kernel.plan.orders[phase.queries], values);
    part.flops = 2 * columns * static_cast<double>(pairs.computed);
    part.bytes = element * columns * static_cast<double>(rows.size() + values.kvLength());
    part.predictedMs = 1e3 * std::max(part.flops / machine.flopsPerSecond, part.bytes / machine.bytesPerSecond);
    report.pairs += pairs;
    report.flops += part.flops, report.bytes += part.bytes, report.predictedMs += part.predictedMs;
    report.phases.push_back(std::move(part));
  }
  return report;
}

static llvm::json::Object pairsToJson(const PairCounts &pairs, double bytes, double flops, double predictedMs) {
  return llvm::json::Object{{"admitted_pairs", pairs.admitted},
                            {"computed_pairs", pairs.computed},
                            {"waste", wasteOf(pairs)},
                            {"bytes", bytes},
                            {"flops", flops},
                            {"predicted_ms", predictedMs},
                            {"estimated", pairs.estimated}};
}

llvm::json::Value attn::toJson(const Report &report) {
  llvm::json::Object object = pairsToJson(report.pairs, report.bytes, report.flops, report.predictedMs);
  object["kernel"] = report.kernel, object["target"] = report.target, object["length"] = report.length;
  object["plan_bytes"] = report.planBytes, object["workspace_bytes"] = report.workspaceBytes;
  llvm::json::Array phases;
  for (const PhaseReport &phase : report.phases) {
    llvm::json::Object part = pairsToJson(phase.pairs, phase.bytes, phase.flops, phase.predictedMs);
    part["query_order"] = phase.queryOrder, part["key_order"] = phase.keyOrder, part["clause"] = phase.clause;
    phases.push_back(std::move(part));
  }
  object["phases"] = std::move(phases);
  object["tested"] = llvm::json::Array(report.tested);
  return object;
}

void attn::printText(const Report &report, llvm::raw_ostream &os) {
  os << "kernel " << report.kernel << " for " << report.target << ", length " << report.length << ", one head\n"
     << llvm::format("  pairs admitted    %14lld%s\n", static_cast<long long>(report.pairs.admitted),
                     report.pairs.estimated ? "  (estimated: sampled)" : "")
     << llvm::format("  pairs multiplied  %14lld  waste %.3f\n", static_cast<long long>(report.pairs.computed),
                     report.waste())
     << llvm::format("  plan              %14lld bytes of tables, no mask\n", static_cast<long long>(report.planBytes))
     << llvm::format("  workspace         %14lld bytes for the whole call\n",
                     static_cast<long long>(report.workspaceBytes))
     << llvm::format("  predicted         %14.3f ms: %.3g FLOP, %.3g bytes\n", report.predictedMs, report.flops,
                     report.bytes);
  for (auto [i, phase] : llvm::enumerate(report.phases))
    os << llvm::format("  phase %d: ", static_cast<int>(i)) << phase.clause << " in order " << phase.queryOrder
       << ", keys " << phase.keyOrder
       << llvm::format(": %lld of %lld pairs, %.3f ms\n", static_cast<long long>(phase.pairs.admitted),
                       static_cast<long long>(phase.pairs.computed), phase.predictedMs);
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
