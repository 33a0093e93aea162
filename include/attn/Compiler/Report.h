// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is known of a kernel before it runs: which tiles it visits, what they cost, and what its mask looks like.

#ifndef ATTN_COMPILER_REPORT_H
#define ATTN_COMPILER_REPORT_H

#include "attn/Compiler/Compiler.h"
#include "attn/Reference/Reference.h"
#include "llvm/Support/JSON.h"

namespace attn {

/// Puts a call into the form that walks read, for one batch and query head. `call` needs no query, key and value. The
/// kernel and the call have to outlive the result.
CallValues bindCall(const KernelSource &kernel, const reference::Problem &call, int64_t batch, int64_t head);
/// The same for all batches and query heads; those that cannot differ in their pairs are given once.
std::vector<CallValues> bindCalls(const KernelSource &kernel, const reference::Problem &call);

/// Of one head, in the mean over batches and heads.
struct Cost {
  double admittedPairs = 0, computedPairs = 0;
  double bytes = 0, flops = 0, predictedMs = 0;
  bool estimated = false; // residual tests were sampled

  double waste() const { return admittedPairs > 0 ? computedPairs / admittedPairs : 0; }
};

struct PhaseReport {
  std::string queryOrder, keyOrder, clause;
  Cost cost;
};

struct Report {
  std::string kernel, target;
  int64_t length = 0;
  Cost cost;
  int64_t planBytes = 0; // the most that a batch needs
  /// Of the whole call; filled in by the caller, where this processor runs one of the kernel's instruction sets.
  std::optional<int64_t> workspaceBytes;
  std::vector<PhaseReport> phases;
  std::vector<std::string> tested;
};

/// `calls` are what bindCalls() gives, at least one.
Report makeReport(const KernelSource &kernel, llvm::StringRef target, llvm::ArrayRef<CallValues> calls);
/// Pairs that a head of linear attention covers, and its multiplications in pairs, each of head size + value head size
/// of them: adding a key to the state and reading a row from it are head size * (value head size + 1) each, and in the
/// causal form a row meets the earlier keys of its chunk as well. Query heads that share a key head share its state.
PairCounts countLinearPairs(const KernelSource &kernel, llvm::StringRef target, const reference::Problem &call);
/// The report of linear attention.
Report makeLinearReport(const KernelSource &kernel, llvm::StringRef target, const reference::Problem &call);
/// Bytes of the tables that the prologue makes of run-time data for one batch.
int64_t planBytes(const KernelLayout &layout, const CallValues &values);
llvm::json::Value toJson(const Report &report);
void printText(const Report &report, llvm::raw_ostream &os);

/// Lines "phase box [queries) x [keys) class", or a JSON array with the same; in ranks of the phase's and box's orders.
void printVisits(const KernelSource &kernel, const CallValues &values, bool byKey, bool json, llvm::raw_ostream &os);

/// The mask as characters ('#' all pairs of a cell, '+' some, '.' none), as an SVG drawing whose colours are the phases
/// that own a row, or as a PNG picture that also tells tile classes, waste, and the order of tiles.
void printMaskAscii(const KernelSource &kernel, const CallValues &values, llvm::raw_ostream &os);
void printMaskSvg(const KernelSource &kernel, const CallValues &values, llvm::raw_ostream &os);
llvm::Error printMaskPng(const KernelSource &kernel, const CallValues &values, llvm::raw_ostream &os);

} // namespace attn

#endif // ATTN_COMPILER_REPORT_H
