#include "weights/packed_program.h"

#include <elf.h>
#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/atomic_file.h"
#include "base/check.h"

namespace soma {
namespace {

constexpr uint64_t kPage = 4096;

struct Header {
  char magic[16] = {'s', 'o', 'm', 'a', ' ', 'm', 'o', 'd', 'e', 'l', ' ', '1'};
  uint64_t configuration_bytes = 0, weights_bytes = 0;
  uint32_t configuration_crc = 0, weights_crc = 0;
  uint32_t header_crc = 0;  // of the members above
  uint32_t zero = 0;
};
static_assert(sizeof(Header) == 48);

uint64_t whole_pages(uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

uint32_t crc_of(std::string_view bytes) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::string_view bytes_of(const Header& header) {
  return {reinterpret_cast<const char*>(&header), sizeof header};
}

uint32_t crc_of(const Header& header) {
  return crc_of(bytes_of(header).substr(0, offsetof(Header, header_crc)));
}

// Of a table of the ELF file, or of what one of its rows describes: where it ends.
uint64_t end_within(std::string_view file, uint64_t begin, uint64_t bytes, const std::string& who) {
  check(begin <= file.size() && bytes <= file.size() - begin, who,
        "is a program that was cut: it ends within itself; copy it again");
  return begin + bytes;
}

template <class Row>
Row read_row(std::string_view file, uint64_t begin, const std::string& who) {
  Row row;
  end_within(file, begin, sizeof row, who);
  std::memcpy(&row, file.data() + begin, sizeof row);
  return row;
}

// Linkers and strip put the section table last, but nothing in ELF says so: the farthest end counts
// (System V ABI, chapter 4).
uint64_t program_bytes(std::string_view file, const std::string& who) {
  const auto header = read_row<Elf64_Ehdr>(file, 0, who);
  uint64_t end = sizeof header;
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    const uint64_t begin = header.e_phoff + i * sizeof(Elf64_Phdr);
    const auto segment = read_row<Elf64_Phdr>(file, begin, who);
    end = std::max(
        {end, begin + sizeof segment, end_within(file, segment.p_offset, segment.p_filesz, who)});
  }
  for (uint64_t i = 0; i < header.e_shnum; ++i) {
    const uint64_t begin = header.e_shoff + i * sizeof(Elf64_Shdr);
    const auto section = read_row<Elf64_Shdr>(file, begin, who);
    const bool in_file = section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL;
    end = std::max({end, begin + sizeof section,
                    end_within(file, section.sh_offset, in_file ? section.sh_size : 0, who)});
  }
  return end;
}

}  // namespace

bool is_program(std::string_view file) {
  return file.size() > EI_CLASS && file.starts_with(std::string_view(ELFMAG, SELFMAG)) &&
         file[EI_CLASS] == ELFCLASS64;
}

bool carries_more(std::string_view program, const std::string& who) {
  return program_bytes(program, who) < program.size();
}

PackedModel packed_model(std::string_view program, const std::string& who) {
  constexpr const char* kAgain = "; copy it again, or pack it anew";
  const uint64_t end = program_bytes(program, who);
  check(end < program.size(), who, "is a program without a model; `soma pack` adds one");
  const uint64_t begin = whole_pages(end), size = program.size();
  check(begin <= size && sizeof(Header) <= size - begin, who, "was cut: its model is incomplete",
        kAgain);
  Header header;
  std::memcpy(&header, program.data() + begin, sizeof header);
  check(std::memcmp(header.magic, Header().magic, sizeof header.magic) == 0 &&
            header.header_crc == crc_of(header),
        who, "what stands behind the program is no model of this version of soma", kAgain);
  const uint64_t configuration = begin + sizeof header;
  check(header.configuration_bytes <= size - configuration, who, "was cut: its model is incomplete",
        kAgain);
  const uint64_t weights = whole_pages(configuration + header.configuration_bytes);
  check(weights <= size && header.weights_bytes == size - weights, who, "has ",
        size > weights ? size - weights : 0, " bytes of weights, expected ", header.weights_bytes,
        ": it was cut or added to", kAgain);
  const PackedModel model = {program.substr(configuration, header.configuration_bytes),
                             program.substr(weights)};
  check(crc_of(model.configuration) == header.configuration_crc &&
            crc_of(model.weights) == header.weights_crc,
        who, "its model was altered: the checksums differ", kAgain);
  return model;
}

void write_packed_program(const std::string& out, std::string_view program,
                          const PackedModel& model) {
  Header header;
  header.configuration_bytes = model.configuration.size();
  header.weights_bytes = model.weights.size();
  header.configuration_crc = crc_of(model.configuration);
  header.weights_crc = crc_of(model.weights);
  header.header_crc = crc_of(header);
  AtomicFile file(out);
  uint64_t written = 0;
  const auto write = [&](std::string_view bytes) {
    file.write(bytes);
    written += bytes.size();
  };
  const auto pad = [&] { write(std::string(whole_pages(written) - written, '\0')); };
  write(program);
  pad();
  write(bytes_of(header));
  write(model.configuration);
  pad();
  write(model.weights);
  file.make_executable();
  file.commit();
}

}  // namespace soma
