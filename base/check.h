// Errors: every failure that a user can cause is an Error whose message is one line that starts
// with who speaks and says what was expected and what was found.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/text.h"

namespace soma {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

[[noreturn]] void throw_error(std::string_view who, const std::string& what);

template <class... Parts>
[[noreturn]] void fail(std::string_view who, const Parts&... parts) {
  throw_error(who, text(parts...));
}

// check(ok, "roi_align", "rois must be [K,5], got ", shape) throws "roi_align: rois must ...".
template <class... Parts>
void check(bool ok, std::string_view who, const Parts&... parts) {
  if (!ok) [[unlikely]]
    fail(who, parts...);
}

}  // namespace soma
