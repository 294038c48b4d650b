// The records are read back here bit by bit, by the definitions of TFRecord and protocol buffers.
#include "data/event_records.h"

#include <doctest/doctest.h>

#include <cstring>
#include <map>

namespace soma {
namespace {

uint64_t little(const std::string& bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = count; i-- > 0;) value = value * 256 + static_cast<uint8_t>(bytes.at(at + i));
  return value;
}

// CRC-32C by long division, highest power first, on reflected bits.
uint32_t slow_crc(const std::string& bytes) {
  const auto bit_of = [](uint64_t value, int bit) { return value >> bit & 1; };
  uint64_t remainder = 0xFFFFFFFF;
  for (const char c : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const uint64_t out = bit_of(remainder, 31) ^ bit_of(static_cast<uint8_t>(c), bit);
      remainder = (remainder << 1 & 0xFFFFFFFF) ^ (out ? 0x1EDC6F41 : 0);
    }
  }
  uint32_t reflected = 0;
  for (int bit = 0; bit < 32; ++bit)
    reflected |= static_cast<uint32_t>(bit_of(~remainder, 31 - bit) << bit);
  return reflected;
}
uint32_t slow_mask(const std::string& bytes) {
  const uint64_t crc = slow_crc(bytes);
  return static_cast<uint32_t>((crc / 32768 + crc * 131072 % 4294967296 + 0xA282EAD8) % 4294967296);
}

std::string payload_of(const std::string& record) {
  const uint64_t length = little(record, 0, 8);
  REQUIRE(record.size() == length + 16);
  const std::string bytes = record.substr(12, length);
  CHECK(little(record, 8, 4) == slow_mask(record.substr(0, 8)));
  CHECK(little(record, 12 + length, 4) == slow_mask(bytes));
  return bytes;
}

// The fields of a message by number: numbers of varints and fixed fields, bytes of others.
struct Field {
  uint64_t number = 0;
  std::string bytes;
};
std::multimap<uint64_t, Field> fields_of(const std::string& message) {
  std::multimap<uint64_t, Field> fields;
  size_t at = 0;
  const auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<uint8_t>(message.at(at++));
      value |= static_cast<uint64_t>(byte % 128) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.size()) {
    const uint64_t key = varint(), kind = key % 8;
    Field field;
    if (kind == 0) {
      field.number = varint();
    } else if (kind == 2) {
      const uint64_t length = varint();
      field.bytes = message.substr(at, length);
      at += length;
    } else {
      const size_t length = kind == 1 ? 8 : 4;
      field.number = little(message, at, length);
      at += length;
    }
    fields.emplace(key / 8, field);
  }
  return fields;
}
Field one(const std::multimap<uint64_t, Field>& fields, uint64_t number) {
  REQUIRE(fields.count(number) == 1);
  return fields.find(number)->second;
}
double real(const Field& field) {
  double value;
  std::memcpy(&value, &field.number, 8);
  return value;
}
float narrow(const Field& field) {
  const auto bits = static_cast<uint32_t>(field.number);
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

}  // namespace

TEST_CASE("checksums are CRC-32C, masked") {
  CHECK(slow_crc("123456789") == 0xE3069283);  // the published check value
  for (const std::string& bytes : {std::string(), std::string("123456789"), std::string(40, '\xFF'),
                                   std::string("\0\x80\n", 3)})
    CHECK(masked_crc32c(bytes) == slow_mask(bytes));
}

TEST_CASE("a file begins with its version") {
  const auto fields = fields_of(payload_of(event_header(1700000000.25)));
  CHECK(real(one(fields, 1)) == 1700000000.25);
  CHECK(one(fields, 3).bytes == "brain.Event:2");
}

TEST_CASE("scalars come back") {
  const std::string record =
      event_of_scalars(12.5, 70000, {{"loss/total", 1.5}, {std::string(200, 'x'), -1e-3}});
  const auto fields = fields_of(payload_of(record));
  CHECK(real(one(fields, 1)) == 12.5);
  CHECK(one(fields, 2).number == 70000);
  const auto summary = fields_of(one(fields, 5).bytes);
  REQUIRE(summary.count(1) == 2);
  auto value = summary.find(1);
  const auto first = fields_of(value->second.bytes), second = fields_of((++value)->second.bytes);
  CHECK(one(first, 1).bytes == "loss/total");
  CHECK(narrow(one(first, 2)) == 1.5f);
  CHECK(one(second, 1).bytes == std::string(200, 'x'));
  CHECK(narrow(one(second, 2)) == -1e-3f);
  CHECK(fields_of(payload_of(event_of_scalars(0, 0, {}))).count(5) == 1);
}

TEST_CASE("a restart names the first step that is void") {
  const auto fields = fields_of(payload_of(event_restart(1, 301)));
  CHECK(one(fields, 2).number == 301);
  CHECK(one(fields_of(one(fields, 7).bytes), 1).number == 1);  // SessionLog.START
}

}  // namespace soma
