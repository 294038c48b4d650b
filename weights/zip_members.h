// The members of a zip archive as torch.save writes it: stored, not compressed, so that each one is
// a piece of the mapped file. Only the central directory is read (APPNOTE.TXT 4.3, with zip64).
// Everything else that zip can do is refused.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace soma {

struct ZipMember {
  std::string name;
  std::string_view bytes;
  uint32_t crc = 0;
};

// In the order of the directory. Error of `who`: cut short, anything before, after or between what
// the directory says, compressed or encrypted members, overlaps, names that leave the archive or
// come twice.
std::vector<ZipMember> read_zip_members(std::string_view file, std::string_view who);

// Error of `who` when the bytes are not those that were written; a sum of 0 says nothing (torch
// leaves it out when asked to).
void check_crc(const ZipMember& member, std::string_view who);

}  // namespace soma
