// The files of tools/goldens/weights.py, which says what they hold: element k is k / 2 - 3 or k.
#include "weights/weights_file.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <set>

#include "base/check.h"
#include "tests/support/temp_dir.h"
#include "tests/weights/archive.h"

namespace soma::test {
namespace {

std::string golden(const std::string& name) {
  const char* root = std::getenv("SOMA_TEST_ROOT");
  check(root != nullptr, "SOMA_TEST_ROOT", "must name the source folder");
  return std::string(root) + "/tests/goldens/weights/" + name;
}

struct Expected {
  std::string name;
  DType dtype;
  Shape shape;
};
const Expected kState[] = {{"brain", DType::bf16, {2, 2}},     {"bytes", DType::u8, {4}},
                           {"count", DType::i64, {}},          {"dense", DType::f32, {2, 3, 2, 2}},
                           {"double", DType::f64, {3}},        {"empty", DType::f32, {0, 4}},
                           {"flags", DType::u8, {3}},          {"half", DType::f16, {5}},
                           {"ints", DType::i32, {3}},          {"parameter", DType::f32, {2}},
                           {"rows", DType::f32, {1, 2}},       {"scalar", DType::f32, {}},
                           {"tied", DType::f32, {4}},          {"tied_too", DType::f32, {4}},
                           {"transposed", DType::f32, {3, 2}}, {"window", DType::f32, {2, 3}}};

void check_tensors(const WeightsFile& file, const std::set<std::string>& absent) {
  CAPTURE(file.path());
  CHECK(file.table().tensors.size() == std::size(kState) - absent.size());
  for (const auto& [name_of_case, dtype, shape] : kState) {
    const auto& name = name_of_case;
    if (absent.contains(name)) continue;
    CAPTURE(name);
    const StoredTensor* tensor = file.find(name);
    REQUIRE(tensor != nullptr);
    CHECK(tensor->elements.dtype == dtype);
    REQUIRE(tensor->elements.layout.shape == shape);
    const std::vector<double> found = to_tensor(file.elements(*tensor)).to_vector<double>();
    for (size_t k = 0; k < found.size(); ++k) {
      const auto number = static_cast<double>(k);
      const double whole = name == "flags" ? static_cast<double>(k % 2) : number;
      CHECK(found[k] == (is_float(dtype) ? number / 2 - 3 : whole));
    }
  }
}

std::string refusal(const std::string& bytes) {
  return error_of([&] { read_weights_table(bytes, "file"); });
}

const std::string kFloats(16, '\1');

// A torch file of one tensor that is made by `value`.
std::string one_tensor(const std::string& value) {
  return torch_file(program_of("a", value), kFloats);
}

}  // namespace

TEST_CASE("every form of file gives names, types, shapes and elements") {
  const std::vector<std::string> beside = {"optimizer", "lr_scheduler", "args", "epoch"};
  for (const auto& [name, form] :
       {std::pair("zip.pth", "torch zip"), std::pair("legacy.pth", "torch (before 1.6)")}) {
    const WeightsFile file(golden(name));
    CHECK(file.table().form == form);
    CHECK(file.table().extras == beside);
    check_tensors(file, {});
  }
  check_tensors(WeightsFile(golden("bare.pth")), {});
  for (const char* name : {"numpy_2.pkl", "numpy_4.pkl", "numpy_5.pkl"}) {
    const WeightsFile file(golden(name));
    CHECK(file.table().form == "pickle of numpy arrays");
    CHECK(file.table().author == "somebody");
    check_tensors(file, {"brain"});
  }
  const WeightsFile file(golden("bool.safetensors"));
  CHECK(file.table().metadata.at("format") == "pt");
  check_tensors(file, {"bytes", "double", "ints", "parameter", "rows", "tied", "tied_too",
                       "transposed", "window"});
}

TEST_CASE("Python 2's blobs, and numpy's older module names") {
  const WeightsFile file(golden("python2.pkl"));
  REQUIRE(file.find("conv1_w") != nullptr);
  CHECK(to_tensor(file.elements(*file.find("conv1_w"))).to_vector<float>() ==
        std::vector<float>{-3, -2.5, -2, -1.5, -1, -0.5});
  CHECK(file.find("conv1") == nullptr);
  std::string bytes = bytes_of(golden("numpy_2.pkl"));
  const std::string now = "numpy._core.", then = "numpy.core.";
  for (size_t at = bytes.find(now); at != std::string::npos; at = bytes.find(now)) {
    bytes.replace(at, now.size(), then);
  }
  const TempDir folder;
  check_tensors(WeightsFile(folder.write("old.pkl", bytes)), {"brain"});
}

TEST_CASE("a state dict without tensors is one; anything else is told") {
  CHECK(read_weights_table(torch_file("\x80\2}.", ""), "file").tensors.empty());
  CHECK(contains(refusal(torch_file("\x80\2].", "")), "holds no dict of tensors"));
  CHECK(contains(refusal(torch_file("\x80\2}" + word("epoch") + "K\1s.", "")), "it holds epoch"));
  CHECK(contains(refusal(""), "is no weights file"));
  CHECK(contains(refusal("\x89PNG\r\n"), "is no weights file"));
  CHECK(contains(error_of([] { WeightsFile("/nowhere/a.pth"); }), "check the path"));
}

TEST_CASE("a file cut at any byte is refused in one line") {
  for (const char* name : {"zip.pth", "bare.pth", "legacy.pth", "numpy_2.pkl", "numpy_4.pkl",
                           "numpy_5.pkl", "python2.pkl", "bool.safetensors"}) {
    const std::string whole = bytes_of(golden(name));
    REQUIRE(!whole.empty());
    for (size_t size = 0; size < whole.size(); ++size) {
      const std::string error = refusal(whole.substr(0, size));
      REQUIRE_MESSAGE(error.starts_with("file: "), name, " cut at ", size, ": ", error);
      REQUIRE(error.find('\n') == std::string::npos);
    }
    REQUIRE_MESSAGE(!refusal(whole + "x").empty(), name, " with a byte more");
  }
}

TEST_CASE("a flipped bit is refused, or gives tensors that lie inside the file") {
  for (const char* name : {"zip.pth", "legacy.pth", "numpy_2.pkl", "numpy_5.pkl"}) {
    const std::string whole = bytes_of(golden(name));
    size_t refused = 0;
    for (size_t bit = 0; bit < whole.size() * 8; bit += 3) {
      std::string broken = whole;
      broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << bit % 8));
      try {
        const WeightsTable table = read_weights_table(broken, "file");
        for (const StoredTensor& tensor : table.tensors) to_tensor(tensor.elements);
      } catch (const Error& error) {
        REQUIRE(std::string(error.what()).find('\n') == std::string::npos);
        ++refused;
      }
    }
    CHECK_MESSAGE(refused > 500, name);
  }
}

