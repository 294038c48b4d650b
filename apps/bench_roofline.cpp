#include "apps/bench_roofline.h"

#include "apps/bench_scene.h"
#include "base/json.h"
#include "data/preprocess.h"
#include "models/maskrcnn/cost.h"

namespace soma {
namespace {

struct Pass {
  const char* name;
  std::vector<KernelCost> kernels;
  double gflop = 0, gigabytes = 0;  // bytes in f32
};

Pass pass_of(const char* name, std::vector<KernelCost> kernels) {
  Pass pass{name, std::move(kernels)};
  for (const KernelCost& kernel : pass.kernels) {
    pass.gflop += 2e-9 * kernel.multiply_adds;
    pass.gigabytes += 4e-9 * kernel.elements;
  }
  return pass;
}

Json to_json(const Pass& pass) {
  Json json = {{"pass", pass.name},
               {"kernels", pass.kernels.size()},
               {"gflop", pass.gflop},
               {"gigabytes", pass.gigabytes}};
  for (const Card& card : kCards)
    json.set(card.name, {{"f32_s", roofline_seconds(pass.kernels, card, Precision::f32)},
                         {"f16_s", roofline_seconds(pass.kernels, card, Precision::f16)}});
  return json;
}

std::string to_row(const Pass& pass) {
  std::string row = text("| ", pass.name, " | ", decimals(pass.gflop, 0), " | ",
                         decimals(pass.gigabytes, 1), " |");
  for (const Card& card : kCards)
    for (const Precision precision : {Precision::f32, Precision::f16})
      row += text(" ", decimals(1e3 * roofline_seconds(pass.kernels, card, precision), 1), " ms |");
  return row + "\n";
}

}  // namespace

void bench_roofline(const Options& options, const Console& console) {
  const RunConfig config = bench_config(options);
  const auto [height, width] =
      input_size({options.image_height, options.image_width}, config.input).padded;
  Json rows = Json::array();
  std::string table = "| pass | GFLOP | GB in f32 |", line = "|---|---|---|";
  for (const Card& card : kCards) {
    table += text(" ", card.name, ", f32 | f16 |");
    line += "---|---|";
  }
  table += "\n" + line + "\n";
  for (const Pass& pass : {pass_of("detection", detection_cost(config.model, height, width,
                                                               config.test.max_detections)),
                           pass_of("training step", training_cost(config.model, height, width))}) {
    rows.push_back(to_json(pass));
    table += to_row(pass);
  }
  console.result(console.json() ? Json{{"passes", rows}}.dump() + "\n" : table);
}

}  // namespace soma
