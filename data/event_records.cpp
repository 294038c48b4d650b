#include "data/event_records.h"

#include <array>
#include <bit>

namespace soma {
namespace {

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? 0x82F63B78u ^ (value >> 1) : value >> 1;
    table[i] = value;
  }
  return table;
}

// Least byte first, whatever the machine's order.
template <class T>
void append_bytes(std::string& out, T value) {
  for (size_t i = 0; i < sizeof value; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

// Protocol buffers: a field is its number and kind, then a value.
enum class Wire : uint64_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
void append_key(std::string& out, uint64_t field, Wire wire) {
  append_varint(out, field << 3 | static_cast<uint64_t>(wire));
}
void append_integer(std::string& out, uint64_t field, int64_t value) {
  append_key(out, field, Wire::varint);
  append_varint(out, static_cast<uint64_t>(value));
}
void append_field(std::string& out, uint64_t field, std::string_view bytes) {
  append_key(out, field, Wire::bytes);
  append_varint(out, bytes.size());
  out += bytes;
}

// The fields of tensorflow.Event and its parts (event.proto, summary.proto).
constexpr uint64_t kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
constexpr uint64_t kValue = 1, kTag = 1, kSimpleValue = 2;
constexpr uint64_t kStatus = 1;
constexpr int64_t kStart = 1;

std::string event_at(double seconds, int64_t step) {
  std::string event;
  append_key(event, kWallTime, Wire::fixed64);
  append_bytes(event, std::bit_cast<uint64_t>(seconds));
  append_integer(event, kStep, step);
  return event;
}

std::string framed(std::string_view bytes) {
  std::string record, length;
  append_bytes(length, static_cast<uint64_t>(bytes.size()));
  record += length;
  append_bytes(record, masked_crc32c(length));
  record += bytes;
  append_bytes(record, masked_crc32c(bytes));
  return record;
}

}  // namespace

uint32_t masked_crc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = crc_table();
  uint32_t crc = 0xFFFFFFFFu;
  for (const char c : bytes) crc = kTable[(crc ^ static_cast<uint8_t>(c)) & 0xFF] ^ (crc >> 8);
  return std::rotr(~crc, 15) + 0xA282EAD8u;
}

std::string event_header(double seconds) {
  std::string event = event_at(seconds, 0);
  append_field(event, kFileVersion, "brain.Event:2");
  return framed(event);
}

std::string event_restart(double seconds, int64_t step) {
  std::string event = event_at(seconds, step), log;
  append_integer(log, kStatus, kStart);
  append_field(event, kSessionLog, log);
  return framed(event);
}

std::string event_of_scalars(double seconds, int64_t step, const Scalars& scalars) {
  std::string event = event_at(seconds, step), summary;
  for (const auto& [tag, number] : scalars) {
    std::string value;
    append_field(value, kTag, tag);
    append_key(value, kSimpleValue, Wire::fixed32);
    append_bytes(value, std::bit_cast<uint32_t>(static_cast<float>(number)));
    append_field(summary, kValue, value);
  }
  append_field(event, kSummary, summary);
  return framed(event);
}

}  // namespace soma
