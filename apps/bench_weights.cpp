#include "apps/bench_weights.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/bench_scene.h"
#include "base/quantile.h"
#include "base/stopwatch.h"
#include "base/usage.h"
#include "models/maskrcnn/load_weights.h"
#include "run/inference.h"

namespace soma {
namespace {

using Json = nlohmann::ordered_json;

RunConfig config_for(const WeightsFile& file, const Options& options) {
  std::vector<std::string> overrides = {"model.preset=torchvision"};
  overrides.insert(overrides.end(), options.overrides.begin(), options.overrides.end());
  RunConfig config = load_config(config_files(options), overrides);
  const auto kind = kind_of(file.table());
  if (config.model.classes.empty() && kind) {
    config.model.classes.assign(static_cast<size_t>(kind->classes), "class");
  }
  return config;
}

}  // namespace

void bench_weights(const Options& options, const Console& console) {
  check_usage(!options.models.empty(), "bench weights", "needs --model FILE");
  const std::string path = weights_of(options.models[0]);
  const RunConfig config = config_for(WeightsFile(path), options);
  std::vector<double> open, load;
  int64_t most = 0;
  for (int i = 0; i < options.repeats; ++i) {
    const Stopwatch watch;
    const WeightsFile file(path);
    open.push_back(watch.seconds());
    MaskRcnn model = MaskRcnn::blank(config.model);
    load_all_weights(model, file, config.input.bgr);
    load.push_back(watch.seconds());
    most = std::max(most, process_memory("RssAnon:"));  // pages that no file stands behind
  }
  const auto size = static_cast<double>(std::filesystem::file_size(path));
  const double share = static_cast<double>(most) / size;
  const Json json = {{"file_mb", size / 1e6},
                     {"open_s", upper_median(open)},
                     {"load_s", upper_median(load)},
                     {"private_mb", static_cast<double>(most) / 1e6},
                     {"private_of_file", share}};
  console.result(console.json() ? json.dump() + "\n"
                                : text(path, ": ", decimals(size / 1e6, 1), " MB, opened in ",
                                       decimals(1e3 * upper_median(open), 2), " ms, loaded in ",
                                       decimals(upper_median(load), 3), " s, private memory ",
                                       decimals(share, 2), " times the file\n"));
}

}  // namespace soma
