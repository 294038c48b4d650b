#include "apps/options.h"

#include <doctest/doctest.h>

#include "base/usage.h"
#include "tests/support/text_search.h"

namespace soma {
namespace {

using Words = std::vector<std::string>;

std::string error_of(const Words& words) {
  try {
    parse_options(words);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("options reach their members") {
  const Options o = parse_options({"train",
                                   "--data",
                                   "D",
                                   "--out",
                                   "R",
                                   "--folds",
                                   "5",
                                   "--fold",
                                   "0",
                                   "--resume",
                                   "--config",
                                   "c.toml",
                                   "--threads",
                                   "3",
                                   "--device",
                                   "cpu",
                                   "--json",
                                   "--quiet",
                                   "--trace",
                                   "t.json",
                                   "--images",
                                   "I",
                                   "--gpu-libraries",
                                   "off",
                                   "--cuda-graphs",
                                   "off"});
  CHECK(o.command == "train");
  CHECK(o.data == "D");
  CHECK(o.out == "R");
  CHECK(o.folds == 5);
  CHECK(o.fold == 0);
  CHECK(o.resume);
  CHECK(o.config == "c.toml");
  CHECK(o.threads == 3);
  CHECK(o.device == "cpu");
  CHECK((o.json && o.quiet));
  CHECK(o.trace == "t.json");
  CHECK(o.images_dir == "I");
  CHECK_FALSE(o.gpu_libraries);
  CHECK_FALSE(o.cuda_graphs);
  CHECK(o.help.empty());
  const Options plain = parse_options({"train", "--data", "D", "--out", "R"});
  CHECK((plain.gpu_libraries && plain.cuda_graphs && !plain.json && !plain.resume &&
         plain.folds == 0));
}

TEST_CASE("lists: --images takes several words, --model repeats, --format is comma-joined") {
  const Options o = parse_options({"predict", "--images", "a", "b", "--images", "c", "--model", "m",
                                   "--model", "n", "--out", "O", "--format", "submission,coco"});
  CHECK(o.images == Words{"a", "b", "c"});
  CHECK(o.models == Words{"m", "n"});
  CHECK(o.formats == Words{"submission", "coco"});
  CHECK(has(error_of({"predict", "--images", "a", "--model", "m", "n", "--out", "O"}), "n: not"));
  CHECK(has(error_of({"predict", "--images", "a", "--out", "O", "--model", "m", "--format", "coco",
                      "labels"}),
            "labels: not"));
}

TEST_CASE("key=value stands anywhere on the line") {
  const Words expected = {"train.lr=1", "model.classes=[a, b]", "batch=2", "model.weights="};
  const Words keys = expected;
  CHECK(parse_options(
            {keys[0], "train", keys[1], "--data", "D", "--resume", keys[2], "--out", "R", keys[3]})
            .overrides == expected);
  const Options o = parse_options(
      {"predict", "--images", "a", "train.lr=1", "b", "--model", "m", "--out", "O", "--seed", "4"});
  CHECK(o.overrides == Words{"train.lr=1", "train.seed=4"});
  CHECK(o.images == Words{"a", "b"});
}

TEST_CASE("the value of an option and a path with a slash are no key=value") {
  CHECK(parse_options({"train", "--data", "a=b", "--out", "c=d"}).overrides.empty());
  CHECK(parse_options({"train", "--data", "a=b", "--out", "c=d"}).data == "a=b");
  CHECK(parse_options({"train", "--data=x=y", "--out", "R"}).data == "x=y");
  CHECK(parse_options({"predict", "--images", "p", "./a=b.png", "--model", "m", "--out", "O"})
            .images == Words{"p", "./a=b.png"});
}

TEST_CASE("wrong usage is told in one line with the nearest word") {
  const struct {
    Words words;
    const char* expected;
  } cases[] = {
      {{}, "expected a command"},
      {{"train.lr=1"}, "expected a command"},
      {{""}, "no such command"},
      {{"trian"}, "did you mean train?"},
      {{"zebra"}, "no such command; see"},
      {{"--json"}, "no such command"},
      {{"train"}, "--data is required"},
      {{"train", "--data", "D"}, "--out is required"},
      {{"train", "--data"}, "--data"},
      {{"train", "--data", "D", "--out", "R", "--dat", "x"}, "did you mean --data?"},
      {{"train", "--data", "D", "--out", "R", "stray"}, "stray: not expected"},
      {{"train", "--data", "D", "--out", "R", "st\nray"}, "st?ray: not expected"},
      {{"train", "--data", "D", "--out", "R", "--threads", "x"}, "--threads"},
      {{"train", "--data", "D", "--out", "R", "--threads", "-1"}, "--threads"},
      {{"train", "--data", "D", "--out", "R", "--seed", "-1"}, "--seed"},
      {{"train", "--data", "D", "--out", "R", "--seed", "99999999999999999999"}, "--seed"},
      {{"train", "--data", "D", "--out", "R", "--device", "tpu"}, "--device"},
      {{"train", "--data", "D", "--out", "R", "--folds", "3"}, "go together"},
      {{"train", "--data", "D", "--out", "R", "--fold", "3"}, "go together"},
      {{"train", "--data", "D", "--out", "R", "--folds", "3", "--fold", "3"}, "expected 0 to 2"},
      {{"train", "--data", "D", "--out", "R", "--folds", "3", "--fold", "0", "--val", "V"},
       "not both"},
      {{"train", "--data", "D", "--data", "E", "--out", "R"}, "--data"},
      {{"train", "--data", "D", "--out", "R", "--config", "a", "--config", "b"}, "--config"},
      {{"predict", "--model", "m", "--out", "O"}, "--images is required"},
      {{"predict", "--model", "m", "--images", "--out", "O"},
       "--images: expected a value, got --out"},
  };
  for (const auto& [words, expected] : cases) {
    const std::string error = error_of(words);
    CHECK_MESSAGE(has(error, expected), "got: ", error);
    CHECK_FALSE(has(error, "\n"));
  }
}

TEST_CASE("every command has a page with its example, and its example parses") {
  CHECK(commands().size() >= 3);
  for (const Command& command : commands()) {
    const Options o = parse_options({command.name, "--help"});
    CHECK(has(o.help, command.example));
    CHECK(has(overview(), command.name));
    Words words;
    std::string example = std::string(command.example) + " ";
    for (size_t at = 0; at < example.size(); at = example.find(' ', at) + 1)
      words.push_back(example.substr(at, example.find(' ', at) - at));
    REQUIRE(words.at(0) == "soma");
    CHECK_NOTHROW(parse_options({words.begin() + 1, words.end()}));
  }
}

}  // namespace soma
