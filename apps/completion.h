// What a shell needs to complete soma's commands, options, their values and configuration keys.
#pragma once
#include <string>

namespace soma {

// The script of `soma --completion SHELL`, made from the table of commands. UsageError: `shell` is
// neither bash nor zsh.
std::string completion_script(const std::string& shell);

}  // namespace soma
