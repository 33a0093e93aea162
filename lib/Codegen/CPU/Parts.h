// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The parts of a CPU kernel and the emitters that write them, one for each instruction set.

#ifndef ATTN_LIB_CODEGEN_CPU_PARTS_H
#define ATTN_LIB_CODEGEN_CPU_PARTS_H

#include "Frame.h"

namespace attn::cpu {

/// The kernel that is being written.
struct Kernel {
  mlir::ModuleOp module;
  PlanOp plan;
  const KernelLayout &layout;
  const Isa &isa;

  PlanOp op() const { return plan; }
  /// NAME.part.isa
  std::string nameOf(const llvm::Twine &part) const { return (layout.name + "." + part + "." + isa.name).str(); }
};

/// How the pairs of a tile are masked: not at all, by the rows' bounds, or by bits that the residual test has set.
enum class Mask { None, Bounds, Tests };

/// What one call of a group function is about: the rows of sub-tile `group`, the keys [begin, end) of the tile that
/// starts at `tile`.
struct GroupCall {
  Value symbols, scratch, keys, values; // pointers: the batch's symbols, and the packed keys and values of the head
  Value keyRows;                        // pointer to the order's table of rows, or null
  Value batch, head, tile, group, begin, end;
  Value count; // ranks of the key order
};

/// Writes group functions, one for each kind that is asked for.
class GroupEmitter {
public:
  explicit GroupEmitter(const Kernel &kernel) : kernel(kernel) {}
  /// Writes the call, and the function if this is its first.
  void call(Frame &frame, Mask mask, bool listedKeys, const GroupCall &arguments);

private:
  mlir::func::FuncOp function(mlir::OpBuilder &b, Mask mask, bool listedKeys);

  const Kernel &kernel;
  llvm::StringMap<mlir::func::FuncOp> functions;
};

/// Key rows of `lanes` ranks from `rank` on, as a vector of index: from the table, or the ranks themselves where it is
/// null. Lanes at or past `count` are 0.
Value keyRowsAt(Frame &frame, Value table, Value rank, Value count);

void emitPack(const Kernel &kernel, unsigned order);
void emitTile(const Kernel &kernel, GroupEmitter &groups, unsigned phaseIndex, PhaseOp phase);

} // namespace attn::cpu

#endif // ATTN_LIB_CODEGEN_CPU_PARTS_H
