// ImageJ's regions of interest, read: traced, freehand and float outlines, polygons, composites,
// rectangles and ovals, alone (.roi) or in an archive (RoiSet.zip).
#include <array>
#include <bit>
#include <cmath>

#include "base/check.h"
#include "base/utf16.h"
#include "base/zip.h"
#include "data/cell_readers.h"
#include "data/imagej_layout.h"
#include "data/sources.h"
#include "masks/outline.h"
#include "masks/polygon.h"

namespace soma {
namespace {

using namespace imagej;

constexpr uint64_t kMostRoiBytes = uint64_t{1} << 28;

// A line or a Bezier curve from the ring's last point on, by de Casteljau's rule; `xy` are its
// control points and its end.
void add_curve(Ring& ring, const std::vector<double>& xy) {
  if (ring.empty() || xy.size() == 2) {
    ring.insert(ring.end(), xy.end() - 2, xy.end());
    return;
  }
  constexpr int kSteps = 32;
  std::vector<double> control(ring.end() - 2, ring.end());
  control.insert(control.end(), xy.begin(), xy.end());
  for (int step = 1; step <= kSteps; ++step) {
    const double t = static_cast<double>(step) / kSteps;
    std::vector<double> at = control;
    for (; at.size() > 2; at.resize(at.size() - 2))
      for (size_t k = 0; k + 2 < at.size(); ++k) at[k] += t * (at[k + 2] - at[k]);
    ring.insert(ring.end(), at.begin(), at.end());
  }
}

class RoiReader {
 public:
  RoiReader(std::string_view bytes, const std::string& place) : bytes_(bytes), place_(place) {}

  template <class T>
  T at(size_t place) const {
    check(place <= bytes_.size() && sizeof(T) <= bytes_.size() - place, place_,
          "is cut short: expected byte ", place + sizeof(T), ", found ", bytes_.size());
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i)
      value = static_cast<T>(value << 8 | static_cast<uint8_t>(bytes_[place + i]));
    return value;
  }
  double real(size_t place) const { return std::bit_cast<float>(at<uint32_t>(place)); }
  int64_t coordinate(size_t place) const {  // as ImageJ takes it
    const auto value = static_cast<int16_t>(at<uint16_t>(place));
    return value < -5000 ? at<uint16_t>(place) : value;
  }

  std::string name() const {
    const size_t second = at<uint32_t>(kSecond);
    if (second == 0 || at<uint16_t>(kVersion) < 218) return "";
    const size_t begin = at<uint32_t>(second + kNameOffset);
    const size_t length = at<uint32_t>(second + kNameLength);
    check(length <= bytes_.size() / 2, place_, "its name of ", length, " letters is cut short");
    std::u16string wide;
    for (size_t i = 0; i < length; ++i) wide += static_cast<char16_t>(at<uint16_t>(begin + 2 * i));
    return to_utf8(wide);
  }

  bool has_area() const {
    const auto type = at<uint8_t>(kType);
    return type == kPolygon || type == kFreehand || type == kTraced || type == kOval ||
           (type == kRectangle && (at<uint32_t>(kShapeFloats) > 0 || at<uint16_t>(kArcSize) == 0));
  }

  Rle mask(ImageSize image) const {
    const auto type = at<uint8_t>(kType);
    if (type == kRectangle && at<uint32_t>(kShapeFloats) > 0)
      return rasterise_rings(composite(), image.height, image.width);
    if (type != kRectangle && type != kOval)
      return rasterise_polygons({polygon()}, image.height, image.width);
    const auto [x, y, width, height] = box();
    if (type == kOval)
      return ellipse_mask(x + width / 2, y + height / 2, width / 2, height / 2, image);
    const Ring corners = {x, y, x + width, y, x + width, y + height, x, y + height};
    return rasterise_polygons({corners}, image.height, image.width);
  }

 private:
  bool sub_pixel() const {
    return at<uint16_t>(kVersion) >= 222 && (at<uint16_t>(kOptions) & kSubPixel) != 0;
  }

