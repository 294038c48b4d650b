// Text from parts: text("rows ", 3, " of ", shape) without iostreams or format strings, so that
// headers which build error messages stay cheap to compile.
#pragma once
#include <concepts>
#include <string>
#include <string_view>

namespace soma {

void append(std::string& out, std::string_view part);
void append(std::string& out, bool part);
void append(std::string& out, long long part);
void append(std::string& out, unsigned long long part);
void append(std::string& out, double part);  // shortest form that reads back equal
inline void append(std::string& out, const char* part) { append(out, std::string_view(part)); }
inline void append(std::string& out, const std::string& part) {
  append(out, std::string_view(part));
}
inline void append(std::string& out, char part) { out.push_back(part); }
template <std::signed_integral T>
void append(std::string& out, T part) {
  append(out, static_cast<long long>(part));
}
template <std::unsigned_integral T>
void append(std::string& out, T part) {
  append(out, static_cast<unsigned long long>(part));
}
inline void append(std::string& out, float part) { append(out, static_cast<double>(part)); }

// Types of soma print themselves through to_string().
template <class T>
requires requires(const T& value) {
  { value.to_string() } -> std::convertible_to<std::string>;
}
void append(std::string& out, const T& part) { append(out, part.to_string()); }

template <class... Parts>
std::string text(const Parts&... parts) {
  std::string out;
  (append(out, parts), ...);
  return out;
}

// The value rounded to `places` digits after the point (0 to 9), whatever the locale; nan, inf.
std::string decimals(double value, int places);

}  // namespace soma
