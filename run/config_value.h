// Between a Value and the type of a configuration's member: parse() checks and converts, print()
// writes TOML that parses back equal. One overload per kind of member.
#pragma once
#include <algorithm>
#include <array>
#include <charconv>
#include <concepts>
#include <type_traits>

#include "base/usage.h"
#include "run/setting.h"

namespace soma {

using Words = std::vector<std::string>;

// What a key takes: numbers in [low, high] (of each element in a list), or one of some words (any
// word when there are none; for an enum the words stand in the order of its enumerators).
struct Rule {
  double low = 0, high = 0;
  Words words;
};
inline Rule from(double low, double high) { return {low, high, {}}; }
inline Rule one_of(Words words) { return {0, 0, std::move(words)}; }

[[noreturn]] void refuse(const Value& value, const std::string& expected);
std::string in_range(const char* what, const Rule& rule);  // "an integer from 1 to 8"
std::string in_words(const Rule& rule);                    // "one of a b c"

void parse(const Value& value, bool& out, const Rule& rule);
void parse(const Value& value, double& out, const Rule& rule);  // integers too
void parse(const Value& value, float& out, const Rule& rule);
void parse(const Value& value, std::string& out, const Rule& rule);

template <std::integral T>
void parse(const Value& value, T& out, const Rule& rule) {
  const auto* integer = value.as<int64_t>();
  const double number = integer ? static_cast<double>(*integer) : rule.low - 1;
  if (number < rule.low || number > rule.high) refuse(value, in_range("an integer", rule));
  out = static_cast<T>(*integer);
}

template <class T>
requires std::is_enum_v<T>
void parse(const Value& value, T& out, const Rule& rule) {
  const auto* word = value.as<std::string>();
  const auto* integer = value.as<int64_t>();  // input.pad=32
  const std::string name = word ? *word : integer ? text(*integer) : "";
  const auto found = std::find(rule.words.begin(), rule.words.end(), name);
  if (found == rule.words.end()) refuse(value, in_words(rule));
  out = static_cast<T>(found - rule.words.begin());
}

// A single value stands for a list of one.
template <class T>
void parse(const Value& value, std::vector<T>& out, const Rule& rule) {
  constexpr size_t kMostElements = 1000;
  out.clear();
  const auto* list = value.as<std::vector<Value>>();
  if (list == nullptr) return parse(value, out.emplace_back(), rule);
  if (list->size() > kMostElements) refuse(value, text("at most ", kMostElements, " elements"));
  for (const Value& element : *list) parse(element, out.emplace_back(), rule);
}

template <class T, size_t N>
void parse(const Value& value, std::array<T, N>& out, const Rule& rule) {
  const auto* list = value.as<std::vector<Value>>();
  if (list == nullptr || list->size() != N) refuse(value, text("a list of ", N));
  for (size_t i = 0; i < N; ++i) parse((*list)[i], out[i], rule);
}

std::string print(const Value& value);  // UsageError: no key takes it
std::string print(const std::string& value, const Rule& rule);
inline std::string print(bool value, const Rule&) { return value ? "true" : "false"; }
template <std::integral T>
std::string print(T value, const Rule&) {
  return text(value);
}
template <std::floating_point T>
std::string print(T value, const Rule&) {
  char buffer[32];  // the shortest text that reads back equal in its own type
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}
template <class T>
requires std::is_enum_v<T> std::string print(T value, const Rule& rule) {
  return print(rule.words.at(static_cast<size_t>(value)), rule);
}
template <class List>
std::string print_list(const List& list, const Rule& rule) {
  std::string out = "[";
  for (const auto& element : list) out += text(out.size() > 1 ? ", " : "", print(element, rule));
  return out + "]";
}
template <class T>
std::string print(const std::vector<T>& list, const Rule& rule) {
  return print_list(list, rule);
}
template <class T, size_t N>
std::string print(const std::array<T, N>& list, const Rule& rule) {
  return print_list(list, rule);
}

}  // namespace soma
