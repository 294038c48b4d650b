// TIFF through libtiff: strips and tiles, planes together or apart, integers of 8 to 64 bits and
// floats of 16 to 64, gray, palette and RGB; of more channels the first (three). The first page
// only.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "data/tiff_file.h"
#include "tensor/dtype.h"

namespace soma {
namespace {

constexpr int64_t kMostBytes = int64_t{4} << 30;  // of a page's samples as stored
constexpr int64_t kMostTile = int64_t{256} << 20;

// What a page says of itself, checked.
struct Page {
  uint32_t width = 0, height = 0;
  uint16_t bits = 1, channels = 1, format = SAMPLEFORMAT_UINT, planes = PLANARCONFIG_CONTIG;
  uint16_t colours = PHOTOMETRIC_MINISBLACK, compression = COMPRESSION_NONE;
};

Page read_page(TIFF* tiff, const std::string& name) {
  Page page;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &page.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &page.height);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_BITSPERSAMPLE, &page.bits);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &page.channels);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLEFORMAT, &page.format);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_PLANARCONFIG, &page.planes);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &page.compression);
  TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &page.colours);
  check_image_size(name, page.height, page.width);
  return page;
}

// Bytes that one byte of the file may stand for. A page that says more than its file can hold is
// refused before there is memory for it.
int64_t most_of_one_byte(const Page& page) {
  switch (page.compression) {
    case COMPRESSION_NONE:
      return 1;
    case COMPRESSION_PACKBITS:
      return 64;
    case COMPRESSION_DEFLATE:
    case COMPRESSION_ADOBE_DEFLATE:
      return kMostOfDeflate;
    case COMPRESSION_LZW:
      return 4096;  // a code of 9 to 12 bits is a word of a table of 4,096
    case COMPRESSION_JPEG:
      return kMostOfJpeg * page.channels * page.bits / 8;
    default:
      return 32768;  // Zstandard: blocks of 128 KiB in four bytes
  }
}

void check_readable(TIFF* tiff, const Page& page, const std::string& name) {
  const bool depth = page.bits == 8 || page.bits == 16 || page.bits == 32 || page.bits == 64;
  check(depth, name, "has ", page.bits, " bits a sample, expected a TIFF of 8, 16, 32 or 64");
  const bool number = page.format == SAMPLEFORMAT_UINT || page.format == SAMPLEFORMAT_INT ||
                      page.format == SAMPLEFORMAT_VOID ||
                      (page.format == SAMPLEFORMAT_IEEEFP && page.bits >= 16);
  check(number, name, "has samples of TIFF format ", page.format, ", expected integers or floats");
  const bool colours =
      page.colours == PHOTOMETRIC_MINISBLACK || page.colours == PHOTOMETRIC_MINISWHITE ||
      page.colours == PHOTOMETRIC_RGB ||
      (page.colours == PHOTOMETRIC_PALETTE && page.bits == 8 && page.channels == 1) ||
      (page.colours == PHOTOMETRIC_YCBCR && page.compression == COMPRESSION_JPEG);
  check(colours, name, "has colours of TIFF kind ", page.colours,
        ", expected gray, palette or RGB: convert it");
  const int64_t bytes = int64_t{page.width} * page.height * page.channels * page.bits / 8;
  check(page.channels >= 1 && bytes <= kMostBytes, name, "is too large: ", page.width, "x",
        page.height, " pixels of ", page.channels, " channels");
  const int64_t stored = static_cast<int64_t>(TIFFGetSizeProc(tiff)(TIFFClientdata(tiff)));
  check(bytes / most_of_one_byte(page) <= stored, name, "is incomplete: TIFF: ", stored,
        " bytes cannot hold ", bytes, " of pixels");
  if (page.colours == PHOTOMETRIC_YCBCR)
    TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
}

// The grid of strips or tiles.
struct Blocks {
  bool tiled = false;
  int64_t height = 0, width = 0, bytes = 0;
};

Blocks blocks_of(TIFF* tiff, const Page& page, const std::string& name) {
  Blocks blocks;
  blocks.tiled = TIFFIsTiled(tiff);
  uint32_t height = page.height, width = page.width;
  if (blocks.tiled) {
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &height);
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &width);
  } else {
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &height);
    height = std::min(height, page.height);
  }
  blocks.height = height, blocks.width = width;
  const int64_t together = page.planes == PLANARCONFIG_CONTIG ? page.channels : 1;
  check(height > 0 && width > 0 && height <= kMaxSide && width <= kMaxSide, name,
        "is damaged: TIFF: blocks of ", width, "x", height, " pixels");
  blocks.bytes = blocks.height * blocks.width * together * page.bits / 8;
  check(!blocks.tiled || blocks.bytes <= kMostTile, name, "is damaged: TIFF: tiles of ",
        blocks.bytes, " bytes");
  return blocks;
}

struct BlockPlace {
  uint32_t x, y;  // of its top left pixel
  uint16_t plane;
  int64_t rows;  // that lie in the page: a last strip is shorter, a last tile is not
};

bool read_block(TIFF* tiff, const Blocks& blocks, const BlockPlace& at, uint8_t* out) {
  if (blocks.tiled) {
    const uint32_t tile = TIFFComputeTile(tiff, at.x, at.y, 0, at.plane);
    return TIFFReadEncodedTile(tiff, tile, out, blocks.bytes) == blocks.bytes;
  }
  const int64_t bytes = blocks.bytes / blocks.height * at.rows;
  const uint32_t strip = TIFFComputeStrip(tiff, at.y, at.plane);
  return TIFFReadEncodedStrip(tiff, strip, out, bytes) == bytes;
}

