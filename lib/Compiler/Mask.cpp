// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pictures of a pattern: characters for a terminal, SVG for a page.

#include "Mask.h"
#include "attn/Pattern/BoundSet.h"
#include "llvm/Support/raw_ostream.h"

using namespace attn;

std::vector<unsigned> attn::ownersOf(const Plan &plan, const CallValues &values) {
  std::vector<unsigned> owners(values.length(), plan.phases.size());
  for (auto [phase, content] : llvm::enumerate(plan.phases)) {
    BoundOrder rows(plan.orders[content.queries], values);
    for (int64_t rank = 0; rank < rows.size(); ++rank)
      owners[rows.row(rank)] = std::min<unsigned>(owners[rows.row(rank)], phase);
  }
  return owners;
}

//===-- Characters ------------------------------------------------------------------------------------------------===//

void attn::printMaskAscii(const KernelSource &kernel, const CallValues &values, llvm::raw_ostream &os) {
  constexpr int64_t columns = 64;
  int64_t n = values.length(), m = values.kvLength();
  int64_t cell = std::max<int64_t>(1, (std::max(n, m) + columns - 1) / columns);
  BoundSet set(kernel.reading.pairs, values);
  for (int64_t top = 0; top < n; top += cell) {
    for (int64_t left = 0; left < m; left += cell) {
      int64_t admitted = 0, pairs = 0;
      for (int64_t i = top; i < std::min(n, top + cell); ++i) {
        set.moveTo(i);
        for (int64_t j = left; j < std::min(m, left + cell); ++j, ++pairs)
          admitted += set.contains(j);
      }
      os << (admitted == pairs ? '#' : admitted ? '+' : '.');
    }
    os << '\n';
  }
}

//===-- SVG -------------------------------------------------------------------------------------------------------===//

// Coordinates are rows and keys; the view box scales them.

/// Visited tiles lie behind the pairs: what shows of them is waste. Only orders of all rows have a place in the
/// picture.
static void drawTiles(const KernelSource &kernel, const CallValues &values, llvm::raw_ostream &os) {
  walkByQuery(kernel.plan, values, [&](const Visit &visit) {
    const Phase &phase = kernel.plan.phases[visit.phase];
    auto isAll = [&](unsigned order) { return kernel.plan.orders[order].isIdentity(); };
    if (!isAll(phase.queries) || !isAll(phase.boxes[visit.box].keys))
      return;
    os << "<rect class=\"" << (visit.full ? "full" : "boundary") << "\" x=\"" << visit.keyBegin << "\" y=\""
       << visit.queryBegin << "\" width=\"" << visit.keyEnd - visit.keyBegin << "\" height=\""
       << visit.queryEnd - visit.queryBegin << "\"/>\n";
  });
}

using Runs = std::vector<std::pair<int64_t, int64_t>>;

/// The runs [begin, end) of keys that a query row admits.
static Runs runsOf(BoundSet &set, int64_t keys, int64_t i) {
  Runs runs;
  set.moveTo(i);
  for (int64_t j = 0; j < keys; ++j) {
    if (!set.contains(j))
      continue;
    if (runs.empty() || runs.back().second != j)
      runs.push_back({j, j});
    runs.back().second = j + 1;
  }
  return runs;
}

/// The pairs of the rows that a phase owns. Rows that admit the same keys are drawn together.
static void drawPairs(const KernelSource &kernel, const CallValues &values, llvm::ArrayRef<unsigned> owners,
                      unsigned phase, llvm::raw_ostream &os) {
  BoundSet set(kernel.reading.pairs, values);
  bool isLast = phase == kernel.plan.startOf(kernel.plan.phases.size() - 1);
  os << "<path class=\"pairs" << (isLast ? "" : " rows" + std::to_string(phase)) << "\" d=\"";
  for (int64_t top = 0, bottom; top < values.length(); top = bottom) {
    bottom = top + 1;
    if (owners[top] != phase)
      continue;
    Runs runs = runsOf(set, values.kvLength(), top);
    while (bottom < values.length() && owners[bottom] == phase && runsOf(set, values.kvLength(), bottom) == runs)
      ++bottom;
    for (auto [begin, end] : runs)
      os << 'M' << begin << ' ' << top << 'H' << end << 'V' << bottom << 'H' << begin << 'z';
  }
  os << "\"/>\n";
}

void attn::printMaskSvg(const KernelSource &kernel, const CallValues &values, llvm::raw_ostream &os) {
  int64_t n = values.length(), m = values.kvLength();
  os << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-1 -1 " << m + 2 << ' ' << n + 2
     << "\" width=\"256\" height=\"256\">\n"
     << "<title>" << kernel.layout.name << ": " << n << " query rows down, " << m
     << " key rows across; tinted: visited tiles; a colour for each phase</title>\n"
     << "<style>.frame{fill:#fff;stroke:#999;vector-effect:non-scaling-stroke}.full{fill:#cfe8cf}.boundary{fill:#"
        "f6e3c3}"
     << ".pairs{fill:#1f4e79}.rows0{fill:#b4541a}.rows1{fill:#6b3fa0}</style>\n"
     << "<rect class=\"frame\" x=\"0\" y=\"0\" width=\"" << m << "\" height=\"" << n << "\"/>\n";
  drawTiles(kernel, values, os);
  std::vector<unsigned> owners = ownersOf(kernel.plan, values);
  for (unsigned phase = 0; phase < kernel.plan.phases.size(); ++phase)
    if (!kernel.plan.phases[phase].continues)
      drawPairs(kernel, values, owners, phase, os);
  os << "</svg>\n";
}
