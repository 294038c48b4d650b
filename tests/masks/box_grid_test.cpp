// The grid of boxes against all pairs: whoever overlaps enough is met, once, also after moves.
#include "masks/box_grid.h"

#include <doctest/doctest.h>

#include <map>

#include "base/random.h"

namespace soma {
namespace {

// Mostly small ones, some long, some large.
WideBox random_box(Random& random) {
  const double x = random.uniform(-50, 50), y = random.uniform(0, 80);
  const double longer = random.below(6) == 0 ? 40 : 1, higher = random.below(6) == 0 ? 30 : 1;
  return {x, y, x + longer * random.uniform(0.5, 4), y + higher * random.uniform(0.5, 4)};
}

double naive_iou(const WideBox& a, const WideBox& b) {
  const double w = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
  const double h = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  if (w <= 0 || h <= 0) return 0;
  return w * h / ((a.x1 - a.x0) * (a.y1 - a.y0) + (b.x1 - b.x0) * (b.y1 - b.y0) - w * h);
}

}  // namespace

TEST_CASE("a look meets all that overlap enough, each once, and only its layer's") {
  Random random(1, RandomUse::test);
  for (int round = 0; round < 24; ++round) {
    std::vector<WideBox> all;
    for (int i = 0; i < 80; ++i) all.push_back(random_box(random));
    BoxGrid grid(all, 2);
    std::map<int32_t, WideBox> standing;
    for (int32_t i = 0; i < 80; ++i) {
      grid.add(all[static_cast<size_t>(i)], i % 2);
      standing[i] = all[static_cast<size_t>(i)];
      if (i % 5 == 4) grid.remove(i - 3), standing.erase(i - 3);
      if (i % 7 == 6 && standing.contains(i - 1))
        grid.move(i - 1, standing[i - 1] = all[random.below(80)]);
    }
    CHECK(grid.size() == 80);
    const double iou = round % 4 == 0 ? 0.5 : round % 4 == 1 ? 0.05 : 0;
    for (const WideBox& look : all) {
      std::map<int32_t, int> met;
      grid.near(look, 1, iou, [&](int32_t number, const WideBox& box) {
        ++met[number];
        CHECK(box.x0 == standing.at(number).x0);
        CHECK(number % 2 == 1);
      });
      for (const auto& [number, times] : met) CHECK(times == 1);
      for (const auto& [number, box] : standing)
        if (number % 2 == 1 && naive_iou(box, look) > iou) CHECK(met.contains(number));
    }
  }
}

TEST_CASE("few of many small boxes are met") {
  std::vector<WideBox> all;
  for (int i = 0; i < 900; ++i) {
    const double x = 10.0 * (i % 30), y = 10.0 * (i / 30);
    all.push_back({x, y, x + 12, y + 12});
  }
  BoxGrid grid(all, 1);
  for (const WideBox& box : all) grid.add(box, 0);
  int met = 0;
  grid.near(all[465], 0, 0, [&](int32_t, const WideBox&) { ++met; });
  CHECK(met >= 9);
  CHECK(met <= 25);
}

TEST_CASE("the far end of the widest and highest box is met") {
  const WideBox wide = {0, 0, 30, 10}, high = {200, 0, 210, 30};
  std::vector<WideBox> all = {wide, high};
  for (int i = 0; i < 2000; ++i) all.push_back({300, 0, 310, 10});
  BoxGrid grid(all, 1);
  grid.add(wide, 0), grid.add(high, 0);
  std::vector<int32_t> met;
  const auto meet = [&](int32_t number, const WideBox&) { met.push_back(number); };
  grid.near({29.5, 5, 39, 10}, 0, 0, meet);
  CHECK(met == std::vector<int32_t>{0});
  grid.near({205, 29.5, 206, 39}, 0, 0, meet);
  CHECK(met == std::vector<int32_t>{0, 1});
}

TEST_CASE("no boxes") { CHECK(BoxGrid({}, 0).size() == 0); }

}  // namespace soma
