// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A picture of what a plan does with every pair: query rows down, key rows across. A pair that is admitted has the
// colour of its phase, dark in full tiles and bright in boundary tiles; a pair that is multiplied in vain is a tint of
// it; white pairs are never touched. Along the order in which a phase visits its tiles, its hue turns.

#include "Mask.h"
#include "attn/Pattern/BoundSet.h"
#include "llvm/Support/raw_ostream.h"
#include <array>
#include <cmath>
#include <png.h>

using namespace attn;

namespace {

using Colour = std::array<uint8_t, 3>;

constexpr Colour white = {255, 255, 255};

/// Hue in degrees; saturation and lightness in [0, 1].
Colour fromHsl(double hue, double saturation, double lightness) {
  double reach = saturation * std::min(lightness, 1 - lightness);
  auto channel = [&](double offset) {
    double k = std::fmod(offset + hue / 30, 12);
    return static_cast<uint8_t>(std::lround(255 * (lightness - reach * std::max(-1.0, std::min({k - 3, 9 - k, 1.0})))));
  };
  return {channel(0), channel(8), channel(4)};
}

enum class Use : uint8_t { Untouched, Wasted, Boundary, Full };

/// `progress` in [0, 1] is how much of its phase comes before the tile.
Colour colourOf(Use use, unsigned phase, double progress) {
  constexpr double hues[] = {210, 20, 130, 280}, turn = 50;
  double hue = std::fmod(hues[phase % std::size(hues)] + turn * progress, 360);
  switch (use) {
  case Use::Untouched:
    return white;
  case Use::Wasted:
    return fromHsl(hue, 0.5, 0.9);
  case Use::Boundary:
    return fromHsl(hue, 0.8, 0.6);
  case Use::Full:
    return fromHsl(hue, 0.8, 0.35);
  }
  return white;
}

/// Pixels that stand for some pairs each, or pairs that take some pixels each.
class Canvas {
public:
  Canvas(int64_t rows, int64_t keys) {
    int64_t longest = std::max<int64_t>({1, rows, keys});
    pairs = (longest + mostPixels - 1) / mostPixels;
    pixels = (leastPixels + longest - 1) / longest;
    height = std::max<int64_t>(1, (rows + pairs - 1) / pairs), width = std::max<int64_t>(1, (keys + pairs - 1) / pairs);
    uses.assign(width * height, Use::Untouched);
    colours.assign(width * height, white);
  }

  /// A cell shows the best use of its pairs.
  void paint(int64_t row, int64_t key, Use use, const Colour &colour) {
    int64_t cell = row / pairs * width + key / pairs;
    if (use > uses[cell])
      uses[cell] = use, colours[cell] = colour;
  }

  llvm::Error write(llvm::raw_ostream &os) const;

private:
  static constexpr int64_t leastPixels = 512, mostPixels = 2048; // of the longer side

  int64_t pairs, pixels, width, height; // a cell's side in pairs and in pixels; cells
  std::vector<Use> uses;
  std::vector<Colour> colours;
};

llvm::Error Canvas::write(llvm::raw_ostream &os) const {
  std::vector<Colour> image;
  image.reserve(width * height * pixels * pixels);
  for (int64_t y = 0; y < height * pixels; ++y)
    for (int64_t x = 0; x < width * pixels; ++x)
      image.push_back(colours[y / pixels * width + x / pixels]);
  png_image header = {};
  header.version = PNG_IMAGE_VERSION;
  header.width = width * pixels, header.height = height * pixels;
  header.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::vector<char> bytes(size);
  if (!png_image_write_to_memory(&header, bytes.data(), &size, /*convert_to_8_bit=*/0, image.data(), /*row_stride=*/0,
                                 /*colormap=*/nullptr))
    return llvm::createStringError("error: the picture cannot be encoded: %s", header.message);
  os.write(bytes.data(), size);
  return llvm::Error::success();
}

class Painter {
public:
  Painter(const Plan &plan, const CallValues &values)
      : plan(plan), values(values), owners(ownersOf(plan, values)), canvas(values.length(), values.kvLength()) {
    for (const Order &order : plan.orders)
      orders.emplace_back(order, values);
    for (const Phase &phase : plan.phases) {
      std::vector<BoundSet> &boxes = pairs.emplace_back();
      for (const Box &box : phase.boxes)
        boxes.emplace_back(plan.pairsOf(box), values);
    }
  }

  void paint() {
    std::vector<int64_t> visits(plan.phases.size(), 0), seen(plan.phases.size(), 0);
    walkByQuery(plan, values, [&](const Visit &visit) { ++visits[visit.phase]; });
    walkByQuery(plan, values, [&](const Visit &visit) {
      paint(visit, static_cast<double>(seen[visit.phase]++) / std::max<int64_t>(1, visits[visit.phase] - 1));
    });
  }

  llvm::Error write(llvm::raw_ostream &os) const { return canvas.write(os); }

private:
  void paint(const Visit &visit, double progress) {
    const Phase &phase = plan.phases[visit.phase];
    const BoundOrder &keys = orders[phase.boxes[visit.box].keys];
    BoundSet &box = pairs[visit.phase][visit.box];
    Use best = visit.full ? Use::Full : Use::Boundary;
    Colour admitted = colourOf(best, visit.phase, progress), wasted = colourOf(Use::Wasted, visit.phase, progress);
    for (int64_t q = visit.queryBegin; q < visit.queryEnd; ++q) {
      int64_t i = orders[phase.queries].row(q);
      box.moveTo(i);
      for (int64_t k = visit.keyBegin; k < visit.keyEnd; ++k) {
        int64_t j = keys.row(k);
        bool counts = owners[i] == plan.startOf(visit.phase) && box.contains(j);
        canvas.paint(i, j, counts ? best : Use::Wasted, counts ? admitted : wasted);
      }
    }
  }

  const Plan &plan;
  const CallValues &values;
  std::vector<unsigned> owners;
  std::vector<BoundOrder> orders;
  std::vector<std::vector<BoundSet>> pairs; // of each box of each phase
  Canvas canvas;
};

} // namespace

llvm::Error attn::printMaskPng(const KernelSource &kernel, const CallValues &values, llvm::raw_ostream &os) {
  Painter painter(kernel.plan, values);
  painter.paint();
  return painter.write(os);
}
