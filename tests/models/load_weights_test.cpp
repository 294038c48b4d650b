// A model of odd values goes into files of every scheme (tests/models/foreign.h) and must come
// back.
#include "models/maskrcnn/load_weights.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <set>

#include "base/check.h"
#include "tests/models/foreign.h"
#include "tests/models/tiny.h"
#include "tests/support/temp_dir.h"

namespace soma::test {
namespace {

using Namer = std::function<std::string(const std::string&)>;

ModelConfig small_config(size_t classes = 2) {
  ModelConfig config = tiny_config(NormKind::frozen);
  config.backbone = "resnet50";
  config.mask_convs = 4;
  config.classes.assign(classes, "x");
  return config;
}

// Every element another number; norms too.
NamedTensors odd_state(const ModelConfig& config) {
  MaskRcnn model(config, 1);
  NamedTensors state;
  uint32_t seed = 1;
  for (const auto& [name, tensor] : state_of(model)) {
    std::vector<float> values;
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      seed = seed * 1664525u + 1013904223u;
      values.push_back(static_cast<float>(seed >> 8) / 16777216.0f);
    }
    state[name] = Tensor::of(tensor.shape(), values);
  }
  // The stem's fourth channel is no weight.
  const Tensor& stem = state["backbone.stem.weight"];
  for (int64_t i = 3; i < stem.numel(); i += 4) stem.data<float>()[i] = 0;
  return state;
}

NamedTensors foreign(const NamedTensors& ours, const Namer& name, bool background_first,
                     bool stem_reversed = false) {
  NamedTensors result;
  for (const auto& [own, tensor] : ours) {
    result[name(own)] = foreign_tensor(own, tensor, 8, background_first, stem_reversed);
  }
  return result;
}

std::string write(const TempDir& folder, const NamedTensors& tensors, const Metadata& meta = {}) {
  const std::string path = folder / "weights.safetensors";
  write_safetensors(path, tensors, meta);
  return path;
}

bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.to_vector<float>() == b.to_vector<float>();
}

// The model after loading holds `expected` under the names `loaded`, initial values elsewhere.
void check_loaded(MaskRcnn& model, const NamedTensors& expected, const LoadReport& report) {
  MaskRcnn fresh(model.config(), 7);
  const std::map<std::string, Tensor> initial = state_of(fresh);
  const std::set<std::string> loaded(report.loaded.begin(), report.loaded.end());
  for (const auto& [name_of_case, tensor] : state_of(model)) {
    const auto& name = name_of_case;
    CAPTURE(name);
    CHECK(same(tensor, loaded.contains(name) ? expected.at(name) : initial.at(name)));
  }
}

}  // namespace

TEST_CASE("every scheme's file gives the model back") {
  const TempDir folder;
  const ModelConfig config = small_config();
  const NamedTensors state = odd_state(config);
  const struct {
    NameScheme scheme;
    Namer name;
    bool background_first;
  } cases[] = {{NameScheme::torchvision, torchvision_new_name, true},
               {NameScheme::torchvision, torchvision_old_name, true},
               {NameScheme::detectron2, detectron2_name, false},
               {NameScheme::soma, [](const std::string& own) { return own; }, false}};
  for (const auto& [scheme_of_case, name, background_first] : cases) {
    const auto& scheme = scheme_of_case;
    CAPTURE(title_of(scheme));
    const bool own = scheme == NameScheme::soma;
    const WeightsFile file(write(folder, own ? state : foreign(state, name, background_first)));
    MaskRcnn model(config, 7);
    const LoadReport report = load_weights(model, file, scheme == NameScheme::detectron2);
    CHECK(report.kind.scheme == scheme);
    CHECK(report.kind.classes == 2);
    CHECK_FALSE(report.stem_reversed);
    CHECK(report.loaded.size() == state.size());
    CHECK(report.replaced.empty());
    CHECK(report.missing.empty());
    CHECK(report.unused.empty());
    check_loaded(model, state, report);
    MaskRcnn blank = MaskRcnn::blank(config);
    load_all_weights(blank, file, scheme == NameScheme::detectron2);
    for (const auto& [key, tensor] : state_of(blank)) CHECK(same(tensor, state.at(key)));
  }
}

TEST_CASE("Caffe2's blobs: norms without statistics, BGR, a background in front") {
  const TempDir folder;
  const ModelConfig config = small_config();
  const NamedTensors state = odd_state(config);
  NamedTensors blobs;
  for (const auto& [name, tensor] : foreign(state, caffe2_name, true)) {
    if (!contains(name, "running")) blobs[name] = tensor;
  }
  blobs["conv1_w_momentum"] = Tensor::full({1}, 1);
  const WeightsFile file(write(folder, blobs));
  MaskRcnn model(config, 7);
  const LoadReport report = load_weights(model, file, true);
  CHECK(report.kind.scheme == NameScheme::caffe2);
  CHECK(report.missing.empty());
  CHECK(report.unused == std::vector<std::string>{"conv1_w_momentum"});
  CHECK(report.loaded.size() == blobs.size() - 1);
  check_loaded(model, state, report);
  MaskRcnn rgb(config, 7);
  CHECK(load_weights(rgb, file, false).stem_reversed);
}

