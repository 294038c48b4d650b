#include "run/config.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/usage.h"
#include "tests/support/text_search.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

struct TomlFile {
  std::string path =
      (fs::temp_directory_path() / text("soma_config_", reinterpret_cast<uintptr_t>(this), ".toml"))
          .string();
  explicit TomlFile(const std::string& content) { std::ofstream(path) << content; }
  ~TomlFile() { fs::remove(path); }
};

std::string error_of(const std::vector<std::string>& files,
                     const std::vector<std::string>& overrides) {
  try {
    load_config(files, overrides);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

// "section.key" and value of each line of a written configuration.
std::vector<std::pair<std::string, std::string>> lines_of(const RunConfig& config) {
  std::vector<std::pair<std::string, std::string>> out;
  std::istringstream in(to_toml(config));
  std::string section;
  for (std::string line; std::getline(in, line);) {
    const size_t equals = line.find(" = ");
    if (line[0] == '[')
      section = line.substr(1, line.size() - 2);
    else if (equals != std::string::npos)
      out.emplace_back(text(section, ".", line.substr(0, equals)), line.substr(equals + 3));
  }
  return out;
}

// Values of which at least one differs from `value` and is allowed, whatever the key.
std::vector<std::string> other_values(const std::string& value) {
  if (value == "true") return {"false"};
  if (value == "false") return {"true"};
  if (value[0] == '[')
    return {"[0.5, 0.75]", "[1, 2, 3]", "[\"a\", \"b\"]",
            "[\"h\"]",     "[64]",      "[[1], [2], [3], [4], [5]]"};
  if (value[0] == '"')
    return {"resnet18", "torchvision", "group", "res3", "adamw", "cosine", "bf16",
            "shapes",   "dataset",     "stem",  "wbf",  "mean",  "max",    "text"};
  return {"9", "0.25", "0.3", "512"};
}

}  // namespace

TEST_CASE("each preset is written and read back equal") {
  for (const char* preset : {"detectron2", "torchvision", "cells"}) {
    const RunConfig config = load_config({}, {text("model.preset=", preset)});
    const TomlFile file(to_toml(config));
    const RunConfig back = load_config({file.path}, {});
    CHECK(to_toml(back) == to_toml(config));
    CHECK(back.model.preset == preset);
    CHECK(back.train.steps == config.train.steps);
    CHECK(back.input.mean == config.input.mean);
    CHECK(back.model.anchors == config.model.anchors);
  }
}

TEST_CASE("odd values are written and read back equal") {
  RunConfig config = load_config({}, {"model.preset=cells"});
  config.model.classes = {"a \"b\" \\ c", "tab\tnew\nline\x7F", "\xC3\xA4", ""};
  config.model.weights = "C:\\x";
  config.train.lr = 0.1 + 0.2;
  config.model.norm_eps = 1e-300;
  config.input.mean = {0.1f, 1e-30f, 9999.f};
  config.train.seed = (uint64_t{1} << 63) - 1;
  config.train.steps = {};
  const TomlFile file(to_toml(config));
  const RunConfig back = load_config({file.path}, {});
  CHECK(back.model.classes == config.model.classes);
  CHECK(back.model.weights == config.model.weights);
  CHECK(back.train.lr == config.train.lr);
  CHECK(back.model.norm_eps == config.model.norm_eps);
  CHECK(back.input.mean == config.input.mean);
  CHECK(back.train.seed == config.train.seed);
  CHECK(back.train.steps.empty());
}

TEST_CASE("every key stands once and sets its own value and no other") {
  const std::vector<std::string> keys = config_keys();
  CHECK(std::set<std::string>(keys.begin(), keys.end()).size() == keys.size());
  const auto before = lines_of(load_config({}, {}));
  REQUIRE(before.size() == keys.size());
  for (size_t k = 0; k < keys.size(); ++k) {
    CHECK(before[k].first == keys[k]);
    if (keys[k] == "model.preset") continue;
    bool changed = false;
    for (const std::string& value : other_values(before[k].second)) {
      const std::string assignment = text(keys[k], "=", value);
      if (!error_of({}, {assignment}).empty()) continue;
      const auto after = lines_of(load_config({}, {assignment}));
      for (size_t other = 0; other < keys.size(); ++other)
        CHECK_MESSAGE((other == k || after[other] == before[other]), assignment, " changed ",
                      keys[other]);
      changed |= after[k] != before[k];
    }
    CHECK_MESSAGE(changed, keys[k], " = ", before[k].second, " never changed");
  }
}

TEST_CASE("keys reach the members that their names say") {
  const RunConfig config = load_config(
      {}, {"model.backbone=resnet34", "model.norm=group", "model.freeze=none", "train.lr=1",
           "train.rois=77", "train.batch=3", "input.pad=32", "input.min_size=320",
           "augment.scale=[0.5, 2]", "test.max_detections=5", "model.anchors=[4, 8, 16, 32, 64]",
           "model.classes=[cort, astro, \"shsy5y\"]", "test.nms=0.25", "model.weights=a b.pth",
           "train.seed=9", "test.paste=torchvision", "test.mask_threshold=0.4"});
  CHECK(config.model.backbone == "resnet34");
  CHECK(config.model.norm == NormKind::group);
  CHECK(config.model.freeze == "none");
  CHECK(config.train.lr == 1);
  CHECK(config.model.roi_batch == 77);
  CHECK(config.train.batch == 3);
  CHECK(config.input.pad == Padding::multiple);
  CHECK(config.input.min_size == std::vector<int64_t>{320});
  CHECK(config.augment.scale == std::array<double, 2>{0.5, 2});
  CHECK(config.test.max_detections == 5);
  CHECK(config.model.anchors == std::vector<std::vector<double>>{{4}, {8}, {16}, {32}, {64}});
  CHECK(config.model.classes == std::vector<std::string>{"cort", "astro", "shsy5y"});
  CHECK(config.test.nms == 0.25);
  CHECK(config.model.weights == "a b.pth");
  CHECK(config.train.seed == 9);
  CHECK(config.test.paste.rule == PasteRule::torchvision);
  CHECK(config.test.paste.threshold == 0.4);
  CHECK(load_config({}, {"model.roi_batch=6"}).model.roi_batch == 6);
  CHECK(load_config({}, {"model.weights="}).model.weights.empty());
}

TEST_CASE("letters beyond ASCII, tildes and bytes that are no UTF-8 stay what they are") {
  const std::string words[] = {"\xC3\xA9",     "~",   "~c3~a9", "a~7", "\xE9.pth",
                               "\xE2\x80\xA8", "~~7e"};
  for (const std::string& word : words) {
    const RunConfig config = load_config({}, {"model.weights=" + word});
    CHECK(config.model.weights == word);
    CHECK(load_config({}, {text("model.classes=[x, ", word, "]")}).model.classes.at(1) == word);
    const TomlFile file(to_toml(config)), marked("\xEF\xBB\xBF" + to_toml(config));
    CHECK(load_config({file.path}, {}).model.weights == word);
    CHECK(load_config({marked.path}, {}).model.weights == word);
  }
  CHECK(has(error_of({}, {"mod\xC3\xA8l.norm=batch"}), "did you mean model.norm?"));
  const TomlFile file("[\"mod\xC3\xA8l\"]\nnorm = 1\n");
  CHECK(has(error_of({file.path}, {}), "mod\xC3\xA8l.norm: no such key; did you mean model.norm?"));
}

TEST_CASE("preset < file < override, and the last preset named counts") {
  const TomlFile file("[train]\nlr = 0.5\nbatch = 8\n[model]\npreset = \"torchvision\"\n");
  const RunConfig config = load_config({file.path}, {"train.batch=1"});
  CHECK(config.model.preset == "torchvision");
  CHECK_FALSE(config.model.roi_aligned);
  CHECK(config.train.lr == 0.5);
  CHECK(config.train.batch == 1);
  const RunConfig cells = load_config({file.path}, {"model.preset=cells"});
  CHECK(cells.model.backbone == "resnet18");
  CHECK(cells.train.lr == 0.5);
  CHECK(cells.train.optimizer == "adamw");
  CHECK(cells.input.crop == 256);
  const TomlFile second("train.lr = 0.25\n");
  CHECK(load_config({file.path, second.path}, {}).train.lr == 0.25);
}

TEST_CASE("an unknown key names the nearest") {
  CHECK(
      has(error_of({}, {"train.bach=2"}), "train.bach=2: no such key; did you mean train.batch?"));
  CHECK(has(error_of({}, {"lr=2"}), "did you mean train.lr?"));
  CHECK(has(error_of({}, {"zebra.stripes=2"}), "no such key"));
  CHECK_FALSE(has(error_of({}, {"zebra.stripes=2"}), "mean"));
  const TomlFile file("[train]\nlr = 1\n[modle]\nbackbone = \"resnet18\"\n");
  const std::string error = error_of({file.path}, {});
  CHECK(
      has(error, text(file.path, ":4: modle.backbone: no such key; did you mean model.backbone?")));
}

TEST_CASE("a wrong type or value is refused with what is expected") {
  const struct {
    const char *assignment, *words;
  } cases[] = {
      {"train.batch=abc", "expected an integer from 1 to 1024, got \"abc\""},
      {"train.batch=1.5", "expected an integer from 1 to 1024, got 1.5"},
      {"train.batch=0", "from 1 to 1024, got 0"},
      {"train.batch=-1", "from 1 to 1024, got -1"},
      {"train.batch=[1, 2]", "got a list of 2"},
      {"train.batch=true", "got true"},
      {"train.batch=99999999999999999999", "expected an integer"},
      {"train.batch=", "got \"\""},
      {"train.lr=fast", "expected a number"},
      {"train.lr=nan", "expected a number"},
      {"train.lr=inf", "expected a number"},
      {"train.lr=1979-05-27", "got a table, date or time"},
      {"train.lr={a = 1}", "expected a number"},
      {"train.lr=1\ntrain.batch=3", "expected a number"},
      {"model.backbone=resnet19", "expected one of resnet18 resnet34"},
      {"model.backbone=18", "expected one of resnet18"},
      {"model.norm=instance", "expected one of frozen batch group, got \"instance\""},
      {"model.norm=1", "expected one of frozen"},
      {"input.pad=33", "expected one of 32 shapes"},
      {"model.preset=coco", "expected one of detectron2 torchvision cells"},
      {"model.weights=3", "expected a text, got 3"},
      {"model.roi_aligned=1", "expected true or false"},
      {"model.classes=[1]", "expected a text"},
      {"input.mean=[1, 2]", "expected a list of 3"},
      {"input.mean=[1, 2, x]", "expected a number"},
      {"input.min_size=[]", "at least one"},
      {"input.min_size=[320.5]", "expected an integer"},
      {"model.anchors=[8, 16]", "5 levels, got 2"},
      {"model.anchors=[[8], [16], [32], [64], []]", "one at least"},
      {"train.steps=[0.9, 0.1]", "ascending"},
      {"augment.brightness=[2, 1]", "augment.brightness"},
      {"=3", "expected key=value"},
      {"train.lr", "expected key=value"},
      {"train.lr=]", "expected a number"},
      {"train.lr=,", "expected a number"},
      {"train.lr=#", "expected a number"},
  };
  for (const auto& [assignment_of_case, words] : cases) {
    const auto& assignment = assignment_of_case;
    const std::string error = error_of({}, {assignment});
    CHECK_MESSAGE(has(error, words), assignment, " gave: ", error);
    CHECK_FALSE(has(error, "\n"));
  }
  CHECK(has(error_of({}, {text("model.anchors=", std::string(3000, '['))}), "expected"));
}

TEST_CASE("configuration files that are none are refused with their place") {
  const TomlFile broken("[train]\nlr = = 3\n"), wrong("[train]\nlr = \"x\"\n"), empty("");
  CHECK(has(error_of({broken.path}, {}), text(broken.path, ":2: not valid TOML")));
  CHECK(has(error_of({wrong.path}, {}), text(wrong.path, ":2: train.lr: expected a number")));
  CHECK(to_toml(load_config({empty.path}, {})) == to_toml(load_config({}, {})));
  CHECK_THROWS_AS(load_config({"/nonexistent/run.toml"}, {}), Error);
  CHECK_THROWS_AS(load_config({"/dev/zero"}, {}), Error);
  const TomlFile twice("[train]\nlr = 1\nlr = 2\n"), deep("a = " + std::string(100000, '['));
  CHECK(has(error_of({twice.path}, {}), ":3: not valid TOML"));
  CHECK(has(error_of({deep.path}, {}), "not valid TOML"));
}

}  // namespace soma
