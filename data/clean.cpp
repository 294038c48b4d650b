#include "data/clean.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/check.h"
#include "base/parallel.h"
#include "data/image_io.h"
#include "data/mask_faults.h"
#include "masks/runs.h"

namespace soma {
namespace {

std::vector<const Rle*> masks_of(const std::vector<Instance>& instances) {
  std::vector<const Rle*> masks;
  for (const Instance& instance : instances) masks.push_back(&instance.mask);
  return masks;
}

// Cuts, holes and pieces of one mask. What is added to it is no other mask's.
void mend_shape(std::vector<Instance>& instances, size_t place, const CleanOptions& options,
                CleanCounts& counts) {
  Rle& mask = instances[place].mask;
  const auto grow = [&](const Rle& to) {
    Rle added = subtract(to, mask);
    const PixelBox box = bounds(added);
    for (size_t i = 0; i < instances.size() && !empty(added); ++i)
      if (i != place && meet(box, bounds(instances[i].mask)))
        added = subtract(added, instances[i].mask);
    mask = unite(mask, added);
  };
  if (shape_of(mask).cut_rows > 0) {
    ++counts.of(Mend::cuts);
    if (options.mends(Mend::cuts)) grow(bridge_cuts(mask, options.bridge));
  }
  if (shape_of(mask).holes > 0) {
    ++counts.of(Mend::holes);
    if (options.mends(Mend::holes)) grow(fill_holes(mask));
  }
  if (shape_of(mask).pieces > 1) {
    ++counts.of(Mend::pieces);
    if (options.mends(Mend::pieces)) mask = largest_piece(mask);
  }
}

void drop_copies(std::vector<Instance>& instances, const CleanOptions& options,
                 CleanCounts& counts) {
  const std::vector<MaskFaults> faults = faults_of(masks_of(instances));
  std::vector<Instance> kept;
  std::vector<int64_t> areas;
  for (size_t i = 0; i < instances.size(); ++i) {
    // Against those that stay, so that of a row of copies the first is left.
    bool copy = false;
    for (size_t k = 0; k < kept.size() && (faults[i].duplicate || faults[i].near_copy); ++k)
      copy |= are_copies(intersection(instances[i].mask, kept[k].mask), faults[i].area, areas[k]);
    counts.of(Mend::copies) += copy;
    if (copy && options.mends(Mend::copies)) continue;
    kept.push_back(std::move(instances[i]));
    areas.push_back(faults[i].area);
  }
  instances = std::move(kept);
}

// Smaller masks take their pixels first.
void part_overlaps(std::vector<Instance>& instances, const CleanOptions& options,
                   CleanCounts& counts) {
  const std::vector<MaskFaults> faults = faults_of(masks_of(instances));
  std::vector<size_t> order(instances.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return faults[a].area < faults[b].area; });
  for (size_t n = 0; n < order.size(); ++n) {
    if (!faults[order[n]].overlaps) continue;
    ++counts.of(Mend::overlaps);
    if (!options.mends(Mend::overlaps)) continue;
    Rle& mask = instances[order[n]].mask;
    for (size_t smaller = 0; smaller < n; ++smaller)
      if (faults[order[smaller]].overlaps) mask = subtract(mask, instances[order[smaller]].mask);
    if (options.mends(Mend::pieces)) mask = largest_piece(mask);
    if (2 * area(mask) < faults[order[n]].area) mask = subtract(mask, mask);
  }
}

void mend_round(std::vector<Instance>& cells, const CleanOptions& options, CleanCounts& counts) {
  for (size_t i = 0; i < cells.size(); ++i) mend_shape(cells, i, options, counts);
  drop_copies(cells, options, counts);
  part_overlaps(cells, options, counts);
  std::erase_if(cells, [&](const Instance& cell) {
    const bool tiny = area(cell.mask) < std::max<int64_t>(1, options.min_pixels);
    counts.of(Mend::tiny) += tiny;
    return empty(cell.mask) || (tiny && options.mends(Mend::tiny));
  });
}

uint64_t hash_of(const Image& image) {  // FNV-1a
  uint64_t state = 0xCBF29CE484222325;
  const auto add = [&](uint64_t value) { state = (state ^ value) * 0x100000001B3; };
  for (const int64_t side : {image.height, image.width, image.channels})
    add(static_cast<uint64_t>(side));
  for (const uint8_t value : image.pixels) add(value);
  return state;
}

bool same_pixels(const Sample& a, const Sample& b) {
  const Image one = read_image(a.path), other = read_image(b.path);
  return one.height == other.height && one.width == other.width && one.channels == other.channels &&
         one.pixels == other.pixels;
}

}  // namespace

CleanCounts& CleanCounts::operator+=(const CleanCounts& other) {
  for (size_t i = 0; i < found.size(); ++i) found[i] += other.found[i];
  return *this;
}

std::vector<Instance> mended(const std::vector<Instance>& instances, const CleanOptions& options,
                             CleanCounts& counts) {
  std::vector<Instance> crowds, cells;
  for (const Instance& instance : instances) (instance.crowd ? crowds : cells).push_back(instance);
  mend_round(cells, options, counts);
  // What was taken away may make room for what was missing. Masks lie apart by now: they grow into
  // free room only, and shrink by whole pieces, so that this ends.
  for (std::vector<Instance> before; !same_masks(before, cells);) {
    before = cells;
    CleanCounts again;
    mend_round(cells, options, again);
  }
  cells.insert(cells.end(), crowds.begin(), crowds.end());
  return cells;
}

bool same_masks(const std::vector<Instance>& a, const std::vector<Instance>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Instance& x, const Instance& y) { return x.mask == y.mask; });
}

std::vector<bool> repeated_images(const Dataset& dataset) {
  const size_t count = dataset.samples.size();
  std::vector<uint64_t> hashes(count);
  std::vector<uint8_t> readable(count);
  parallel_for(std::ssize(dataset.samples), [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    try {
      hashes[at] = hash_of(read_image(dataset.samples[at].path));
      readable[at] = 1;
    } catch (const Error&) {
    }
  });
  std::map<uint64_t, size_t> stays;
  std::vector<bool> repeated(count);
  for (size_t i = 0; i < count; ++i) {
    if (!readable[i]) continue;
    const auto [found, is_new] = stays.try_emplace(hashes[i], i);
    if (is_new || !same_pixels(dataset.samples[found->second], dataset.samples[i])) continue;
    const bool richer =
        dataset.samples[i].instances.size() > dataset.samples[found->second].instances.size();
    repeated[richer ? found->second : i] = true;
    if (richer) found->second = i;
  }
  return repeated;
}

}  // namespace soma
