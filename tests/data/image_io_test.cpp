// Image files against goldens (tools/goldens/images.py), then the same files cut and with flipped
// bits; sizes that are refused; what is written is read back; real data when it is there.
#include "data/image_io.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/random.h"
#include "tests/support/temp_dir.h"

namespace soma {
namespace {

struct Golden {
  std::string name, use, file;
  int error = 0;
  int64_t height = 0, width = 0, channels = 0;
  std::string pixels;
  bool is(const char* kind) const { return name.rfind(kind, 0) == 0; }
};

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

// Builds without libtiff skip what is TIFF.
bool has_tiff() {
  return !contains(error_of([] { decode_image(std::string("II*\0", 4), "x"); }), "without libtiff");
}

std::vector<Golden> goldens() {
  std::ifstream lines(std::string(std::getenv("SOMA_TEST_ROOT")) + "/tests/goldens/images.txt");
  std::vector<Golden> all;
  for (Golden g; lines >> g.name >> g.use >> g.error >> g.height >> g.width >> g.channels >>
                 g.pixels >> g.file;) {
    g.pixels = from_hex(g.pixels), g.file = from_hex(g.file);
    if (has_tiff() || !g.is("tiff")) all.push_back(g);
  }
  REQUIRE(all.size() >= 70);
  return all;
}

std::string word(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

uint32_t crc(const std::string& bytes) {
  uint32_t sum = ~0u;
  for (const char byte : bytes) {
    sum ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) sum = sum & 1 ? sum >> 1 ^ 0xEDB88320 : sum >> 1;
  }
  return ~sum;
}

std::string chunk(const std::string& name, const std::string& data) {
  return word(static_cast<uint32_t>(data.size())) + name + data + word(crc(name + data));
}

// A PNG of 8-bit gray that says this size; `data` is what its IDAT holds.
std::string png_of(uint32_t width, uint32_t height, const std::string& data) {
  return "\x89PNG\r\n\x1a\n" +
         chunk("IHDR", word(width) + word(height) + std::string("\x08\0\0\0\0", 5)) +
         chunk("IDAT", data) + chunk("IEND", "");
}

const std::string kOnePixel("\x78\x01\x01\x02\0\xfd\xff\0\x07\0\x09\0\x08", 13);

}  // namespace

TEST_CASE("every kind of file gives the pixels it holds") {
  const TempDir dir;
  for (const Golden& golden : goldens()) {
    INFO(golden.name);
    const std::string path = dir.write("image", golden.file);
    const ImageSize size = read_image_size(path);
    CHECK(size.height == golden.height);
    CHECK(size.width == golden.width);
    if (golden.use == "labels") {
      const LabelImage image = read_labels(path);
      std::string labels;
      for (const uint32_t label : image.labels) labels += word(label);
      CHECK(image.width == golden.width);
      CHECK(labels == golden.pixels);
      continue;
    }
    const Image image = read_image(path);
    REQUIRE(image.height == golden.height);
    REQUIRE(image.width == golden.width);
    REQUIRE(image.channels == golden.channels);
    REQUIRE(image.pixels.size() == golden.pixels.size());
    int error = 0;
    for (size_t i = 0; i < image.pixels.size(); ++i)
      error =
          std::max(error, std::abs(image.pixels[i] - static_cast<unsigned char>(golden.pixels[i])));
    CHECK(error <= golden.error);
    CHECK(decode_image(golden.file, "memory").pixels == image.pixels);
  }
}

TEST_CASE("files cut at any byte are errors of one line") {
  for (const Golden& golden : goldens())
    for (size_t cut = 0; cut < golden.file.size(); ++cut) {
      const std::string part = golden.file.substr(0, cut);
      std::string error;
      bool same = false;  // what libtiff writes may end in bytes that no one reads
      error = error_of([&] {
        const Image image = decode_image(part, "cut");
        same = golden.is("tiff") &&
               std::string(image.pixels.begin(), image.pixels.end()) == std::string(golden.pixels);
      });
      const bool fine = same || golden.use == "labels" || golden.error > 0 || error != "";
      CHECK_MESSAGE(fine, golden.name, " cut at ", cut);
      if (!golden.is("tiff")) CHECK_MESSAGE(error != "", golden.name, " cut at ", cut);
      CHECK_UNARY(error.empty() || error.rfind("cut: ", 0) == 0);
      CHECK_UNARY(!contains(error, "\n"));
    }
}

TEST_CASE("flipped bits: an error in PNG, never harm in others") {
  Random random(1, RandomUse::test);
  for (const Golden& golden : goldens())
    for (size_t at = 0; at < golden.file.size(); ++at) {
      std::string broken = golden.file;
      broken[at] = static_cast<char>(broken[at] ^ 1 << random.below(8));
      const std::string error = error_of([&] {
        const Image image = decode_image(broken, "broken");
        CHECK(static_cast<int64_t>(image.pixels.size()) ==
              image.height * image.width * image.channels);
      });
      if (golden.is("png")) CHECK_MESSAGE(error != "", golden.name, " flipped at ", at);
      CHECK_UNARY(!contains(error, "\n"));
    }
}

TEST_CASE("sizes are refused before anything is decoded") {
  const auto error = [](uint32_t width, uint32_t height) {
    return error_of([&] { decode_image(png_of(width, height, kOnePixel), "file.png"); });
  };
  CHECK(error(1, 1) == "");
  CHECK(contains(error(0, 1), "file.png: has no pixels: 0x1"));
  CHECK(contains(error(1, 0), "has no pixels"));
  CHECK(contains(error(65537, 1), "file.png: is too large: 65537x1 pixels; at most 65536 a side"));
  CHECK(contains(error(1, 4294967295u), "too large"));
  CHECK(contains(error(40000, 40000), "and 400 million in all"));
  CHECK(contains(error(20000, 20000), "cannot hold 20000x20000 pixels"));
  CHECK(contains(error(2, 1), "damaged or incomplete"));
  CHECK(contains(error(1, 2), "damaged or incomplete"));
}

TEST_CASE("wrong checksums of PNG pixels are errors") {
  std::string wrong = kOnePixel;
  wrong.back() ^= 1;  // zlib's own sum: the chunk's is right
  CHECK(contains(error_of([&] { decode_image(png_of(1, 1, wrong), "x"); }), "data check"));
}

TEST_CASE("Huffman tables of more symbols than a table holds are refused") {
  const auto jpeg = [](char of_each_length, size_t symbols) {
    const size_t length = 2 + 17 + symbols;
    std::string bytes("\xFF\xD8\xFF\xC0\x00\x0B\x08\x00\x08\x00\x08\x01\x01\x11\x00\xFF\xC4", 17);
    bytes += {static_cast<char>(length >> 8), static_cast<char>(length & 255), '\0'};
    return bytes + std::string(16, of_each_length) + std::string(symbols, 'x') + "\xFF\xD9";
  };
  const auto error = [](const std::string& bytes) {
    return error_of([&] { decode_image(bytes, "x"); });
  };
  CHECK(contains(error(jpeg(17, 16 * 17)), "bad Huffman table"));
  CHECK(contains(error(jpeg('\xFF', 16 * 255)), "bad Huffman table"));
  CHECK(contains(error(jpeg(1, 15)), "bad Huffman table"));  // one symbol is missing
  CHECK(!contains(error(jpeg(1, 16)), "bad Huffman table"));
}

TEST_CASE("what is no image is an error that says what was expected") {
  const TempDir dir;
  const auto error = [](const std::string& path) { return error_of([&] { read_image(path); }); };
  CHECK(contains(error(dir / "none.png"), "none.png: cannot be read: No such file"));
  CHECK(contains(error(dir.path()), "is a folder"));
  CHECK(contains(error(dir.write("empty.png", "")), "empty.png: is empty"));
  for (const char* text : {"GIF89a.......", "id,annotation\n", "\x89PNG", "P5 2 2 255 aaaa", "B"})
    CHECK(contains(error(dir.write("x", text)), "expected PNG, JPEG, BMP or TIFF"));
  CHECK_THROWS_AS(read_image_size(dir / "x"), Error);
  CHECK(contains(error(dir.write("x.png", "\xff\xd8\xff\xd9")), "x.png: "));
  CHECK(contains(error(dir.write("x.bmp", "BM")), "it has no header"));
}

TEST_CASE("labels must be whole numbers in one channel") {
  const TempDir dir;
  for (const Golden& golden : goldens()) {
    const bool colours = golden.channels == 3 && !contains(golden.name, "palette");
    const std::string error = error_of([&] { read_labels(dir.write("labels", golden.file)); });
    if (colours) CHECK_MESSAGE(contains(error, "must be a gray image"), golden.name);
    if (golden.name == "tiff-nan" || golden.name == "tiff-f4-1" || golden.name == "tiff-i2-1")
      CHECK_MESSAGE(contains(error, "labels are whole numbers from 0 on"), golden.name);
  }
}

TEST_CASE("pictures are written and read back") {
  const TempDir dir;
  Random random(2, RandomUse::test);
  for (const int64_t channels : {1, 3})
    for (const auto& [height, width] : {std::pair{1, 1}, {1, 70}, {70, 1}, {31, 33}}) {
      Image image{height, width, channels, {}};
      for (int64_t i = 0; i < height * width * channels; ++i)
        image.pixels.push_back(static_cast<uint8_t>(random.below(256)));
      write_png(dir / "image.png", image);
      const Image back = read_image(dir / "image.png");
      CHECK(back.channels == channels);
      CHECK(back.width == width);
      CHECK(back.pixels == image.pixels);
      CHECK(encode_png(image) == bytes_of(dir / "image.png"));
    }
  CHECK_THROWS_AS(encode_png(Image{}), Error);
  CHECK_THROWS_AS(encode_png(Image{1, 1, 2, {1, 2}}), Error);
  CHECK_THROWS_AS(encode_png(Image{1, 2, 1, {1}}), Error);
  CHECK_THROWS_AS(write_png(dir / "none/image.png", Image{1, 1, 1, {1}}), Error);
}

TEST_CASE("labels are written as 16-bit PNG, above 65,535 as 32-bit TIFF") {
  const TempDir dir;
  LabelImage image{2, 3, {0, 1, 2, 65535, 300, 7}};
  CHECK(write_labels(dir / "narrow", image) == dir / "narrow.png");
  CHECK(bytes_of(dir / "narrow.png")[24] == 16);  // the header's bit depth
  CHECK(read_labels(dir / "narrow.png").labels == image.labels);
  image.labels[3] = 65536;
  if (has_tiff()) {
    CHECK(write_labels(dir / "wide", image) == dir / "wide.tif");
    CHECK(read_labels(dir / "wide.tif").labels == image.labels);
    CHECK(read_image_size(dir / "wide.tif").width == 3);
    LabelImage large{500, 400, std::vector<uint32_t>(200000)};
    for (uint32_t i = 0; i < 200000; ++i) large.labels[i] = i * 21474;
    write_labels(dir / "large", large);
    CHECK(read_labels(dir / "large.tif").labels == large.labels);
  } else {
    CHECK(contains(error_of([&] { write_labels(dir / "wide", image); }), "without libtiff"));
  }
  image.labels.pop_back();
  CHECK_THROWS_AS(write_labels(dir / "short", image), Error);
}

TEST_CASE("pixels in memory are the image that a file of them would give") {
  constexpr int64_t kHeight = 3, kWidth = 5, kPadding = 4;
  std::string rows;
  Image colours{kHeight, kWidth, 3, {}};
  for (int64_t y = 0; y < kHeight; ++y) {
    for (int64_t i = 0; i < kWidth * 3; ++i) {
      colours.pixels.push_back(static_cast<uint8_t>(y * 50 + i * 7));
      rows += static_cast<char>(y * 50 + i * 7);
    }
    rows += std::string(kPadding, 'x');
  }
  PixelView view{rows.data(), kHeight, kWidth, kWidth * 3 + kPadding, 3, 8};
  CHECK(copy_pixels(view, "pixels").pixels == colours.pixels);
  // A ramp's 0.1 and 99.9 percentiles lie .999 samples within its ends: 0, then one in 4 further.
  std::vector<uint16_t> ramp;
  for (int i = 0; i < 1000; ++i) ramp.push_back(static_cast<uint16_t>(60 * i));
  const Image scaled = copy_pixels({ramp.data(), 10, 100, 200, 1, 16}, "pixels");
  for (size_t i = 0; i < ramp.size(); ++i) {
    const double share = (static_cast<double>(i) - 0.999) / (999 - 2 * 0.999);
    CHECK(scaled.pixels[i] == std::nearbyint(255 * std::clamp(share, 0.0, 1.0)));
  }
  for (const PixelView& bad :
       {PixelView{nullptr, 3, 5, 19, 3, 8}, PixelView{rows.data(), 3, 5, 19, 2, 8},
        PixelView{rows.data(), 3, 5, 19, 3, 32}, PixelView{rows.data(), 3, 5, 14, 3, 8},
        PixelView{rows.data(), int64_t{1} << 62, 5, 19, 3, 8},
        PixelView{rows.data(), 0, 5, 19, 3}}) {
    CHECK(contains(error_of([&] { copy_pixels(bad, "pixels"); }), "pixels: "));
  }
}

TEST_CASE("16-bit originals scale to the 8-bit pictures of the same data set") {
  const char* shared = std::getenv("SOMA_SHARED_DATA");
  if (!shared || !has_tiff()) {
    MESSAGE("skipped: SOMA_SHARED_DATA is not set, or no libtiff");
    return;
  }
  for (const char* name : {"train_set1", "train_set2", "val_set46", "val_set47"}) {
    const std::string folder = std::string(shared) + "/usiigaci/";
    const Image deep = read_image(folder + "raw16/" + name + ".tif");
    const Image picture = read_image(folder + "images/" + name + ".png");
    CHECK(deep.width == 1024);
    CHECK(deep.height == 1022);
    CHECK(deep.pixels == picture.pixels);
  }
}

}  // namespace soma
