#include "weights/zip_members.h"

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

TEST_CASE("numbers of 64 bits, as torch's archives may have them") {
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

TEST_CASE("what zip can do and torch does not is refused") {
  const std::string good = zip_of({{"a", "hello"}, {"b", "world"}});
  REQUIRE(refusal(good).empty());
  CHECK(contains(refusal("x" + good), "directory"));
  CHECK(contains(refusal(good + "x"), "end is missing"));
  CHECK(contains(refusal(""), "end is missing"));
  CHECK(contains(refusal(zip_of({{"a", "hello", 8}})), "is compressed"));
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

}  // namespace soma::test
