#include "models/maskrcnn/cost.h"

#include <algorithm>

#include "base/text.h"
#include "models/maskrcnn/anchors.h"
#include "models/maskrcnn/heads.h"
#include "models/maskrcnn/resnet.h"

namespace soma {
namespace {

constexpr double kLaunch = 4e-6;  // seconds from one queued kernel to the next
constexpr double kTaps = 16;      // of a cell of RoIAlign: four of each of four samples

struct Map {
  int64_t height = 0, width = 0, channels = 0;
  double places() const { return static_cast<double>(height * width); }
  double elements() const { return places() * static_cast<double>(channels); }
};

struct Layer {
  int64_t outputs = 0;
  int side = 1, stride = 1, groups = 1;
  bool residual = false;  // a map is added to the result
  bool frozen = false;    // no gradient passes it
  bool own_norm = false;  // of statistics that cannot be folded into the weights
};

class Counter {
 public:
  Counter(const ModelConfig& config, bool training) : config_(config), training_(training) {}

  void kernel(const std::string& name, double multiply_adds, double elements, double weights = 0) {
    kernels_.push_back({name, multiply_adds, elements, weights});
  }

  // rows x layer.outputs from a left operand of x elements, `depth` multiply-adds each. A
  // convolution gathers that operand, so that it is read once.
  void product(const std::string& name, double rows, double depth, double x, const Layer& layer) {
    const auto columns = static_cast<double>(layer.outputs);
    const double out = rows * columns, weights = depth * columns, work = rows * weights;
    kernel(name, work, x + weights + out * (layer.residual ? 2 : 1), weights);
    if (layer.own_norm) kernel(name + " norm", 0, 3 * out);
    if (!training_ || layer.frozen) return;
    if (layer.own_norm) kernel(name + " norm gradient", 0, 5 * out);
    kernel(name + " relu", 0, 3 * out);
    kernel(name + " data", work, x + weights + out, weights);
    kernel(name + " weight", work, x + weights + out, weights);
    kernel(name + " bias", 0, out);
    parameters_ += weights + columns;
  }

  Map convolution(const std::string& name, const Map& in, const Layer& layer) {
    const auto shrunk = [&](int64_t side) { return (side + layer.stride - 1) / layer.stride; };
    const Map out = {shrunk(in.height), shrunk(in.width), layer.outputs};
    const double depth =
        static_cast<double>(layer.side * layer.side * (in.channels / layer.groups));
    product(name, out.places(), depth, in.elements(), layer);
    return out;
  }

  void linear(const std::string& name, double rows, int64_t inputs, int64_t outputs) {
    const auto depth = static_cast<double>(inputs);
    product(name, rows, depth, rows * depth, {.outputs = outputs});
  }

  // A cache serves most taps.
  void roi_align(const std::string& name, double rois, int size) {
    const double cells = rois * size * size * config_.fpn_channels;
    kernel(name, cells * kTaps, 2 * cells);
    if (training_) kernel(name + " gradient", cells * kTaps, 5 * cells);
  }

  // Gradients are read twice (norm, step), weights and velocities read and written.
  void optimiser() { kernel("optimiser", 2 * parameters_, 6 * parameters_); }

  std::vector<Map> backbone(int64_t height, int64_t width);
  std::vector<Map> pyramid(const std::vector<Map>& maps);
  void rpn(const std::vector<Map>& levels);
  void box_heads(double rois);
  void mask_head(double rois);
  std::vector<KernelCost> take() { return std::move(kernels_); }

 private:
  Map block(const std::string& name, const Map& in, const ResidualBlock::Options& o, bool frozen);
  bool norm_of_group() const { return config_.norm == NormKind::group; }
  bool norm_of_backbone(bool frozen) const {
    return norm_of_group() || (config_.norm == NormKind::batch && training_ && !frozen);
  }

