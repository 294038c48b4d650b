// JPEG and BMP through stb_image, which reads zeros past the end of a file and so takes incomplete
// ones: that a file is whole is checked here first.
#include <memory>

#include "base/check.h"
#include "data/image_formats.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_BMP
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 65536
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb_image.h>

namespace soma {
namespace {

int64_t byte_at(std::string_view bytes, size_t at) { return static_cast<unsigned char>(bytes[at]); }

int64_t little_endian(std::string_view bytes, size_t at, int count) {
  int64_t value = 0;
  for (int i = count; i-- > 0;) value = value << 8 | byte_at(bytes, at + static_cast<size_t>(i));
  return value;
}

[[noreturn]] void fail_damaged(const std::string& name, const char* format, const char* what) {
  fail(name, "is damaged or incomplete: ", format, ": ", what);
}

// Where a marker's two bytes are, from `at` on: after entropy-coded data, or right there.
size_t find_marker(std::string_view bytes, size_t at) {
  for (; at + 1 < bytes.size(); ++at) {
    const int64_t code = byte_at(bytes, at + 1);
    const bool restart = code >= 0xD0 && code <= 0xD7;
    if (byte_at(bytes, at) == 0xFF && code != 0 && code != 0xFF && !restart) return at;
  }
  return bytes.size();
}

// Calls visit(code, body) for the segments of a JPEG file until it returns false or the end marker
// is reached. Returns whether one of these came before the end of the bytes.
template <class Visit>
bool for_each_jpeg_segment(std::string_view bytes, Visit visit) {
  for (size_t at = 2;;) {
    at = find_marker(bytes, at);
    if (at + 1 >= bytes.size()) return false;
    const int64_t code = byte_at(bytes, at + 1);
    if (code == 0xD9) return true;
    if (code == 0x01 || code == 0xD8) {  // no body
      at += 2;
      continue;
    }
    if (at + 4 > bytes.size()) return false;
    const size_t length = static_cast<size_t>(byte_at(bytes, at + 2) << 8 | byte_at(bytes, at + 3));
    if (length < 2 || length > bytes.size() - at - 2) return false;
    if (!visit(code, bytes.substr(at + 4, length - 2))) return true;
    at += 2 + length;
  }
}

// Whether a segment of Huffman tables holds whole ones of at most 256 symbols: stb_image writes
// more behind its table.
bool holds_huffman_tables(std::string_view body) {
  constexpr size_t kHead = 17;  // class and place, then how many symbols of 1 to 16 bits
  while (!body.empty()) {
    if (body.size() < kHead) return false;
    size_t symbols = 0;
    for (size_t bits = 1; bits < kHead; ++bits) symbols += static_cast<size_t>(byte_at(body, bits));
    if (symbols > 256 || symbols > body.size() - kHead) return false;
    body.remove_prefix(kHead + symbols);
  }
  return true;
}

bool is_frame(int64_t code) {
  return code >= 0xC0 && code <= 0xCF && code != 0xC4 && code != 0xC8 && code != 0xCC;
}

struct BmpHead {
  ImageSize size;
  int64_t pixels_at = 0, bits = 0;
};

BmpHead bmp_head(std::string_view head, const std::string& name) {
  if (head.size() < 30) fail_damaged(name, "BMP", "it has no header");
  BmpHead found;
  found.pixels_at = little_endian(head, 10, 4);
  const bool old = little_endian(head, 14, 4) == 12;
  const size_t field = old ? 2 : 4;
  const auto side = [&](size_t at) {
    const int64_t value = little_endian(head, at, static_cast<int>(field));
    return old ? value : static_cast<int64_t>(static_cast<int32_t>(value));
  };
  found.size.width = side(18);
  found.size.height = std::abs(side(18 + field));  // negative: the first row is the top one
  found.bits = little_endian(head, 18 + 2 * field + 2, 2);
  check_image_size(name, found.size.height, found.size.width);
  return found;
}

Raster decode(std::string_view bytes, const std::string& name, const char* format) {
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  const int size = static_cast<int>(bytes.size());
  check(bytes.size() <= INT32_MAX, name, "is too large: ", bytes.size(), " bytes");
  int width = 0, height = 0, channels = 0;
  if (!stbi_info_from_memory(data, size, &width, &height, &channels))
    fail_damaged(name, format, stbi_failure_reason());
  check_image_size(name, height, width);
  const int wanted = channels < 3 ? 1 : 3;  // alpha is dropped
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(data, size, &width, &height, &channels, wanted), stbi_image_free);
  if (!pixels) fail_damaged(name, format, stbi_failure_reason());
  Raster raster{height, width, wanted, {}};
  const int64_t count = raster.height * raster.width * raster.channels;
  raster.samples = std::vector<uint8_t>(pixels.get(), pixels.get() + count);
  return raster;
}

}  // namespace

ImageSize jpeg_size(std::string_view bytes, const std::string& name) {
  ImageSize size;
  for_each_jpeg_segment(bytes, [&](int64_t code, std::string_view body) {
    if (!is_frame(code) || body.size() < 5) return true;
    size.height = byte_at(body, 1) << 8 | byte_at(body, 2);
    size.width = byte_at(body, 3) << 8 | byte_at(body, 4);
    return false;
  });
  check_image_size(name, size.height, size.width);
  return size;
}

Raster decode_jpeg(std::string_view bytes, const std::string& name) {
  const ImageSize size = jpeg_size(bytes, name);
  check(size.height * size.width / kMostOfJpeg <= static_cast<int64_t>(bytes.size()), name,
        "is damaged or incomplete: JPEG: ", bytes.size(), " bytes cannot hold ", size.width, "x",
        size.height, " pixels");
  const bool whole = for_each_jpeg_segment(bytes, [&](int64_t code, std::string_view body) {
    if (code == 0xC4 && !holds_huffman_tables(body))
      fail_damaged(name, "JPEG", "bad Huffman table");
    return true;
  });
  if (!whole) fail_damaged(name, "JPEG", "the file ends early");
  return decode(bytes, name, "JPEG");
}

ImageSize bmp_size(std::string_view head, const std::string& name) {
  return bmp_head(head, name).size;
}

Raster decode_bmp(std::string_view bytes, const std::string& name) {
  const BmpHead head = bmp_head(bytes, name);
  const int64_t row = head.size.width * head.bits, stride = (row + 31) / 32 * 4;
  if (static_cast<int64_t>(bytes.size()) < head.pixels_at + stride * head.size.height)
    fail_damaged(name, "BMP", "the file ends early");
  return decode(bytes, name, "BMP");
}

}  // namespace soma
