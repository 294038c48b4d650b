// Tables of comma-separated values (RFC 4180): quoted fields, line ends LF or CRLF, a byte order
// mark passed over. The first row names the columns; columns may stand in any order.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace soma {

// Row by row over bytes that the caller keeps:
//   CsvReader csv(bytes, path);  const size_t id = csv.column("id");
//   while (csv.next()) use(csv.field(id));
// Error, one line with path and line: no header, a column twice, a row with another number of
// fields, a quote that is never closed or has text behind it. Empty lines are passed over.
class CsvReader {
 public:
  CsvReader(std::string_view bytes, std::string path);

  bool has_column(std::string_view name) const;
  size_t column(std::string_view name) const;  // Error when there is none
  const std::vector<std::string>& columns() const { return columns_; }

  bool next();  // false at the end
  const std::string& field(size_t column) const { return fields_[column]; }
  std::string place() const;  // "path: line 7", for messages on the row last read

 private:
  bool read_row();
  void read_quoted(std::string& field);

  std::string_view rest_;
  std::string path_;
  int64_t line_ = 1, row_line_ = 1;
  std::vector<std::string> columns_, fields_;
};

// The field as it stands in a file: in quotes where it must be.
std::string csv_field(std::string_view field);

}  // namespace soma
