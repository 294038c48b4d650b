#include "tests/models/formula.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <regex>
#include <sstream>

#include "base/check.h"

namespace soma::test {
namespace {

constexpr int64_t kHeight = 96, kWidth = 128;
constexpr int64_t kSizes[2][2] = {{90, 120}, {96, 101}};

struct Cell {
  int64_t cx, cy, rx, ry;  // eighths of a pixel
  int label;               // torchvision's: 1..3
};
const std::vector<std::vector<Cell>> kCells = {
    {{203, 195, 101, 77, 1},
     {611, 231, 157, 123, 2},
     {371, 509, 75, 149, 3},
     {797, 597, 83, 57, 1}},
    {{303, 391, 213, 259, 2}, {671, 171, 67, 91, 3}, {649, 613, 109, 85, 1}}};

// {pattern, replacement} from soma's names to torchvision's.
std::string torchvision_name(const std::string& name) {
  static const std::vector<std::pair<std::regex, std::string>> rules = [] {
    std::vector<std::pair<std::regex, std::string>> result;
    const std::pair<const char*, const char*> table[] = {
        {R"(^backbone\.stem\.norm\.)", "backbone.body.bn1."},
        {R"(^backbone\.stem\.)", "backbone.body.conv1."},
        {R"(\.conv(\d)\.norm\.)", ".bn$1."},
        {R"(\.shortcut\.norm\.)", ".downsample.1."},
        {R"(\.shortcut\.)", ".downsample.0."},
        {R"(^backbone\.res2\.)", "backbone.body.layer1."},
        {R"(^backbone\.res3\.)", "backbone.body.layer2."},
        {R"(^backbone\.res4\.)", "backbone.body.layer3."},
        {R"(^backbone\.res5\.)", "backbone.body.layer4."},
        {R"(^rpn\.conv\.)", "rpn.head.conv.0.0."},
        {R"(^rpn\.logits\.)", "rpn.head.cls_logits."},
        {R"(^rpn\.deltas\.)", "rpn.head.bbox_pred."},
        {R"(^box_head\.fc)", "roi_heads.box_head.fc"},
        {R"(^box_head\.logits\.)", "roi_heads.box_predictor.cls_score."},
        {R"(^box_head\.deltas\.)", "roi_heads.box_predictor.bbox_pred."},
        {R"(^mask_head\.deconv\.)", "roi_heads.mask_predictor.conv5_mask."},
        {R"(^mask_head\.logits\.)", "roi_heads.mask_predictor.mask_fcn_logits."}};
    for (const auto& [pattern, to] : table) result.emplace_back(std::regex(pattern), to);
    for (int i = 0; i < 4; ++i) {
      result.emplace_back(std::regex(text("^fpn\\.lateral", i + 2, "\\.")),
                          text("backbone.fpn.inner_blocks.", i, ".0."));
      result.emplace_back(std::regex(text("^fpn\\.output", i + 2, "\\.")),
                          text("backbone.fpn.layer_blocks.", i, ".0."));
      result.emplace_back(std::regex(text("^mask_head\\.conv", i + 1, "\\.")),
                          text("roi_heads.mask_head.", i, ".0."));
    }
    return result;
  }();
  std::string result = name;
  for (const auto& [pattern, to] : rules) result = std::regex_replace(result, pattern, to);
  return result;
}

int64_t count_of(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

// torchvision's shape and the places for [o, kh, kw, i] -> [o, i, kh, kw]; the stem's fourth
// channel has none; `skip` leading output rows are the background's.
void place_convolution(const Shape& s, int64_t in, int64_t skip, Counterpart& out) {
  out.shape = {s[0] + skip, in, s[1], s[2]};
  for (int64_t o = 0; o < s[0]; ++o) {
    for (int64_t y = 0; y < s[1]; ++y) {
      for (int64_t x = 0; x < s[2]; ++x) {
        for (int64_t i = 0; i < s[3]; ++i) {
          const int64_t place = (((o + skip) * in + i) * s[1] + y) * s[2] + x;
          out.place.push_back(i < in ? place : -1);
        }
      }
    }
  }
}

// [i, kh, kw, o] -> [i, o, kh, kw].
void place_transposed(const Shape& s, Counterpart& out) {
  out.shape = {s[0], s[3], s[1], s[2]};
  for (int64_t i = 0; i < s[0]; ++i) {
    for (int64_t y = 0; y < s[1]; ++y) {
      for (int64_t x = 0; x < s[2]; ++x) {
        for (int64_t o = 0; o < s[3]; ++o) {
          out.place.push_back(((i * s[3] + o) * s[1] + y) * s[2] + x);
        }
      }
    }
  }
}

// fc6's columns (7, 7, C) -> (C, 7, 7).
void place_fc6(const Shape& s, Counterpart& out) {
  out.shape = {s[0], s[1]};
  const int64_t channels = s[1] / 49;
  for (int64_t o = 0; o < s[0]; ++o) {
    for (int64_t cell = 0; cell < 49; ++cell) {
      for (int64_t c = 0; c < channels; ++c) out.place.push_back(o * s[1] + c * 49 + cell);
    }
  }
}

// Rows that start with the background's in torchvision: class scores have it last here, deltas
// and masks do not have it.
void place_rows(const Shape& s, bool scores, int64_t skip, Counterpart& out) {
  const int64_t columns = s.rank() == 2 ? s[1] : 1, rows = s[0];
  out.shape = {rows + (scores ? 0 : skip)};
  if (s.rank() == 2) out.shape.push_back(columns);
  for (int64_t o = 0; o < rows; ++o) {
    const int64_t to = scores ? (o + 1) % rows : o + skip;
    for (int64_t c = 0; c < columns; ++c) out.place.push_back(to * columns + c);
  }
}

// value = centre + spread * u.
struct Range {
  double centre, spread;
};

Range weight_range(const Counterpart& part) {
  const std::string& name = part.name;
  const auto contains = [&](const char* what) { return name.find(what) != std::string::npos; };
  if (name.ends_with("running_var")) return {1, 0.5};
  if (contains(".bn") || contains(".downsample.1.")) {
    return name.ends_with("weight") ? Range{1, 0.2} : Range{0, 0.1};
  }
  if (name.ends_with("bias")) return {0, 0.05};
  const std::pair<const char*, double> gains[] = {{".conv2.weight", 0.3},
                                                  {"fpn.inner_blocks.0.0.weight", 0.5},
                                                  {"fpn.inner_blocks.1.0.weight", 0.5},
                                                  {"fpn.inner_blocks.2.0.weight", 0.5},
                                                  {"fpn.inner_blocks.3.0.weight", 0.5},
                                                  {"rpn.head.cls_logits.weight", 0.7},
                                                  {"rpn.head.bbox_pred.weight", 0.1},
                                                  {"box_predictor.cls_score.weight", 0.7},
                                                  {"box_predictor.bbox_pred.weight", 0.5},
                                                  {"mask_fcn_logits.weight", 0.5}};
  double gain = 1;
  for (const auto& [end, value] : gains) {
    if (name.ends_with(end)) gain = value;
  }
  const int64_t fan_in =
      contains("conv5_mask") ? part.shape[0] : count_of(part.shape) / part.shape[0];
  return {0, gain * std::sqrt(6.0 / static_cast<double>(fan_in))};
}

}  // namespace

Formula::Formula(const std::string& name) {
  for (const char byte : name) seed_ = (seed_ ^ static_cast<uint8_t>(byte)) * 16777619u;
}

double Formula::operator()(int64_t i) const {
  uint32_t h = seed_ + static_cast<uint32_t>(i) * 0x9E3779B9u;
  h ^= h >> 16;
  h *= 0x85EBCA6Bu;
  h ^= h >> 13;
  h *= 0xC2B2AE35u;
  h ^= h >> 16;
  return static_cast<double>(h >> 8) / 8388608.0 - 1;
}

Counterpart counterpart(const std::string& name, const Shape& shape) {
  Counterpart result;
  result.name = torchvision_name(name);
  const auto is = [&](const char* layer) { return name.starts_with(layer); };
  if (is("box_head.logits.")) {
    place_rows(shape, true, 0, result);
  } else if (is("box_head.deltas.")) {
    place_rows(shape, false, 4, result);
  } else if (is("mask_head.logits.bias")) {
    place_rows(shape, false, 1, result);
  } else if (name == "box_head.fc6.weight") {
    place_fc6(shape, result);
  } else if (name == "mask_head.deconv.weight") {
    place_transposed(shape, result);
  } else if (shape.rank() == 4) {
    place_convolution(shape, name == "backbone.stem.weight" ? 3 : shape[3],
                      is("mask_head.logits.") ? 1 : 0, result);
  } else {
    place_rows(shape, false, 0, result);
  }
  return result;
}

ModelConfig formula_config() {
  ModelConfig model;
  TestConfig test;
  apply_preset("torchvision", model, test);
  model.backbone = "resnet18";
  model.norm = NormKind::frozen;
  model.freeze = "none";
  model.classes = {"1", "2", "3"};
  model.fpn_channels = model.mask_channels = 32;
  model.box_channels = 64;
  model.anchors = {{8}, {16}, {32}, {64}, {128}};
  model.rpn_batch = 48;
  model.rpn_pre_nms_train = model.rpn_pre_nms_test = 60;
  model.rpn_post_nms_train = model.rpn_post_nms_test = 50;
  model.roi_batch = 16;
  return model;
}

TestConfig formula_test() {
  ModelConfig model;
  TestConfig test;
  apply_preset("torchvision", model, test);
  test.score = 0.25;
  test.max_detections = 20;
  return test;
}

MaskRcnn formula_model(DType dtype, const std::string& backbone) {
  ModelConfig config = formula_config();
  config.backbone = backbone;
  MaskRcnn model(config, 1, dtype);
  for (const auto& [name, tensor] : state_of(model)) {
    const Counterpart part = counterpart(name, tensor.shape());
    const Formula u(part.name);
    const auto [centre, spread] = weight_range(part);
    std::vector<double> values;
    values.reserve(part.place.size());
    for (const int64_t place : part.place) {
      const double value = place < 0 ? 0 : centre + spread * u(place);
      values.push_back(static_cast<double>(static_cast<float>(value)));
    }
    tensor.copy_from(Tensor::of(tensor.shape(), values).to(dtype));
    tensor.touch();
  }
  return model;
}

FormulaScene formula_scene(DType dtype, const std::string& images) {
  std::vector<float> pixels(static_cast<size_t>(2 * kHeight * kWidth * 4), 0.0f);
  std::vector<float> boxes;
  std::vector<int32_t> label, begin = {0}, crop, size;
  std::vector<int64_t> offset;
  std::vector<uint8_t> bits;
  for (size_t n = 0; n < 2; ++n) {
    const int64_t height = kSizes[n][0], width = kSizes[n][1];
    std::vector<bool> covered(static_cast<size_t>(height * width), false);
    for (const Cell& c : kCells[n]) {
      offset.push_back(static_cast<int64_t>(bits.size()));
      for (int64_t y = 0; y < height; ++y) {
        for (int64_t x = 0; x < width; ++x) {
          const int64_t dx = 8 * x + 4 - c.cx, dy = 8 * y + 4 - c.cy;
          const bool inside =
              dx * dx * c.ry * c.ry + dy * dy * c.rx * c.rx <= c.rx * c.rx * c.ry * c.ry;
          bits.push_back(inside ? 1 : 0);
          if (inside) covered[static_cast<size_t>(y * width + x)] = true;
        }
      }
      crop.insert(crop.end(), {0, 0, static_cast<int32_t>(width), static_cast<int32_t>(height)});
      for (const int64_t edge : {c.cx - c.rx, c.cy - c.ry, c.cx + c.rx, c.cy + c.ry}) {
        boxes.push_back(static_cast<float>(edge) / 8);
      }
      label.push_back(c.label - 1);
    }
    begin.push_back(static_cast<int32_t>(label.size()));
    size.insert(size.end(), {static_cast<int32_t>(height), static_cast<int32_t>(width)});
    const Formula u(text(images, ".", n));
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        const double ground = covered[static_cast<size_t>(y * width + x)] ? 1 : -0.5;
        for (int64_t c = 0; c < 3; ++c) {
          const auto to = (static_cast<int64_t>(n) * kHeight + y) * kWidth + x;
          pixels[static_cast<size_t>(to * 4 + c)] =
              static_cast<float>(0.5 * u((c * height + y) * width + x) + ground);
        }
      }
    }
  }
  const auto count = static_cast<int64_t>(label.size()), total = static_cast<int64_t>(bits.size());
  return {Tensor::of({2, kHeight, kWidth, 4}, pixels).to(dtype),
          {Tensor::of({count, 4}, boxes),
           Tensor::of({count}, label),
           Tensor::of({3}, begin),
           {Tensor::of({total}, bits), Tensor::of({count}, offset), Tensor::of({count, 4}, crop)},
           Tensor::of({2, 2}, size)}};
}

std::map<std::string, std::vector<GoldenRow>> read_golden(const std::string& file) {
  const char* root = std::getenv("SOMA_TEST_ROOT");
  check(root != nullptr, "SOMA_TEST_ROOT", "must name the source folder");
  std::ifstream stream(std::string(root) + "/tests/goldens/" + file);
  check(stream.good(), file, "cannot be read");
  std::map<std::string, std::vector<GoldenRow>> result;
  for (std::string line; std::getline(stream, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    GoldenRow row;
    if (kind == "gradient" || kind == "weight") words >> row.name;
    for (double number; words >> number;) row.numbers.push_back(number);
    result[kind].push_back(row);
  }
  return result;
}

Projection project(const std::string& name, const Tensor& values,
                   const std::vector<int64_t>& place) {
  const Formula u(name);
  const std::vector<double> x = values.to_vector<double>();
  Projection result;
  for (size_t k = 0; k < x.size(); ++k) {
    if (!place.empty() && place[k] < 0) continue;
    result.squares += x[k] * x[k];
    result.projection += x[k] * u(place.empty() ? static_cast<int64_t>(k) : place[k]);
  }
  return result;
}

}  // namespace soma::test
