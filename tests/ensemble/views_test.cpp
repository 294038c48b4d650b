// Views: exact ways there and back, for pixels, boxes and masks; and the property that matters:
// flip, predict, un-flip equals the plain prediction of a model that treats all directions alike.
#include "ensemble/views.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/random.h"

namespace soma {
namespace {

const std::vector<std::string> kAll = {"plain", "h", "v", "hv", "t", "th", "tv", "thv"};

// Bright blobs on a dark ground, so far apart that each is a piece of its own.
Image blobs(int64_t height, int64_t width, uint32_t seed) {
  Random random(seed, RandomUse::test);
  Image image{height, width, 1, std::vector<uint8_t>(static_cast<size_t>(height * width), 10)};
  for (int64_t by = 4; by + 22 < height; by += 24) {
    for (int64_t bx = 4; bx + 22 < width; bx += 24) {
      const double rx = random.uniform(4, 9), ry = random.uniform(4, 9),
                   tilt = random.uniform(-1, 1);
      for (int64_t y = 0; y < 22; ++y) {
        for (int64_t x = 0; x < 22; ++x) {
          const double u = (static_cast<double>(x) - 10) / rx,
                       v = (static_cast<double>(y) - 10) / ry;
          const double r = u * u + v * v + tilt * u * v;
          if (r < 1) image.at(by + y, bx + x, 0) = static_cast<uint8_t>(90 + 150 * (1 - r));
        }
      }
    }
  }
  return image;
}

double brightness(const Image& image, double y, double x) {  // bilinear between pixel centres
  const auto at = [&](int64_t row, int64_t column) {
    const bool inside = row >= 0 && column >= 0 && row < image.height && column < image.width;
    return inside ? image.at(row, column, 0) / 255.0 : 0.0;
  };
  const double top = std::floor(y - 0.5), left = std::floor(x - 0.5);
  const double v = y - 0.5 - top, u = x - 0.5 - left;
  const auto row = static_cast<int64_t>(top), column = static_cast<int64_t>(left);
  return (1 - v) * ((1 - u) * at(row, column) + u * at(row, column + 1)) +
         v * ((1 - u) * at(row + 1, column) + u * at(row + 1, column + 1));
}

// The model: a blob's box is its centre of brightness +- 2 deviations, its mask the brightness
// around it, its score the mean. Nothing in it prefers a direction.
SoftDetections predict(const Image& image) {
  constexpr int64_t kSize = 28;
  std::vector<float> boxes, scores, masks;
  Image left = image;
  for (int64_t start = 0; start < image.height * image.width; ++start) {
    if (left.pixels[static_cast<size_t>(start)] < 50) continue;
    std::vector<int64_t> stack = {start}, piece;
    left.pixels[static_cast<size_t>(start)] = 0;
    while (!stack.empty()) {
      const int64_t at = stack.back();
      stack.pop_back();
      piece.push_back(at);
      for (int64_t dy = -1; dy <= 1; ++dy) {
        for (int64_t dx = -1; dx <= 1; ++dx) {
          const int64_t y = at / image.width + dy, x = at % image.width + dx;
          if (y < 0 || x < 0 || y >= image.height || x >= image.width || left.at(y, x, 0) < 50)
            continue;
          left.at(y, x, 0) = 0;
          stack.push_back(y * image.width + x);
        }
      }
    }
    double sum = 0, mx = 0, my = 0, sx = 0, sy = 0;
    const auto each = [&](auto visit) {
      for (const int64_t p : piece)
        visit(static_cast<double>(p % image.width) + 0.5,
              static_cast<double>(p / image.width) + 0.5,
              image.pixels[static_cast<size_t>(p)] / 255.0);
    };
    each([&](double x, double y, double w) { sum += w, mx += w * x, my += w * y; });
    mx /= sum, my /= sum;
    each([&](double x, double y, double w) {
      sx += w * (x - mx) * (x - mx), sy += w * (y - my) * (y - my);
    });
    sx = 2.2 * std::sqrt(sx / sum), sy = 2.2 * std::sqrt(sy / sum);
    for (const double corner : {mx - sx, my - sy, mx + sx, my + sy})
      boxes.push_back(static_cast<float>(corner));
    scores.push_back(static_cast<float>(sum / static_cast<double>(piece.size())));
    for (int64_t j = 0; j < kSize; ++j)
      for (int64_t i = 0; i < kSize; ++i)
        masks.push_back(static_cast<float>(
            brightness(image, my + sy * (2 * (static_cast<double>(j) + 0.5) / kSize - 1),
                       mx + sx * (2 * (static_cast<double>(i) + 0.5) / kSize - 1))));
  }
  const auto n = std::ssize(scores);
  return {Tensor::of({n, 4}, boxes), Tensor::of({n}, scores), Tensor::zeros({n}, DType::i32),
          Tensor::of({n, kSize, kSize}, masks)};
}

std::vector<Prediction> pasted(const SoftDetections& found, const Image& image) {
  std::vector<Prediction> cells =
      paste_detections(found, {image.height, image.width, 1, 1}, TestConfig());
  std::sort(cells.begin(), cells.end(), [](const Prediction& a, const Prediction& b) {
    return std::pair(std::lround(a.box[1]), a.box[0]) < std::pair(std::lround(b.box[1]), b.box[0]);
  });
  return cells;
}

}  // namespace

TEST_CASE("flip, predict, un-flip equals the plain prediction, for every view") {
  for (const auto& [height, width] :
       std::vector<std::pair<int64_t, int64_t>>{{100, 151}, {77, 52}}) {
    const Image image = blobs(height, width, 1);
    const std::vector<Prediction> plain = pasted(predict(image), image);
    REQUIRE(plain.size() >= 6);
    for (const std::string& name : kAll) {
      CAPTURE(name);
      const View view = parse_view(name);
      const SoftDetections back = out_of_view(predict(look(image, view)), view, height, width);
      const std::vector<Prediction> cells = pasted(back, image);
      REQUIRE(cells.size() == plain.size());
      for (size_t i = 0; i < cells.size(); ++i) {
        for (size_t c = 0; c < 4; ++c) CHECK(std::abs(cells[i].box[c] - plain[i].box[c]) < 1e-3);
        CHECK(cells[i].score == doctest::Approx(plain[i].score).epsilon(1e-5));
        const int64_t here = area(cells[i].mask), both = intersection(cells[i].mask, plain[i].mask);
        CHECK(here > 20);
        // A pixel whose probability is .5 to the last bit may fall either way.
        CHECK(here + area(plain[i].mask) - 2 * both <= 1);
      }
    }
  }
}

TEST_CASE("pixels by hand") {
  const Image image{2, 3, 1, {1, 2, 3, 4, 5, 6}};
  const auto seen = [&](const char* name) { return look(image, parse_view(name)); };
  CHECK(seen("h").pixels == std::vector<uint8_t>{3, 2, 1, 6, 5, 4});
  CHECK(seen("v").pixels == std::vector<uint8_t>{4, 5, 6, 1, 2, 3});
  CHECK(seen("hv").pixels == std::vector<uint8_t>{6, 5, 4, 3, 2, 1});
  CHECK(seen("t").pixels == std::vector<uint8_t>{1, 4, 2, 5, 3, 6});
  CHECK(seen("th").pixels == std::vector<uint8_t>{4, 1, 5, 2, 6, 3});
  CHECK(seen("tv").pixels == std::vector<uint8_t>{3, 6, 2, 5, 1, 4});
  CHECK(seen("thv").pixels == std::vector<uint8_t>{6, 3, 5, 2, 4, 1});
  CHECK(seen("t").height == 3);
  CHECK(seen("t").width == 2);
  const Image colour{1, 2, 3, {1, 2, 3, 4, 5, 6}};
  CHECK(look(colour, parse_view("h")).pixels == std::vector<uint8_t>{4, 5, 6, 1, 2, 3});
  CHECK(look(Image{0, 0, 1, {}}, parse_view("thv")).pixels.empty());
}

TEST_CASE("a box holds the same pixels in every view, and comes back") {
  const int64_t height = 12, width = 17;
  Image image{height, width, 1, std::vector<uint8_t>(static_cast<size_t>(height * width))};
  const std::array<float, 4> box = {3, 2, 8, 11};
  for (int64_t y = 2; y < 11; ++y)
    for (int64_t x = 3; x < 8; ++x) image.at(y, x, 0) = 1;
  std::vector<float> mask(16), there(16), back(16);
  for (size_t i = 0; i < 16; ++i) mask[i] = static_cast<float>(i);
  for (const std::string& name : kAll) {
    CAPTURE(name);
    const View view = parse_view(name);
    const Image seen = look(image, view);
    const std::array<float, 4> moved = into_view(box, view, height, width);
    for (int64_t y = 0; y < seen.height; ++y)
      for (int64_t x = 0; x < seen.width; ++x) {
        const bool inside = static_cast<float>(x) >= moved[0] && static_cast<float>(x) < moved[2] &&
                            static_cast<float>(y) >= moved[1] && static_cast<float>(y) < moved[3];
        CHECK(seen.at(y, x, 0) == (inside ? 1 : 0));
      }
    CHECK(out_of_view(moved, view, height, width) == box);
    mask_into_view(mask.data(), 4, view, there.data());
    mask_out_of_view(there.data(), 4, view, back.data());
    CHECK(back == mask);
    Image small{4, 4, 1, {}};
    for (const float value : mask) small.pixels.push_back(static_cast<uint8_t>(value));
    const Image turned = look(small, view);
    CHECK(std::equal(there.begin(), there.end(), turned.pixels.begin()));
  }
}

TEST_CASE("names and scales of views") {
  CHECK(parse_view("thv@1.5") == View{true, true, true, 1.5});
  CHECK(parse_view("plain@0.5") == View{false, false, false, 0.5});
  for (const char* name : {"", "ht", "x", "hh", "plain@", "h@0", "h@11", "h@1x", "@2", "plain h"})
    CHECK_THROWS_AS(parse_view(name), Error);
  InputConfig input;
  CHECK(at_scale(input, 1.5).zoom == 1.5);
  CHECK(at_scale(input, 1.5).max_size == 2000);
  CHECK(at_scale(input, 1).max_size == 1333);
}

TEST_CASE("a view in which nothing is found") {
  const SoftDetections none = {Tensor::empty({0, 4}), Tensor::empty({0}),
                               Tensor::empty({0}, DType::i32), Tensor::empty({0, 28, 28})};
  CHECK(out_of_view(none, parse_view("th"), 5, 7).scores.extent(0) == 0);
}

}  // namespace soma
