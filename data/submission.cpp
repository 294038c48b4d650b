#include "data/submission.h"

#include <cstdio>
#include <unordered_map>

#include "base/atomic_file.h"
#include "base/check.h"
#include "base/read_file.h"
#include "data/csv.h"
#include "masks/runs.h"

namespace soma {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 32;  // 20 times the largest that the task can need

void check_cells(const std::string& path, const ImagePredictions& image) {
  check_mask_size(image.height, image.width);
  std::vector<bool> taken(static_cast<size_t>(image.height * image.width));
  for (size_t i = 0; i < image.predictions.size(); ++i) {
    const Rle& mask = image.predictions[i].mask;
    check(mask.height == image.height && mask.width == image.width, path, "cell ", i + 1, " of ",
          image.id, " is ", mask.height, "x", mask.width, ", the image ", image.height, "x",
          image.width);
    check(!empty(mask), path, "cell ", i + 1, " of ", image.id, " has no pixel");
    for (RunCursor run(mask); !run.done(); run.next()) {
      for (int64_t at = run.begin(); at < run.end(); ++at) {
        check(!taken[static_cast<size_t>(at)], path, "cell ", i + 1, " of ", image.id,
              " overlaps an earlier one; remove overlaps before writing a submission");
        taken[static_cast<size_t>(at)] = true;
      }
    }
  }
}

Sample sample_of(const ImagePredictions& image) {
  Sample sample;
  sample.id = image.id;
  sample.file_name = image.file_name;
  sample.height = image.height;
  sample.width = image.width;
  sample.coco_id = image.coco_id;
  return sample;
}

void check_written(const std::string& path, std::span<const ImagePredictions> images) {
  std::vector<Sample> samples;
  for (const ImagePredictions& image : images) samples.push_back(sample_of(image));
  const Submission written = read_submission(path, samples);
  check(written.missing.empty(), path, "reading it back: an image has no row");
  for (size_t i = 0; i < images.size(); ++i) {
    const auto &got = written.images[i].predictions, &expected = images[i].predictions;
    check(got.size() == expected.size(), path, "reading it back: ", images[i].id, " has ",
          got.size(), " cells, not ", expected.size());
    for (size_t c = 0; c < got.size(); ++c) {
      const int64_t pixels = area(expected[c].mask);
      check(area(got[c].mask) == pixels && intersection(got[c].mask, expected[c].mask) == pixels,
            path, "reading it back: cell ", c + 1, " of ", images[i].id, " has other pixels");
    }
  }
}

using Places = std::unordered_map<std::string, size_t>;

// Where each id stands; the ids must differ.
Places places_of(const std::string& path, std::span<const Sample> samples) {
  Places places;
  for (size_t i = 0; i < samples.size(); ++i) {
    check(places.emplace(samples[i].id, i).second, path, "two images have the id ", samples[i].id);
  }
  return places;
}

Prediction cell_of(Rle mask) {
  Prediction cell;
  const PixelBox box = bounds(mask);
  cell.score = 1;
  cell.box = {static_cast<float>(box.x), static_cast<float>(box.y),
              static_cast<float>(box.x + box.width), static_cast<float>(box.y + box.height)};
  cell.mask = std::move(mask);
  return cell;
}

}  // namespace

void write_submission(const std::string& path, std::span<const ImagePredictions> images) {
  std::vector<Sample> samples;
  for (const ImagePredictions& image : images) {
    check_cells(path, image);
    samples.push_back(sample_of(image));
  }
  places_of(path, samples);
  AtomicFile file(path);
  file.write("id,predicted\n");
  for (const ImagePredictions& image : images) {
    const std::string id = csv_field(image.id);
    if (image.predictions.empty()) file.write(id + ",\n");
    for (const Prediction& cell : image.predictions) {
      file.write(id + ',' + format_competition_runs(cell.mask) + '\n');
    }
  }
  file.commit();
  try {
    check_written(path, images);
  } catch (const Error&) {
    std::remove(path.c_str());
    throw;
  }
}

Submission read_submission(const std::string& path, std::span<const Sample> samples) {
  const Places places = places_of(path, samples);
  const std::string bytes = read_file(path, kMostBytes);
  CsvReader csv(bytes, path);
  const size_t id = csv.column("id");
  const size_t runs = csv.column(csv.has_column("annotation") ? "annotation" : "predicted");
  Submission result;
  for (const Sample& sample : samples) {
    result.images.push_back(
        {sample.id, sample.file_name, sample.coco_id, sample.height, sample.width, {}});
  }
  std::vector<bool> seen(samples.size());
  while (csv.next()) {
    const auto found = places.find(csv.field(id));
    check(found != places.end(), csv.place(), "the data holds no image with the id '",
          csv.field(id), "'");
    ImagePredictions& image = result.images[found->second];
    seen[found->second] = true;
    if (csv.field(runs).find_first_not_of(' ') == std::string::npos) continue;
    try {
      image.predictions.push_back(
          cell_of(parse_competition_runs(csv.field(runs), image.height, image.width)));
    } catch (const Error& error) {
      fail(csv.place(), error.what());
    }
  }
  for (size_t i = 0; i < samples.size(); ++i) {
    if (!seen[i]) result.missing.push_back(samples[i].id);
  }
  return result;
}

}  // namespace soma
