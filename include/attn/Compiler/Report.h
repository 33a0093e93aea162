// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is known of a kernel before it runs: which tiles it visits, what they cost, and what its mask looks like.

#ifndef ATTN_COMPILER_REPORT_H
#define ATTN_COMPILER_REPORT_H

#include "attn/Compiler/Compiler.h"
#include "llvm/Support/JSON.h"

namespace attn {

/// The numbers of one call for one batch. Scalars and tables are numbered as in KernelLayout.
struct CallNumbers {
  int64_t length = 0, kvLength = 0, queryOffset = 0, keyOffset = 0, topLeftOffset = 0;
  int64_t batch = 0, head = 0; // for regions that ask
  std::vector<attn_scalar> scalars;
  std::function<std::vector<int32_t>(unsigned tensor)> tensor; // run-time data of this batch
};

/// Puts a call's numbers into the form that walks read. `kernel` has to outlive the result.
CallValues bindCall(const KernelSource &kernel, const CallNumbers &numbers);

/// Of one head, in the mean over batches.
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
  int64_t planBytes = 0;      // the most that a batch needs
  int64_t workspaceBytes = 0; // of the whole call; filled in by the caller
  std::vector<PhaseReport> phases;
  std::vector<std::string> tested;
};

/// `batches` are the values of each batch of the call, at least one.
Report makeReport(const KernelSource &kernel, llvm::StringRef target, llvm::ArrayRef<CallValues> batches);
/// Bytes of the tables that the prologue makes of run-time data for one batch.
int64_t planBytes(const KernelLayout &layout, const CallValues &values);
llvm::json::Value toJson(const Report &report);
void printText(const Report &report, llvm::raw_ostream &os);

/// Lines "phase box [queries) x [keys) class", or a JSON array with the same; in ranks of the phase's and box's orders.
void printVisits(const KernelSource &kernel, const CallValues &values, bool byKey, bool json, llvm::raw_ostream &os);

/// The mask as characters ('#' all pairs of a cell, '+' some, '.' none) or as an SVG drawing.
void printMaskAscii(const KernelSource &kernel, const CallValues &values, llvm::raw_ostream &os);
void printMaskSvg(const KernelSource &kernel, const CallValues &values, llvm::raw_ostream &os);

} // namespace attn

#endif // ATTN_COMPILER_REPORT_H
