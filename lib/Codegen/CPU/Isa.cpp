// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Why these micro-tiles: rows * vectors accumulators, `vectors` operands and one broadcast have to fit into the
// registers (32 of AVX-512, 16 of the others), and there have to be enough accumulators to cover the latency of an FMA
// on two ports (8 to 10).

#include "attn/Codegen/Isa.h"
#include "../../Runtime/kernel.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/TargetParser/Host.h"

using namespace attn;
using llvm::StringRef;

static constexpr StringRef avx512Features[] = {"+avx512f", "+avx512bw", "+avx512dq", "+avx512vl", "+avx2",
                                               "+fma",     "+f16c",     "+bmi",      "+bmi2",     "-prefer-256-bit"};
static constexpr StringRef avx2Features[] = {"+avx2", "+fma", "+f16c", "+bmi", "+bmi2"};

static const Isa isas[] = {
    {"avx512", ATTN_ISA_AVX512, 16, 8, 2, true, true, avx512Features},
    {"avx2", ATTN_ISA_AVX2, 8, 4, 2, true, true, avx2Features},
    {"generic", ATTN_ISA_GENERIC, 4, 4, 2, false, false, {}},
};

llvm::ArrayRef<Isa> Isa::all() { return isas; }

const Isa *Isa::find(StringRef name) {
  const Isa *found = llvm::find_if(isas, [&](const Isa &isa) { return isa.name == name; });
  return found == std::end(isas) ? nullptr : found;
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
