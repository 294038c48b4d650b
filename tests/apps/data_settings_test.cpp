#include "apps/data_settings.h"

#include <doctest/doctest.h>

#include "data/preprocess.h"

namespace soma {
namespace {

// One image of 200 x 100 with a filled square of each side.
Dataset squares(const std::vector<int64_t>& sides) {
  Dataset dataset;
  dataset.classes = {"round", "long"};
  Sample sample;
  sample.height = 200;
  sample.width = 100;
  for (const int64_t side : sides) {
    std::vector<uint8_t> pixels(200 * 100);
    for (int64_t y = 0; y < side; ++y)
      for (int64_t x = 0; x < side; ++x) pixels[static_cast<size_t>(y * 100 + x)] = 1;
    sample.instances.push_back({0, encode_mask(pixels, 200, 100), false});
  }
  dataset.samples.push_back(sample);
  return dataset;
}

RunConfig cells() { return load_config({}, {"model.preset=cells"}); }

}  // namespace

TEST_CASE("the median cell comes to 32 pixels and the anchors fit what the network sees") {
  RunConfig config = cells();
  complete_config(config, squares({20, 20, 20, 50, 4}), false);
  CHECK(config.input.zoom == 1.6);
  CHECK(config.model.classes == std::vector<std::string>{"round", "long"});
  REQUIRE(config.model.anchors.size() == 5);
  bool has_median = false, has_large = false;
  for (const std::vector<double>& size : config.model.anchors) {
    has_median |= size == std::vector<double>{32};
    has_large |= size == std::vector<double>{80};
  }
  CHECK(has_median);
  CHECK(has_large);
}

TEST_CASE("zoom keeps within its bounds, and to 1 where sizes are asked for") {
  for (const auto& [side, zoom] : std::vector<std::pair<int64_t, double>>{{3, 2}, {95, 0.5}}) {
    RunConfig config = cells();
    complete_config(config, squares({side}), false);
    CHECK(config.input.zoom == zoom);
  }
  RunConfig sized = cells();
  sized.input.min_size = {200};
  complete_config(sized, squares({10}), false);
  CHECK(sized.input.zoom == 1);
  CHECK(sized.model.anchors[0] == std::vector<double>{20});  // 100 pixels become 200
}

TEST_CASE("what is given stays, and nothing is learnt from a set without cells") {
  RunConfig given =
      load_config({}, {"model.preset=cells", "input.zoom=1.25", "model.classes=[\"a\"]",
                       "model.anchors=[[1],[2],[3],[4],[5]]"});
  const std::vector<std::vector<double>> anchors = given.model.anchors;
  complete_config(given, squares({20}), false);
  CHECK(given.input.zoom == 1.25);
  CHECK(given.model.anchors == anchors);
  CHECK(given.model.classes == std::vector<std::string>{"a"});

  RunConfig empty = cells();
  complete_config(empty, squares({}), false);
  CHECK(empty.input.zoom == 1);
  CHECK(empty.model.anchors.size() == 5);

  RunConfig reference = load_config({}, {"model.preset=torchvision"});
  complete_config(reference, squares({20}), false);
  CHECK(reference.input.zoom == 1);
  CHECK(reference.model.anchors[0] == std::vector<double>{32});
}

TEST_CASE("prediction without a known zoom is an error that names the key") {
  const Image image{8, 8, 1, std::vector<uint8_t>(64)};
  CHECK_THROWS_WITH(preprocess(image, cells().input), doctest::Contains("input.zoom"));
}

}  // namespace soma