TEST_CASE("backbones alone: torchvision's and detectron2's ImageNet files") {
  const TempDir folder;
  const ModelConfig config = small_config();
  const NamedTensors state = odd_state(config);
  const auto backbone = [&](const Namer& name, const std::string& prefix) {
    NamedTensors result;
    for (const auto& [key, tensor] : foreign(state, name, true)) {
      if (key.starts_with(prefix)) result[key.substr(prefix.size())] = tensor;
    }
    result["fc.weight"] = Tensor::full({1000, 128}, 1);
    result["bn1.num_batches_tracked"] = Tensor::full({}, 1, DType::i64);
    return result;
  };
  for (const bool torchvision : {true, false}) {
    const WeightsFile file(write(folder, torchvision
                                             ? backbone(torchvision_new_name, "backbone.body.")
                                             : backbone(detectron2_name, "backbone.bottom_up.")));
    MaskRcnn model(config, 7);
    const LoadReport report = load_weights(model, file, !torchvision);
    CHECK(report.kind.scheme ==
          (torchvision ? NameScheme::torchvision_backbone : NameScheme::detectron2_backbone));
    CHECK(report.kind.classes == 0);
    CHECK(report.unused == std::vector<std::string>{"fc.weight"});
    CHECK(grouped(report.loaded, 1) == "backbone (265 tensors)");
    CHECK(grouped(report.missing, 1) ==
          "box_head (8 tensors), fpn (16 tensors), mask_head (12 tensors), rpn (6 tensors)");
    check_loaded(model, state, report);
    CHECK(contains(error_of([&] { load_all_weights(model, file, !torchvision); }),
                   "lacks box_head.deltas (2 tensors)"));
  }
}

TEST_CASE("another number of classes keeps all but the last layers, and says so") {
  const TempDir folder;
  const NamedTensors state = odd_state(small_config(5));
  const WeightsFile file(write(folder, foreign(state, torchvision_new_name, true)));
  MaskRcnn model(small_config(2), 7);
  const LoadReport report = load_weights(model, file, false);
  CHECK(report.kind.classes == 5);
  CHECK(report.replaced ==
        std::vector<std::string>{"box_head.deltas.bias", "box_head.deltas.weight",
                                 "box_head.logits.bias", "box_head.logits.weight",
                                 "mask_head.logits.bias", "mask_head.logits.weight"});
  CHECK(report.missing.empty());
  CHECK(report.loaded.size() == state.size() - 6);
  check_loaded(model, state, report);
  std::string lines;
  for (const std::string& line : lines_of(report, file, model)) lines += line + "\n";
  CHECK(contains(lines, "torchvision detection, safetensors, 5 classes\n"));
  CHECK(contains(lines, "  loaded: backbone (265 tensors), box_head (4 tensors), fpn "));
  CHECK(
      contains(lines, "  replaced, 5 classes by 2: box_head.deltas (2 tensors), box_head.logits "));
  CHECK_FALSE(contains(lines, "frozen"));
  CHECK(contains(error_of([&] { load_all_weights(model, file, false); }),
                 "has 5 classes, model.classes names 2"));
}

TEST_CASE("the log names what is frozen") {
  const TempDir folder;
  ModelConfig config = small_config();
  config.freeze = "res2";
  const WeightsFile file(write(folder, odd_state(config)));
  MaskRcnn model(config, 7);
  const auto lines = lines_of(load_weights(model, file, false), file, model);
  CHECK(lines.back() == "  frozen: backbone.res2 (10 tensors), backbone.stem (1 tensor)");
}

TEST_CASE("the stem's channels follow the input's order") {
  const TempDir folder;
  const ModelConfig config = small_config();
  const NamedTensors state = odd_state(config);
  const auto stem_of = [&](const NamedTensors& tensors, const Metadata& metadata, bool bgr) {
    MaskRcnn model(config, 7);
    load_weights(model, WeightsFile(write(folder, tensors, metadata)), bgr);
    return state_of(model).at("backbone.stem.weight");
  };
  const Tensor& as_is = state.at("backbone.stem.weight");
  const NamedTensors rgb = foreign(state, torchvision_new_name, true);
  const NamedTensors reversed = foreign(state, torchvision_new_name, true, true);
  CHECK(same(stem_of(rgb, {}, false), as_is));
  CHECK(same(stem_of(reversed, {}, true), as_is));
  CHECK_FALSE(same(stem_of(rgb, {}, true), as_is));
  CHECK(same(stem_of(foreign(state, detectron2_name, false, true), {}, false), as_is));
  CHECK(same(stem_of(state, {}, true), as_is));  // soma's own: nothing is known to differ
  CHECK(same(stem_of(state, {{"channels", "bgr"}}, true), as_is));
}

