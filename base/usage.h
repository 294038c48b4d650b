// Wrong usage: what the command line or a configuration got wrong, told in one line with the
// nearest right word. A command that meets one exits 2; any other Error exits 1.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"

namespace soma {

class UsageError : public Error {
 public:
  explicit UsageError(const std::string& message);
};

template <class... Parts>
void check_usage(bool ok, std::string_view who, const Parts&... parts) {
  if (!ok) throw UsageError(text(who, ": ", parts...));
}

// The candidate with the smallest edit distance to `word` (insert, delete, replace, swap
// neighbours; Damerau 1964); a word without a dot is held against each candidate's part after its
// last dot too.
// "" when nothing is near: more than a third of the word would have to change.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

// "; did you mean X?" or "".
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace soma
