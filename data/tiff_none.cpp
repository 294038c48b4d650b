// Takes the place of tiff_io.cpp in builds without libtiff.
#include "base/check.h"
#include "data/image_formats.h"

namespace soma {
namespace {

[[noreturn]] void fail_without(const std::string& name) {
  fail(name,
       "is a TIFF, and this soma was built without libtiff: install libtiff-dev and build "
       "with -Dtiff=enabled, or convert it to PNG");
}

}  // namespace

ImageSize tiff_size(const std::string& path) { fail_without(path); }
Raster read_tiff(const std::string& path, RasterUse) { fail_without(path); }
Raster decode_tiff(std::string_view, const std::string& name, RasterUse) { fail_without(name); }
std::string encode_tiff(const LabelImage&, const std::string& name) { fail_without(name); }

}  // namespace soma
