// Run-length codes as text: the competition's 1-based "start length" pairs and COCO's compressed
// strings. Parsers accept one form only and say at which run another one goes wrong.
#include <charconv>

#include "base/check.h"
#include "masks/rle.h"
#include "masks/runs.h"

namespace soma {
namespace {

constexpr const char* kWho = "run lengths";

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The next number of a competition string; false at its end.
bool next_number(const char*& at, const char* end, int64_t run, int64_t& value) {
  while (at != end && is_space(*at)) ++at;
  if (at == end) return false;
  const char* stop = at;
  while (stop != end && !is_space(*stop)) ++stop;
  const std::string_view word(at, static_cast<size_t>(std::min<int64_t>(stop - at, 24)));
  const auto parsed = std::from_chars(at, stop, value);
  check(parsed.ec != std::errc::result_out_of_range, kWho, "run ", run, " has the number ", word,
        ", which is larger than any image");
  check(parsed.ec == std::errc() && parsed.ptr == stop, kWho, "run ", run,
        " must be two whole numbers, got '", word, "'");
  at = stop;
  return true;
}

// One count of a COCO string: groups of 5 bits, lowest first, in characters '0' to 'o'; bit 5 of a
// group says that more follow, bit 4 of the last is the sign.
int64_t next_coco_number(const std::string& text, size_t& at) {
  int64_t value = 0;
  for (int shift = 0;; shift += 5) {
    check(at < text.size(), kWho, "a COCO string of ", text.size(), " characters ends in a number");
    const int group = static_cast<unsigned char>(text[at++]) - '0';
    check(group >= 0 && group < 64, kWho, "a COCO string has characters '0' to 'o', got code ",
          group + '0', " at place ", at);
    check(shift <= 35, kWho, "a COCO string has an overlong number at place ", at);
    value |= int64_t{group & 31} << shift;
    if (group & 32) continue;
    if (group & 16) value -= int64_t{1} << (shift + 5);
    return value;
  }
}

void append_coco_number(std::string& out, int64_t value) {
  for (bool more = true; more;) {
    int group = static_cast<int>(value & 31);
    value >>= 5;
    more = (group & 16) ? value != -1 : value != 0;
    if (more) group |= 32;
    out.push_back(static_cast<char>('0' + group));
  }
}

}  // namespace

Rle parse_competition_runs(const std::string& runs, int64_t height, int64_t width) {
  RunBuilder out(height, width);
  const int64_t pixels = height * width;
  const char *at = runs.data(), *end = at + runs.size();
  int64_t before = 0, start = 0, length = 0;
  for (int64_t run = 1; next_number(at, end, run, start); ++run) {
    check(next_number(at, end, run, length), kWho, "run ", run, " has a start (", start,
          ") but no length");
    check(start >= 1, kWho, "run ", run, " must start at 1 or later, got ", start);
    check(length >= 1, kWho, "run ", run, " must have 1 pixel or more, got ", length);
    check(start <= pixels && length <= pixels - start + 1, kWho, "run ", run, " (", start, " ",
          length, ") goes past the ", pixels, " pixels of a ", height, "x", width, " image");
    check(start > before, kWho, "run ", run, " starts at ", start, ", but the one before ends at ",
          before, ": runs must ascend and not overlap");
    before = start + length - 1;
    out.add(start - 1, before);
  }
  return out.finish();
}

std::string format_competition_runs(const Rle& mask) {
  std::string out;
  for (RunCursor run(mask); !run.done(); run.next()) {
    if (!out.empty()) out.push_back(' ');
    append(out, run.begin() + 1);
    out.push_back(' ');
    append(out, run.end() - run.begin());
  }
  return out;
}

Rle mask_from_coco_counts(std::span<const int64_t> counts, int64_t height, int64_t width) {
  RunBuilder columns(width, height);
  const int64_t pixels = height * width;
  int64_t at = 0;
  for (size_t i = 0; i < counts.size(); ++i) {
    check(counts[i] >= 0, kWho, "count ", i + 1, " must not be negative, got ", counts[i]);
    check(counts[i] <= pixels - at, kWho, "the counts go past the ", pixels, " pixels of a ",
          height, "x", width, " mask at count ", i + 1);
    if (i % 2 && counts[i] > 0) columns.add(at, at + counts[i]);
    at += counts[i];
  }
  check(at == pixels, kWho, "the counts must cover the ", pixels, " pixels of a ", height, "x",
        width, " mask, got ", at);
  return transpose(columns.finish());
}

Rle parse_coco_string(const std::string& counts, int64_t height, int64_t width) {
  std::vector<int64_t> numbers;
  for (size_t at = 0; at < counts.size();) {
    int64_t number = next_coco_number(counts, at);
    // From the fourth on, what is written is the difference from the one two before.
    if (numbers.size() > 2) number += numbers[numbers.size() - 2];
    check(number >= 0 && number <= UINT32_MAX, kWho, "count ", numbers.size() + 1,
          " of a COCO string is out of range: ", number);
    numbers.push_back(number);
  }
  return mask_from_coco_counts(numbers, height, width);
}

std::string format_coco_string(const Rle& mask) {
  const Rle columns = transpose(mask);
  std::string out;
  int64_t before[2] = {0, 0};  // the last two counts; from the fourth on the one two before counts
  int64_t place = 0;
  for (const int64_t count : columns.counts) {
    append_coco_number(out, count - (place > 2 ? before[0] : 0));
    before[0] = before[1], before[1] = count, ++place;
  }
  return out;
}

}  // namespace soma
