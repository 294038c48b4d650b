// `soma explain`: every stage of a model on one image, as a page.
#include "apps/commands.h"
#include "apps/console.h"
#include "base/atomic_file.h"
#include "base/check.h"
#include "base/usage.h"
#include "data/annotations.h"
#include "data/image_io.h"
#include "ensemble/tiles.h"
#include "pages/explain_page.h"
#include "run/inference.h"

namespace soma {
namespace {

// What is looked at: the whole image, or as much of its middle as prediction takes at a time.
Image window_of(const Image& image, const RunConfig& config, std::vector<std::string>& notes) {
  const int64_t side = config.ensemble.tile;
  if (side == 0 || std::max(image.height, image.width) <= side) return image;
  const int64_t height = std::min(side, image.height), width = std::min(side, image.width);
  notes.push_back(text("The image is ", image.width, " × ", image.height,
                       " pixels; prediction looks at windows of ", side,
                       " (test.tile), and this page at the one in the middle."));
  return crop(image, {(image.width - width) / 2, (image.height - height) / 2, width, height});
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
  const Image image = window_of(read_image(sample.path), loaded.config, facts.notes);
  const Explanation explained =
      explain(loaded.model, image, loaded.config.input, loaded.config.test);
  make_folder(options.out);
  const std::string path = options.out + "/explain.html";
  write_file_atomically(path, explain_page(explained, facts));
  console.say(path);
  return 0;
}

}  // namespace soma
