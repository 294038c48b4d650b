// Programs that are no state dict: each is one line of error, in bounded memory and time.
#include "weights/pickle.h"

#include <doctest/doctest.h>

#include "base/check.h"
#include "tests/support/temp_dir.h"
#include "tests/weights/archive.h"

namespace soma::test {
namespace {

std::string refusal(const std::string& program) {
  return error_of([&] {
    PickleReader reader(program, 0, "file");
    reader.run();
  });
}

const std::string kHead = "\x80\2";

}  // namespace

TEST_CASE("plain data: numbers of every width, texts, containers") {
  const std::string program = kHead + "}(" + word("a") + "J\xFE\xFF\xFF\xFF" + word("b") +
                              std::string("M\0\1", 3) + word("c") + "\x8a\2\xFF\x7F" + word("d") +
                              std::string("\x8a\0", 2) + word("e") + "\x8a\1\xFF" + word("f") +
                              "](K\1K\2e" + word("g") + "K\3\x85u.";
  PickleReader reader(program, 0, "file");
  const PickleValue& dict = reader[reader.run()];
  const auto integer = [&](const char* key) { return reader.find(dict, key)->integer; };
  CHECK(integer("a") == -2);
  CHECK(integer("b") == 256);
  CHECK(integer("c") == 32767);
  CHECK(integer("d") == 0);
  CHECK(integer("e") == -1);
  CHECK(reader.find(dict, "f")->items.size() == 2);
  CHECK(reader.find(dict, "g")->items.size() == 1);
  CHECK(reader.find(dict, "h") == nullptr);
  CHECK(reader.position() == program.size());
}

TEST_CASE("hostile programs are named, never run") {
  const struct {
    std::string program, words;
  } cases[] = {
      {kHead + "cos\nsystem\n" + word("touch /tmp/x") + "\x85R.", "it wants os.system"},
      {kHead + "cposix\nsystem\n" + word("true") + "\x85R.", "it wants posix.system"},
      {kHead + "c__builtin__\neval\n" + word("1") + "\x85R.", "it wants __builtin__.eval"},
      {kHead + "\x8c\2os\x8c\6system\x93.", "it wants os.system"},
      {kHead + "cbuiltins\ngetattr\n.", "it wants builtins.getattr"},
      {kHead + "ctorch.nn.modules.conv\nConv2d\n)\x81.", "it wants torch.nn.modules.conv.Conv2d"},
      // REDUCE of a REDUCE's value; of names that stand for no constructor.
      {kHead + "ccollections\nOrderedDict\n)R)R.", "calls what is no known constructor"},
      {kHead + "ctorch\nFloatStorage\n)R.", "it calls torch.FloatStorage"},
      {kHead + "cnumpy\nndarray\n)R.", "it calls numpy.ndarray"},
      {kHead + "ccollections\nOrderedDict\nK\1R.", "calls what is no known constructor"},
      {kHead + "ctorch._utils\n_rebuild_tensor_v2\n)R.", "a tensor's storage is missing"},
      {kHead + "ctorch._utils\n_rebuild_parameter\n)R.", "needs an argument"},
      {kHead + "(ios\nsystem\n.", "the opcode 105"},  // INST
      {kHead + "P0\n.", "the opcode 80"},             // PERSID
      {kHead + "\x82\1.", "the opcode 130"},          // EXT1
      {kHead + "\x97.", "the opcode 151"},            // NEXT_BUFFER
      {kHead + "K\1Q.", "no torch storage"},
      {kHead + "N0.", "the opcode 48"},
      {kHead + ".", "0 values on its stack"},
      {kHead + "K\1K\1.", "2 values on its stack"},
      {kHead + "K\1(.", "it ends with 1 values"},
      {kHead + "t.", "closes a group"},
      {kHead + "s.", "stack is empty"},
      {kHead + "K\1(\x85.", "stack is empty"},
      {kHead + "q\1.", "stack is empty"},
      {kHead + "h\1.", "recalls value 1"},
      {kHead + "K\1K\2a.", "adds items to what is no list"},
      {kHead + "}(K\1u.", "adds items"},
      {kHead + "K\1}b.", "state of what has none"},
      {"\x80\x09.", "protocol 9"},
      {kHead + "X\xFF\xFF\xFF\xFF", "cut short"},
      {kHead + "\x8d\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF.", "cut short"},
      {kHead + "T\xFF\xFF\xFF\xFF.", "cut short"},
      {kHead + "\x8b\xFF\xFF\xFF\xFF.", "cut short"},
      {kHead + "c" + std::string(300, 'x') + "\n", "a name of more than"},
      {kHead + word(std::string(300, 'x')) + word("y") + "\x93.", "it wants xxx"},
      {kHead + "K\1K\2\x93.", "imports what has no name"},
      {kHead + "c_codecs\nencode\n(" + word("a") + word("rot13") + "tR.", "the codec rot13"},
      {kHead + "c_codecs\nencode\n(" + word("\xC4\x80") + word("latin1") + "tR.", "not latin1"},
      {kHead + "c_codecs\nencode\n(" + word("\xC3") + word("latin1") + "tR.", "not latin1"},
      {"", "cut short"},
  };
  for (const auto& [program, words_of_case] : cases) {
    const auto& words = words_of_case;
    const std::string error = refusal(program);
    CHECK_MESSAGE(contains(error, words), words, " gave: ", error);
    CHECK(error.starts_with("file: "));
    CHECK(error.find('\n') == std::string::npos);
  }
}

TEST_CASE("numpy arrays that lie") {
  const auto dtype = [](const std::string& name, const std::string& order) {
    return "cnumpy\ndtype\n(" + word(name) + "\x89\x88tR(K\3" + word(order) + "NNNK\1K\1K\2tb";
  };
  const auto array = [&](const std::string& shape, const std::string& type, size_t bytes) {
    return kHead + "cnumpy.core.multiarray\n_reconstruct\n)R(K\1" + shape + type + "\x89" + "C" +
           static_cast<char>(bytes) + std::string(bytes, '\0') + "tb.";
  };
  REQUIRE(refusal(array(numbers({2}), dtype("f4", "<"), 8)).empty());
  CHECK(contains(refusal(array(numbers({3}), dtype("f4", "<"), 8)), "needs 12 bytes, has 8"));
  CHECK(contains(refusal(array(numbers({2}), dtype("f4", ">"), 8)), "little-endian"));
  CHECK(contains(refusal(array(numbers({2}), dtype("O", "|"), 8)), "numpy's type O"));
  CHECK(contains(refusal(array(numbers({-2}), dtype("f4", "<"), 8)), "negative extent"));
  CHECK(contains(refusal(array("N", dtype("f4", "<"), 8)), "type or shape is missing"));
  CHECK(contains(refusal(array(numbers({2}), "N", 8)), "type or shape is missing"));
}

TEST_CASE("memo bombs and endless programs end in an error") {
  // Each list holds the one before ten times; a reader that copied would need 10^30 items.
  std::string bomb = kHead + "]q\1";
  for (int i = 0; i < 30; ++i) bomb += "](h\1h\1h\1h\1h\1h\1h\1h\1h\1h\1eq\1";
  CHECK(contains(refusal(bomb + "."), "values on its stack"));
  // A list within itself is never walked.
  CHECK(contains(refusal(kHead + "]q\1h\1aK\1."), "2 values"));
  CHECK(contains(refusal(kHead + std::string(2'100'000, 'N')), "steps"));
  CHECK(contains(refusal(kHead + std::string(2'100'000, '(')), "steps"));
  // One wide tuple, handed to a constructor that gives it back, again and again.
  std::string wide = kHead + "(" + std::string(100'000, 'N') + "tq\1";
  for (int i = 0; i < 100; ++i) wide += "ctorch\nSize\nh\1\x85R";
  CHECK(contains(refusal(wide + "."), "items"));
  // One text, decoded again and again.
  std::string codec = kHead + word(std::string(10'000, 'x')) + "q\1";
  for (int i = 0; i < 100; ++i) codec += "c_codecs\nencode\n(h\1" + word("latin1") + "tR";
  CHECK(contains(refusal(codec + "."), "more text to decode"));
}

}  // namespace soma::test
