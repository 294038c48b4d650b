// `soma explain`: every stage of a model on one image, as a page.
#include <filesystem>

#include "apps/commands.h"
#include "apps/console.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "base/usage.h"
#include "data/annotations.h"
#include "data/image_io.h"
#include "data/split.h"
#include "ensemble/tiles.h"
#include "pages/explain_page.h"
#include "run/inference.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

// What is looked at: the whole image, or as much of its middle as prediction takes at a time.
PixelBox window_of(const Image& image, const RunConfig& config, std::vector<std::string>& notes) {
  const int64_t side = config.ensemble.tile;
  if (side == 0 || std::max(image.height, image.width) <= side)
    return {0, 0, image.width, image.height};
  const int64_t height = std::min(side, image.height), width = std::min(side, image.width);
  notes.push_back(text("The image is ", image.width, " × ", image.height,
                       " pixels; prediction looks at windows of ", side,
                       " (test.tile), and this page at the one in the middle."));
  return {(image.width - width) / 2, (image.height - height) / 2, width, height};
}

// The sample of DATA whose image this is: the same file, or one of its name.
const Sample& sample_of(const Dataset& data, const std::string& name, const Sample& image) {
  const Sample* found = nullptr;
  for (const Sample& sample : data.samples) {
    std::error_code ignored;
    if (fs::equivalent(sample.path, image.path, ignored)) return sample;
    const bool same_name = fs::path(sample.path).filename() == fs::path(image.path).filename();
    if (same_name && found == nullptr) found = &sample;
  }
  check(found != nullptr, name, "holds no image ", image.file_name,
        "; leave --data out for others");
  check(found->height == image.height && found->width == image.width, name, "has ", image.file_name,
        " in another size than --image");
  return *found;
}

// What is annotated within the window of the image, by the model's classes.
std::vector<Instance> truths_of(const Options& options, const Sample& image, const PixelBox& window,
                                const std::vector<std::string>& classes, const Console& console) {
  if (options.data.empty()) return {};
  Dataset data = read_dataset(options.data, options.images_dir);
  use_classes(data, classes);
  for (const std::string& warning : data.warnings) console.warn(warning);
  std::vector<Instance> truths = sample_of(data, options.data, image).instances;
  for (Instance& truth : truths)
    truth.mask = encode_mask(decode_window(truth.mask, window), window.height, window.width);
  std::erase_if(truths, [](const Instance& truth) { return truth.crowd || empty(truth.mask); });
  return truths;
}

}  // namespace

int explain_command(const Options& options) {
  check_usage(options.models.size() == 1, "--model", "expected one model, got ",
              options.models.size());
  const Console console(options);
  const Device device = chosen_device(options, console);
  const Dataset images = list_images({options.input});
  const Sample& sample = images.samples[0];
  const LoadedModel loaded =
      load_model(options.models[0], config_files(options), options.overrides, device);
  ExplainFacts facts;
  facts.image = sample.file_name;
  facts.model = options.models[0];
  facts.classes = loaded.config.model.classes;
  facts.least_score = loaded.config.test.submission_score[0];
  if (images.samples.size() > 1)
    facts.notes.push_back(
        text("The first of ", images.samples.size(), " images in ", options.input, "."));
  if (loaded.config.ensemble.views != std::vector<std::string>{"plain"})
    facts.notes.push_back("Prediction joins several views (test.views); this page shows one.");
  const Image image = read_image(sample.path);
  const PixelBox window = window_of(image, loaded.config, facts.notes);
  const std::vector<Instance> truths = truths_of(options, sample, window, facts.classes, console);
  if (!options.data.empty() && truths.empty()) facts.notes.push_back("DATA has no cell here.");
  const Explanation explained =
      explain(loaded.model, crop(image, window), loaded.config.input, loaded.config.test, truths);
  make_folder(options.out);
  const std::string path = options.out + "/explain.html";
  write_file_atomically(path, explain_page(explained, facts));
  console.say(path);
  return 0;
}

}  // namespace soma
