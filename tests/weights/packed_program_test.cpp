// Programs made by hand from the ELF specification: a header, a section of 100 bytes at 200 and the
// section table at 1000, so that the program ends at 1000 + 2 * 64.
#include "weights/packed_program.h"

#include <doctest/doctest.h>
#include <elf.h>
#include <sys/stat.h>

#include <cstring>

#include "tests/support/temp_dir.h"
#include "weights/weights_file.h"

namespace soma::test {
namespace {

constexpr size_t kProgramBytes = 1128, kPage = 4096;

template <class Part>
void put(std::string& file, size_t at, const Part& part) {
  std::memcpy(file.data() + at, &part, sizeof part);
}

std::string small_program() {
  std::string file(kProgramBytes, 'p');
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, "\x7f\x45LF\x02\x01\x01", 7);
  header.e_shoff = 1000;
  header.e_shnum = 2;
  header.e_shentsize = sizeof(Elf64_Shdr);
  put(file, 0, header);
  put(file, 1000, Elf64_Shdr{});
  Elf64_Shdr section{};
  section.sh_type = SHT_PROGBITS;
  section.sh_offset = 200;
  section.sh_size = 100;
  put(file, 1064, section);
  return file;
}

// One tensor "a" of f32 [2].
std::string small_weights() {
  const std::string json = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const uint64_t size = json.size();
  return std::string(reinterpret_cast<const char*>(&size), 8) + json + std::string(8, '\1');
}

struct Packed {
  TempDir dir;
  std::string path = dir / "cells";
  std::string weights = small_weights(), configuration = "[model]\nclasses = ['x']\n";
  Packed() { write_packed_program(path, small_program(), {configuration, weights}); }
};

TEST_CASE("a packed program holds the program, the configuration and page-aligned weights") {
  const Packed packed;
  const std::string bytes = bytes_of(packed.path);
  CHECK(bytes.substr(0, kProgramBytes) == small_program());
  CHECK(bytes.find("[model]") < 2 * kPage);
  CHECK(bytes.substr(2 * kPage) == packed.weights);
  CHECK(carries_more(bytes, "x"));
  CHECK_FALSE(carries_more(small_program(), "x"));
  const PackedModel model = packed_model(bytes, "x");
  CHECK(model.weights == packed.weights);
  CHECK(model.configuration == packed.configuration);
  struct stat found;
  REQUIRE(stat(packed.path.c_str(), &found) == 0);
  CHECK((found.st_mode & 0100) == 0100);
}

TEST_CASE("a packed program is a weights file that brings its configuration") {
  const Packed packed;
  const WeightsFile file(packed.path);
  CHECK(file.table().form == "safetensors in a program");
  CHECK(file.table().configuration == packed.configuration);
  REQUIRE(file.find("a") != nullptr);
  CHECK(file.find("a")->elements.layout.shape == Shape{2});
}

TEST_CASE("equal arguments give equal bytes") {
  CHECK(bytes_of(Packed().path) == bytes_of(Packed().path));
}

TEST_CASE("a program that was cut anywhere, or added to, is refused in one line") {
  const Packed packed;
  const std::string bytes = bytes_of(packed.path);
  for (size_t length = 64; length < bytes.size(); length += length < 5000 ? 7 : 1) {
    const std::string error = error_of([&] { packed_model(bytes.substr(0, length), "cells"); });
    CAPTURE(length);
    CHECK(contains(error, "cells: "));
    CHECK(error.find('\n') == error.npos);
    const bool has_model = length != kProgramBytes;
    CHECK(contains(error, "without a model") == !has_model);
  }
  CHECK(contains(error_of([&] { packed_model(small_program(), "cells"); }), "without a model"));
  CHECK(contains(error_of([&] { packed_model(bytes + "x", "cells"); }), "added to"));
}

TEST_CASE("a byte altered in the header, the configuration or the weights is refused") {
  const Packed packed;
  const std::string bytes = bytes_of(packed.path);
  for (const size_t at : {kPage, kPage + 17, kPage + 33, kPage + 50, 2 * kPage, bytes.size() - 1}) {
    std::string altered = bytes;
    altered[at] = static_cast<char>(altered[at] ^ 4);
    CAPTURE(at);
    CHECK(error_of([&] { packed_model(altered, "cells"); }) != "");
  }
}

TEST_CASE("programs that lie about their tables, and other files, are refused") {
  std::string lying = small_program();
  Elf64_Shdr section{};
  section.sh_type = SHT_PROGBITS;
  section.sh_offset = ~uint64_t{0} - 50;
  section.sh_size = 100;
  put(lying, 1064, section);
  CHECK(contains(error_of([&] { carries_more(lying, "x"); }), "cut"));
  CHECK(contains(error_of([&] { carries_more(std::string("\x7f\x45LF\x02", 5), "x"); }), "cut"));
  CHECK_FALSE(is_program("\x7f\x45LF"));
  CHECK_FALSE(is_program(small_weights()));
  TempDir dir;
  const std::string folder = dir / ".";
  CHECK(error_of([&] { write_packed_program(folder, small_program(), {"", "w"}); }) != "");
}

}  // namespace
}  // namespace soma::test
