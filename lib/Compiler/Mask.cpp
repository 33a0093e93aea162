// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pictures of a pattern: characters for a terminal, SVG for a page.

#include "attn/Compiler/Report.h"
#include "llvm/Support/raw_ostream.h"

using namespace attn;

static bool admits(const KernelSource &kernel, const CallValues &values, int64_t i, int64_t j) {
  return kernel.reading.pairs.contains(values, i, j);
}

//===-- Characters ------------------------------------------------------------------------------------------------===//

void attn::printMaskAscii(const KernelSource &kernel, const CallValues &values, llvm::raw_ostream &os) {
  constexpr int64_t columns = 64;
  int64_t n = values.length(), m = values.kvLength();
  int64_t cell = std::max<int64_t>(1, (std::max(n, m) + columns - 1) / columns);
  for (int64_t top = 0; top < n; top += cell) {
    for (int64_t left = 0; left < m; left += cell) {
      int64_t admitted = 0, pairs = 0;
      for (int64_t i = top; i < std::min(n, top + cell); ++i)
        for (int64_t j = left; j < std::min(m, left + cell); ++j, ++pairs)
          admitted += admits(kernel, values, i, j);
      os << (admitted == pairs ? '#' : admitted ? '+' : '.');
    }
    os << '\n';
  }
}

//===-- SVG -------------------------------------------------------------------------------------------------------===//

/// Visited tiles lie behind the pairs: what shows of them is waste. Only orders of all rows have a place in the
/// picture.
static void drawTiles(const KernelSource &kernel, const CallValues &values, double scale, llvm::raw_ostream &os) {
  walkByQuery(kernel.plan, values, [&](const Visit &visit) {
    const Phase &phase = kernel.plan.phases[visit.phase];
    auto isAll = [&](unsigned order) { return kernel.plan.orders[order].kind == OrderKind::All; };
    if (!isAll(phase.queries) || !isAll(phase.boxes[visit.box].keys))
      return;
    os << "<rect class=\"" << (visit.full ? "full" : "boundary") << "\" x=\"" << visit.keyBegin * scale << "\" y=\""
       << visit.queryBegin * scale << "\" width=\"" << (visit.keyEnd - visit.keyBegin) * scale << "\" height=\""
       << (visit.queryEnd - visit.queryBegin) * scale << "\"/>\n";
  });
}

/// The runs of admitted keys of each row.
static void drawPairs(const KernelSource &kernel, const CallValues &values, double scale, llvm::raw_ostream &os) {
  os << "<path class=\"pairs\" d=\"";
  for (int64_t i = 0; i < values.length(); ++i)
    for (int64_t j = 0; j < values.kvLength(); ++j) {
      int64_t begin = j;
      while (j < values.kvLength() && admits(kernel, values, i, j))
        ++j;
      if (begin < j)
        os << 'M' << begin * scale << ' ' << i * scale << 'h' << (j - begin) * scale << 'v' << scale << 'H'
           << begin * scale << 'z';
    }
  os << "\"/>\n";
}

void attn::printMaskSvg(const KernelSource &kernel, const CallValues &values, llvm::raw_ostream &os) {
  double scale = 256.0 / std::max<int64_t>(1, std::max(values.length(), values.kvLength()));
  double width = values.kvLength() * scale, height = values.length() * scale;
  os << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"-1 -1 " << width + 2 << ' ' << height + 2 << "\" width=\""
     << width + 2 << "\" height=\"" << height + 2 << "\">\n"
     << "<title>" << kernel.layout.name << ": " << values.length() << " query rows down, " << values.kvLength()
     << " key rows across; tinted: visited tiles</title>\n"
     << "<style>.frame{fill:#fff;stroke:#999}.full{fill:#cfe8cf}.boundary{fill:#f6e3c3}.pairs{fill:#1f4e79}</style>\n"
     << "<rect class=\"frame\" x=\"0\" y=\"0\" width=\"" << width << "\" height=\"" << height << "\"/>\n";
  drawTiles(kernel, values, scale, os);
  drawPairs(kernel, values, scale, os);
  os << "</svg>\n";
}
