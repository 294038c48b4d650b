// `soma clean`: faults of masks found, shown, and mended into a new table.
#include <algorithm>
#include <filesystem>

#include "apps/commands.h"
#include "apps/console.h"
#include "apps/interrupt.h"
#include "base/atomic_file.h"
#include "base/json.h"
#include "base/parallel.h"
#include "base/usage.h"
#include "data/clean.h"
#include "data/draw.h"
#include "data/image_io.h"
#include "data/writers.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostPictures = 48;

CleanOptions clean_options(const Options& options) {
  CleanOptions clean;
  clean.min_pixels = options.min_pixels;
  clean.bridge = options.bridge;
  if (!options.mend.empty()) clean.mend = {};
  for (const std::string& word : options.mend) {
    const auto found = std::find(kMendNames.begin(), kMendNames.end(), word);
    std::vector<std::string> known(kMendNames.begin(), kMendNames.end());
    check_usage(found != kMendNames.end(), "--mend",
                "expected images, cuts, holes, pieces, copies, overlaps or tiny, got ", word,
                did_you_mean(word, known));
    clean.mend[static_cast<size_t>(found - kMendNames.begin())] = true;
  }
  return clean;
}

// An image that changed: its place, and what it had and has.
struct Change {
  const Sample* before;
  Sample after;
  int64_t faults;
};

// The data set mended; what changed goes to `changes`, most faults first.
Dataset clean(const Dataset& dataset, const CleanOptions& options, CleanCounts& counts,
              std::vector<Change>& changes) {
  const std::vector<bool> repeated = repeated_images(dataset);
  std::vector<Sample> samples = dataset.samples;
  std::vector<CleanCounts> parts(samples.size());
  parallel_for(std::ssize(samples), [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    samples[at].instances = mended(samples[at].instances, options, parts[at]);
  });
  Dataset result = dataset;
  result.samples.clear();
  for (size_t i = 0; i < samples.size(); ++i) {
    counts.of(Mend::images) += repeated[i];
    counts += parts[i];
    if (repeated[i] && options.mends(Mend::images)) continue;
    if (!same_masks(samples[i].instances, dataset.samples[i].instances)) {
      int64_t faults = 0;
      for (const int64_t found : parts[i].found) faults += found;
      changes.push_back({&dataset.samples[i], samples[i], faults});
    }
    result.samples.push_back(std::move(samples[i]));
  }
  std::stable_sort(changes.begin(), changes.end(),
                   [](const Change& a, const Change& b) { return a.faults > b.faults; });
  return result;
}

Image half(const Image& image, const Sample& sample, const std::string& title) {
  const std::vector<Mark> marks = marks_of(std::span(sample.instances));
  const Image picture = draw_marks(image, marks);
  return with_title(picture, text(title, ": ", sample.instances.size(), " masks, ", sample.id));
}

// DIR/ID.png: before at the left, after at the right.
int64_t draw_changes(const std::string& folder, const std::vector<Change>& changes,
                     const Console& console) {
  make_folder(folder);
  const auto count = static_cast<int64_t>(std::min(changes.size(), kMostPictures));
  ProgressBar bar(console, "drawing", count);
  int64_t drawn = 0;
  for (; drawn < count && !interrupted(); ++drawn) {
    const Change& change = changes[static_cast<size_t>(drawn)];
    const Image image = read_image(change.before->path);
    const std::vector<Image> halves = {half(image, *change.before, "before"),
                                       half(image, change.after, "after")};
    const SheetLayout layout{2, halves[0].width, halves[0].height, 6};
    write_png(folder + "/" + change.after.id + ".png", contact_sheet(halves, layout));
    bar.advance(drawn + 1);
  }
  return drawn;
}

int64_t masks_in(const Dataset& dataset) {
  int64_t count = 0;
  for (const Sample& sample : dataset.samples) count += std::ssize(sample.instances);
  return count;
}

std::string page(const CleanCounts& counts, const CleanOptions& options) {
  static constexpr const char* kWhat[] = {"images that repeat another", "masks cut through",
                                          "masks with holes",           "masks in several pieces",
                                          "copies of a mask",           "masks that overlap",
                                          "tiny or empty masks"};
  std::string out;
  for (size_t i = 0; i < kMendNames.size(); ++i) {
    const bool left = !options.mend[i] && counts.found[i] > 0;
    std::string name = kWhat[i];
    name.resize(28, ' ');
    out += text("  ", name, counts.found[i], left ? " (left as they are)" : "", "\n");
  }
  return out;
}

}  // namespace

int clean_command(const Options& options) {
  watch_interrupts();
  const Console console(options);
  const CleanOptions how = clean_options(options);
  check_usage(fs::path(options.out).extension() == ".csv", "--out", "expected a table (.csv), got ",
              options.out);
  const Dataset dataset = read_dataset(options.data, options.images_dir);
  for (const std::string& warning : dataset.warnings) console.warn(warning);
  CleanCounts counts;
  std::vector<Change> changes;
  const Dataset result = clean(dataset, how, counts, changes);
  write_competition_csv(options.out, result);
  const std::string folder = options.show.empty()
                                 ? fs::path(options.out).replace_extension().string() + "_pictures"
                                 : options.show;
  const int64_t drawn = changes.empty() ? 0 : draw_changes(folder, changes, console);
  if (interrupted()) return kInterruptedCode;
  if (console.json()) {
    Json found = Json::object();
    for (size_t i = 0; i < kMendNames.size(); ++i) found.set(kMendNames[i], counts.found[i]);
    console.result(Json{{"images", result.samples.size()},
                        {"masks_before", masks_in(dataset)},
                        {"masks", masks_in(result)},
                        {"found", found},
                        {"changed_images", changes.size()}}
                       .dump() +
                   "\n");
    return 0;
  }
  console.result(page(counts, how));
  console.say(text(options.out, ": ", masks_in(result), " masks of ", masks_in(dataset), " on ",
                   result.samples.size(), " images; ", changes.size(), " images changed",
                   drawn > 0 ? text(", ", drawn, " drawn in ", folder) : ""));
  return 0;
}

}  // namespace soma
