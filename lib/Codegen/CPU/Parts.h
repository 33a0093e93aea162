// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parts of a CPU kernel and the emitters that write them, one for each instruction set.

#ifndef ATTN_LIB_CODEGEN_CPU_PARTS_H
#define ATTN_LIB_CODEGEN_CPU_PARTS_H

#include "Frame.h"
#include "attn/Codegen/ScoreTerms.h"

namespace attn::cpu {

/// Scores are kept in units of log2.
inline constexpr double log2e = 1.4426950408889634;

/// The kernel that is being written.
struct Kernel {
  mlir::ModuleOp module;
  PlanOp plan;
  const KernelLayout &layout;
  const Isa &isa;

  PlanOp op() const { return plan; }
  /// Whether there is a score region that does more than to yield the score, as one may whose purpose is the sink.
  bool changesScores() const {
    mlir::Region &score = op().getScore();
    return !score.empty() && score.front().getTerminator()->getOperand(0) != score.getArgument(0);
  }
  /// NAME.part.isa
  std::string nameOf(const llvm::Twine &part) const { return (layout.name + "." + part + "." + isa.name).str(); }
};

/// How the pairs of a tile are masked: not at all, by the rows' bounds, by these and by holes in them, or by bits that
/// the residual test has set.
enum class Mask { None, Bounds, Holes, Tests };

/// Which rows are listed: they do not follow one another. Where neither are, pairs of equal distance lie on diagonals
/// of a tile.
struct ListedRows {
  bool queries, keys;
};

/// What one call of a group function is about: all sub-tiles of a query tile, and the keys [tile, end).
struct GroupCall {
  Value views, symbols, scratch; // pointers; the symbols are the batch's
  Value keys, values;            // pointers to the packed keys and values of the head
  Value keyRows;                 // pointer to what entry `rank` of is a listed key's row, or null
  Value batch, head;
  Value first; // rank of the query tile's first row
  Value tile, groups, end;
  Value count; // ranks of the key order
  Value wrap;  // rank from which on keys and values lie a ring's length before these pointers; for pipelines
};

/// Writes the functions that tile functions call, one for each kind that is asked for.
class GroupEmitter {
public:
  explicit GroupEmitter(const Kernel &kernel) : kernel(kernel), terms(kernel.op().getScore()) {}
  /// Writes the call of a group function, and the function if this is its first.
  void call(Frame &frame, Mask mask, ListedRows listed, const GroupCall &arguments);
  /// The same of the function that prepares the score's terms for a tile; nothing if there are none to prepare.
  void prepareTerms(Frame &frame, ListedRows listed, const GroupCall &arguments);

private:
  void call(Frame &frame, llvm::StringRef name, const GroupCall &arguments,
            llvm::function_ref<mlir::func::FuncOp()> write);

  const Kernel &kernel;
  ScoreTerms terms;
  llvm::StringMap<mlir::func::FuncOp> functions;
};

/// Starts a function that takes a GroupCall, and gives its arguments by name.
GroupCall beginGroupFunction(Frame &frame, mlir::ModuleOp module, llvm::StringRef name, mlir::func::FuncOp &function);

/// Writes a group function.
mlir::func::FuncOp writeGroup(const Kernel &kernel, const ScoreTerms &terms, llvm::StringRef name, Mask mask,
                              ListedRows listed);
/// Writes the function that prepares the terms of a tile's keys and distances.
mlir::func::FuncOp writeTerms(const Kernel &kernel, const ScoreTerms &terms, llvm::StringRef name, ListedRows listed);
/// Computes the terms of each row of a tile, once its query rows are there.
void emitRowTerms(Frame &frame, const Kernel &kernel, const ScoreTerms &terms, Value rowCount);

/// Key rows of `lanes` ranks from `rank` on, as a vector of index: from the table, or the ranks themselves where it is
/// null. Lanes at or past `count` are 0.
Value keyRowsAt(Frame &frame, Value table, Value rank, Value count);

void emitPack(const Kernel &kernel, unsigned order);
void emitTile(const Kernel &kernel, GroupEmitter &groups, unsigned phaseIndex, PhaseOp phase);
/// Of a kernel for few queries: a tile's states for one part of the keys, and what puts the parts together.
void emitPart(const Kernel &kernel, GroupEmitter &groups, unsigned phaseIndex, PhaseOp phase);
void emitMerge(const Kernel &kernel, unsigned phaseIndex, PhaseOp phase);

/// The layout as an instruction set has it, whose micro-tiles may be higher than a sub-tile.
KernelLayout layoutFor(const KernelLayout &layout, const Isa &isa);
/// The layout of the version for few queries, where there is one (KernelLayout::tileForFewQueries).
KernelLayout layoutForFewQueries(const KernelLayout &layout);
/// Floats of a tile's states in one part: [rows][value stride, and a vector that holds m and l]
int64_t partSize(const KernelLayout &layout);

} // namespace attn::cpu

#endif // ATTN_LIB_CODEGEN_CPU_PARTS_H
