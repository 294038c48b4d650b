// What a pass of the network asks of a device, counted from the shapes: the multiply-adds of every
// kernel, as ops/cuda runs them for one image, and the elements that it moves to or from memory.
// And the roofline (Williams et al. 2009): the least time that a card's data sheet allows. A bound,
// not a measurement: no kernel reaches it.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "models/maskrcnn/config.h"

namespace soma {

struct KernelCost {
  std::string name;  // the layer's as in weights files, "backbone.res3.0.conv2"; " data" and others
                     // after it for what a training step adds
  double multiply_adds = 0, elements = 0;
  double weights = 0;  // of the elements: the layer's weights, when they are multiplied
};

// An input of height x width pixels, padding included; as many proposals as the RPN may keep and as
// many masks as max_detections. What decides between boxes (top-k, NMS) is left out.
std::vector<KernelCost> detection_cost(const ModelConfig& config, int64_t height, int64_t width,
                                       int64_t max_detections);
// Forward, backward and the optimiser's step: as many RoIs as are sampled, the positive share of
// them with masks.
std::vector<KernelCost> training_cost(const ModelConfig& config, int64_t height, int64_t width);

struct Card {
  const char* name;
  double f32, f16;  // FLOP/s without tensor cores, and with them
  double memory;    // bytes/s
};
inline constexpr std::array kCards = {Card{"T4", 8.1e12, 65e12, 320e9},
                                      Card{"A100 40 GB", 19.5e12, 312e12, 1555e9},
                                      Card{"H100 SXM", 67e12, 989e12, 3350e9}};

// Of a kernel the longer of its arithmetic and its traffic, and no less than a launch; f16, else as
// f32.
double roofline_seconds(const std::vector<KernelCost>& kernels, const Card& card,
                        Precision precision);

}  // namespace soma
