// Small data sets on disk for tests of readers.
#pragma once
#include <string>

#include "data/image_io.h"
#include "tests/support/temp_dir.h"

namespace soma {

// A gray picture at `name` in the folder, its own folder made too.
inline std::string write_picture(const TempDir& dir, const std::string& name, int64_t height,
                                 int64_t width) {
  Image image{height, width, 1, {}};
  for (int64_t i = 0; i < height * width; ++i) image.pixels.push_back(static_cast<uint8_t>(i * 37));
  return dir.write(name, encode_png(image));
}

}  // namespace soma
