#include "base/json.h"

#include <nlohmann/json.hpp>

namespace soma {
namespace {

std::string text_of(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Json::Json(double value) : text_(text_of(value)) {}

Json::Json(bool value) : text_(value ? "true" : "false") {}

Json::Json(std::string_view value) : text_(text_of(value)) {}

Json::Json(std::initializer_list<Member> members) : Json(object()) {
  for (const Member& member : members) set(member.key, member.value);
}

void Json::separate() {
  if (text_.size() > 1) text_ += ',';
}

void Json::set(std::string_view key, const Json& value) {
  separate();
  text_ += text_of(key) + ':' + value.dump();
}

void Json::push_back(const Json& value) {
  separate();
  text_ += value.dump();
}

std::optional<double> json_number(std::string_view text, const char* key) {
  const auto object = nlohmann::json::parse(text, nullptr, false);
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (found == object.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::vector<std::pair<std::string, double>> json_numbers(std::string_view text) {
  std::vector<std::pair<std::string, double>> numbers;
  const auto object = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!object.is_object()) return numbers;
  for (const auto& [key, value] : object.items())
    if (value.is_number()) numbers.emplace_back(key, value.get<double>());
  return numbers;
}

std::string json_library() {
  const auto part = [](int number) { return std::to_string(number); };
  return "nlohmann-json " + part(NLOHMANN_JSON_VERSION_MAJOR) + '.' +
         part(NLOHMANN_JSON_VERSION_MINOR) + '.' + part(NLOHMANN_JSON_VERSION_PATCH);
}

}  // namespace soma
