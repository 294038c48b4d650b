// Archives byte by byte, whole and wrong in one place; and what the writer makes, read back.
#include "base/zip.h"

#include <doctest/doctest.h>

#include "tests/support/temp_dir.h"
#include "tests/weights/archive.h"

namespace soma::test {
namespace {

std::string refusal(const std::string& bytes) {
  return error_of([&] { read_zip_members(bytes, "file"); });
}

}  // namespace

TEST_CASE("stored members are pieces of the file") {
  const std::string bytes = zip_of({{"a", "hello"}, {"b/c", ""}, {"d", std::string(300, 'x')}});
  const std::vector<ZipMember> members = read_zip_members(bytes, "file");
  REQUIRE(members.size() == 3);
  CHECK(members[0].name == "a");
  CHECK(members[0].bytes == "hello");
  CHECK(members[0].bytes.data() >= bytes.data());
  CHECK(members[1].bytes.empty());
  CHECK(members[2].bytes.size() == 300);
  CHECK(read_zip_members(zip_of({}), "file").empty());
}

TEST_CASE("numbers of 64 bits, as large archives have them") {
  const std::string plain = zip_of({{"a", "hello"}});
  const size_t end = plain.size() - 22, begin = plain.find("PK\1\2");
  const uint64_t bytes = end - begin, one = 1;
  const std::string record = "PK\6\6" + little(uint64_t{44}) + std::string(12, '\0') + little(one) +
                             little(one) + little(bytes) + little(uint64_t{begin});
  const std::string locator =
      "PK\6\7" + little(uint32_t{0}) + little(uint64_t{end}) + little(uint32_t{1});
  const std::string last =
      "PK\5\6" + little(uint32_t{0}) + std::string(12, '\xFF') + little(uint16_t{0});
  const std::string whole = plain.substr(0, end) + record + locator + last;
  REQUIRE(read_zip_members(whole, "file").size() == 1);
  CHECK(read_zip_members(whole, "file")[0].bytes == "hello");
  CHECK(contains(refusal(plain.substr(0, end) + record + "x" + locator + last), "zip64 end"));
}

TEST_CASE("what zip can do and is not needed is refused") {
  const std::string good = zip_of({{"a", "hello"}, {"b", "world"}});
  REQUIRE(refusal(good).empty());
  CHECK(contains(refusal("x" + good), "directory"));
  CHECK(contains(refusal(good + "x"), "end is missing"));
  CHECK(contains(refusal(""), "end is missing"));
  CHECK(contains(refusal(zip_of({{"a", "hello", 12}})), "is compressed by method 12"));
  CHECK(contains(refusal(zip_of({{"a", "hello", 0, 1}})), "is encrypted"));
  CHECK(contains(refusal(zip_of({{"a", "x"}, {"a", "y"}})), "two members are called a"));
  for (const char* name : {"/etc/passwd", "../a", "x/../../a", "a\\b", "a\nb"}) {
    CHECK(contains(refusal(zip_of({{name, "x"}})), "leaves the archive"));
  }
  Member member{"a", "hello"};
  member.directory_size = 1000;
  CHECK(contains(refusal(zip_of({member})), "reaches into the directory"));
  member.directory_size = 0xFFFFFFFF;
  CHECK(contains(refusal(zip_of({member})), "reaches into the directory"));
  member = {"a", "hello"};
  member.directory_offset = 1 << 20;
  CHECK(contains(refusal(zip_of({member})), "not where the directory says"));
  member = {"a", "hello"};
  member.local_name = "b";
  CHECK(contains(refusal(zip_of({member})), "another name where it lies"));
  // The directory finds the second member within the first one's bytes.
  const std::string inner = zip_of({{"b", "hello"}}).substr(0, 30 + 1 + 5);
  Member twin{"b", "hello"};
  REQUIRE(refusal(zip_of({{"a", inner}, twin})).empty());
  twin.directory_offset = 30 + 1;
  CHECK(contains(refusal(zip_of({{"a", inner}, twin})), "a and b overlap"));
}

TEST_CASE("checksums") {
  // CRC-32 of "123456789" is 0xCBF43926 by the standard's check value.
  const std::string digits = "123456789";
  CHECK(error_of([&] { check_crc({"a", digits, 0xCBF43926}, "file"); }).empty());
  CHECK(contains(error_of([&] { check_crc({"a", digits, 0xCBF43927}, "file"); }), "is damaged"));
  CHECK(error_of([&] { check_crc({"a", digits, 0}, "file"); }).empty());
}

TEST_CASE("deflated members") {
  // RFC 1951: a last block of fixed codes; "aaaaaaaaaa" by zlib at level 9.
  const std::string packed("\x4b\x4c\x84\x01\x00", 5), content(10, 'a');
  const uint32_t crc = 0x4C11CDF0;
  Member member{"a", packed, 8};
  member.crc = crc;
  std::string bytes = zip_of({member});
  const size_t place = bytes.find("PK\1\2") + 24;  // the content's size in the directory
  bytes[place] = 10;
  std::vector<ZipMember> members = read_zip_members(bytes, "file");
  REQUIRE(members.size() == 1);
  CHECK(members[0].deflated);
  CHECK(zip_content(members[0], "file", 10) == content);
  const auto refused = [&](uint64_t most) {
    return error_of([&] { zip_content(members[0], "file", most); });
  };
  CHECK(contains(refused(9), "a has 10 bytes, expected at most 9"));
  for (const uint64_t size : {uint64_t{9}, uint64_t{11}}) {
    members[0].size = size;
    CHECK(contains(refused(99), "does not inflate"));
  }
  members[0].size = 10;
  members[0].crc ^= 1;
  CHECK(contains(refused(99), "is damaged: its checksum"));
  members[0].bytes = members[0].bytes.substr(0, 2);
  CHECK(contains(refused(99), "does not inflate"));
}

TEST_CASE("what is written is read back") {
  const std::vector<std::pair<std::string, std::string>> contents = {
      {"a.roi", "123456789"}, {"empty", ""}, {"\xC3\xA9", std::string(70000, '\xFF')}};
  ZipWriter writer("file");
  for (const auto& [name, content] : contents) writer.add(name, content);
  const std::string bytes = writer.finish();
  const std::vector<ZipMember> members = read_zip_members(bytes, "file");
  REQUIRE(members.size() == contents.size());
  CHECK(members[0].crc == 0xCBF43926);
  for (size_t i = 0; i < members.size(); ++i) {
    CHECK(members[i].name == contents[i].first);
    CHECK(zip_content(members[i], "file", 1 << 20) == contents[i].second);
  }
  CHECK(read_zip_members(ZipWriter("file").finish(), "file").empty());
  ZipWriter many("file");
  for (int i = 0; i < 65535; ++i) many.add(std::to_string(i), "");
  CHECK(contains(error_of([&] { many.add("x", ""); }), "file: is too much for a zip archive"));
}

}  // namespace soma::test
