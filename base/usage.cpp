#include "base/usage.h"

#include <algorithm>
#include <utility>

#include "base/one_line.h"

namespace soma {
namespace {

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(last, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

UsageError::UsageError(const std::string& message) : Error(one_line(message)) {}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  const bool dotted = word.find('.') != std::string::npos;
  size_t least = std::max<size_t>(1, word.size() / 3) + 1;
  std::string best;
  if (word.size() > 100) return best;
  for (const std::string& candidate : candidates) {
    size_t distance = edit_distance(word, candidate);
    const size_t dot = candidate.rfind('.');
    if (!dotted && dot != std::string::npos)
      distance = std::min(distance, edit_distance(word, candidate.substr(dot + 1)));
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
  const std::string best = nearest(word, candidates);
  return best.empty() ? "" : text("; did you mean ", best, "?");
}

}  // namespace soma
