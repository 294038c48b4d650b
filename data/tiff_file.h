// TIFF files opened through libtiff, from the disk or in memory. Its messages are kept per thread,
// for its functions themselves give no reason.
#pragma once
#include <tiffio.h>

#include <memory>

#include "data/image_formats.h"

namespace soma {

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Tiff = std::unique_ptr<TIFF, CloseTiff>;

// A file in memory: read when `out` is null, else grown there.
struct MemoryFile {
  std::string_view bytes;
  std::string* out = nullptr;
  uint64_t at = 0;
  uint64_t size() const { return out ? out->size() : bytes.size(); }
};

Tiff open_tiff(const std::string& path);  // for reading
Tiff open_tiff(MemoryFile& file, const std::string& name);

// Throws the Error of a file that libtiff cannot read, with the last reason it gave.
[[noreturn]] void fail_damaged_tiff(const std::string& name);

}  // namespace soma
