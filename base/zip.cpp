#include "base/zip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

#include "base/check.h"

namespace soma {
namespace {

constexpr uint32_t kLocalSignature = 0x04034b50, kEntrySignature = 0x02014b50,
                   kEndSignature = 0x06054b50, kEnd64Signature = 0x06064b50,
                   kLocator64Signature = 0x07064b50;
constexpr size_t kLocalBytes = 30, kEntryBytes = 46, kEndBytes = 22, kEnd64Bytes = 56,
                 kLocator64Bytes = 20;
constexpr uint32_t kIn64 = 0xFFFFFFFF;  // the number stands in the zip64 field
constexpr uint16_t kEncrypted = 1 | 1 << 6 | 1 << 13;
constexpr uint16_t kZip64Field = 1;
constexpr uint16_t kStored = 0, kDeflated = 8, kUtf8 = 1 << 11, kVersion = 20;
constexpr uint32_t kFirstDay = 0x00210000;  // of zip's calendar: 1 January 1980, 0:00
constexpr size_t kMostMembers = 65535;

// Little-endian numbers at places of the file, each checked.
class Bytes {
 public:
  Bytes(std::string_view file, std::string_view who) : file_(file), who_(who) {}

  template <class T>
  T at(uint64_t place) const {
    T value;
    std::memcpy(&value, piece(place, sizeof(T)).data(), sizeof(T));
    return value;
  }
  std::string_view piece(uint64_t place, uint64_t count) const {
    check(place <= file_.size() && count <= file_.size() - place, who_,
          "the zip archive names byte ", place, " and ", count, " more, the file has ",
          file_.size(), "; cut short or damaged");
    return file_.substr(place, count);
  }
  bool has(uint64_t place, uint32_t signature) const {
    return place <= file_.size() && file_.size() - place >= 4 && at<uint32_t>(place) == signature;
  }
  size_t size() const { return file_.size(); }
  template <class... Parts>
  void require(bool good, const Parts&... parts) const {
    check(good, who_, "zip archive: ", parts...);
  }

 private:
  std::string_view file_, who_;
};

struct Directory {
  uint64_t begin = 0, bytes = 0, count = 0;
};

Directory find_directory(const Bytes& file) {
  file.require(file.size() >= kEndBytes, "its end is missing; the file is cut short");
  const uint64_t end = file.size() - kEndBytes;  // no comment: those we read write none
  file.require(file.has(end, kEndSignature),
               "its end is missing; the file is cut short or something follows the archive");
  Directory found{file.at<uint32_t>(end + 16), file.at<uint32_t>(end + 12),
                  file.at<uint16_t>(end + 10)};
  uint64_t after = end;
  if (end >= kLocator64Bytes + kEnd64Bytes &&
      file.has(end - kLocator64Bytes, kLocator64Signature)) {
    after = file.at<uint64_t>(end - kLocator64Bytes + 8);
    file.require(after == end - kLocator64Bytes - kEnd64Bytes && file.has(after, kEnd64Signature),
                 "its zip64 end is not where it should be");
    found = {file.at<uint64_t>(after + 48), file.at<uint64_t>(after + 40),
             file.at<uint64_t>(after + 32)};
  }
  file.require(found.begin <= after && found.bytes == after - found.begin,
               "its directory does not end where the archive's end begins");
  file.require(found.count <= found.bytes / kEntryBytes, found.count,
               " members do not fit its directory");
  return found;
}

struct Entry {
  uint64_t stored = 0, size = 0, offset = 0;
};

// Numbers of 64 bits stand in an extra field, in this order, where those of 32 are all ones.
void read_zip64(const Bytes& file, uint64_t begin, uint64_t end, Entry& entry) {
  for (uint64_t field = begin; field + 4 <= end;) {
    const uint64_t next = field + 4 + file.at<uint16_t>(field + 2);
    if (next <= end && file.at<uint16_t>(field) == kZip64Field) {
      uint64_t place = field + 4;
      for (uint64_t* number : {&entry.size, &entry.stored, &entry.offset}) {
        if (*number != kIn64 || place + 8 > next) continue;
        *number = file.at<uint64_t>(place);
        place += 8;
      }
    }
    field = next;
  }
}

void check_name(const Bytes& file, const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 32 && c != 127 && c != '\\';
  });
  file.require(plain && !name.empty() && name[0] != '/' &&
                   ("/" + name + "/").find("/../") == std::string::npos,
               "the name '", name, "' leaves the archive");
}

// Reads the entry at `place` and moves on to the next.
ZipMember read_entry(const Bytes& file, uint64_t& place, uint64_t directory) {
  file.require(file.has(place, kEntrySignature), "its directory is damaged at byte ", place);
  const uint64_t name_bytes = file.at<uint16_t>(place + 28);
  ZipMember member{
      std::string(file.piece(place + kEntryBytes, name_bytes)), {}, file.at<uint32_t>(place + 16)};
  check_name(file, member.name);
  file.require((file.at<uint16_t>(place + 8) & kEncrypted) == 0, member.name, " is encrypted");
  const auto method = file.at<uint16_t>(place + 10);
  file.require(method == kStored || method == kDeflated, member.name, " is compressed by method ",
               method, ", expected deflate");
  Entry entry{file.at<uint32_t>(place + 20), file.at<uint32_t>(place + 24),
              file.at<uint32_t>(place + 42)};
  const uint64_t extra = place + kEntryBytes + name_bytes;
  const uint64_t extra_end = extra + file.at<uint16_t>(place + 30);
  read_zip64(file, extra, extra_end, entry);
  member.deflated = method == kDeflated;
  member.size = entry.size;
  file.require(member.deflated || entry.stored == entry.size, member.name, " has ", entry.stored,
               " bytes of ", entry.size);
  const uint64_t local = entry.offset;
  file.require(local < directory && file.has(local, kLocalSignature), member.name,
               " is not where the directory says");
  const uint64_t begin =
      local + kLocalBytes + file.at<uint16_t>(local + 26) + file.at<uint16_t>(local + 28);
  file.require(file.at<uint16_t>(local + 26) == name_bytes &&
                   file.piece(local + kLocalBytes, name_bytes) == member.name,
               member.name, " has another name where it lies");
  file.require(begin <= directory && entry.stored <= directory - begin, member.name,
               " reaches into the directory");
  member.bytes = file.piece(begin, entry.stored);
  place = extra_end + file.at<uint16_t>(place + 32);
  return member;
}

