// Zip archives (APPNOTE.TXT 4.3): members of a mapped file as pieces of it, found by the central
// directory alone (with zip64), and a writer of small archives. Encryption, archives of several
// files and what stands before, after or between the members of an archive are refused.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace soma {

struct ZipMember {
  std::string name;
  std::string_view bytes;  // as they are stored
  uint32_t crc = 0;        // of the content
  bool deflated = false;   // else `bytes` are the content
  uint64_t size = 0;       // of the content
};

// In the order of the directory. Error of `who`: cut short, anything before, after or between what
// the directory says, encrypted members, compression but deflate, overlaps, names that leave the
// archive or come twice.
std::vector<ZipMember> read_zip_members(std::string_view file, std::string_view who);

// The content, inflated where need be, its sum checked. Error of `who`: it is damaged, or larger
// than `most` bytes.
std::string zip_content(const ZipMember& member, std::string_view who, uint64_t most);

// Error of `who` when the stored bytes are not those that were written; a sum of 0 says nothing
// (torch leaves it out when asked to).
void check_crc(const ZipMember& member, std::string_view who);

// An archive in memory, its members stored. Error of `who`: more than 65,535 members, or more bytes
// than an archive without zip64 can hold.
class ZipWriter {
 public:
  explicit ZipWriter(std::string who) : who_(std::move(who)) {}
  void add(const std::string& name, std::string_view content);
  std::string finish();  // the bytes of the file

 private:
  std::string who_, out_, directory_;
  size_t count_ = 0;
};

}  // namespace soma
