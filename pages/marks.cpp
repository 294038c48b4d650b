#include "pages/marks.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "data/draw.h"
#include "data/image_io.h"
#include "masks/outline.h"
#include "pages/html.h"

namespace soma {
namespace {

using Points = std::vector<Point>;

// Distance of p from the line through a and b, or from a where they are one.
double distance(const Point& p, const Point& a, const Point& b) {
  const double dx = b.x - a.x, dy = b.y - a.y, length = std::hypot(dx, dy);
  if (length == 0) return std::hypot(p.x - a.x, p.y - a.y);
  return std::abs(dx * (p.y - a.y) - dy * (p.x - a.x)) / length;
}

// Douglas and Peucker (1973) without recursion: which points of ring[first..last] stay.
void straighten(const Points& ring, size_t first, size_t last, double tolerance,
                std::vector<bool>& stays) {
  std::vector<std::pair<size_t, size_t>> open = {{first, last}};
  while (!open.empty()) {
    const auto [a, b] = open.back();
    open.pop_back();
    double most = tolerance;
    size_t farthest = a;
    for (size_t i = a + 1; i < b; ++i) {
      const double off = distance(ring[i], ring[a], ring[b]);
      if (off > most) most = off, farthest = i;
    }
    if (farthest == a) continue;
    stays[farthest] = true;
    open.emplace_back(a, farthest);
    open.emplace_back(farthest, b);
  }
}

// A closed line is cut where it begins and at the point farthest from there.
Points straightened(Points ring, double tolerance) {
  const auto far = std::max_element(ring.begin(), ring.end(), [&](const Point& a, const Point& b) {
    return std::hypot(a.x - ring[0].x, a.y - ring[0].y) <
           std::hypot(b.x - ring[0].x, b.y - ring[0].y);
  });
  const auto middle = static_cast<size_t>(far - ring.begin());
  ring.push_back(ring[0]);
  std::vector<bool> stays(ring.size());
  stays[0] = stays[middle] = true;
  straighten(ring, 0, middle, tolerance, stays);
  straighten(ring, middle, ring.size() - 1, tolerance, stays);
  Points result;
  for (size_t i = 0; i + 1 < ring.size(); ++i)
    if (stays[i]) result.push_back(ring[i]);
  return result;
}

std::string named(int class_index, const std::vector<std::string>& classes) {
  const auto place = static_cast<size_t>(class_index);
  return place < classes.size() ? classes[place] : "cell";
}

}  // namespace

std::string svg_path(const Rle& mask, double tolerance) {
  std::string path;
  for (const std::vector<double>& corners : outline(mask)) {
    Points ring;
    for (size_t i = 0; i + 1 < corners.size(); i += 2) ring.push_back({corners[i], corners[i + 1]});
    if (ring.size() > 4) ring = straightened(std::move(ring), tolerance);
    const char* step = "M";
    for (const Point& point : ring) {
      path += text(step, std::llround(point.x), " ", std::llround(point.y));
      step = "L";
    }
    if (!ring.empty()) path += "Z";
  }
  return path;
}

std::string mark_group(const std::string& name, std::span<const SvgMark> marks) {
  std::string paths;
  for (const SvgMark& mark : marks)
    paths += text("<path d=\"", mark.path, "\"", mark.attributes.empty() ? "" : " ",
                  mark.attributes, "><title>", escape_html(mark.title), "</title></path>\n");
  return text("<g class=\"", name, "-marks ", name, "\">", paths, "</g>");
}

std::string to_html(const PictureFigure& figure) {
  const std::string size = text("width=\"", figure.width, "\" height=\"", figure.height, "\"");
  std::string ground = text("<rect ", size, " fill=\"#20242c\"/>");
  if (figure.picture) {
    ground = text("<image", figure.shared.empty() ? "" : text(" id=\"", figure.shared, "\""), " ",
                  size, " preserveAspectRatio=\"none\" href=\"", png_uri(*figure.picture), "\"/>");
  } else if (!figure.shared.empty()) {
    ground = text("<use href=\"#", figure.shared, "\"/>");
  }
  return text("<figure class=\"picture\"><figcaption>", figure.caption,
              "</figcaption>\n<svg viewBox=\"0 0 ", figure.width, " ", figure.height,
              "\" role=\"img\" aria-label=\"", escape_html(figure.about), "\">", ground,
              "<g class=\"cells\">", figure.marks, "</g></svg>\n",
              "<p class=\"readout\" aria-live=\"polite\"></p></figure>\n");
}

std::string hit_groups(const ImagePair& image, const std::vector<std::string>& classes,
                       double tolerance) {
  const Hits hits = count_hits(image, 0);
  std::vector<SvgMark> found, wrong, missed, truths;
  for (size_t i = 0; i < image.predictions.size(); ++i) {
    const Prediction& cell = image.predictions[i];
    const bool hit = hits.predictions[i] > 0;
    (hit ? found : wrong)
        .push_back({svg_path(cell.mask, tolerance),
                    text(hit ? "hit: " : "false find: ", named(cell.class_index, classes),
                         ", score ", decimals(cell.score, 2), ", ", area(cell.mask), " pixels"),
                    ""});
  }
  for (size_t i = 0; i < image.truths.size(); ++i) {
    const Instance& truth = image.truths[i];
    const std::string path = svg_path(truth.mask, tolerance);
    const std::string what =
        text(named(truth.class_index, classes), ", ", area(truth.mask), " pixels");
    truths.push_back({path, text("truth: ", what), ""});
    if (hits.truths[i] == 0) missed.push_back({path, text("missed: ", what), ""});
  }
  return mark_group("truth", truths) + mark_group("hit", found) + mark_group("miss", missed) +
         mark_group("false", wrong);
}

std::string hit_switches(const std::string& id) {
  const auto box = [&](const char* name, const char* label, bool on) {
    return text("<label><input type=\"checkbox\" data-hides=\"", name, "\" aria-controls=\"", id,
                "\"", on ? " checked" : "", "><span><span class=\"swatch ", name, "\"></span>",
                label, "</span></label>");
  };
  return text("<fieldset class=\"controls\"><legend>Show</legend>",
              box("hit", "hits (green)", true), box("false", "false finds (red, dotted)", true),
              box("miss", "misses (blue, dashed)", true), box("truth", "all true outlines", false),
              "</fieldset>\n");
}

Image fitted(Image picture, size_t most_bytes) {
  constexpr int64_t kLeast = 32;
  while (encode_png(picture).size() > most_bytes &&
         std::min(picture.height, picture.width) > kLeast) {
    const bool gray = picture.channels == 1;
    picture = shrunk(picture, picture.width * 3 / 4, picture.height * 3 / 4);
    if (gray) picture = first_channel(picture);
  }
  return picture;
}

}  // namespace soma
