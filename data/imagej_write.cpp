// ImageJ's RoiSet.zip, written: a traced outline for a mask in one piece, else a composite of all
// its borders (even-odd rule); named CLASS-NUMBER and in the group of the class.
#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/utf16.h"
#include "base/zip.h"
#include "data/cell_forms.h"
#include "data/imagej_layout.h"
#include "masks/outline.h"

namespace soma {
namespace {

using namespace imagej;

constexpr int64_t kMostCoordinate = 60535;  // ImageJ takes higher ones for negative

template <class T>
void put_at(std::string& out, size_t place, T value) {
  for (size_t i = 0; i < sizeof(T); ++i)
    out[place + i] = static_cast<char>(value >> 8 * (sizeof(T) - 1 - i));
}

template <class T>
void put(std::string& out, T value) {
  out.resize(out.size() + sizeof(T));
  put_at(out, out.size() - sizeof(T), value);
}

void put_float(std::string& out, double value) {
  put(out, std::bit_cast<uint32_t>(static_cast<float>(value)));
}

// Offsets from the box's corner, x first, then y.
void put_traced(std::string& out, const Ring& ring, const PixelBox& box) {
  const size_t count = ring.size() / 2;
  put_at(out, kCount, static_cast<uint16_t>(count > 65535 ? 0 : count));
  if (count > 65535) put_at(out, kLongCount, static_cast<uint32_t>(count));
  for (const size_t axis : {size_t{0}, size_t{1}})
    for (size_t i = 0; i < count; ++i)
      put(out, static_cast<uint16_t>(static_cast<int64_t>(ring[2 * i + axis]) -
                                     (axis == 0 ? box.x : box.y)));
}

void put_composite(std::string& out, const std::vector<Ring>& rings) {
  uint32_t floats = 0;
  for (const Ring& ring : rings) {
    for (size_t i = 0; i < ring.size(); i += 2) {
      for (const double value : {i == 0 ? double{kMoveTo} : double{kLineTo}, ring[i], ring[i + 1]})
        put_float(out, value);
      floats += 3;
    }
    put_float(out, kClose);
    ++floats;
  }
  put_at(out, kShapeFloats, floats);
}

std::string roi_of(const Rle& mask, const std::string& name, int group) {
  const PixelBox box = bounds(mask);
  const std::vector<Ring> rings = outline(mask);
  std::string out("Iout");
  out.resize(kHeaderBytes);
  put_at(out, kVersion, uint16_t{228});
  put_at(out, kType, uint8_t{rings.size() == 1 ? kTraced : kRectangle});
  put_at(out, kTop, static_cast<uint16_t>(box.y));
  put_at(out, kTop + 2, static_cast<uint16_t>(box.x));
  put_at(out, kTop + 4, static_cast<uint16_t>(box.y + box.height));
  put_at(out, kTop + 6, static_cast<uint16_t>(box.x + box.width));
  if (rings.size() == 1)
    put_traced(out, rings[0], box);
  else
    put_composite(out, rings);
  const std::u16string wide = to_utf16(name);
  const size_t second = out.size();
  put_at(out, kSecond, static_cast<uint32_t>(second));
  out.resize(second + kSecondBytes);
  put_at(out, second + kNameOffset, static_cast<uint32_t>(second + kSecondBytes));
  put_at(out, second + kNameLength, static_cast<uint32_t>(wide.size()));
  put_at(out, second + kGroup, static_cast<uint8_t>(std::min(group, 255)));
  for (const char16_t unit : wide) put(out, static_cast<uint16_t>(unit));
  return out;
}

// As the name of a file in the archive, which ImageJ lists the region by.
std::string entry_name(std::string name) {
  for (char& c : name)
    if (c == '/' || c == '\\' || static_cast<unsigned char>(c) < 32 || c == 127) c = '_';
  return name + ".roi";
}

}  // namespace

std::string imagej_roi_set(const Sample& sample, std::span<const OutlinedCell> cells,
                           const std::vector<std::string>& classes) {
  ZipWriter zip(sample.id + ".zip");
  for (size_t i = 0; i < cells.size(); ++i) {
    const PixelBox box = bounds(*cells[i].mask);
    check(box.x + box.width <= kMostCoordinate && box.y + box.height <= kMostCoordinate, sample.id,
          "a cell reaches beyond ", kMostCoordinate, ", ImageJ's greatest coordinate");
    std::string number = std::to_string(i + 1);
    number.insert(0, number.size() < 4 ? 4 - number.size() : 0, '0');
    const int group = cells[i].class_index + 1;
    const std::string name = classes[static_cast<size_t>(cells[i].class_index)] + "-" + number;
    zip.add(entry_name(name), roi_of(*cells[i].mask, name, group));
  }
  return zip.finish();
}

}  // namespace soma
