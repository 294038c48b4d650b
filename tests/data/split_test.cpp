#include "data/split.h"

#include <doctest/doctest.h>

#include <set>

#include "base/check.h"

namespace soma {
namespace {

Dataset numbered(int count, int per_group) {
  Dataset dataset;
  dataset.classes = {"a", "b"};
  dataset.category_ids = {1, 2};
  for (int i = 0; i < count; ++i) {
    Sample sample;
    sample.id = std::to_string(100 + i);
    if (per_group > 0) sample.group = std::to_string(i / per_group);
    sample.instances = {{i % 4 == 0 ? 1 : 0, {}, false}};
    dataset.samples.push_back(sample);
  }
  return dataset;
}

std::set<std::string> ids(const Dataset& dataset) {
  std::set<std::string> result;
  for (const Sample& sample : dataset.samples) result.insert(sample.id);
  return result;
}

}  // namespace

TEST_CASE("a tenth is held out, at most the limit, none below ten images") {
  CHECK(hold_out(numbered(9, 0), 32, 0).held_out.samples.empty());
  CHECK(hold_out(numbered(10, 0), 32, 0).held_out.samples.size() == 1);
  CHECK(hold_out(numbered(600, 0), 32, 0).held_out.samples.size() == 32);
  CHECK(hold_out(numbered(0, 0), 32, 0).train.samples.empty());
  const Split split = hold_out(numbered(100, 0), 32, 5), other = hold_out(numbered(100, 0), 32, 6);
  CHECK(split.train.samples.size() == 90);
  CHECK(ids(split.held_out) == ids(hold_out(numbered(100, 0), 32, 5).held_out));
  CHECK(ids(split.held_out) != ids(other.held_out));
}

TEST_CASE("folds cover every image once, keep groups whole and classes balanced") {
  const Dataset dataset = numbered(40, 0);
  std::set<std::string> all;
  for (int fold = 0; fold < 5; ++fold) {
    const Split split = take_fold(dataset, 5, fold, 1);
    CHECK(split.held_out.samples.size() == 8);
    int rare = 0;
    for (const Sample& sample : split.held_out.samples) {
      CHECK(all.insert(sample.id).second);
      rare += sample.instances[0].class_index;
    }
    CHECK(rare == 2);
  }
  CHECK(all.size() == 40);
  for (int fold = 0; fold < 4; ++fold) {
    const Split split = take_fold(numbered(40, 5), 4, fold, 1);
    std::set<std::string> held;
    for (const Sample& sample : split.held_out.samples) held.insert(sample.group);
    for (const Sample& sample : split.train.samples) CHECK(!held.contains(sample.group));
  }
}

TEST_CASE("folds that make no sense are errors") {
  CHECK_THROWS_AS(take_fold(numbered(10, 0), 1, 0, 1), Error);
  CHECK_THROWS_AS(take_fold(numbered(10, 0), 3, 3, 1), Error);
  CHECK_THROWS_AS(take_fold(numbered(10, 0), 11, 0, 1), Error);
}

TEST_CASE("classes are matched by name, strangers are dropped and counted") {
  Dataset dataset = numbered(8, 0);
  dataset.category_ids = {7, 9};
  use_classes(dataset, {"c", "b"});
  CHECK(dataset.classes == std::vector<std::string>{"c", "b"});
  CHECK(dataset.category_ids == std::vector<int64_t>{1, 9});
  CHECK(dataset.samples[0].instances[0].class_index == 1);
  CHECK(dataset.samples[1].instances.empty());
  CHECK(dataset.warnings.size() == 1);
}

}  // namespace soma
