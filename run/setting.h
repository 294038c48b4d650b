// Settings as they stand in a configuration file or on the command line: a key, a value, and where
// the value came from, for messages. TOML (toml++) is known to setting.cpp only.
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace soma {

struct Value {
  // monostate: something that no key takes (a date, a time, a table).
  std::variant<std::monostate, bool, int64_t, double, std::string, std::vector<Value>> data;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&data);
  }
  std::string to_string() const;  // for messages: short, one line
};

struct Setting {
  std::string key;    // "train.lr"
  std::string where;  // "run.toml:3: train.lr" or "train.lr=x"
  Value value;
};

// All settings of a TOML file, in its order. Error: it cannot be read; UsageError: it is not TOML.
std::vector<Setting> read_settings(const std::string& path);
// The same of TOML in memory; messages call it `name`.
std::vector<Setting> parse_settings(const std::string& toml, const std::string& name);

// "key=value": the value is read as TOML; what is no TOML value is a string, also inside a list,
// since shells take quotes away: model.classes=[a,b]. UsageError: there is no key or no "=".
Setting parse_assignment(const std::string& assignment);

}  // namespace soma
