// UTF-8, soma's text, to UTF-16 and back, for files of Java's making.
#pragma once
#include <string>
#include <string_view>

namespace soma {

std::u16string to_utf16(std::string_view text);  // what is no UTF-8 becomes U+FFFD
std::string to_utf8(std::u16string_view text);   // so do halves of pairs

}  // namespace soma
