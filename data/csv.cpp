#include "data/csv.h"

#include <algorithm>

#include "base/check.h"

namespace soma {

CsvReader::CsvReader(std::string_view bytes, std::string path)
    : rest_(bytes), path_(std::move(path)) {
  if (rest_.substr(0, 3) == "\xEF\xBB\xBF") rest_.remove_prefix(3);
  check(read_row(), path_, "expected a table with a header line, found nothing");
  columns_ = fields_;
  for (size_t i = 0; i < columns_.size(); ++i) {
    check(std::find(columns_.begin(), columns_.begin() + static_cast<int64_t>(i), columns_[i]) ==
              columns_.begin() + static_cast<int64_t>(i),
          place(), "the column '", columns_[i], "' is there twice");
  }
}

bool CsvReader::has_column(std::string_view name) const {
  return std::find(columns_.begin(), columns_.end(), name) != columns_.end();
}

size_t CsvReader::column(std::string_view name) const {
  const auto found = std::find(columns_.begin(), columns_.end(), name);
  if (found == columns_.end()) {
    std::string names;
    for (const std::string& one : columns_) names += (names.empty() ? "" : ", ") + one;
    fail(path_, "expected a column '", name, "', found ", names);
  }
  return static_cast<size_t>(found - columns_.begin());
}

bool CsvReader::next() {
  if (!read_row()) return false;
  check(fields_.size() == columns_.size(), place(), "expected ", columns_.size(),
        " fields as in the header, found ", fields_.size());
  return true;
}

std::string CsvReader::place() const { return text(path_, ": line ", row_line_); }

bool CsvReader::read_row() {
  while (!rest_.empty() && (rest_[0] == '\n' || rest_.substr(0, 2) == "\r\n")) {
    rest_.remove_prefix(rest_[0] == '\n' ? 1 : 2);
    ++line_;
  }
  if (rest_.empty()) return false;
  row_line_ = line_;
  fields_.clear();
  for (bool more = true; more;) {
    std::string& field = fields_.emplace_back();
    if (!rest_.empty() && rest_[0] == '"') {
      read_quoted(field);
    } else {
      const size_t end = std::min(rest_.find_first_of(",\n"), rest_.size());
      field = rest_.substr(0, end);
      rest_.remove_prefix(end);
      if (!field.empty() && field.back() == '\r' && (rest_.empty() || rest_[0] == '\n')) {
        field.pop_back();
      }
    }
    more = !rest_.empty() && rest_[0] == ',';
    if (!rest_.empty()) rest_.remove_prefix(1);
  }
  ++line_;
  return true;
}

// From an opening quote to just before the comma or line end behind the closing one.
void CsvReader::read_quoted(std::string& field) {
  for (rest_.remove_prefix(1);;) {
    const size_t quote = rest_.find('"');
    check(quote != rest_.npos, place(), "a quote is opened and never closed");
    field += rest_.substr(0, quote);
    rest_.remove_prefix(quote + 1);
    if (rest_.empty() || rest_[0] != '"') break;
    field += '"';
    rest_.remove_prefix(1);
  }
  line_ += std::count(field.begin(), field.end(), '\n');
  if (rest_ == "\r" || rest_.substr(0, 2) == "\r\n") rest_.remove_prefix(1);
  check(rest_.empty() || rest_[0] == ',' || rest_[0] == '\n', place(),
        "expected a comma or the line's end behind a closing quote");
}

std::string csv_field(std::string_view field) {
  if (field.find_first_of(",\"\r\n") == field.npos) return std::string(field);
  std::string result = "\"";
  for (const char c : field) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + '"';
}

}  // namespace soma
