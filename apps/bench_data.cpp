#include "apps/bench_data.h"

#include "apps/bench_scene.h"
#include "base/json.h"
#include "base/quantile.h"
#include "base/stopwatch.h"
#include "data/image_io.h"
#include "data/loader.h"
#include "ops/transform_images.h"

namespace soma {

void bench_data(const Options& options, const Console& console) {
  const RunConfig config = bench_config(options);
  const Scene scene = draw_scene(options, config);
  const std::string png = encode_png(scene.image);
  Loader loader(scene.dataset, config.input, config.augment, config.train.batch, config.train.seed,
                {.threads = 0, .cache_bytes = 0, .read = [&](const Sample& sample) {
                   return decode_image(png, sample.id);
                 }});
  std::vector<double> seconds, decoding;
  const auto make = [&](int64_t iteration) {
    transform_images(loader.next(iteration).images, Device::cpu);
  };
  make(0);  // warms the memory cache
  for (int i = 0; i < options.repeats; ++i) {
    decoding.push_back(seconds_of([&] { decode_image(png, "drawn"); }));
    seconds.push_back(seconds_of([&] { make(i); }));
  }
  const double batch = static_cast<double>(config.train.batch);
  const double each = upper_median(seconds) / batch, decode = upper_median(decoding);
  if (console.json()) {
    return console.result(Json{{"width", options.image_width},
                               {"height", options.image_height},
                               {"crop", config.input.crop},
                               {"batch", config.train.batch},
                               {"decode_s", decode},
                               {"image_s", each},
                               {"images_per_s", 1 / each}}
                              .dump() +
                          "\n");
  }
  console.result(text(options.image_width, " x ", options.image_height, ", crop ",
                      config.input.crop, ", batches of ", config.train.batch, ": ", 1e3 * each,
                      " ms an image by one thread, ", 1e3 * decode, " ms of them decoding; ",
                      1 / each, " images/s\n"));
}

}  // namespace soma