void check_apart(const Bytes& file, const std::vector<ZipMember>& members) {
  std::set<std::string_view> names;
  std::vector<const ZipMember*> order;
  for (const ZipMember& member : members) {
    file.require(names.insert(member.name).second, "two members are called ", member.name);
    order.push_back(&member);
  }
  std::sort(order.begin(), order.end(), [](const ZipMember* a, const ZipMember* b) {
    return a->bytes.data() < b->bytes.data();
  });
  for (size_t i = 1; i < order.size(); ++i) {
    file.require(order[i - 1]->bytes.data() + order[i - 1]->bytes.size() <= order[i]->bytes.data(),
                 order[i - 1]->name, " and ", order[i]->name, " overlap");
  }
}

uint32_t sum_of(std::string_view bytes) {
  const auto* data = reinterpret_cast<const Bytef*>(bytes.data());
  return static_cast<uint32_t>(crc32_z(0, data, bytes.size()));
}

void check_sum(std::string_view bytes, const ZipMember& member, std::string_view who) {
  const uint32_t sum = sum_of(bytes);
  check(sum == member.crc, who, member.name, " is damaged: its checksum is ", sum, ", expected ",
        member.crc);
}

// All of a deflated member, in one step: its size is known and was checked by the caller.
std::string inflated(const ZipMember& member, std::string_view who) {
  std::string content(member.size, '\0');
  z_stream stream{};
  constexpr int kRaw = -MAX_WBITS;  // no header of zlib's
  check(inflateInit2(&stream, kRaw) == Z_OK, who, member.name, " cannot be inflated");
  constexpr uint64_t kMost = std::numeric_limits<uInt>::max();
  const bool fits = member.bytes.size() <= kMost && content.size() <= kMost;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(member.bytes.data()));
  stream.avail_in = static_cast<uInt>(member.bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(content.data());
  stream.avail_out = static_cast<uInt>(content.size());
  const int result = inflate(&stream, Z_FINISH);
  inflateEnd(&stream);
  check(fits && result == Z_STREAM_END && stream.avail_out == 0, who, member.name,
        " is damaged: it does not inflate to ", member.size, " bytes");
  return content;
}

template <class T>
void put(std::string& out, uint64_t value) {
  for (size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(value >> 8 * i);
}

}  // namespace

std::vector<ZipMember> read_zip_members(std::string_view bytes, std::string_view who) {
  const Bytes file(bytes, who);
  const Directory directory = find_directory(file);
  std::vector<ZipMember> members;
  uint64_t place = directory.begin;
  for (uint64_t i = 0; i < directory.count; ++i) {
    members.push_back(read_entry(file, place, directory.begin));
  }
  file.require(place == directory.begin + directory.bytes,
               "its directory holds more than its members");
  check_apart(file, members);
  return members;
}

std::string zip_content(const ZipMember& member, std::string_view who, uint64_t most) {
  check(member.size <= most, who, member.name, " has ", member.size, " bytes, expected at most ",
        most);
  std::string content = member.deflated ? inflated(member, who) : std::string(member.bytes);
  check_sum(content, member, who);
  return content;
}

void check_crc(const ZipMember& member, std::string_view who) {
  if (member.crc != 0) check_sum(member.bytes, member, who);
}

void ZipWriter::add(const std::string& name, std::string_view content) {
  const uint64_t all = out_.size() + directory_.size() + content.size() + 2 * name.size();
  check(++count_ <= kMostMembers && all < kIn64 - kLocalBytes - kEntryBytes - kEndBytes, who_,
        "is too much for a zip archive: expected at most ", kMostMembers, " members and 4 GiB");
  const auto offset = static_cast<uint32_t>(out_.size());
  std::string common;  // of both headers: flags (names are UTF-8), method, time, sum, sizes
  put<uint16_t>(common, kUtf8), put<uint16_t>(common, kStored), put<uint32_t>(common, kFirstDay);
  put<uint32_t>(common, sum_of(content));
  put<uint32_t>(common, content.size()), put<uint32_t>(common, content.size());
  put<uint16_t>(common, name.size()), put<uint16_t>(common, 0);
  put<uint32_t>(out_, kLocalSignature), put<uint16_t>(out_, kVersion);
  out_ += common + name;
  out_ += content;
  put<uint32_t>(directory_, kEntrySignature), put<uint16_t>(directory_, kVersion);
  put<uint16_t>(directory_, kVersion);
  directory_ += common + std::string(10, '\0');  // comment, disk, attributes
  put<uint32_t>(directory_, offset);
  directory_ += name;
}

std::string ZipWriter::finish() {
  const size_t begin = out_.size();
  out_ += directory_;
  put<uint32_t>(out_, kEndSignature), put<uint32_t>(out_, 0);
  put<uint16_t>(out_, count_), put<uint16_t>(out_, count_);
  put<uint32_t>(out_, directory_.size()), put<uint32_t>(out_, begin), put<uint16_t>(out_, 0);
  return std::move(out_);
}

}  // namespace soma