// The wanted channels of the page, interleaved, in bytes as stored.
std::vector<uint8_t> read_bytes(TIFF* tiff, const Page& page, int64_t channels,
                                const std::string& name) {
  const Blocks blocks = blocks_of(tiff, page, name);
  const bool apart = page.planes == PLANARCONFIG_SEPARATE;
  const int64_t depth = page.bits / 8, together = apart ? 1 : page.channels;
  const int64_t taken = apart ? 1 : channels;  // channels out of every block
  std::vector<uint8_t> block(static_cast<size_t>(blocks.bytes));
  std::vector<uint8_t> pixels(static_cast<size_t>(page.height * page.width * channels * depth));
  for (int64_t plane = 0; plane < (apart ? channels : 1); ++plane)
    for (uint32_t top = 0; top < page.height; top += static_cast<uint32_t>(blocks.height))
      for (uint32_t left = 0; left < page.width; left += static_cast<uint32_t>(blocks.width)) {
        const int64_t rows = std::min<int64_t>(blocks.height, page.height - top);
        const int64_t columns = std::min<int64_t>(blocks.width, page.width - left);
        if (!read_block(tiff, blocks, {left, top, static_cast<uint16_t>(plane), rows},
                        block.data()))
          fail_damaged_tiff(name);
        for (int64_t y = 0; y < rows; ++y)
          for (int64_t x = 0; x < columns; ++x)
            std::memcpy(&pixels[(((top + y) * page.width + left + x) * channels + plane) * depth],
                        &block[(y * blocks.width + x) * together * depth], taken * depth);
      }
  return pixels;
}

template <class To, class From>
std::vector<To> convert(const std::vector<uint8_t>& bytes) {
  std::vector<To> samples(bytes.size() / sizeof(From));
  for (size_t i = 0; i < samples.size(); ++i) {
    From value;
    std::memcpy(&value, &bytes[i * sizeof(From)], sizeof(From));
    samples[i] = static_cast<To>(value);
  }
  return samples;
}

// Integers that u32 may not hold: as u32 when it holds all of them, else as floats.
template <class From>
void store_integers(const std::vector<uint8_t>& bytes, Raster& raster) {
  bool fits = true;
  for (size_t at = 0; at < bytes.size() && fits; at += sizeof(From)) {
    From value;
    std::memcpy(&value, &bytes[at], sizeof(From));
    fits = value >= 0 && static_cast<int64_t>(value) <= UINT32_MAX;
  }
  if (fits) {
    raster.samples = convert<uint32_t, From>(bytes);
  } else {
    raster.samples = convert<float, From>(bytes);
  }
}

void store(const std::vector<uint8_t>& bytes, const Page& page, Raster& raster) {
  const bool sign = page.format == SAMPLEFORMAT_INT;
  if (page.format == SAMPLEFORMAT_IEEEFP) {
    if (page.bits == 16) raster.samples = convert<float, f16>(bytes);
    if (page.bits == 32) raster.samples = convert<float, float>(bytes);
    if (page.bits == 64) raster.samples = convert<float, double>(bytes);
  } else if (page.bits == 8) {
    if (sign) return store_integers<int8_t>(bytes, raster);
    raster.samples = bytes;
  } else if (page.bits == 16) {
    if (sign) return store_integers<int16_t>(bytes, raster);
    raster.samples = convert<uint16_t, uint16_t>(bytes);
  } else if (page.bits == 32) {
    if (sign) return store_integers<int32_t>(bytes, raster);
    raster.samples = convert<uint32_t, uint32_t>(bytes);
  } else {
    store_integers<int64_t>(bytes, raster);  // unsigned ones above 2^63 come out negative
  }
}

void invert(Raster& raster) {
  std::visit(
      [](auto& samples) {
        for (auto& sample : samples) {
          using Sample = std::decay_t<decltype(sample)>;
          if constexpr (std::is_integral_v<Sample>) {
            sample = static_cast<Sample>(~sample);
          } else {
            sample = -sample;
          }
        }
      },
      raster.samples);
}

void apply_palette(TIFF* tiff, Raster& raster, const std::string& name) {
  uint16_t* colours[3];
  if (!TIFFGetField(tiff, TIFFTAG_COLORMAP, &colours[0], &colours[1], &colours[2]))
    fail_damaged_tiff(name);
  const std::vector<uint8_t> indices = std::get<std::vector<uint8_t>>(raster.samples);
  std::vector<uint8_t> rgb;
  rgb.reserve(indices.size() * 3);
  for (const uint8_t index : indices)
    for (const uint16_t* colour : colours) rgb.push_back(static_cast<uint8_t>(colour[index] >> 8));
  raster.channels = 3;
  raster.samples = std::move(rgb);
}

Raster decode(TIFF* tiff, const std::string& name, RasterUse use) {
  const Page page = read_page(tiff, name);
  check_readable(tiff, page, name);
  const bool labels = use == RasterUse::labels;
  check(!labels || page.channels == 1, name, "must be a gray image of labels, got ", page.channels,
        " channels");
  Raster raster{page.height, page.width, page.channels >= 3 ? 3 : 1, {}};
  store(read_bytes(tiff, page, raster.channels, name), page, raster);
  if (!labels && page.colours == PHOTOMETRIC_MINISWHITE) invert(raster);
  if (!labels && page.colours == PHOTOMETRIC_PALETTE) apply_palette(tiff, raster, name);
  return raster;
}

}  // namespace

ImageSize tiff_size(const std::string& path) {
  const Page page = read_page(open_tiff(path).get(), path);
  return {page.height, page.width};
}

Raster read_tiff(const std::string& path, RasterUse use) {
  return decode(open_tiff(path).get(), path, use);
}

Raster decode_tiff(std::string_view bytes, const std::string& name, RasterUse use) {
  MemoryFile file{bytes};
  return decode(open_tiff(file, name).get(), name, use);
}

}  // namespace soma
