#include "data/split.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>

#include "base/check.h"
#include "base/shuffle.h"

namespace soma {
namespace {

std::vector<size_t> shuffled(size_t count, Random& random) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  shuffle(order, random);
  return order;
}

Split part(Dataset dataset, const std::vector<bool>& held_out) {
  Split result;
  for (Dataset* side : {&result.train, &result.held_out}) {
    side->classes = dataset.classes;
    side->category_ids = dataset.category_ids;
  }
  for (size_t i = 0; i < dataset.samples.size(); ++i) {
    (held_out[i] ? result.held_out : result.train).samples.push_back(std::move(dataset.samples[i]));
  }
  return result;
}

// The most frequent class of some samples; -1 where there is no instance.
int main_class(const Dataset& dataset, const std::vector<size_t>& samples) {
  std::vector<int64_t> counts(dataset.classes.size(), 0);
  for (const size_t i : samples) {
    for (const Instance& instance : dataset.samples[i].instances) {
      ++counts[static_cast<size_t>(instance.class_index)];
    }
  }
  const auto most = std::max_element(counts.begin(), counts.end());
  if (most == counts.end() || *most == 0) return -1;
  return static_cast<int>(most - counts.begin());
}

}  // namespace

Split hold_out(Dataset dataset, int64_t limit, uint64_t seed) {
  const auto count = static_cast<int64_t>(dataset.samples.size());
  const int64_t wanted = count < 10 ? 0 : std::min(limit, count / 10);
  std::vector<bool> held_out(dataset.samples.size(), false);
  Random random(seed, RandomUse::shuffle, 1);
  const std::vector<size_t> order = shuffled(dataset.samples.size(), random);
  for (int64_t i = 0; i < wanted; ++i) held_out[order[static_cast<size_t>(i)]] = true;
  return part(std::move(dataset), held_out);
}

Split take_fold(Dataset dataset, int64_t folds, int64_t fold, uint64_t seed) {
  check(folds >= 2, "--folds", "expected 2 or more, got ", folds);
  check(fold >= 0 && fold < folds, "--fold", "expected 0 to ", folds - 1, ", got ", fold);
  std::map<std::string, std::vector<size_t>> by_name;
  for (size_t i = 0; i < dataset.samples.size(); ++i) {
    const Sample& sample = dataset.samples[i];
    by_name[sample.group.empty() ? "image " + sample.id : "group " + sample.group].push_back(i);
  }
  std::vector<std::vector<size_t>> groups;
  for (auto& [name, samples] : by_name) groups.push_back(std::move(samples));
  check(static_cast<int64_t>(groups.size()) >= folds, "--folds", "expected at most ", groups.size(),
        ", the number of images or groups, got ", folds);
  Random random(seed, RandomUse::shuffle, 2);
  std::vector<size_t> order = shuffled(groups.size(), random);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return main_class(dataset, groups[a]) < main_class(dataset, groups[b]);
  });
  std::vector<bool> held_out(dataset.samples.size(), false);
  for (size_t place = 0; place < order.size(); ++place) {
    if (static_cast<int64_t>(place) % folds != fold) continue;
    for (const size_t i : groups[order[place]]) held_out[i] = true;
  }
  return part(std::move(dataset), held_out);
}

void use_classes(Dataset& dataset, const std::vector<std::string>& classes) {
  std::vector<int> place;
  for (const std::string& name : dataset.classes) {
    const auto found = std::find(classes.begin(), classes.end(), name);
    place.push_back(found == classes.end() ? -1 : static_cast<int>(found - classes.begin()));
  }
  int64_t dropped = 0;
  for (Sample& sample : dataset.samples) {
    for (Instance& instance : sample.instances) {
      instance.class_index = place[static_cast<size_t>(instance.class_index)];
    }
    dropped += static_cast<int64_t>(std::erase_if(
        sample.instances, [](const Instance& instance) { return instance.class_index < 0; }));
  }
  if (dropped > 0) {
    dataset.warnings.push_back(
        text(dropped, " annotations dropped: their class is none of the model's"));
  }
  std::vector<int64_t> ids;
  for (size_t i = 0; i < classes.size(); ++i) {
    const auto found = std::find(place.begin(), place.end(), static_cast<int>(i));
    ids.push_back(found == place.end()
                      ? static_cast<int64_t>(i) + 1
                      : dataset.category_ids[static_cast<size_t>(found - place.begin())]);
  }
  dataset.classes = classes;
  dataset.category_ids = ids;
}

void add_extra(Split& split, Dataset extra) {
  const auto file_of = [](const Sample& sample) {
    std::error_code error;
    const std::filesystem::path whole = std::filesystem::canonical(sample.path, error);
    return error ? sample.path : whole.string();
  };
  std::set<std::string> held_out;
  for (const Sample& sample : split.held_out.samples) held_out.insert(file_of(sample));
  use_classes(extra, split.train.classes);
  const auto dropped = std::erase_if(
      extra.samples, [&](const Sample& sample) { return held_out.contains(file_of(sample)); });
  if (dropped > 0)
    extra.warnings.push_back(text(dropped, " extra images left out: they are held out"));
  for (const std::string& warning : extra.warnings) split.train.warnings.push_back(warning);
  for (Sample& sample : extra.samples) split.train.samples.push_back(std::move(sample));
}

}  // namespace soma
