// UTF-16 of characters whose units are known, and back.
#include "base/utf16.h"

#include <doctest/doctest.h>

namespace soma {

TEST_CASE("characters of one to four bytes there and back") {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";  // a é € grinning face z
  const std::u16string wide = {u'a', 0x00E9, 0x20AC, 0xD83D, 0xDE00, u'z'};
  CHECK(to_utf16(text) == wide);
  CHECK(to_utf8(wide) == text);
  CHECK(to_utf16("").empty());
  CHECK(to_utf8(u"").empty());
}

TEST_CASE("what is no text becomes the sign for it") {
  const std::u16string sign(1, 0xFFFD);
  CHECK(to_utf16("\x80") == sign);
  CHECK(to_utf16("\xFF") == sign);
  CHECK(to_utf16("\xE2\x82") == sign);
  CHECK(to_utf16("\xC3(") == sign + u"(");
  CHECK(to_utf8(std::u16string{0xD83D, u'x'}) == "\xEF\xBF\xBDx");
  CHECK(to_utf8(std::u16string{0xDE00}) == "\xEF\xBF\xBD");
}

}  // namespace soma
