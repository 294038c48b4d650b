// Which files of an output folder are a command's own: it lists them in a hidden file there before
// it writes them, replaces what the list of an earlier run names, and touches nothing else.
#pragma once
#include <string>
#include <vector>

namespace soma {

// Claims `names` (relative to `folder`, which exists) for the command called `owner`: the files of
// an earlier run go, so that no old result stands beside new ones. Error, and nothing is changed,
// when one of `names` is there and no earlier run of the command listed it.
void claim_files(const std::string& folder, const std::string& owner,
                 const std::vector<std::string>& names);

}  // namespace soma
