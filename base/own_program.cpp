#include "base/own_program.h"

#include <sys/auxv.h>

#include <filesystem>

#include "base/check.h"

namespace soma {

std::string own_program() {
  namespace fs = std::filesystem;
  const fs::path link = "/proc/self/exe";
  std::error_code error;
  const fs::path place = fs::read_symlink(link, error);
  if (!error && fs::equivalent(place, link, error) && !error) return place.string();
  if (fs::is_regular_file(link, error)) return link.string();
  const auto* started_by = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  check(started_by != nullptr && fs::is_regular_file(started_by, error), "soma",
        "the program's own file cannot be found");
  return started_by;
}

}  // namespace soma
