// JSON text for --json, metrics.jsonl and COCO files. A value is kept as its text, so that the
// library behind it (nlohmann-json) is compiled in json.cpp alone. Keys keep their order.
#pragma once
#include <concepts>
#include <initializer_list>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace soma {

class Json {
 public:
  struct Member;

  Json(double value);  // null where it is not finite
  Json(bool value);
  Json(std::string_view value);  // bytes that are no UTF-8 become U+FFFD
  Json(const char* value) : Json(std::string_view(value)) {}
  Json(const std::string& value) : Json(std::string_view(value)) {}
  template <std::integral T>
  Json(T value) : text_(std::to_string(value)) {}
  template <std::ranges::input_range Values>
  requires(!std::convertible_to<Values, std::string_view>) Json(const Values& values)
      : Json(array()) {
    for (const auto& value : values) push_back(value);
  }
  Json(std::initializer_list<Member> members);  // an object

  static Json object() { return Json('{', '}'); }
  static Json array() { return Json('[', ']'); }

  void set(std::string_view key, const Json& value);  // of an object; a key is set once
  void push_back(const Json& value);                  // of an array

  std::string dump() const { return close_ ? text_ + close_ : text_; }

 private:
  Json(char open, char close) : text_(1, open), close_(close) {}
  void separate();

  std::string text_;  // objects and arrays: without the last bracket
  char close_ = 0;
};

struct Json::Member {
  std::string_view key;
  Json value;
};

// The number that `key` has in the object that `text` holds; nothing where there is none.
std::optional<double> json_number(std::string_view text, const char* key);
// All numbers of that object by their keys, in order; nothing where it is no object.
std::vector<std::pair<std::string, double>> json_numbers(std::string_view text);
std::string json_library();  // name and version

}  // namespace soma
