// The manual page, made from the table of commands and the list of configuration keys.
#pragma once
#include <string>

namespace soma {

// The page of `soma --manual`: roff with the man macros, for man(1) and `man -l`.
std::string manual_page(const std::string& version);

}  // namespace soma
