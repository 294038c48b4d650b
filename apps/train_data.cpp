#include "apps/train_data.h"

#include "base/usage.h"

namespace soma {
namespace {

// Adds --extra to what is trained on, in the classes of the model or, before it has any, of --data.
void add_extras(Split& split, const Options& options, const std::vector<std::string>& classes) {
  const auto& folders = options.extra_images;
  check_usage(folders.empty() || folders.size() == options.extra.size(), "--extra-images",
              "expected one for each --extra, ", options.extra.size(), ", got ", folders.size());
  if (!options.extra.empty() && !classes.empty()) use_classes(split.train, classes);
  for (size_t i = 0; i < options.extra.size(); ++i)
    add_extra(split, read_dataset(options.extra[i], folders.empty() ? "" : folders[i]));
}

}  // namespace

Split read_train_data(const Options& options, const RunConfig& config) {
  const TrainConfig& train = config.train;
  Dataset dataset = read_dataset(options.data, options.images_dir);
  const std::vector<std::string> warnings = dataset.warnings;
  Split split;
  if (!options.val.empty()) {
    split = {std::move(dataset), read_dataset(options.val, options.val_images_dir)};
  } else if (train.folds > 0) {
    split = take_fold(std::move(dataset), train.folds, train.fold, train.seed);
  } else {
    split = hold_out(std::move(dataset), train.eval_images, train.seed);
  }
  split.train.warnings = warnings;
  add_extras(split, options, config.model.classes);
  check(!split.train.samples.empty(), options.data, "holds no image to train on");
  return split;
}

}  // namespace soma
