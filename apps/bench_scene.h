// What the parts of `soma bench` that run a model share: its configuration, a picture, a clock.
#pragma once
#include <string>

#include "apps/options.h"
#include "data/annotations.h"
#include "data/image.h"
#include "run/config.h"

namespace soma {

// Of all threads of this process so far. Other programs on the same cores stretch wall time only.
double cpu_seconds();
// What Linux tells of this process's memory under a name of /proc/self/status ("VmHWM:": the most
// pages that it ever had), in bytes; 0 where it does not.
int64_t process_memory(const std::string& name);

// torchvision's R50-FPN with three classes unless key=value says otherwise: the network that the
// peers' timings are known for.
RunConfig bench_config(const Options& options);

// One sample of a data set.
struct Scene {
  Image image;
  Dataset dataset;
};
// 20 bright discs on a grid in gray noise.
Scene draw_scene(const Options& options, const RunConfig& config);
// A picture of the user's, in its own size; nothing is known of its cells.
Scene read_scene(const std::string& path);

}  // namespace soma
