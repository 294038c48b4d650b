#include "base/json.h"

#include <doctest/doctest.h>

#include <limits>
#include <vector>

using soma::Json;
using soma::json_number;

TEST_CASE("values, arrays and objects become the text of RFC 8259, keys in order") {
  CHECK(Json(1).dump() == "1");
  CHECK(Json(-9007199254740993).dump() == "-9007199254740993");
  CHECK(Json(true).dump() == "true");
  CHECK(Json(0.1).dump() == "0.1");
  CHECK(Json("cell").dump() == "\"cell\"");
  CHECK(Json(std::vector<double>{0.5, 2}).dump() == "[0.5,2.0]");
  CHECK(Json(std::vector<std::string>{"a", "b"}).dump() == "[\"a\",\"b\"]");
  Json outer = {{"z", 1}, {"a", Json{{"b", "c"}}}};
  outer.set("m", Json::array());
  CHECK(outer.dump() == "{\"z\":1,\"a\":{\"b\":\"c\"},\"m\":[]}");
  Json rows = Json::array();
  rows.push_back(Json{{"k", 1}});
  rows.push_back(2);
  CHECK(rows.dump() == "[{\"k\":1},2]");
}

TEST_CASE("nothing is an empty array or object") {
  CHECK(Json::object().dump() == "{}");
  CHECK(Json::array().dump() == "[]");
  CHECK(Json(std::vector<int>{}).dump() == "[]");
  CHECK(Json("").dump() == "\"\"");
}

TEST_CASE("what JSON has no words for") {
  CHECK(Json(std::numeric_limits<double>::quiet_NaN()).dump() == "null");
  CHECK(Json(-std::numeric_limits<double>::infinity()).dump() == "null");
  CHECK(Json("a\"b\\c\n\x01").dump() == "\"a\\\"b\\\\c\\n\\u0001\"");
  CHECK(Json("a\xff").dump() == "\"a\xef\xbf\xbd\"");
  CHECK(Json{{"\"", 1}}.dump() == "{\"\\\"\":1}");
}

TEST_CASE("a number is read back, and only a number of an object") {
  CHECK(json_number("{\"iteration\":20,\"lr\":1e-3}", "iteration") == 20.0);
  CHECK(json_number("{\"iteration\":20,\"lr\":1e-3}", "lr") == 1e-3);
  CHECK(!json_number("{\"iteration\":\"20\"}", "iteration"));
  CHECK(!json_number("{\"iter\":20}", "iteration"));
  for (const char* text : {"", "{\"iteration\":20", "[20]", "20", "null"})
    CHECK(!json_number(text, "iteration"));
}