  std::array<double, 4> box() const {
    if (sub_pixel() && real(kFloatBox + 8) > 0)
      return {real(kFloatBox), real(kFloatBox + 4), real(kFloatBox + 8), real(kFloatBox + 12)};
    const auto x = static_cast<double>(coordinate(kTop + 2)),
               y = static_cast<double>(coordinate(kTop));
    return {x, y, static_cast<double>(coordinate(kTop + 6)) - x,
            static_cast<double>(coordinate(kTop + 4)) - y};
  }

  Ring polygon() const {
    size_t count = at<uint16_t>(kCount);
    if (count == 0) count = at<uint32_t>(kLongCount);
    check(count <= bytes_.size() / 4, place_, "is cut short: ", count,
          " points do not fit into its ", bytes_.size(), " bytes");
    Ring ring;
    for (size_t i = 0; i < count; ++i)
      for (const size_t axis : {size_t{0}, size_t{1}}) {
        const size_t entry = axis * count + i;
        ring.push_back(sub_pixel() ? real(kHeaderBytes + 4 * count + 4 * entry)
                                   : static_cast<double>(coordinate(kTop + (axis == 0 ? 2 : 0)) +
                                                         coordinate(kHeaderBytes + 2 * entry)));
      }
    return ring;
  }

  std::vector<Ring> composite() const {
    const size_t floats = at<uint32_t>(kShapeFloats);
    check(floats <= bytes_.size() / 4, place_, "is cut short: ", floats,
          " numbers do not fit into its ", bytes_.size(), " bytes");
    std::vector<Ring> rings;
    for (size_t i = 0; i < floats;) {
      const double segment = real(kHeaderBytes + 4 * i++);
      if (segment == kClose) continue;
      const int kind = segment >= kMoveTo && segment < kClose ? static_cast<int>(segment) : -1;
      check(kind == segment, place_, "expected a segment of type 0 to 4, found ", segment);
      if (kind == kMoveTo) rings.emplace_back();
      check(!rings.empty(), place_, "expected a composite to begin with a move");
      const size_t points = kind == kQuadTo ? 2 : kind == kCubicTo ? 3 : 1;
      std::vector<double> xy;
      for (size_t k = 0; k < 2 * points; ++k) xy.push_back(real(kHeaderBytes + 4 * i++));
      add_curve(rings.back(), xy);
    }
    std::erase_if(rings, [](const Ring& ring) { return ring.size() < 6; });
    return rings;
  }

  std::string_view bytes_;
  const std::string& place_;
};

// CLASS of "CLASS-0001"; no class in the names that ImageJ gives ("0123-0456").
std::string class_of(const std::string& name) {
  const auto digits = [](std::string_view part) {
    return !part.empty() && part.find_first_not_of("0123456789-") == part.npos;
  };
  const size_t dash = name.rfind('-');
  if (dash == name.npos || !digits(std::string_view(name).substr(dash + 1))) return "";
  const std::string label = name.substr(0, dash);
  return digits(label) ? "" : label;
}

FoundCell read_roi(std::string_view bytes, const std::string& name, const std::string& path,
                   ImageSize image) {
  const std::string place = path + ": " + name;
  const RoiReader roi(bytes, place);
  try {
    check(bytes.substr(0, 4) == "Iout", place,
          "is no region of ImageJ's: it does not begin with Iout");
    const std::string label = class_of(roi.name().empty() ? stem_of(name) : roi.name());
    if (!roi.has_area())
      return no_cell(name, "a line, point or text, expected a region with an area");
    return found_cell(label, name, [&] { return roi.mask(image); });
  } catch (const Error& error) {
    return found_cell("", name, [&]() -> Rle { throw error; });
  }
}

}  // namespace

std::vector<FoundCell> read_imagej_cells(std::string_view bytes, const std::string& path,
                                         ImageSize image) {
  if (bytes.substr(0, 4) == "Iout") return {read_roi(bytes, base_name(path), path, image)};
  std::vector<FoundCell> cells;
  for (const ZipMember& member : read_zip_members(bytes, path)) {
    if (member.name.size() < 4 || member.name.substr(member.name.size() - 4) != ".roi") continue;
    const std::string roi = zip_content(member, path, kMostRoiBytes);
    cells.push_back(read_roi(roi, member.name, path, image));
  }
  return cells;
}

}  // namespace soma
