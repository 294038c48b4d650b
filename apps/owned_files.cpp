#include "apps/owned_files.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "base/atomic_file.h"
#include "base/check.h"
#include "base/read_file.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMostBytes = int64_t{1} << 30;

// A list may come from anywhere with the folder: names that lead out of it are passed over.
bool stays_inside(const fs::path& name) {
  return !name.empty() && name.is_relative() &&
         std::none_of(name.begin(), name.end(), [](const fs::path& part) { return part == ".."; });
}

std::set<std::string> listed(const std::string& list) {
  std::error_code error;
  std::set<std::string> names;
  if (!fs::is_regular_file(list, error)) return names;
  std::istringstream lines(read_file(list, kMostBytes));
  for (std::string line; std::getline(lines, line);)
    if (stays_inside(line)) names.insert(line);
  return names;
}

}  // namespace

void claim_files(const std::string& folder, const std::string& owner,
                 const std::vector<std::string>& names) {
  const fs::path root = folder;
  const std::string list = (root / (".soma-" + owner)).string();
  const std::set<std::string> earlier = listed(list);
  std::error_code error;
  std::string lines;
  for (const std::string& name : names) {
    const fs::path path = root / name;
    check(earlier.contains(name) || !fs::exists(path, error), path.string(), "exists and is no ",
          "earlier result of soma ", owner, "; move it or choose another --out");
    lines += name + "\n";
  }
  for (const std::string& name : earlier)
    if (fs::is_regular_file(root / name, error)) fs::remove(root / name, error);
  write_file_atomically(list, lines);
}

}  // namespace soma
