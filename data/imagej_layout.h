// Where things stand in a file of ImageJ's regions of interest (ij.io.RoiEncoder and RoiDecoder):
// big-endian, a header of 64 bytes, coordinates, a second header with the name. Whole numbers are
// pixel corners.
#pragma once
#include <cstddef>
#include <cstdint>

namespace soma::imagej {

enum RoiType : uint8_t { kPolygon = 0, kRectangle = 1, kOval = 2, kFreehand = 7, kTraced = 8 };
// Segments of a composite, each followed by its points.
inline constexpr int kMoveTo = 0, kLineTo = 1, kQuadTo = 2, kCubicTo = 3, kClose = 4;

// Places in the first header, and in the second, relative to it.
inline constexpr size_t kVersion = 4, kType = 6, kTop = 8, kCount = 16, kFloatBox = 18,
                        kLongCount = 18, kShapeFloats = 36, kOptions = 50, kArcSize = 54,
                        kSecond = 60, kHeaderBytes = 64;
inline constexpr size_t kNameOffset = 16, kNameLength = 20, kGroup = 30, kSecondBytes = 64;
inline constexpr int kSubPixel = 128;  // option: coordinates are floats

}  // namespace soma::imagej