TEST_CASE("a flipped bit of a tensor in an archive is found by its checksum") {
  std::string bytes = bytes_of(golden("zip.pth"));
  const TempDir folder;
  const StoredTensor* dense = nullptr;
  const WeightsFile good(folder.write("good.pth", bytes));
  dense = good.find("dense");
  REQUIRE(dense != nullptr);
  const ZipMember& member = good.table().members[static_cast<size_t>(dense->member)];
  const size_t place = bytes.find(std::string(member.bytes));
  REQUIRE(place != std::string::npos);
  bytes[place] = static_cast<char>(bytes[place] ^ 1);
  const WeightsFile bad(folder.write("bad.pth", bytes));
  CHECK(contains(error_of([&] { bad.elements(*bad.find("dense")); }), "is damaged"));
  CHECK(error_of([&] { bad.elements(*bad.find("half")); }).empty());
}

TEST_CASE("tensors that lie about their storage") {
  REQUIRE(refusal(one_tensor(tensor_code("0", 4, 0, numbers({2, 2}), numbers({2, 1})))).empty());
  REQUIRE(refusal(one_tensor(tensor_code("0", 4, 3, numbers({}), numbers({})))).empty());
  const struct {
    std::string value, words;
  } cases[] = {
      {tensor_code("0", 5, 0, numbers({5}), numbers({1})), "its storage holds 4"},
      {tensor_code("0", 4, 0, numbers({5}), numbers({1})), "has 5 elements"},
      {tensor_code("0", 4, 1, numbers({4}), numbers({1})), "reaches outside"},
      {tensor_code("0", 4, -1, numbers({2}), numbers({1})), "reaches outside"},
      {tensor_code("0", 4, 0, numbers({2}), numbers({-1})), "reaches outside"},
      {tensor_code("0", 4, 0, numbers({2}), numbers({4})), "reaches outside"},
      {tensor_code("0", 4, 0, numbers({-2}), numbers({1})), "negative extent"},
      {tensor_code("0", 4, 0, numbers({2, 2}), numbers({1})), "another number of strides"},
      {tensor_code("0", 4, 0, numbers({1, 1, 1, 1, 1, 1}), numbers({1, 1, 1, 1, 1, 1})),
       "more than 5 extents"},
      {tensor_code("0", 4, 0, numbers({2147483647, 2147483647}), numbers({0, 0})), "too many"},
      {tensor_code("0", 4, 0, numbers({2147483647}), numbers({0})), "has 2147483647 elements"},
      {tensor_code("0", -4, 0, numbers({}), numbers({})), "a storage of -4"},
      {tensor_code("1", 4, 0, numbers({}), numbers({})), "lacks archive/data/1"},
      {tensor_code("../0", 4, 0, numbers({}), numbers({})), "lacks archive/data/../0"},
      {tensor_code("0", 4, 0, numbers({}), numbers({}), "CharStorage"), "torch.CharStorage"},
      {tensor_code("0", 4, 0, numbers({}), "N"), "strides"},
  };
  for (const auto& [value, words_of_case] : cases) {
    const auto& words = words_of_case;
    const std::string error = refusal(one_tensor(value));
    CHECK_MESSAGE(contains(error, words), words, " gave: ", error);
  }
}

