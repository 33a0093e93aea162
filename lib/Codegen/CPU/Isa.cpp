// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Why these micro-tiles: rows * vectors accumulators, `vectors` operands and one broadcast have to fit into the
// registers (32 of AVX-512, 16 of the others), and there have to be enough accumulators to cover the latency of an FMA
// on two ports (8 to 10).

#include "attn/Codegen/Isa.h"
#include "../../Runtime/kernel.h"
#include "attn/Codegen/KernelLayout.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/TargetParser/Host.h"

using namespace attn;
using llvm::StringRef;

static constexpr StringRef avx512bf16Features[] = {"+avx512bf16", "+avx512f", "+avx512bw",      "+avx512dq",
                                                   "+avx512vl",   "+avx2",    "+fma",           "+f16c",
                                                   "+bmi",        "+bmi2",    "-prefer-256-bit"};
static constexpr StringRef amxFeatures[] = {"+amx-tile", "+amx-bf16", "+avx512bf16",    "+avx512f", "+avx512bw",
                                            "+avx512dq", "+avx512vl", "+avx2",          "+fma",     "+f16c",
                                            "+bmi",      "+bmi2",     "-prefer-256-bit"};
static constexpr StringRef avx512Features[] = {"+avx512f", "+avx512bw", "+avx512dq", "+avx512vl", "+avx2",
                                               "+fma",     "+f16c",     "+bmi",      "+bmi2",     "-prefer-256-bit"};
static constexpr StringRef avx2Features[] = {"+avx2", "+fma", "+f16c", "+bmi", "+bmi2"};

static const Isa isas[] = {
    {"amx", ATTN_ISA_AMX, 16, 16, 2, Products::Tiles, true, true, amxFeatures},
    {"avx512bf16", ATTN_ISA_AVX512BF16, 16, 8, 2, Products::Pairs, true, true, avx512bf16Features},
    {"avx512", ATTN_ISA_AVX512, 16, 8, 2, Products::Floats, true, true, avx512Features},
    {"avx2", ATTN_ISA_AVX2, 8, 4, 2, Products::Floats, true, true, avx2Features},
    {"generic", ATTN_ISA_GENERIC, 4, 4, 2, Products::Floats, false, false, {}},
};

/// Processors with AMX leave dot products of pairs to it: their vectors make them at half the rate of f32
/// (docs/performance.md). Where tiles cannot serve, f32 does.
static const Isa amxWithoutTiles = {"amx", ATTN_ISA_AMX, 16, 8, 2, Products::Floats, true, true, avx512Features};

/// One query row at a time. Reading keys is what takes the time, so tiles have nothing to add here.
static const Isa isasForFewQueries[] = {
    {"few.avx512bf16", ATTN_ISA_AVX512BF16, 16, 1, 2, Products::RowsOfPairs, true, true, avx512bf16Features},
    {"few.avx512", ATTN_ISA_AVX512, 16, 1, 2, Products::Rows, true, true, avx512Features},
    {"few.avx2", ATTN_ISA_AVX2, 8, 1, 2, Products::Rows, true, true, avx2Features},
    {"few.generic", ATTN_ISA_GENERIC, 4, 1, 2, Products::Rows, false, false, {}},
};

llvm::ArrayRef<Isa> Isa::all() { return isas; }

const Isa &Isa::forFewQueries() const {
  return *llvm::find_if(isasForFewQueries, [&](const Isa &few) { return few.number <= number; });
}

const Isa *Isa::find(StringRef name) {
  const Isa *found = llvm::find_if(isas, [&](const Isa &isa) { return isa.name == name; });
  return found == std::end(isas) ? nullptr : found;
}

/// The form of an instruction set that makes products of the kernel's element, null if it has none of its own. Linear
/// attention multiplies in f32; the micro-tiles of a score's bands are not as high as tiles.
static const Isa *formFor(const Isa &isa, const KernelLayout &layout) {
  if (isa.products != Products::Floats && (!layout.element.isBF16() || layout.linear))
    return nullptr;
  return isa.products == Products::Tiles && layout.terms.bands ? &amxWithoutTiles : &isa;
}

llvm::SmallVector<const Isa *> Isa::versionsOf(const KernelLayout &layout, llvm::ArrayRef<std::string> names) {
  llvm::SmallVector<const Isa *> versions;
  bool isWanted = false;
  for (const Isa &isa : isas) {
    isWanted |= names.empty() || llvm::is_contained(names, isa.name);
    const Isa *form = formFor(isa, layout);
    if (!isWanted || !form)
      continue;
    versions.push_back(form);
    isWanted = false;
  }
  return versions;
}

const Isa &Isa::bestOfHost(int limit) {
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  for (const Isa &isa : isas) {
    auto isThere = [&](StringRef feature) { return !feature.consume_front("+") || host.lookup(feature); };
    if ((limit == ATTN_ISA_BEST || isa.number <= limit) && llvm::all_of(isa.features, isThere))
      return isa;
  }
  return isas[std::size(isas) - 1];
}
