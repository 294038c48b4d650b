// YOLO's polygons (Ultralytics, "instance segmentation datasets"): a line per cell, its class's
// number and x y pairs as shares of the image's width and height; the names of the classes in
// data.yaml or classes.txt.
#include <charconv>

#include "base/check.h"
#include "base/read_file.h"
#include "data/cell_readers.h"
#include "data/sources.h"
#include "masks/polygon.h"

namespace soma {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 20;  // of a list of names

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r\n"), end = text.find_last_not_of(" \t\r\n");
  return begin == text.npos ? std::string_view() : text.substr(begin, end - begin + 1);
}

// The part before `end`, which is taken off with it.
std::string_view cut_off(std::string_view& rest, char end) {
  const size_t at = std::min(rest.find(end), rest.size());
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return part;
}

std::vector<double> numbers_of(std::string_view line, const std::string& place) {
  std::vector<double> numbers;
  while (!line.empty()) {
    const std::string_view word = trimmed(cut_off(line, ' '));
    if (word.empty()) continue;
    double value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    check(error == std::errc() && end == word.data() + word.size(), place,
          "expected a class and x y pairs, found '", word.substr(0, 40), "'");
    numbers.push_back(value);
  }
  return numbers;
}

Rle mask_of(std::vector<double> xy, const std::string& place, ImageSize image) {
  for (size_t i = 0; i < xy.size(); ++i) {
    // A hundredth outside is what Ultralytics' own reader lets pass.
    check(xy[i] >= -.01 && xy[i] <= 1.01, place, "expected shares from 0 to 1, found ", xy[i]);
    xy[i] *= static_cast<double>(i % 2 == 0 ? image.width : image.height);
  }
  return rasterise_polygons({xy}, image.height, image.width);
}

std::string unquoted(std::string_view name) {
  name = trimmed(name);
  const bool quoted =
      name.size() > 1 && name[0] == name.back() && (name[0] == '"' || name[0] == '\'');
  if (!quoted) return std::string(name);
  std::string out;
  const char quote = name[0];
  name = name.substr(1, name.size() - 2);
  for (size_t i = 0; i < name.size(); ++i) {
    const bool escape =
        i + 1 < name.size() && (quote == '"' ? name[i] == '\\' : name.substr(i, 2) == "''");
    out += name[i += escape];
  }
  return out;
}

// "0: cell", "- cell" or "cell"; numbered names must come in order.
void add_name(std::string_view entry, const std::string& place, std::vector<std::string>& names) {
  entry = trimmed(entry);
  if (entry.substr(0, 2) == "- ") return names.push_back(unquoted(entry.substr(2)));
  size_t number = 0;
  const auto [end, error] = std::from_chars(entry.data(), entry.data() + entry.size(), number);
  if (error == std::errc() && end != entry.data() + entry.size() && *end == ':') {
    check(number == names.size(), place, "expected the name of class ", names.size(), ", found '",
          entry.substr(0, 60), "'");
    entry.remove_prefix(static_cast<size_t>(end - entry.data()) + 1);
  }
  names.push_back(unquoted(entry));
}

// `names:` of a data.yaml in the forms that are in use: a block or a flow of a list or a map.
std::vector<std::string> names_of_yaml(std::string_view rest, const std::string& path) {
  std::vector<std::string> names;
  bool within = false;
  for (int64_t number = 1; !rest.empty(); ++number) {
    std::string_view line = cut_off(rest, '\n');
    const std::string place = text(path, ": line ", number);
    if (trimmed(line).empty() || trimmed(line)[0] == '#') continue;
    if (within && line[0] != ' ' && line[0] != '-') break;
    if (within) add_name(line, place, names);
    if (within || line.substr(0, 6) != "names:") continue;
    within = true;
    std::string_view flow = trimmed(line.substr(6));
    if (flow.empty() || flow[0] == '#') continue;
    const bool closed =
        (flow[0] == '[' && flow.back() == ']') || (flow[0] == '{' && flow.back() == '}');
    check(closed, place, "expected names as a list or a map, found '", flow.substr(0, 60), "'");
    for (flow = flow.substr(1, flow.size() - 2); !flow.empty();)
      add_name(cut_off(flow, ','), place, names);
    break;
  }
  return names;
}

}  // namespace

std::vector<FoundCell> read_yolo_cells(std::string_view bytes, const std::string& path,
                                       ImageSize image) {
  if (bytes.substr(0, 3) == "\xEF\xBB\xBF") bytes.remove_prefix(3);
  std::vector<FoundCell> cells;
  for (int64_t number = 1; !bytes.empty(); ++number) {
    const std::string_view line = trimmed(cut_off(bytes, '\n'));
    if (line.empty()) continue;
    const std::string place = text("line ", number);
    std::vector<double> numbers = numbers_of(line, path + ": " + place);
    const double label = numbers[0];
    const auto whole = static_cast<int64_t>(label >= 0 && label < 1e9 ? label : -1);
    check(static_cast<double>(whole) == label, path + ": " + place,
          "expected the number of a class, found ", label);
    numbers.erase(numbers.begin());
    if (numbers.size() == 4) {
      cells.push_back(no_cell(place, "a box only"));
      continue;
    }
    cells.push_back(found_cell(text(whole), place,
                               [&] { return mask_of(numbers, path + ": " + place, image); }));
  }
  return cells;
}

std::vector<std::string> read_yolo_names(const std::string& folder) {
  std::string at = folder;
  for (int up = 0; up < 3; ++up, at += "/..") {
    for (const char* name : {"data.yaml", "dataset.yaml"}) {
      const std::string path = at + "/" + name;
      if (!is_file(path)) continue;
      std::vector<std::string> names = names_of_yaml(read_file(path, kMostBytes), path);
      if (!names.empty()) return names;
    }
    if (!is_file(at + "/classes.txt")) continue;
    const std::string bytes = read_file(at + "/classes.txt", kMostBytes);
    std::vector<std::string> names;
    for (std::string_view rest = bytes; !rest.empty();) {
      const std::string_view name = trimmed(cut_off(rest, '\n'));
      if (!name.empty()) names.emplace_back(name);
    }
    return names;
  }
  return {};
}

}  // namespace soma
