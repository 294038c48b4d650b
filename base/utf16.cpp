#include "base/utf16.h"

#include <cstdint>

namespace soma {
namespace {

constexpr uint32_t kUnknown = 0xFFFD;

// The bytes that a character has behind its first one; -1: no character begins so.
int bytes_behind(uint8_t first) {
  if (first < 0x80) return 0;
  if (first < 0xC2 || first > 0xF4) return -1;
  return first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
}

}  // namespace

std::u16string to_utf16(std::string_view text) {
  std::u16string out;
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<uint8_t>(text[i++]);
    const int behind = bytes_behind(first);
    uint32_t code = behind < 0 ? kUnknown : behind == 0 ? first : first & (0x3Fu >> behind);
    for (int k = 0; k < behind; ++k) {
      if (i == text.size() || (static_cast<uint8_t>(text[i]) & 0xC0) != 0x80) {
        code = kUnknown;
        break;
      }
      code = code << 6 | (static_cast<uint8_t>(text[i++]) & 0x3Fu);
    }
    if (code < 0x10000) {
      out += static_cast<char16_t>(code);
    } else {
      out += static_cast<char16_t>(0xD7C0 + (code >> 10));
      out += static_cast<char16_t>(0xDC00 + (code & 0x3FF));
    }
  }
  return out;
}

std::string to_utf8(std::u16string_view text) {
  static constexpr uint8_t kLead[] = {0, 0xC0, 0xE0, 0xF0};
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    uint32_t code = text[i];
    const bool pair =
        (code & 0xFC00) == 0xD800 && i + 1 < text.size() && (text[i + 1] & 0xFC00) == 0xDC00;
    if (pair)
      code = 0x10000 + ((code & 0x3FF) << 10) + (text[++i] & 0x3FFu);
    else if ((code & 0xF800) == 0xD800)
      code = kUnknown;
    const int behind = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    out += static_cast<char>(kLead[behind] | code >> 6 * behind);
    for (int k = behind - 1; k >= 0; --k) out += static_cast<char>(0x80 | (code >> 6 * k & 0x3F));
  }
  return out;
}

}  // namespace soma
