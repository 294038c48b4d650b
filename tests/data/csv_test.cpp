#include "data/csv.h"

#include <doctest/doctest.h>

#include "base/check.h"

namespace soma {
namespace {

using Rows = std::vector<std::vector<std::string>>;

Rows read_all(std::string_view bytes) {
  CsvReader csv(bytes, "t.csv");
  Rows rows{csv.columns()};
  while (csv.next()) {
    auto& row = rows.emplace_back();
    for (size_t i = 0; i < csv.columns().size(); ++i) row.push_back(csv.field(i));
  }
  return rows;
}

std::string message_of(std::string_view bytes) {
  try {
    read_all(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST_CASE("rows are the same whatever the line ends, quotes and byte order mark") {
  const Rows expected{{"id", "predicted"}, {"a", "1 2"}, {"b", ""}};
  CHECK(read_all("id,predicted\na,1 2\nb,\n") == expected);
  CHECK(read_all("id,predicted\r\na,1 2\r\nb,") == expected);
  CHECK(read_all("\xEF\xBB\xBFid,predicted\n\na,\"1 2\"\n\r\nb,\"\"\n") == expected);
  CHECK(read_all("\"id\",\"predicted\"\r\n\"a\",1 2\r\n\"b\",\"\"\r\n") == expected);
  CHECK(read_all("id,predicted\na,1 2\nb,\r") == expected);
  CHECK(read_all("id,predicted\na,1 2\nb,\"\"\r") == expected);
}

TEST_CASE("quoted fields hold commas, quotes and line ends") {
  CHECK(read_all("a,b\n\"x,\"\"y\"\"\n\",\"\"\"\"\n") == Rows{{"a", "b"}, {"x,\"y\"\n", "\""}});
}

TEST_CASE("fields come back as they were written") {
  for (const std::string field : {"", "plain", "a,b", "a\"b", "\"", "x\ny", "\r", "\r\n", ",,"}) {
    CHECK(read_all("h,i\n" + csv_field(field) + ",2\n") == Rows{{"h", "i"}, {field, "2"}});
  }
}

TEST_CASE("columns are found by name") {
  CsvReader csv("b,a\n1,2\n", "t.csv");
  CHECK(csv.column("a") == 1);
  CHECK(csv.has_column("b"));
  CHECK_FALSE(csv.has_column("c"));
  CHECK_THROWS_WITH_AS(csv.column("c"), "t.csv: expected a column 'c', found b, a", Error);
}

TEST_CASE("a bad table is one line with its place") {
  CHECK(message_of("") == "t.csv: expected a table with a header line, found nothing");
  CHECK(message_of("\n\n") == "t.csv: expected a table with a header line, found nothing");
  CHECK(message_of("a,a\n") == "t.csv: line 1: the column 'a' is there twice");
  CHECK(message_of("a,b\n\"1\n\",2\n\n3\n") ==
        "t.csv: line 5: expected 2 fields as in the header, found 1");
  CHECK(message_of("a,b\n1,\"2") == "t.csv: line 2: a quote is opened and never closed");
  CHECK(message_of("a,b\n1,\"2\"x\n") ==
        "t.csv: line 2: expected a comma or the line's end behind a closing quote");
  CHECK(message_of("a\n") == "no error");
}

TEST_CASE("every cut of a table is read or refused, never past its end") {
  const std::string whole = "\xEF\xBB\xBFid,\"p\"\"q\"\r\n\"a,b\",1 2 3 4\r\nb,\"\"\n";
  for (size_t cut = 0; cut <= whole.size(); ++cut) {
    const std::string part = whole.substr(0, cut);
    message_of(std::string_view(part));
  }
  CHECK(message_of(whole) == "no error");
}

}  // namespace
}  // namespace soma
