#include "run/setting.h"

#include <algorithm>

#include "base/usage.h"

// toml++ asserts, and in release builds assumes, that a value does not start with ], } or a comma;
// users can write that. Its assertions become errors in every build.
namespace soma {
[[noreturn]] static void refuse_toml() { throw UsageError("not valid TOML"); }
}  // namespace soma
#undef NDEBUG
#define TOML_ASSERT(condition) ((condition) ? static_cast<void>(0) : soma::refuse_toml())
#define TOML_HEADER_ONLY 1

#include <toml++/toml.h>

#include "base/read_file.h"

namespace soma {
namespace {

std::string one_line(std::string_view words) {
  std::string out(words);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 32) c = ' ';
  return out;
}

// toml++ reaches an unreachable() on letters beyond ASCII outside of strings, so it never sees any:
// each such byte, and ~ itself, becomes ~ and two hexadecimal digits on the way in, and is put back
// in keys and strings on the way out.
constexpr std::string_view kHex = "0123456789abcdef";

std::string to_ascii(std::string_view words) {
  if (words.substr(0, 3) == "\xEF\xBB\xBF") words.remove_prefix(3);
  std::string out;
  for (const char c : words) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 128 && c != '~')
      out += c;
    else
      out += text('~', kHex[byte >> 4], kHex[byte & 15]);
  }
  return out;
}

std::string from_ascii(std::string_view words) {
  std::string out;
  for (size_t i = 0; i < words.size(); ++i) {
    const size_t high = i + 2 < words.size() ? kHex.find(words[i + 1]) : kHex.npos;
    const size_t low = i + 2 < words.size() ? kHex.find(words[i + 2]) : kHex.npos;
    const bool coded = words[i] == '~' && high != kHex.npos && low != kHex.npos;
    out += coded ? static_cast<char>(high * 16 + low) : words[i];
    if (coded) i += 2;
  }
  return out;
}

Value to_value(const toml::node& node) {
  if (const auto flag = node.value_exact<bool>()) return {*flag};
  if (const auto integer = node.value_exact<int64_t>()) return {*integer};
  if (const auto number = node.value_exact<double>()) return {*number};
  if (const auto word = node.value_exact<std::string>()) return {from_ascii(*word)};
  if (!node.is_array()) return {};
  std::vector<Value> list;
  for (const toml::node& element : *node.as_array()) list.push_back(to_value(element));
  return {std::move(list)};
}

// toml++ sorts a table by its keys; settings are wanted as they stand in the file.
struct Placed {
  toml::source_index line;
  Setting setting;
};

void flatten(const toml::table& table, const std::string& prefix, const std::string& path,
             std::vector<Placed>& out) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + from_ascii(name.str());
    const toml::source_index line = node.source().begin.line;
    if (node.is_table())
      flatten(*node.as_table(), key + ".", path, out);
    else
      out.push_back({line, {key, text(path, ":", line, ": ", one_line(key)), to_value(node)}});
  }
}

// False when the text is not exactly one TOML value.
bool parse_value(const std::string& words, Value& out) {
  try {
    const toml::table table = toml::parse("value = " + to_ascii(words));
    if (table.size() != 1 || table.get("value")->is_table()) return false;
    out = to_value(*table.get("value"));
    return true;
  } catch (const toml::parse_error&) {
    return false;
  } catch (const UsageError&) {  // an assertion of toml++
    return false;
  }
}

// [a, 2] becomes ["a", 2].
std::string quote_words(const std::string& list) {
  std::string out;
  Value ignored;
  for (size_t at = 0; at < list.size();) {
    const size_t end = std::min(list.find_first_of("[],", at), list.size());
    const size_t first = std::min(list.find_first_not_of(' ', at), end);
    const std::string word =
        first < end ? list.substr(first, list.find_last_not_of(' ', end - 1) + 1 - first) : "";
    const bool plain = word.empty() || parse_value(word, ignored);
    out += plain ? word : text('"', word, '"');
    if (end < list.size()) out += list[end];
    at = end + 1;
  }
  return out;
}

}  // namespace

std::string Value::to_string() const {
  constexpr size_t kLongest = 60;
  if (const auto* flag = as<bool>()) return text(*flag);
  if (const auto* integer = as<int64_t>()) return text(*integer);
  if (const auto* number = as<double>()) return text(*number);
  if (const auto* word = as<std::string>())
    return text('"', one_line(word->substr(0, kLongest)), '"');
  if (const auto* list = as<std::vector<Value>>()) return text("a list of ", list->size());
  return "a table, date or time";
}

std::vector<Setting> read_settings(const std::string& path) {
  constexpr int64_t kMostBytes = 1 << 20;
  return parse_settings(read_file(path, kMostBytes), path);
}

std::vector<Setting> parse_settings(const std::string& toml, const std::string& name) {
  std::vector<Placed> placed;
  try {
    flatten(toml::parse(to_ascii(toml)), "", name, placed);
  } catch (const UsageError&) {  // an assertion of toml++
    throw UsageError(text(name, ": not valid TOML"));
  } catch (const toml::parse_error& problem) {
    throw UsageError(text(name, ":", problem.source().begin.line,
                          ": not valid TOML: ", one_line(from_ascii(problem.description()))));
  }
  std::stable_sort(placed.begin(), placed.end(),
                   [](const Placed& a, const Placed& b) { return a.line < b.line; });
  std::vector<Setting> settings;
  for (Placed& one : placed) settings.push_back(std::move(one.setting));
  return settings;
}

Setting parse_assignment(const std::string& assignment) {
  const size_t equals = assignment.find('=');
  check_usage(equals != std::string::npos && equals > 0, one_line(assignment),
              "expected key=value");
  const std::string words = assignment.substr(equals + 1);
  Setting setting{assignment.substr(0, equals), one_line(assignment), {words}};
  if (parse_value(words, setting.value)) return setting;
  if (!words.empty() && words[0] == '[') parse_value(quote_words(words), setting.value);
  return setting;
}

}  // namespace soma
