// The one list of configuration keys, each with the member that it sets and the values it takes;
// everything else (files, overrides, suggestions, writing) walks that list.
#include "run/config.h"

#include <algorithm>
#include <functional>

#include "base/usage.h"
#include "ensemble/views.h"
#include "run/config_value.h"
#include "run/setting.h"

namespace soma {
namespace {

struct Key {
  std::string name;
  std::function<void(const Value&)> set;
  std::function<std::string()> get;
};

class Keys {
 public:
  std::vector<Key> keys;

  template <class T>
  void operator()(const char* name, T& member, Rule rule = {}) {
    keys.push_back({name,
                    [&member, rule](const Value& value) {
                      T parsed = member;
                      parse(value, parsed, rule);
                      member = std::move(parsed);
                    },
                    [&member, rule] { return print(member, rule); }});
  }
};

constexpr double kMany = 1e6;  // a bound for counts that a tensor's extent follows
constexpr double kPixels = 32768;

void add_model(Keys& key, ModelConfig& m) {
  key("model.preset", m.preset, one_of({"detectron2", "torchvision", "cells"}));
  key("model.backbone", m.backbone,
      one_of({"resnet18", "resnet34", "resnet50", "resnet101", "resnext101_32x8d"}));
  key("model.backbone_width", m.backbone_width, from(1, 1024));
  key("model.norm", m.norm, one_of({"frozen", "batch", "group"}));
  key("model.norm_eps", m.norm_eps, from(0, 1));
  key("model.freeze", m.freeze, one_of({"none", "stem", "res2", "res3", "res4"}));
  key("model.stride_in_1x1", m.stride_in_1x1);
  key("model.weights", m.weights);
  key("model.classes", m.classes);
  key("model.fpn_channels", m.fpn_channels, from(1, 4096));
  key("model.anchors", m.anchors, from(0, kPixels));
  key("model.anchor_ratios", m.anchor_ratios, from(1e-3, 1e3));
  key("model.anchors_rounded", m.anchors_rounded);
  key("model.anchor_step_from_size", m.anchor_step_from_size);
  key("model.anchor_ratio_outer", m.anchor_ratio_outer);
  key("model.d2_initialisation", m.d2_initialisation);
}

void add_rpn(Keys& key, ModelConfig& m) {
  key("model.rpn_channels", m.rpn_channels, from(0, 4096));
  key("model.rpn_batch", m.rpn_batch, from(1, kMany));
  key("model.rpn_positive_fraction", m.rpn_positive_fraction, from(0, 1));
  key("model.rpn_foreground", m.rpn_foreground, from(0, 1));
  key("model.rpn_background", m.rpn_background, from(0, 1));
  key("model.rpn_beta", m.rpn_beta, from(0, kMany));
  key("model.rpn_loss_mean", m.rpn_loss_mean);
  key("model.rpn_pre_nms_train", m.rpn_pre_nms_train, from(1, kMany));
  key("model.rpn_pre_nms_test", m.rpn_pre_nms_test, from(1, kMany));
  key("model.rpn_post_nms_train", m.rpn_post_nms_train, from(1, kMany));
  key("model.rpn_post_nms_test", m.rpn_post_nms_test, from(1, kMany));
  key("model.rpn_nms", m.rpn_nms, from(0, 1));
  key("model.rpn_sigmoid_scores", m.rpn_sigmoid_scores);
  key("model.rpn_min_side", m.rpn_min_side, from(0, kPixels));
}

void add_heads(Keys& key, ModelConfig& m) {
  key("model.roi_positive_fraction", m.roi_positive_fraction, from(0, 1));
  key("model.roi_foreground", m.roi_foreground, from(0, 1));
  key("model.roi_aligned", m.roi_aligned);
  key("model.roi_sampling", m.roi_sampling, from(0, 64));
  key("model.roi_level_eps_inside", m.roi_level_eps_inside);
  key("model.roi_canonical_size", m.roi_canonical_size, from(1, kPixels));
  key("model.box_pool", m.box_pool, from(1, 64));
  key("model.box_channels", m.box_channels, from(1, 16384));
  key("model.cascade", m.cascade);
  key("model.box_beta", m.box_beta, from(0, kMany));
  key("model.mask_pool", m.mask_pool, from(1, 128));
  key("model.mask_channels", m.mask_channels, from(1, 4096));
  key("model.mask_convs", m.mask_convs, from(0, 16));
  key("model.mask_roi_limit", m.mask_roi_limit, from(0, kMany));
  key("model.mask_target_aligned", m.mask_target_aligned);
  key("model.mask_target_threshold", m.mask_target_threshold);
}

void add_input(Keys& key, InputConfig& input) {
  key("input.min_size", input.min_size, from(0, kPixels));
  key("input.max_size", input.max_size, from(0, kPixels));
  key("input.zoom", input.zoom, from(0, 10));
  key("input.pad", input.pad, one_of({"32", "shapes"}));
  key("input.crop", input.crop, from(0, kPixels));
  key("input.normalize", input.normalize, one_of({"imagenet", "dataset", "image"}));
  key("input.mean", input.mean, from(-1e4, 1e4));
  key("input.std", input.std, from(1e-3, 1e4));
  key("input.bgr", input.bgr);
  key("input.resize", input.resize, one_of({"torchvision", "detectron2"}));
}

void add_augment(Keys& key, AugmentConfig& augment) {
  key("augment.hflip", augment.hflip, from(0, 1));
  key("augment.vflip", augment.vflip, from(0, 1));
  key("augment.transpose", augment.transpose, from(0, 1));
  key("augment.scale", augment.scale, from(0.1, 10));
  key("augment.colour", augment.colour, from(0, 1));
  key("augment.brightness", augment.brightness, from(0, 10));
  key("augment.contrast", augment.contrast, from(0, 10));
  key("augment.saturation", augment.saturation, from(0, 10));
  key("augment.noise", augment.noise, from(0, 255));
  key("augment.crop_on_cell", augment.crop_on_cell, from(0, 1));
  key("augment.min_visible", augment.min_visible, from(0, 1));
  key("augment.copy_paste", augment.copy_paste, from(0, 1));
  key("augment.copy_paste_visible", augment.copy_paste_visible, from(0, 1));
}

void add_train(Keys& key, RunConfig& config) {
  TrainConfig& train = config.train;
  constexpr double kIterations = 1e9;
  key("train.iterations", train.iterations, from(1, kIterations));
  key("train.minutes", train.minutes, from(0, 1e6));
  key("train.stop", train.stop, from(0, kIterations));
  key("train.batch", train.batch, from(1, 1024));
  key("train.rois", config.model.roi_batch, from(1, kMany));
  key("train.optimizer", train.optimizer, one_of({"sgd", "adamw"}));
  key("train.lr", train.lr, from(0, 1e3));
  key("train.momentum", train.momentum, from(0, 1));
  key("train.weight_decay", train.weight_decay, from(0, 1e3));
  key("train.warmup", train.warmup, from(0, kIterations));
  key("train.warmup_factor", train.warmup_factor, from(0, 1));
  key("train.schedule", train.schedule, one_of({"step", "cosine"}));
  key("train.steps", train.steps, from(0, kIterations));
  key("train.gamma", train.gamma, from(0, 1));
  key("train.clip_norm", train.clip_norm, from(0, 1e6));
  key("train.ema", train.ema, from(0, 0.999999));
  key("train.precision", train.precision, one_of({"f32", "bf16", "f16"}));
  key("train.log_every", train.log_every, from(1, kIterations));
  key("train.save_every", train.save_every, from(1, kIterations));
  key("train.eval_every", train.eval_every, from(0, kIterations));
  key("train.eval_images", train.eval_images, from(0, kMany));
  key("train.eval_share", train.eval_share, from(0, 1));
  key("train.folds", train.folds, from(0, 1000));
  key("train.fold", train.fold, from(0, 999));
  key("train.seed", train.seed, from(0, 0x1p63));
}

void add_test(Keys& key, TestConfig& test) {
  key("test.score", test.score, from(0, 1));
  key("test.nms", test.nms, from(0, 1));
  key("test.max_detections", test.max_detections, from(1, kMany));
  key("test.min_side", test.min_side, from(0, kPixels));
  key("test.submission_score", test.submission_score, from(0, 1));
  key("test.min_pixels", test.min_pixels, from(0, 1e9));
  key("test.mask_nms", test.mask_nms, from(0, 1));
  key("test.max_taken", test.max_taken, from(0, 1));
  key("test.majority_class", test.majority_class);
  key("test.score_by_mask", test.score_by_mask);
  key("test.fill_holes", test.fill_holes);
  key("test.largest_piece", test.largest_piece);
  key("test.clip_final", test.clip_final);
  key("test.precision", test.precision, one_of({"f32", "bf16", "f16"}));
  key("test.paste", test.paste.rule, one_of({"torchvision", "detectron2"}));
  key("test.mask_threshold", test.paste.threshold, from(0, 1));
}

void add_ensemble(Keys& key, EnsembleConfig& ensemble) {
  key("test.fusion", ensemble.fusion,
      one_of({"nms", "soft_nms", "nmw", "wbf", "mask_nms", "inside"}));
  key("test.fusion_iou", ensemble.iou, from(0, 1));
  key("test.fusion_sigma", ensemble.sigma, from(1e-3, 1e3));
  key("test.fusion_per_class", ensemble.per_class);
  key("test.fusion_weights", ensemble.weights, from(1e-6, 1e6));
  key("test.fusion_masks", ensemble.masks, one_of({"best", "mean"}));
  key("test.views", ensemble.views);
  key("test.views_inside", ensemble.views_inside);
  key("test.tile", ensemble.tile, from(0, kPixels));
  key("test.tile_overlap", ensemble.tile_overlap, from(0, kPixels));
  key("test.fusion_confidence", ensemble.confidence, one_of({"mean", "max"}));
}

std::vector<Key> keys_of(RunConfig& config) {
  Keys keys;
  add_model(keys, config.model);
  add_rpn(keys, config.model);
  add_heads(keys, config.model);
  keys("model.category_ids", config.category_ids, from(-1e15, 1e15));
  add_input(keys, config.input);
  add_augment(keys, config.augment);
  add_train(keys, config);
  add_test(keys, config.test);
  add_ensemble(keys, config.ensemble);
  return std::move(keys.keys);
}

void set(const std::vector<Key>& keys, const Setting& setting) {
  const std::string name = setting.key == "model.roi_batch" ? "train.rois" : setting.key;
  const auto key =
      std::find_if(keys.begin(), keys.end(), [&](const Key& k) { return k.name == name; });
  check_usage(key != keys.end(), setting.where, "no such key", did_you_mean(name, config_keys()));
  try {
    key->set(setting.value);
  } catch (const UsageError& error) {
    throw UsageError(text(setting.where, ": ", error.what()));
  }
}

// What no single key can tell.
void check_config(const RunConfig& config) {
  constexpr size_t kLevels = 5;
  const ModelConfig& model = config.model;
  check_usage(model.anchors.empty() || model.anchors.size() == kLevels, "model.anchors",
              "expected a list of sizes for each of ", kLevels, " levels, got ",
              model.anchors.size());
  for (const std::vector<double>& sizes : model.anchors)
    check_usage(!sizes.empty() && sizes.size() == model.anchors[0].size(), "model.anchors",
                "expected equally many sizes, one at least, on each level");
  check_usage(!model.anchor_ratios.empty(), "model.anchor_ratios", "expected one ratio at least");
  check_usage(model.rpn_background <= model.rpn_foreground, "model.rpn_background",
              "expected at most model.rpn_foreground, ", model.rpn_foreground, ", got ",
              model.rpn_background);
  check_usage(config.category_ids.empty() || model.classes.empty() ||
                  config.category_ids.size() == model.classes.size(),
              "model.category_ids", "expected one for each of ", model.classes.size(),
              " classes, or none, got ", config.category_ids.size());
  check_usage(!config.test.submission_score.empty(), "test.submission_score",
              "expected one score at least");
  check_usage(!config.test.min_pixels.empty(), "test.min_pixels", "expected one size at least");
  check_usage(!config.test.mask_nms.empty(), "test.mask_nms", "expected one IoU at least");
  check_usage(config.train.folds == 0 || config.train.fold < config.train.folds, "train.fold",
              "expected 0 to ", config.train.folds - 1, ", got ", config.train.fold);
  check_usage(std::is_sorted(config.train.steps.begin(), config.train.steps.end()), "train.steps",
              "expected ascending numbers");
  const EnsembleConfig& ensemble = config.ensemble;
  check_usage(ensemble.tile == 0 || ensemble.tile_overlap < ensemble.tile, "test.tile_overlap",
              "expected less than test.tile, ", ensemble.tile, ", got ", ensemble.tile_overlap);
  check_usage(!config.ensemble.views.empty(), "test.views", "expected one view at least");
  try {
    check_config(config.input);
    check_config(config.augment);
    for (const std::string& view : config.ensemble.views) parse_view(view);
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
}

}  // namespace

DType layer_type(const TrainConfig& train) {
  return train.precision == "bf16"  ? DType::bf16
         : train.precision == "f16" ? DType::f16
                                    : DType::f32;
}

void apply_preset(const std::string& name, RunConfig& config) {
  try {
    apply_preset(name, config.model, config.test);
    apply_preset(name, config.input, config.augment);
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
  TrainConfig& train = config.train;
  train = TrainConfig();
  if (name == "torchvision") {
    train.iterations = 190580;  // 26 epochs of COCO's 117,266 images at 16
    train.steps = {16. / 26, 22. / 26};
  } else if (name == "cells") {
    train.iterations = 4000;  // the competition's starting point
    train.batch = 4;
    train.optimizer = "adamw";
    train.lr = 5e-4;
    train.weight_decay = 0.05;  // AdamW's usual value for detectors
    train.warmup = 100;
    train.schedule = "cosine";
    train.clip_norm = 5;
    train.ema = 0.998;
  }
}

namespace {

// What each setting says, in order; the preset comes first wherever it is named.
RunConfig config_of(std::vector<Setting> settings, const std::vector<std::string>& overrides) {
  for (const std::string& assignment : overrides) settings.push_back(parse_assignment(assignment));
  RunConfig config;
  const std::vector<Key> keys = keys_of(config);
  apply_preset(config.model.preset, config);
  for (const Setting& setting : settings)
    if (setting.key == "model.preset") set(keys, setting);
  apply_preset(std::string(config.model.preset), config);
  for (const Setting& setting : settings)
    if (setting.key != "model.preset") set(keys, setting);
  check_config(config);
  return config;
}

void append_files(const std::vector<std::string>& files, std::vector<Setting>& settings) {
  for (const std::string& file : files)
    for (Setting& setting : read_settings(file)) settings.push_back(std::move(setting));
}

}  // namespace

RunConfig load_config(const std::vector<std::string>& files,
                      const std::vector<std::string>& overrides) {
  std::vector<Setting> settings;
  append_files(files, settings);
  return config_of(std::move(settings), overrides);
}

RunConfig read_config(const std::string& toml, const std::string& name,
                      const std::vector<std::string>& files,
                      const std::vector<std::string>& overrides) {
  std::vector<Setting> settings = parse_settings(toml, name);
  append_files(files, settings);
  return config_of(std::move(settings), overrides);
}

std::string to_toml(const RunConfig& config, const std::vector<std::string>& only) {
  RunConfig copy = config;
  std::string out, section;
  for (const Key& key : keys_of(copy)) {
    if (!only.empty() && std::find(only.begin(), only.end(), key.name) == only.end()) continue;
    const size_t dot = key.name.find('.');
    if (key.name.compare(0, dot, section) != 0) {
      section = key.name.substr(0, dot);
      out += text(out.empty() ? "" : "\n", "[", section, "]\n");
    }
    out += text(key.name.substr(dot + 1), " = ", key.get(), "\n");
  }
  return out;
}

std::vector<std::string> config_keys() {
  RunConfig config;
  std::vector<std::string> names;
  for (const Key& key : keys_of(config)) names.push_back(key.name);
  return names;
}

}  // namespace soma
