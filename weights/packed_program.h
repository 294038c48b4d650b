// A program that carries a model behind its last byte (`soma pack`), so that one file is both: the
// ELF file as it was, zeros up to a page, a header, the configuration, zeros up to a page, the
// weights file as it was. A page's start keeps the weights aligned where the program is mapped.
#pragma once
#include <string>
#include <string_view>

namespace soma {

struct PackedModel {
  std::string_view configuration;  // TOML
  std::string_view weights;        // a weights file of any form (weights_file.h)
};

bool is_program(std::string_view file);  // an ELF file of 64 bits, as Linux runs them

// Whether anything stands behind the program's last byte. Error: `who` is a program that was cut.
bool carries_more(std::string_view program, const std::string& who);

// What the program carries, its checksums compared. Error, one line that starts with `who`: no
// model, or one that was cut or altered.
PackedModel packed_model(std::string_view program, const std::string& who);

// Writes an executable file atomically; its bytes are a function of the arguments only. `program`
// carries nothing yet. Error: a folder at `out`, a full disk, ...
void write_packed_program(const std::string& out, std::string_view program,
                          const PackedModel& model);

}  // namespace soma
