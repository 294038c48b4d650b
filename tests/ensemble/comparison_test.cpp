// Comparing ways of joining on scores made by hand: each threshold is chosen by other images, the
// best single model is the reference, and the list of ways holds what it should.
#include "ensemble/comparison.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/random.h"

namespace soma {
namespace {

// One image's score: `best` at threshold `at` (a place), less elsewhere.
TrialScores peak(int at, double best) {
  TrialScores scores(kTrials, best / 2);
  scores[static_cast<size_t>(at)] = best;
  return scores;
}

}  // namespace

TEST_CASE("an image's threshold is chosen by the other folds") {
  // Fold 0 is best at place 2, fold 1 at place 6: each is scored at the other's.
  const std::vector<std::vector<TrialScores>> scores = {
      {peak(2, 0.8), peak(2, 0.6), peak(6, 0.4), peak(6, 0.2)}};
  const std::vector<int> fold = {0, 0, 1, 1};
  const Comparison found = compare_ways(scores, fold, 1, 0);
  CHECK(found.ways[0].images == std::vector<double>{0.4, 0.3, 0.2, 0.1});
  CHECK(found.ways[0].mean == doctest::Approx(0.25));
  CHECK(found.ways[0].threshold == doctest::Approx(0.3));  // 1.4 + .3 against .7 + .6 at 0.7
}

TEST_CASE("the reference is the best model alone, the best way is the best of all") {
  Random random(3, RandomUse::test);
  std::vector<std::vector<TrialScores>> scores(4);
  std::vector<int> fold;
  const double level[] = {0.5, 0.6, 0.7, 0.55};
  for (int i = 0; i < 40; ++i) {
    fold.push_back(i % 5);
    const double image = random.uniform(-0.3, 0.3);
    for (size_t w = 0; w < scores.size(); ++w)
      scores[w].push_back(peak(4, level[w] + image + random.uniform(-0.02, 0.02)));
  }
  const Comparison found = compare_ways(scores, fold, 2, 0);
  CHECK(found.reference == 1);
  CHECK(found.best == 2);
  CHECK(found.ways[1].gain == 0);
  CHECK(found.ways[2].gain == doctest::Approx(0.1).epsilon(0.1));
  // Images differ far more than ways on one image do: the paired interval is the narrow one.
  const auto [low, high] = found.ways[2].gain_interval;
  CHECK(low > 0.08);
  CHECK(high < 0.12);
  CHECK(found.ways[2].interval.second - found.ways[2].interval.first > 0.08);
  CHECK(found.ways[3].gain_interval.second < 0);
  CHECK(found.ways[3].threshold == doctest::Approx(0.5));
}

TEST_CASE("one image, equal scores: the middle threshold, no gain") {
  const std::vector<std::vector<TrialScores>> scores(2, {TrialScores(kTrials, 0.25)});
  const std::vector<int> fold = {0};
  const Comparison found = compare_ways(scores, fold, 2, 0);
  CHECK(found.best == 0);
  CHECK(found.ways[1].threshold == doctest::Approx(0.5));
  CHECK(found.ways[1].mean == 0.25);
  CHECK_THROWS_AS(compare_ways(scores, std::vector<int>(), 2, 0), Error);
  CHECK_THROWS_AS(compare_ways(scores, std::vector<int>{0, 1}, 2, 0), Error);
}

TEST_CASE("ways: every fusion once, models alone first, views inside and apart") {
  EnsembleConfig rules;
  rules.iou = 0.4;
  const std::vector<NamedWay> ways = ways_to_join({"a", "b"}, {"plain", "h"}, rules);
  std::set<std::string> names;
  std::set<Fusion> fusions;
  for (const NamedWay& one : ways) {
    names.insert(one.name);
    fusions.insert(one.way.rules.fusion);
    CHECK(one.way.rules.iou == 0.4);
    CHECK((one.way.rules.views.size() == 2) == (one.name.find("views") != std::string::npos));
  }
  CHECK(names.size() == ways.size());
  CHECK(fusions.size() == 6);
  CHECK(ways[0].way.members == std::vector<size_t>{0});
  CHECK(ways[1].way.members == std::vector<size_t>{1});
  for (const char* name :
       {"b, views inside", "a, views apart", "inside, views inside", "wbf, masks averaged"})
    CHECK(names.count(name) == 1);
  CHECK(ways_to_join({"a"}, {"plain"}, rules).size() == 1);
  CHECK(ways_to_join({"a"}, {"plain", "h", "v"}, rules).size() == 3);
}

TEST_CASE("scores at each threshold are those of the cells that pass it") {
  const auto square = [](int64_t x) {
    return encode_window(std::vector<uint8_t>(100, 1), {x, 5, 10, 10}, 40, 40);
  };
  const auto detection = [&](int64_t x, float score) {
    Prediction one;
    one.score = score;
    one.mask = square(x);
    return one;
  };
  const std::vector<Instance> truths = {{0, square(2)}};
  const ImagePredictions found = {"", "", 0, 40, 40, {detection(2, 0.75f), detection(20, 0.45f)}};
  const TrialScores scores = score_trials(truths, found, {});
  for (int t = 0; t < kTrials; ++t)
    CHECK(scores[static_cast<size_t>(t)] == doctest::Approx(t < 4 ? 0.5 : t < 7 ? 1 : 0));
}

}  // namespace soma