  const ModelConfig& config_;
  bool training_;
  std::vector<KernelCost> kernels_;
  double parameters_ = 0;  // that are learnt
};

Map Counter::block(const std::string& name, const Map& in, const ResidualBlock::Options& o,
                   bool frozen) {
  const auto layer = [&](const BlockConv& conv) {
    return Layer{.outputs = conv.out,
                 .side = conv.kernel,
                 .stride = conv.stride,
                 .groups = conv.groups,
                 .frozen = frozen,
                 .own_norm = norm_of_backbone(frozen)};
  };
  for (const BlockConv& conv : o.shortcut()) convolution(name + ".shortcut", in, layer(conv));
  const std::vector<BlockConv> convs = o.convs();
  Map x = in;
  for (size_t i = 0; i < convs.size(); ++i) {
    Layer one = layer(convs[i]);
    one.residual = i + 1 == convs.size();
    x = convolution(text(name, ".conv", i + 1), x, one);
  }
  return x;
}

// C2..C5.
std::vector<Map> Counter::backbone(int64_t height, int64_t width) {
  const int frozen = frozen_stages(config_.freeze);
  Map x = convolution("backbone.stem", {height, width, 4},
                      {.outputs = config_.backbone_width,
                       .side = 7,
                       .stride = 2,
                       .frozen = frozen > 0,
                       .own_norm = norm_of_backbone(frozen > 0)});
  kernel("pool", 0, 1.25 * x.elements());
  x = {(x.height + 1) / 2, (x.width + 1) / 2, x.channels};
  std::vector<Map> maps;
  for (const auto& stage : residual_stages(config_)) {
    const auto number = static_cast<int>(maps.size()) + 2;
    for (size_t i = 0; i < stage.size(); ++i)
      x = block(text("backbone.res", number, ".", i), x, stage[i], frozen >= number);
    maps.push_back(x);
  }
  return maps;
}

// P2..P6.
std::vector<Map> Counter::pyramid(const std::vector<Map>& maps) {
  const Layer plain{.outputs = config_.fpn_channels, .own_norm = norm_of_group()};
  std::vector<Map> levels;
  for (size_t i = 0; i < maps.size(); ++i) {
    Layer lateral = plain, output = plain;
    lateral.residual = i + 1 < maps.size();
    output.side = 3;
    const Map merged = convolution(text("fpn.lateral", i + 2), maps[i], lateral);
    levels.push_back(convolution(text("fpn.output", i + 2), merged, output));
  }
  const Map& last = levels.back();
  levels.push_back({(last.height + 1) / 2, (last.width + 1) / 2, last.channels});
  return levels;
}

// Of all pixels to choose by, and of the sampled ones to learn from.
void Counter::rpn(const std::vector<Map>& levels) {
  const auto anchors = std::ssize(cell_anchors(config_, 0));
  const int middle = config_.rpn_channels > 0 ? config_.rpn_channels : config_.fpn_channels;
  for (const Map& level : levels) {
    const Map hidden =
        convolution("rpn.conv", level, {.outputs = middle, .side = 3, .frozen = true});
    convolution("rpn.logits", hidden, {.outputs = anchors, .frozen = true});
    convolution("rpn.deltas", hidden, {.outputs = 4 * anchors, .frozen = true});
    kernel("proposals", 0, 20 * level.places() * static_cast<double>(anchors));
  }
  if (!training_) return;
  linear("rpn.conv sampled", config_.rpn_batch, int64_t{9} * config_.fpn_channels, middle);
  linear("rpn.logits sampled", config_.rpn_batch, middle, anchors);
  linear("rpn.deltas sampled", config_.rpn_batch, middle, 4 * anchors);
}

void Counter::box_heads(double rois) {
  const auto classes = std::ssize(config_.classes);
  const int64_t pooled = int64_t{config_.box_pool} * config_.box_pool * config_.fpn_channels;
  const int64_t hidden = config_.box_channels;
  for (int stage = 0; stage < box_stages(config_); ++stage) {
    const std::string name = stage == 0 ? "box_head" : text("box_head", stage + 1);
    roi_align(name + " pooling", rois, config_.box_pool);
    linear(name + ".fc6", rois, pooled, hidden);
    linear(name + ".fc7", rois, hidden, hidden);
    linear(name + ".logits", rois, hidden, classes + 1);
    linear(name + ".deltas", rois, hidden, config_.cascade ? 4 : 4 * classes);
  }
}

void Counter::mask_head(double rois) {
  roi_align("mask_head pooling", rois, config_.mask_pool);
  const double cells = rois * config_.mask_pool * config_.mask_pool;
  const Layer conv{.outputs = config_.mask_channels, .own_norm = norm_of_group()};
  int64_t in = config_.fpn_channels;
  for (int i = 0; i < config_.mask_convs; ++i, in = config_.mask_channels) {
    const auto channels = static_cast<double>(in);
    product(text("mask_head.conv", i + 1), cells, 9 * channels, cells * channels, conv);
  }
  linear("mask_head.deconv", cells, in, int64_t{4} * config_.mask_channels);
  linear("mask_head.logits", 4 * cells, config_.mask_channels, std::ssize(config_.classes));
}

}  // namespace

std::vector<KernelCost> detection_cost(const ModelConfig& config, int64_t height, int64_t width,
                                       int64_t max_detections) {
  Counter counter(config, false);
  counter.rpn(counter.pyramid(counter.backbone(height, width)));
  counter.box_heads(config.rpn_post_nms_test);
  counter.mask_head(static_cast<double>(max_detections));
  return counter.take();
}

std::vector<KernelCost> training_cost(const ModelConfig& config, int64_t height, int64_t width) {
  Counter counter(config, true);
  counter.rpn(counter.pyramid(counter.backbone(height, width)));
  counter.box_heads(config.roi_batch);
  counter.mask_head(config.roi_batch * config.roi_positive_fraction);
  counter.optimiser();
  return counter.take();
}

double roofline_seconds(const std::vector<KernelCost>& kernels, const Card& card,
                        Precision precision) {
  const bool half = precision == Precision::f16;
  const double peak = half ? card.f16 : card.f32, bytes = half ? 2 : 4;
  double seconds = 0;
  for (const KernelCost& kernel : kernels)
    seconds +=
        std::max({2 * kernel.multiply_adds / peak, kernel.elements * bytes / card.memory, kLaunch});
  return seconds;
}

}  // namespace soma
