#include "base/text.h"

#include <charconv>
#include <cmath>

namespace soma {
namespace {

template <class Number>
void append_number(std::string& out, Number value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out.append(buffer, end);
}

}  // namespace

void append(std::string& out, std::string_view part) { out.append(part); }
void append(std::string& out, bool part) { out.append(part ? "true" : "false"); }
void append(std::string& out, long long part) { append_number(out, part); }
void append(std::string& out, unsigned long long part) { append_number(out, part); }
void append(std::string& out, double part) { append_number(out, part); }

std::string decimals(double value, int places) {
  char buffer[330];  // the largest double has 309 digits before the point
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed, places).ptr;
  return {buffer, end};
}

}  // namespace soma
