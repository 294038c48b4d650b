#include "data/copy_paste.h"

#include <algorithm>

#include "masks/runs.h"

namespace soma {
namespace {

constexpr uint32_t kMostCells = 30;
constexpr int kTries = 10;  // places for a cell

// A cell cut out of its image.
struct Cutting {
  PixelBox box;
  std::vector<uint8_t> bits;  // box.height x box.width
  int class_index;
};

std::vector<Cutting> draw_cuttings(std::span<const Instance> cells, Random& random) {
  std::vector<const Instance*> left;
  for (const Instance& cell : cells)
    if (!cell.crowd && !empty(cell.mask)) left.push_back(&cell);
  std::vector<Cutting> cuttings;
  if (left.empty()) return cuttings;
  const auto most = std::min(static_cast<uint32_t>(left.size()), kMostCells);
  for (uint32_t count = 1 + random.below(most); count > 0; --count) {
    const size_t at = random.below(static_cast<uint32_t>(left.size()));
    const PixelBox box = bounds(left[at]->mask);
    cuttings.push_back({box, decode_window(left[at]->mask, box), left[at]->class_index});
    left[at] = left.back();
    left.pop_back();
  }
  return cuttings;
}

uint8_t value_at(const Image& image, int64_t y, int64_t x, int64_t channel, int64_t channels) {
  if (image.channels == channels) return image.at(y, x, channel);
  if (image.channels == 1) return image.at(y, x, 0);
  return static_cast<uint8_t>((image.at(y, x, 0) + image.at(y, x, 1) + image.at(y, x, 2) + 1) / 3);
}

void put_pixels(Image& image, const PixelBox& place, const Image& donor, const Cutting& cutting) {
  for (int64_t y = 0; y < place.height; ++y)
    for (int64_t x = 0; x < place.width; ++x) {
      if (!cutting.bits[static_cast<size_t>(y * place.width + x)]) continue;
      for (int64_t c = 0; c < image.channels; ++c)
        image.at(place.y + y, place.x + x, c) =
            value_at(donor, cutting.box.y + y, cutting.box.x + x, c, image.channels);
    }
}

// The cells of the image so far, with what they had before anything was pasted on them.
class Scene {
 public:
  explicit Scene(std::vector<Instance>& instances) : instances_(instances) {
    for (const Instance& instance : instances) {
      boxes_.push_back(bounds(instance.mask));
      areas_.push_back(area(instance.mask));
    }
  }

  // Puts the mask on top; nothing changes, and false, where too small a rest would remain.
  bool cover(const Rle& mask, int class_index, double least_visible) {
    const PixelBox box = bounds(mask);
    std::vector<std::pair<size_t, Rle>> rests;
    for (size_t i = 0; i < instances_.size(); ++i) {
      if (!meet(box, boxes_[i])) continue;
      Rle rest = subtract(instances_[i].mask, mask);
      const auto visible = static_cast<double>(area(rest));
      const double least = least_visible * static_cast<double>(areas_[i]);
      if (!instances_[i].crowd && visible > 0 && visible < least) return false;
      rests.emplace_back(i, std::move(rest));
    }
    for (auto& [place, rest] : rests) instances_[place].mask = std::move(rest);
    instances_.push_back({class_index, mask, false});
    boxes_.push_back(box);
    areas_.push_back(area(mask));
    return true;
  }

 private:
  std::vector<Instance>& instances_;
  std::vector<PixelBox> boxes_;
  std::vector<int64_t> areas_;
};

}  // namespace

void paste_cells(Image& image, std::vector<Instance>& instances, const Image& donor,
                 std::span<const Instance> cells, const AugmentConfig& augment, Random& random) {
  Scene scene(instances);
  for (const Cutting& cutting : draw_cuttings(cells, random)) {
    PixelBox place = cutting.box;
    if (place.width > image.width || place.height > image.height) continue;
    for (int attempt = 0; attempt < kTries; ++attempt) {
      place.x = random.below(static_cast<uint32_t>(image.width - place.width + 1));
      place.y = random.below(static_cast<uint32_t>(image.height - place.height + 1));
      const Rle mask = encode_window(cutting.bits, place, image.height, image.width);
      if (!scene.cover(mask, cutting.class_index, augment.copy_paste_visible)) continue;
      put_pixels(image, place, donor, cutting);
      break;
    }
  }
  std::erase_if(instances, [](const Instance& one) { return empty(one.mask); });
}

}  // namespace soma
