// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions that tile functions call. They take the same arguments, and each kind of them is written when its first
// call is.

#include "TilePipeline.h"

using namespace mlir;
using namespace attn;
using namespace attn::cpu;

GroupCall attn::cpu::beginGroupFunction(Frame &f, ModuleOp module, StringRef name, func::FuncOp &function) {
  Type pointer = LLVM::LLVMPointerType::get(f.b.getContext()), index = f.b.getIndexType();
  SmallVector<Type> types(6, pointer);
  types.append(8, index);
  function = f.begin(module, name, types);
  auto a = f.arguments;
  f.views = a[0], f.symbols = a[1], f.scratch = a[2], f.batch = a[6], f.head = a[7];
  return {a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13]};
}

void GroupEmitter::call(Frame &f, StringRef name, const GroupCall &a, llvm::function_ref<func::FuncOp()> write) {
  func::FuncOp &callee = functions[name];
  if (!callee)
    callee = write();
  func::CallOp::create(f.b, callee,
                       ValueRange{a.views, a.symbols, a.scratch, a.keys, a.values, a.keyRows, a.batch, a.head, a.first,
                                  a.tile, a.groups, a.end, a.count, a.wrap});
}

/// What of the rows a score's functions have to know.
static ListedRows relevant(const Kernel &kernel, const ScoreTerms &terms, ListedRows listed) {
  if (!kernel.changesScores())
    return {false, listed.keys && kernel.isa.readsRows()};
  bool hasDistances = terms.count(TermKind::OfDistance) || terms.count(TermKind::Band);
  return {listed.queries && !listed.keys && hasDistances, listed.keys};
}

static std::string nameOf(const Kernel &kernel, const Twine &part, ListedRows listed) {
  return kernel.nameOf(part + (listed.keys ? ".listed" : listed.queries ? ".listed_queries" : ""));
}

void GroupEmitter::call(Frame &f, Mask mask, ListedRows listed, const GroupCall &arguments) {
  listed = relevant(kernel, terms, listed);
  static constexpr const char *kinds[] = {"full", "bounds", "holes", "tests"};
  std::string name = nameOf(kernel, Twine("group.") + kinds[static_cast<int>(mask)], listed);
  call(f, name, arguments, [&] {
    return isPipelined(kernel) ? writeTilePipeline(kernel, name, mask) : writeGroup(kernel, terms, name, mask, listed);
  });
}

void GroupEmitter::prepareTerms(Frame &f, ListedRows listed, const GroupCall &arguments) {
  listed = relevant(kernel, terms, listed);
  bool hasDistances = terms.count(TermKind::OfDistance) || terms.count(TermKind::Band);
  if (!terms.count(TermKind::OfKey) && (!hasDistances || listed.queries || listed.keys))
    return;
  std::string name = nameOf(kernel, "terms", listed);
  call(f, name, arguments, [&] { return writeTerms(kernel, terms, name, listed); });
}
