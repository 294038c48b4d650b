#include "run/config_value.h"

namespace soma {

void refuse(const Value& value, const std::string& expected) {
  throw UsageError(text("expected ", expected, ", got ", value));
}

std::string in_range(const char* what, const Rule& rule) {
  return text(what, " from ", rule.low, " to ", rule.high);
}

std::string in_words(const Rule& rule) {
  std::string out = "one of";
  for (const std::string& word : rule.words) out += " " + word;
  return out;
}

void parse(const Value& value, bool& out, const Rule&) {
  const auto* flag = value.as<bool>();
  if (flag == nullptr) refuse(value, "true or false");
  out = *flag;
}

void parse(const Value& value, double& out, const Rule& rule) {
  const auto* integer = value.as<int64_t>();
  const auto* number = value.as<double>();
  if (integer == nullptr && number == nullptr) refuse(value, in_range("a number", rule));
  const double found = integer ? static_cast<double>(*integer) : *number;
  if (!(found >= rule.low && found <= rule.high)) refuse(value, in_range("a number", rule));
  out = found;
}

void parse(const Value& value, float& out, const Rule& rule) {
  double number = 0;
  parse(value, number, rule);
  out = static_cast<float>(number);
}

void parse(const Value& value, std::string& out, const Rule& rule) {
  const auto* word = value.as<std::string>();
  if (word == nullptr) refuse(value, rule.words.empty() ? "a text" : in_words(rule));
  const bool known = rule.words.empty() ||
                     std::find(rule.words.begin(), rule.words.end(), *word) != rule.words.end();
  if (!known) refuse(value, in_words(rule));
  out = *word;
}

std::string print(const Value& value) {
  if (const auto* flag = value.as<bool>()) return print(*flag, Rule());
  if (const auto* integer = value.as<int64_t>()) return print(*integer, Rule());
  if (const auto* number = value.as<double>()) return print(*number, Rule());
  if (const auto* word = value.as<std::string>()) return print(*word, Rule());
  const auto* list = value.as<std::vector<Value>>();
  if (list == nullptr) refuse(value, "a number, a text, true, false or a list of them");
  std::string out = "[";
  for (const Value& element : *list) out += text(out.size() > 1 ? ", " : "", print(element));
  return out + "]";
}

std::string print(const std::string& value, const Rule&) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    if (byte >= 32 && byte != 127)
      out += c;
    else
      out += text("\\u00", kHex[byte >> 4], kHex[byte & 15]);
  }
  return out + '"';
}

}  // namespace soma
