// What a TIFF says of itself, held against its bytes.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "data/image_io.h"
#include "tests/support/temp_dir.h"

namespace soma {
namespace {

TEST_CASE("a TIFF of more pixels than its bytes can hold is refused") {
  const auto error = [](int compression, int side) {
    std::string file("II*\0\x08\0\0\0\x06\0", 10);  // six entries: tag, type, count, value
    const auto half = [](int value) {
      return std::string{static_cast<char>(value & 255), static_cast<char>(value >> 8)};
    };
    for (const auto& [tag, value] : std::vector<std::pair<int, int>>{
             {256, side}, {257, side}, {258, 8}, {259, compression}, {262, 1}, {273, 8}})
      file += half(tag) + half(3) + half(1) + half(0) + half(value) + half(0);
    return error_of([&] { decode_image(file + std::string(4, '\0'), "x.tiff"); });
  };
  if (contains(error(1, 1), "without libtiff")) return;
  for (const int compression : {1, 5, 7, 8}) {  // none, LZW, JPEG, deflate
    CHECK(contains(error(compression, 16384), "cannot hold 268435456"));
    CHECK(!contains(error(compression, 1), "cannot hold"));
  }
}

}  // namespace
}  // namespace soma
