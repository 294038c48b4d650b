// PNG through libpng. Its errors jump (longjmp) to the last setjmp: the two functions that set one
// hold plain values only, and what they work on is owned by their callers.
#include <png.h>

#include <csetjmp>
#include <cstring>
#include <exception>

#include "base/check.h"
#include "data/image_formats.h"

namespace soma {
namespace {

constexpr size_t kHeadBytes = 33;  // signature and header chunk

// What libpng's calls back work on.
struct PngState {
  char error[200] = "";
  const char* at = nullptr;  // reading: what is left
  const char* end = nullptr;
  std::string* out = nullptr;  // writing
};

void keep_error(png_structp png, png_const_charp message) {
  auto* state = static_cast<PngState*>(png_get_error_ptr(png));
  std::snprintf(state->error, sizeof state->error, "%s", message);
  png_longjmp(png, 1);
}

// Warnings are about metadata, but for one: pixels whose checksum is wrong.
void judge_warning(png_structp png, png_const_charp message) {
  if (std::strstr(message, "data check")) keep_error(png, "incorrect data check");
}

void read_bytes(png_structp png, png_bytep to, size_t count) {
  auto* state = static_cast<PngState*>(png_get_io_ptr(png));
  if (count > static_cast<size_t>(state->end - state->at)) png_error(png, "the file ends early");
  std::memcpy(to, state->at, count);
  state->at += count;
}

void append_bytes(png_structp png, png_bytep from, size_t count) {
  auto* state = static_cast<PngState*>(png_get_io_ptr(png));
  bool stored = true;
  try {  // no exception may pass through libpng
    state->out->append(reinterpret_cast<const char*>(from), count);
  } catch (const std::exception&) {
    stored = false;
  }
  if (!stored) png_error(png, "out of memory");
}

void flush_nothing(png_structp) {}

struct PngReader {
  PngState state;
  png_structp png = nullptr;
  png_infop info = nullptr;

  PngReader() = default;
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
};

// Reads up to the pixels and sets what they shall become. False: state.error says why.
bool read_header(PngReader& reader, RasterUse use) {
  const png_structp png = reader.png;
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_read_fn(png, &reader.state, read_bytes);
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_user_limits(png, kMaxSide, kMaxSide);
  png_set_chunk_malloc_max(png, 8 << 20);
  png_read_info(png, reader.info);
  const int type = png_get_color_type(png, reader.info);
  if (use == RasterUse::labels) {
    png_set_packing(png);
  } else if (type == PNG_COLOR_TYPE_PALETTE) {
    png_set_palette_to_rgb(png);
  } else if (type == PNG_COLOR_TYPE_GRAY) {
    png_set_expand_gray_1_2_4_to_8(png);
  }
  png_set_strip_alpha(png);
  if (png_get_bit_depth(png, reader.info) == 16) png_set_swap(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, reader.info);
  return true;
}

// Reads the pixels and the rest of the file, whose checksums say whether all was well.
bool read_rows(PngReader& reader, uint8_t* pixels, size_t stride) {
  const png_structp png = reader.png;
  if (setjmp(png_jmpbuf(png))) return false;
  const bool interlaced = png_get_interlace_type(png, reader.info) != PNG_INTERLACE_NONE;
  const png_uint_32 height = png_get_image_height(png, reader.info);
  for (int pass = 0; pass < (interlaced ? 7 : 1); ++pass)
    for (png_uint_32 y = 0; y < height; ++y) png_read_row(png, pixels + y * stride, nullptr);
  png_read_end(png, nullptr);
  return true;
}

template <class Sample>
std::vector<Sample> read_samples(PngReader& reader, int64_t count, const std::string& name) {
  std::vector<Sample> samples(static_cast<size_t>(count));
  const size_t stride = png_get_rowbytes(reader.png, reader.info);
  const size_t height = png_get_image_height(reader.png, reader.info);
  check(stride * height == samples.size() * sizeof(Sample), name, "cannot be read: PNG rows have ",
        stride, " bytes");
  const bool whole = read_rows(reader, reinterpret_cast<uint8_t*>(samples.data()), stride);
  check(whole, name, "is damaged or incomplete: PNG: ", reader.state.error);
  return samples;
}

struct PngWriter {
  PngState state;
  png_structp png = nullptr;
  png_infop info = nullptr;

  PngWriter() = default;
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;
  ~PngWriter() { png_destroy_write_struct(&png, &info); }
};

bool write_all(PngWriter& writer, const PngSource& source) {
  const png_structp png = writer.png;
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_write_fn(png, &writer.state, append_bytes, flush_nothing);
  png_set_compression_level(png, 3);  // half the time of the default for 5 % more bytes
  png_set_IHDR(png, writer.info, static_cast<png_uint_32>(source.width),
               static_cast<png_uint_32>(source.height), source.bits,
               source.channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, writer.info);
  if (source.bits == 16) png_set_swap(png);
  const int64_t stride = source.width * source.channels * source.bits / 8;
  for (int64_t y = 0; y < source.height; ++y)
    png_write_row(png, static_cast<png_const_bytep>(source.pixels) + y * stride);
  png_write_end(png, writer.info);
  return true;
}

int64_t big_endian(std::string_view bytes, size_t at) {
  int64_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

}  // namespace

ImageSize png_size(std::string_view head, const std::string& name) {
  const bool whole = head.size() >= kHeadBytes && head.substr(12, 4) == "IHDR";
  check(whole, name, "is damaged or incomplete: PNG: it has no header");
  const ImageSize size{big_endian(head, 20), big_endian(head, 16)};
  check_image_size(name, size.height, size.width);
  return size;
}

Raster decode_png(std::string_view bytes, const std::string& name, RasterUse use) {
  const ImageSize size = png_size(bytes, name);
  PngReader reader;
  reader.state.at = bytes.data();
  reader.state.end = bytes.data() + bytes.size();
  reader.png =
      png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader.state, keep_error, judge_warning);
  if (reader.png) reader.info = png_create_info_struct(reader.png);
  check(reader.info != nullptr, name, "cannot be read: libpng does not start");
  check(read_header(reader, use), name, "is damaged or incomplete: PNG: ", reader.state.error);

  Raster raster{size.height, size.width, png_get_channels(reader.png, reader.info), {}};
  check(use == RasterUse::picture || raster.channels == 1, name,
        "must be a gray image of labels, got colours");
  const int64_t count = size.height * size.width * raster.channels;
  const bool deep = png_get_bit_depth(reader.png, reader.info) == 16;
  check(size.height * size.width / 8 / kMostOfDeflate <= static_cast<int64_t>(bytes.size()), name,
        "is incomplete: ", bytes.size(), " bytes cannot hold ", size.width, "x", size.height,
        " pixels");
  if (deep) {
    raster.samples = read_samples<uint16_t>(reader, count, name);
  } else {
    raster.samples = read_samples<uint8_t>(reader, count, name);
  }
  return raster;
}

std::string encode_png(const PngSource& source) {
  check(source.height > 0 && source.width > 0, "PNG", "an image must have pixels, got ",
        source.width, "x", source.height);
  std::string out;
  PngWriter writer;
  writer.state.out = &out;
  writer.png =
      png_create_write_struct(PNG_LIBPNG_VER_STRING, &writer.state, keep_error, judge_warning);
  if (writer.png) writer.info = png_create_info_struct(writer.png);
  check(writer.info != nullptr, "PNG", "libpng does not start");
  check(write_all(writer, source), "PNG", "cannot be written: ", writer.state.error);
  return out;
}

}  // namespace soma