TEST_CASE("many views of one storage stand for no more than four times the file") {
  std::string items;
  for (int i = 0; i < 400; ++i) {
    items += word(text("t", i)) + tensor_code("0", 4000, 0, numbers({4000}), numbers({1}));
  }
  const std::string error = refusal(torch_file("\x80\2}(" + items + "u.", std::string(16000, 0)));
  CHECK(contains(error, "views of more than 4 times the file"));
}

TEST_CASE("names: twice, or no plain text; wrappers come off when all wear them") {
  const std::string tensor = tensor_code("0", 4, 0, numbers({}), numbers({}));
  const auto table = [&](const std::string& a, const std::string& b) {
    return read_weights_table(
        torch_file("\x80\2}(" + word(a) + tensor + word(b) + tensor + "u.", kFloats), "file");
  };
  CHECK(contains(error_of([&] { table("a", "a"); }), "the tensor a twice"));
  CHECK(contains(error_of([&] { table("a", "b\nc"); }), "no plain text"));
  CHECK(contains(error_of([&] { table("a", "\xFF"); }), "no plain text"));
  CHECK(contains(error_of([&] { table("a", std::string(600, 'x')); }), "no plain text"));
  CHECK(table("module.model.a", "module.model.b").tensors[1].name == "b");
  CHECK(table("module.a", "b").tensors[1].name == "module.a");
}

TEST_CASE("parts of an archive that must be there or must be right") {
  const std::string program = program_of("a", tensor_code("0", 4, 0, numbers({4}), numbers({1})));
  const Member code{"x/data.pkl", program}, data{"x/data/0", kFloats};
  REQUIRE(refusal(zip_of({code, data, {"x/byteorder", "little"}})).empty());
  CHECK(contains(refusal(zip_of({code, data, {"x/byteorder", "big"}})), "byte order"));
  CHECK(contains(refusal(zip_of({data})), "without data.pkl"));
  CHECK(contains(refusal(zip_of({})), "without data.pkl"));
  CHECK(contains(refusal(zip_of({code})), "lacks x/data/0"));
  CHECK(contains(refusal(zip_of({code, data, {"x/constants.pkl", ""}})), "TorchScript"));
  CHECK(contains(refusal(zip_of({{"x/data.pkl", program + "cos\nsystem\n."}, data})),
                 "something follows the program"));
  Member damaged = code;
  damaged.crc = 1;
  CHECK(contains(refusal(zip_of({damaged, data})), "is damaged"));
}

}  // namespace soma::test
