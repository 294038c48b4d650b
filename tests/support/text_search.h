// Looking for words in what a page, a file or a message says.
#pragma once
#include <string>

namespace soma {

inline bool has(const std::string& where, const std::string& what) {
  return where.find(what) != std::string::npos;
}

inline size_t count(const std::string& where, const std::string& what) {
  size_t found = 0;
  for (size_t at = where.find(what); at != where.npos; at = where.find(what, at + 1)) ++found;
  return found;
}

}  // namespace soma
