// Zip archives, byte by byte from their definition (APPNOTE.TXT 4.3), and pieces of pickle
// programs, for tests that need them wrong in one place.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace soma::test {

template <class T>
std::string little(T value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

struct Member {
  std::string name, bytes;
  uint16_t method = 0, flags = 0;
  int64_t directory_size = -1;    // what the directory says, when it lies
  int64_t directory_offset = -1;  // of the local header
  std::string local_name = {};    // when it differs
  uint32_t crc = 0;
};

inline std::string zip_of(const std::vector<Member>& members) {
  std::string out, directory;
  for (const Member& m : members) {
    const auto offset =
        static_cast<uint32_t>(m.directory_offset >= 0 ? m.directory_offset : out.size());
    const auto size =
        static_cast<uint32_t>(m.directory_size >= 0 ? m.directory_size : m.bytes.size());
    const std::string local = m.local_name.empty() ? m.name : m.local_name;
    const auto name_size = static_cast<uint16_t>(m.name.size());
    const std::string common = little(m.flags) + little(m.method) + little(uint32_t{0}) +
                               little(m.crc) + little(size) + little(size);
    out += "PK\3\4" + little(uint16_t{20}) + common + little(static_cast<uint16_t>(local.size())) +
           little(uint16_t{0}) + local + m.bytes;
    directory += "PK\1\2" + little(uint16_t{20}) + little(uint16_t{20}) + common +
                 little(name_size) + std::string(12, '\0') + little(offset) + m.name;
  }
  const auto count = static_cast<uint16_t>(members.size());
  const auto begin = static_cast<uint32_t>(out.size());
  return out + directory + "PK\5\6" + little(uint32_t{0}) + little(count) + little(count) +
         little(static_cast<uint32_t>(directory.size())) + little(begin) + little(uint16_t{0});
}

inline std::string word(const std::string& text) {  // BINUNICODE
  return std::string("X").append(little(static_cast<uint32_t>(text.size()))).append(text);
}

// A dict of one name and one value, as a whole program.
inline std::string program_of(const std::string& name, const std::string& value) {
  return "\x80\2}" + word(name) + value + "s.";
}

// torch's call that makes a tensor from storage `key` of `count` elements.
inline std::string tensor_code(const std::string& key, int32_t count, int32_t offset,
                               const std::string& size, const std::string& stride,
                               const std::string& type = "FloatStorage") {
  return "ctorch._utils\n_rebuild_tensor_v2\n((" + word("storage") + "ctorch\n" + type + "\n" +
         word(key) + word("cpu") + "J" + little(count) + "tQJ" + little(offset) + size + stride +
         "\x89" + "ccollections\nOrderedDict\n)RtR";
}

inline std::string numbers(const std::vector<int32_t>& values) {  // a tuple
  std::string out = "(";
  for (const int32_t value : values) out.append("J").append(little(value));
  return out + "t";
}

inline std::string torch_file(const std::string& program, const std::string& storage) {
  return zip_of({{"archive/data.pkl", program}, {"archive/data/0", storage}});
}

}  // namespace soma::test
