#include "masks/outline.h"

#include <algorithm>
#include <map>

#include "masks/shape.h"

namespace soma {
namespace {

struct Corner {
  int64_t x = 0, y = 0;
  auto operator<=>(const Corner&) const = default;
};

// Walks the borders of the pixels of a window; a slit is a border between two inside pixels.
class Tracer {
 public:
  explicit Tracer(const Rle& mask)
      : box_(bounds(mask)),
        pixels_(decode_window(mask, box_)),
        slits_(pixels_.size()),
        walked_(pixels_.size()) {}

  // Every border goes over some pixel's top, and turns at the left of its first one.
  std::vector<Ring> walk_all() {
    std::fill(walked_.begin(), walked_.end(), uint8_t{0});
    std::vector<Ring> rings;
    for (int64_t y = 0; y < box_.height; ++y)
      for (int64_t x = 0; x < box_.width; ++x)
        if (inside(x, y) && !inside(x, y - 1) && !walked_[place(x, y)])
          rings.push_back(walk({x, y}));
    return rings;
  }

  // Down from the lowest corner of a hole to the next border. Below that corner lie two pixels of
  // the mask: any other would be of the hole, and lower.
  void open_hole(const Ring& hole) {
    Corner lowest{0, -1};
    for (size_t i = 0; i < hole.size(); i += 2) {
      const Corner at{static_cast<int64_t>(hole[i]) - box_.x,
                      static_cast<int64_t>(hole[i + 1]) - box_.y};
      if (at.y > lowest.y || (at.y == lowest.y && at.x < lowest.x)) lowest = at;
    }
    const int64_t x = lowest.x;
    for (int64_t y = lowest.y; inside(x - 1, y) && inside(x, y); ++y) slits_[place(x, y)] = 1;
  }

 private:
  size_t place(int64_t x, int64_t y) const { return static_cast<size_t>(y * box_.width + x); }
  bool inside(int64_t x, int64_t y) const {
    return x >= 0 && y >= 0 && x < box_.width && y < box_.height && pixels_[place(x, y)];
  }
  bool slit(int64_t x, int64_t y) const {  // at the left of the pixel
    return inside(x, y) && slits_[place(x, y)];
  }

  // From the top left corner of the pixel `start` on, with the mask at the right hand.
  Ring walk(Corner start) {
    static constexpr int kStepX[4] = {1, 0, -1, 0}, kStepY[4] = {0, 1, 0, -1};
    Corner at = start;
    int direction = 0;  // right, down, left, up
    Ring ring;
    do {
      ring.push_back(static_cast<double>(box_.x + at.x));
      ring.push_back(static_cast<double>(box_.y + at.y));
      const int before = direction;
      while (direction == before) {
        if (direction == 0) walked_[place(at.x, at.y)] = 1;
        at.x += kStepX[direction], at.y += kStepY[direction];
        direction = turned(at, direction);
      }
    } while (at != start || direction != 0);
    return ring;
  }

  int turned(Corner at, int direction) const {
    static constexpr int kRightX[4] = {0, -1, -1, 0}, kRightY[4] = {0, 0, -1, -1};
    const auto ahead = [&](int side) {  // of a corner: its pixel right ahead in that direction
      return inside(at.x + kRightX[side], at.y + kRightY[side]);
    };
    const bool above = slit(at.x, at.y - 1), below = slit(at.x, at.y);
    const int left = (direction + 3) % 4;  // its right pixel is this direction's left one
    const bool closed_right = (direction == 0 && below) || (direction == 2 && above);
    const bool closed_ahead = (direction == 1 && below) || (direction == 3 && above);
    if (!ahead(direction) || closed_right) return (direction + 1) % 4;
    return ahead(left) && !closed_ahead ? left : direction;
  }

  PixelBox box_;
  std::vector<uint8_t> pixels_, slits_, walked_;
};

// Twice the area; negative for holes.
double signed_area(const Ring& ring) {
  double sum = 0;
  for (size_t i = 0, j = ring.size() - 2; i < ring.size(); j = i, i += 2)
    sum += ring[j] * ring[i + 1] - ring[i] * ring[j + 1];
  return sum;
}

// The ring parted at the vertices that it meets twice.
std::vector<Ring> simple_rings(const Ring& ring) {
  std::vector<Ring> parts;
  std::map<std::pair<double, double>, size_t> place;  // in `open`, of its vertices
  Ring open;
  for (size_t i = 0; i < ring.size(); i += 2) {
    const auto [found, is_new] = place.try_emplace({ring[i], ring[i + 1]}, open.size());
    if (is_new) {
      open.insert(open.end(), {ring[i], ring[i + 1]});
      continue;
    }
    const auto begin = open.begin() + static_cast<int64_t>(found->second);
    parts.emplace_back(begin, open.end());
    for (size_t k = found->second + 2; k < open.size(); k += 2) place.erase({open[k], open[k + 1]});
    open.erase(begin + 2, open.end());
  }
  parts.push_back(std::move(open));
  return parts;
}

}  // namespace

std::vector<Ring> outline(const Rle& mask) { return Tracer(mask).walk_all(); }

std::vector<Piece> outlined_pieces(const Rle& mask) {
  std::vector<Piece> pieces;
  for (const Rle& part : pieces_of(mask, Touch::edges)) {
    Piece& piece = pieces.emplace_back();
    for (const Ring& border : outline(part))
      for (Ring& ring : simple_rings(border)) {
        if (signed_area(ring) > 0)
          piece.shell = std::move(ring);
        else
          piece.holes.push_back(std::move(ring));
      }
  }
  return pieces;
}

std::vector<Ring> slit_outline(const Rle& mask) {
  Tracer tracer(mask);
  std::vector<Ring> rings = tracer.walk_all();
  bool holed = false;
  for (const Ring& ring : rings) {
    if (signed_area(ring) > 0) continue;
    tracer.open_hole(ring);
    holed = true;
  }
  return holed ? tracer.walk_all() : rings;
}

Ring joined(const std::vector<Ring>& rings) {
  Ring all;
  for (const Ring& ring : rings) {
    all.insert(all.end(), ring.begin(), ring.end());
    if (rings.size() > 1) all.insert(all.end(), {ring[0], ring[1]});
  }
  // Back over the first vertices; closing the ring walks the last line.
  for (size_t i = rings.size(); i-- > 2;) all.insert(all.end(), {rings[i - 1][0], rings[i - 1][1]});
  return all;
}

}  // namespace soma
