#include "apps/validation_files.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "apps/pictures.h"
#include "base/atomic_file.h"
#include "base/parallel.h"
#include "data/coco_results.h"
#include "data/image_io.h"
#include "data/writers.h"
#include "run/inference.h"

namespace soma {
namespace {

constexpr int64_t kPictureSide = 640;

std::string picture_path(const std::string& folder, const Sample& sample) {
  return text(folder, "/pictures/", sample.coco_id, ".png");
}

Image small_picture(const Image& image) {
  const Image picture = shrunk(brightened(image), kPictureSide, kPictureSide);
  return image.channels == 3 ? picture : first_channel(picture);
}

}  // namespace

ValidationFiles::ValidationFiles(std::string folder, const Dataset& data,
                                 std::span<const ImagePredictions> detections)
    : folder_(std::move(folder)), data_(data), detections_(detections) {
  make_folder(folder_);
}

void ValidationFiles::write_mosaic(int64_t iteration, const TestConfig& test) const {
  std::vector<Image> tiles(std::min(detections_.size(), kMostTiles));
  parallel_for(std::ssize(tiles), [&](int64_t i) {
    const auto place = static_cast<size_t>(i);
    ImagePredictions cells = detections_[place];
    cells.predictions = submitted_cells(cells, test);
    tiles[place] = tile_of(draw_hits(data_.samples[place], cells));
  });
  char name[64];
  std::snprintf(name, sizeof name, "/mosaic-%06lld.png", static_cast<long long>(iteration));
  write_png(folder_ + name, contact_sheet(tiles));
}

void ValidationFiles::write_best() const {
  make_folder(folder_ + "/pictures");
  const auto first = data_.samples.begin();
  const Dataset seen{
      data_.classes, data_.category_ids, {first, first + std::ssize(detections_)}, {}};
  parallel_for(std::ssize(seen.samples), [&](int64_t i) {
    const Sample& sample = seen.samples[static_cast<size_t>(i)];
    write_png(picture_path(folder_, sample), small_picture(read_image(sample.path)));
  });
  write_coco(folder_ + "/truth.json", seen);
  write_coco_results(folder_ + "/coco.json", detections_, data_.category_ids, data_.classes);
}

std::optional<BestValidation> read_best_validation(const std::string& folder) {
  std::error_code error;
  const std::string truth = folder + "/truth.json", found = folder + "/coco.json";
  if (!std::filesystem::exists(truth, error) || !std::filesystem::exists(found, error)) return {};
  BestValidation result;
  result.truth = read_coco_alone(truth);
  result.detections = read_coco_results(found, result.truth);
  for (Sample& sample : result.truth.samples) {
    const std::string picture = picture_path(folder, sample);
    if (std::filesystem::exists(picture, error)) sample.path = picture;
  }
  return result;
}

}  // namespace soma