TEST_CASE("torchvision's names and layouts are written as torchvision has them") {
  const NamedTensors state = odd_state(small_config());
  for (const bool bgr : {false, true}) {
    const NamedTensors written = torchvision_weights(state, bgr);
    const NamedTensors expected = foreign(state, torchvision_new_name, true, bgr);
    REQUIRE(written.size() == expected.size());
    for (const auto& [name_of_case, tensor] : expected) {
      const auto& name = name_of_case;
      CAPTURE(name);
      REQUIRE(written.contains(name));
      std::vector<float> values = tensor.to_vector<float>();
      for (float& value : values) value = value == 99 ? 0 : value;  // rows of the background
      CHECK(same(written.at(name), Tensor::of(tensor.shape(), values)));
    }
  }
  CHECK_THROWS_WITH(
      torchvision_weights({{"fpn.lateral2.norm.weight", Tensor::full({1}, 1)}}, false),
      "fpn.lateral2.norm.weight: torchvision's model has no such tensor");
  CHECK(torchvision_weights({}, false).empty());
}

TEST_CASE("files become soma's without a model") {
  const TempDir folder;
  const NamedTensors state = odd_state(small_config());
  NamedTensors theirs = foreign(state, torchvision_old_name, true);
  theirs["extra"] = Tensor::full({1}, 1);
  std::vector<std::string> unused;
  const NamedTensors found = soma_weights(WeightsFile(write(folder, theirs)), unused);
  CHECK(unused == std::vector<std::string>{"extra"});
  REQUIRE(found.size() == state.size());
  for (const auto& [name, tensor] : state) CHECK(same(found.at(name), tensor));
}

TEST_CASE("what does not fit is told in one line") {
  const TempDir folder;
  const ModelConfig config = small_config();
  const NamedTensors state = odd_state(config);
  const auto refusal = [&](const std::function<void(NamedTensors&)>& damage,
                           const ModelConfig& wanted) {
    NamedTensors theirs = foreign(state, torchvision_new_name, true);
    damage(theirs);
    MaskRcnn model(wanted, 7);
    const WeightsFile file(write(folder, theirs));
    return error_of([&] { load_weights(model, file, false); });
  };
  const auto nothing = [](NamedTensors&) {};
  REQUIRE(refusal(nothing, config).empty());
  ModelConfig wider = config;
  wider.fpn_channels = 16;
  CHECK(contains(refusal(nothing, wider), "this model needs ["));
  ModelConfig other = config;
  other.backbone = "resnet18";
  CHECK(contains(refusal(nothing, other), "does model.backbone fit?"));
  const std::string fc7 = "roi_heads.box_head.fc7.bias";
  for (const double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    CHECK(contains(refusal([&](NamedTensors& t) { t[fc7] = Tensor::full({16}, bad); }, config),
                   fc7 + " holds NaN or infinity"));
  }
  CHECK(contains(
      refusal([&](NamedTensors& t) { t[fc7] = Tensor::full({16}, 1, DType::i64); }, config),
      "holds i64, expected f32"));
  CHECK(contains(refusal([&](NamedTensors& t) { t[fc7] = Tensor::full({17}, 1); }, config),
                 "has the shape [17], this model needs [16]"));
  CHECK(contains(refusal(
                     [&](NamedTensors& t) {
                       t["roi_heads.box_predictor.cls_score.bias"] = Tensor::full({}, 1);
                     },
                     config),
                 "has the shape []"));
  CHECK(contains(refusal(
                     [](NamedTensors& t) {
                       t = {{"x", Tensor::full({1}, 1)}};
                     },
                     config),
                 "names of no known model"));
  CHECK(contains(refusal([](NamedTensors& t) { t.clear(); }, config), "names of no known model"));
  CHECK(contains(
      refusal([](NamedTensors& t) { t["rpn.head.conv.bias"] = t["rpn.head.conv.0.0.bias"]; },
              config),
      "are both rpn.conv.bias"));
}

TEST_CASE("half precision is widened") {
  const TempDir folder;
  const ModelConfig config = small_config();
  NamedTensors state = odd_state(config);
  for (auto& [name, tensor] : state) tensor = tensor.to(DType::bf16);
  MaskRcnn model(config, 7);
  load_weights(model, WeightsFile(write(folder, state)), false);
  for (const auto& [name, tensor] : state_of(model)) {
    CHECK(same(tensor, state.at(name).to(DType::f32)));
  }
}

TEST_CASE("names of no tensor of soma's") {
  for (const char* name :
       {"", "backbone.stem.weight.x", "backbone.res2.0.conv1.num_batches_tracked",
        "backbone.body.layer1.-1.conv1.weight", "backbone.body.layer99999999999.0.conv1.weight",
        "rpn.head.conv.0.0", "roi_heads.keypoint_head.0.weight"}) {
    CHECK_FALSE(soma_name(NameScheme::torchvision, name).has_value());
    CHECK_FALSE(soma_name(NameScheme::soma, name).has_value());
  }
  CHECK_FALSE(recognise({}).has_value());
  CHECK(grouped({}, 1).empty());
  CHECK(grouped({"a.b.c", "a.b.d", "a.e", "f"}, 2) ==
        "a (1 tensor), a.b (2 tensors), f (1 tensor)");
}

}  // namespace soma::test
