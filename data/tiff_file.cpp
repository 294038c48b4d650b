// Opening TIFF files, and writing one kind of them.
#include "data/tiff_file.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "base/check.h"

namespace soma {
namespace {

thread_local char last_error[200] = "";

void keep_error(const char*, const char* format, va_list parts) {
  std::vsnprintf(last_error, sizeof last_error, format, parts);
}

void begin_messages() {
  static const bool once = [] {
    TIFFSetErrorHandler(keep_error);
    TIFFSetWarningHandler(nullptr);
    return true;
  }();
  (void)once;
  std::strcpy(last_error, "no reason given");
}

tmsize_t read_memory(thandle_t handle, void* to, tmsize_t count) {
  auto* file = static_cast<MemoryFile*>(handle);
  if (file->at >= file->size() || count < 0) return 0;
  const uint64_t some = std::min(static_cast<uint64_t>(count), file->size() - file->at);
  std::memcpy(to, (file->out ? file->out->data() : file->bytes.data()) + file->at, some);
  file->at += some;
  return static_cast<tmsize_t>(some);
}

tmsize_t write_memory(thandle_t handle, void* from, tmsize_t count) {
  auto* file = static_cast<MemoryFile*>(handle);
  if (!file->out || count < 0) return 0;
  const uint64_t end = file->at + static_cast<uint64_t>(count);
  try {  // no exception may pass through libtiff
    if (file->out->size() < end) file->out->resize(end);
  } catch (const std::exception&) {
    return 0;
  }
  std::memcpy(file->out->data() + file->at, from, static_cast<size_t>(count));
  file->at = end;
  return count;
}

toff_t seek_memory(thandle_t handle, toff_t offset, int whence) {
  auto* file = static_cast<MemoryFile*>(handle);
  const uint64_t base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? file->at : file->size();
  return file->at = base + offset;
}

toff_t size_memory(thandle_t handle) { return static_cast<MemoryFile*>(handle)->size(); }
int close_memory(thandle_t) { return 0; }

}  // namespace

void fail_damaged_tiff(const std::string& name) {
  fail(name, "is damaged or incomplete: TIFF: ", std::string_view(last_error));
}

Tiff open_tiff(MemoryFile& file, const std::string& name) {
  begin_messages();
  // "m": no mapping of the file; "l": little-endian, whatever the machine.
  Tiff tiff(TIFFClientOpen(name.c_str(), file.out ? "wl" : "rm", &file, read_memory, write_memory,
                           seek_memory, close_memory, size_memory, nullptr, nullptr));
  if (!tiff) fail_damaged_tiff(name);
  return tiff;
}

Tiff open_tiff(const std::string& path) {
  begin_messages();
  Tiff tiff(TIFFOpen(path.c_str(), "rm"));
  if (!tiff) fail_damaged_tiff(path);
  return tiff;
}

std::string encode_tiff(const LabelImage& labels, const std::string& name) {
  std::string out;
  MemoryFile file{{}, &out};
  Tiff tiff = open_tiff(file, name);
  TIFFSetField(tiff.get(), TIFFTAG_IMAGEWIDTH, static_cast<uint32_t>(labels.width));
  TIFFSetField(tiff.get(), TIFFTAG_IMAGELENGTH, static_cast<uint32_t>(labels.height));
  TIFFSetField(tiff.get(), TIFFTAG_BITSPERSAMPLE, 32);
  TIFFSetField(tiff.get(), TIFFTAG_SAMPLESPERPIXEL, 1);
  TIFFSetField(tiff.get(), TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
  TIFFSetField(tiff.get(), TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff.get(), TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
  TIFFSetField(tiff.get(), TIFFTAG_ROWSPERSTRIP, 64);
  std::vector<uint32_t> row(static_cast<size_t>(labels.width));  // libtiff may change it
  for (int64_t y = 0; y < labels.height; ++y) {
    std::copy_n(labels.labels.begin() + y * labels.width, labels.width, row.begin());
    const int written = TIFFWriteScanline(tiff.get(), row.data(), static_cast<uint32_t>(y));
    check(written == 1, name, "cannot be written: TIFF: ", std::string_view(last_error));
  }
  check(TIFFFlush(tiff.get()) == 1, name,
        "cannot be written: TIFF: ", std::string_view(last_error));
  tiff.reset();
  return out;
}

}  // namespace soma
