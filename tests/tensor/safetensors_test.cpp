#include "tensor/safetensors.h"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace soma {
namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path = fs::temp_directory_path() /
                  ("soma_safetensors_" + std::to_string(reinterpret_cast<uintptr_t>(this)));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string file(const std::string& name) const { return (path / name).string(); }
};

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void put(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// A file by the format's definition: length, header, data.
std::string container(const std::string& json, const std::string& data) {
  std::string out(8, '\0');
  const uint64_t length = json.size();
  std::memcpy(out.data(), &length, 8);
  return out + json + data;
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return text("\"", name, "\":{\"dtype\":\"", dtype, "\",\"shape\":", shape,
              ",\"data_offsets\":", offsets, "}");
}

std::string error_of(const std::string& path) {
  try {
    read_safetensors(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.bytes())) == 0;
}

NamedTensors every_type() {
  NamedTensors tensors;
  const Tensor values = Tensor::of<double>({2, 3}, {0, 1, 2.5, 3, 100, 7});
  for (const DType dtype :
       {DType::f32, DType::f64, DType::i32, DType::i64, DType::u8, DType::f16, DType::bf16})
    tensors["t." + std::string(name_of(dtype))] = values.to(dtype);
  tensors["none"] = Tensor::empty({0, 5});
  tensors["scalar"] = Tensor::full({}, 42, DType::i64);
  tensors["odd \"name\" \xC3\xA4"] = Tensor::of<uint8_t>({3}, {1, 2, 3});
  return tensors;
}

}  // namespace

TEST_CASE("every type, empty tensors, scalars and metadata read back equal") {
  const Folder folder;
  const std::string path = folder.file("a.safetensors");
  const NamedTensors tensors = every_type();
  const Metadata metadata = {{"classes", "a\nb"}, {"", "x"}};
  write_safetensors(path, tensors, metadata);
  const Safetensors back = read_safetensors(path);
  CHECK(back.metadata == metadata);
  REQUIRE(back.tensors.size() == tensors.size());
  for (const auto& [name, tensor] : tensors) CHECK(same_bytes(back.tensors.at(name), tensor));

  const std::string first = bytes_of(path);
  write_safetensors(path, tensors, metadata);
  CHECK(bytes_of(path) == first);
  for (const SafetensorsEntry& item : read_safetensors_header(path).entries)
    CHECK(item.begin % size_of(item.dtype) == 0);

  write_safetensors(path, {});
  CHECK(read_safetensors(path).tensors.empty());
}

TEST_CASE("a written file follows the format to the letter") {
  const Folder folder;
  const std::string path = folder.file("a.safetensors");
  write_safetensors(path,
                    {{"b", Tensor::of<float>({1}, {1.f})}, {"a", Tensor::of<uint8_t>({1}, {7})}});
  std::string json = "{" +
                     std::string("\"a\":{\"data_offsets\":[4,5],\"dtype\":\"U8\",\"shape\":[1]},") +
                     "\"b\":{\"data_offsets\":[0,4],\"dtype\":\"F32\",\"shape\":[1]}}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  CHECK(bytes_of(path) == container(json, std::string("\0\0\x80\x3F\x07", 5)));
}

TEST_CASE("a file cut at any byte is refused and named") {
  const Folder folder;
  const std::string path = folder.file("a.safetensors");
  write_safetensors(path, every_type(), {{"k", "v"}});
  const std::string whole = bytes_of(path);
  for (size_t size = whole.size(); size-- > 0;) {
    fs::resize_file(path, size);
    const std::string error = error_of(path);
    REQUIRE_MESSAGE(error.rfind(path, 0) == 0, "cut at ", size, ": ", error);
    REQUIRE(error.find('\n') == std::string::npos);
  }
  put(path, whole + "x");
  CHECK(error_of(path).find("after the last tensor") != std::string::npos);
}

TEST_CASE("a flipped header bit is refused or gives tensors of the same total size") {
  const Folder folder;
  const std::string path = folder.file("a.safetensors");
  write_safetensors(path, every_type(), {{"k", "v"}});
  const std::string whole = bytes_of(path);
  const int64_t begin = read_safetensors_header(path).data_begin;
  const std::string json = whole.substr(8, static_cast<size_t>(begin - 8));
  const int64_t data_bytes = static_cast<int64_t>(whole.size()) - begin;
  size_t refused = 0;
  for (size_t bit = 0; bit < json.size() * 8; ++bit) {
    std::string broken = json;
    broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ (1 << bit % 8));
    try {
      int64_t total = 0;
      for (const SafetensorsEntry& item : parse_safetensors_header(broken, data_bytes, "x").entries)
        total += item.shape.numel() * size_of(item.dtype);
      REQUIRE(total == data_bytes);
    } catch (const Error& error) {
      REQUIRE(std::string(error.what()).find('\n') == std::string::npos);
      ++refused;
    }
  }
  CHECK(refused > json.size() * 6);  // letters of names may change unnoticed
}

TEST_CASE("headers that lie are refused for the right reason") {
  const Folder folder;
  const std::string path = folder.file("a.safetensors");
  const std::string good = entry("a", "F32", "[2]", "[0,8]"), data(8, '\1');
  const auto refusal = [&](const std::string& json, const std::string& bytes) {
    put(path, container(json, bytes));
    return error_of(path);
  };
  REQUIRE(refusal("{" + good + "}   ", data).empty());
  const struct {
    std::string json, words;
  } cases[] = {
      {"", "no JSON object"},
      {" {" + good + "}", "no JSON object"},
      {"[" + good + "]", "no JSON object"},
      {"{" + good, "not valid JSON"},
      {"{" + good + "}x", "not valid JSON"},
      {"{" + good + "," + good + "}", "twice"},
      {"{" + good + ",\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", "twice"},
      {"{" + good + ",\"__metadata__\":{\"k\":1}}", "number"},
      {"{" + good + ",\"__metadata__\":\"k\"}", "text"},
      {"{" + entry("a", "F31", "[2]", "[0,8]") + "}", "element type"},
      {"{" + entry("a", "f32", "[2]", "[0,8]") + "}", "element type"},
      {"{" + entry("a", "F32", "[3]", "[0,8]") + "}", "needs 12"},
      {"{" + entry("a", "F32", "[2]", "[8,0]") + "}", "data_offsets are 8 and 0"},
      {"{" + entry("a", "F32", "[4]", "[0,16]") + "}", "cut short"},
      {"{" + entry("a", "F32", "[1]", "[4,8]") + "}", "expected 0"},
      {"{" + entry("a", "F32", "[1]", "[0,4]") + "}", "4 bytes after"},
      {"{" + good + "," + entry("b", "F32", "[1]", "[4,8]") + "}", "expected 8"},
      {"{" + good + "," + entry("b", "F32", "[2]", "[0,8]") + "}", "expected 8"},
      {"{" + entry("a", "F32", "[-2]", "[0,8]") + "}", "negative"},
      {"{" + entry("a", "F32", "[2.0]", "[0,8]") + "}", "fraction"},
      {"{" + entry("a", "F32", "[2]", "[0,8,8]") + "}", "two data_offsets"},
      {"{" + entry("a", "F32", "[2]", "[[0,8]]") + "}", "list"},
      {"{" + entry("a", "F32", "[1,1,1,1,1,2]", "[0,8]") + "}", "6 extents"},
      {"{" + entry("a", "F32", "[4294967296,4294967296,4294967296]", "[0,8]") + "}", "too many"},
      {"{" + entry("a", "F32", "[99999999999999999999999]", "[0,8]") + "}", "fraction"},
      {"{" + entry("a", "F32", "[18446744073709551615]", "[0,8]") + "}", "too large"},
      {"{" + entry("a", "F32", "[2]", "[0,18446744073709551615]") + "}", "too large"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", "lacks"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":\"y\"}}", "text"},
      {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}",
       "text"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"shape\":[2],\"data_offsets\":[0,8]}}",
       "two shapes"},
      {"{\"a\":3}", "number"},
      {"{\"a\":null}", "null"},
      {"{\"a\\nb\":{}}", "control"},
      {"{\"a\xFF\":{}}", "not valid JSON"},
      {"{\"a\":" + std::string(100000, '{'), "not valid JSON"},
      {"{\"a\":{\"shape\":" + std::string(100000, '['), "list"},
  };
  for (const auto& [json, words] : cases) {
    const std::string error = refusal(json, data), of = json.substr(0, 80);
    CHECK_MESSAGE(error.find(words) != std::string::npos, of, " gave: ", error);
    CHECK(error.rfind(path + ": ", 0) == 0);
  }
  CHECK(!refusal("{}", data).empty());
  CHECK(refusal("{}", "").empty());
}

TEST_CASE("a header length that lies allocates nothing") {
  const Folder folder;
  const std::string path = folder.file("a.safetensors");
  for (const uint64_t length :
       {uint64_t{9}, uint64_t{100'000'001}, uint64_t{1} << 40, ~uint64_t{0}}) {
    std::string bytes(16, ' ');
    std::memcpy(bytes.data(), &length, 8);
    put(path, bytes);
    CHECK(error_of(path).find("header would take") != std::string::npos);
  }
  // A header that is all there but past the bound; the file is sparse.
  std::string bytes(8, ' ');
  const uint64_t length = 100'000'001;
  std::memcpy(bytes.data(), &length, 8);
  put(path, bytes + "{");
  fs::resize_file(path, 100'000'100);
  CHECK(error_of(path).find("at most 100000000") != std::string::npos);
}

TEST_CASE("what is no file is refused") {
  const Folder folder;
  CHECK(error_of(folder.file("missing")).find("no file") != std::string::npos);
  CHECK(error_of(folder.path.string()).find("no file") != std::string::npos);
  CHECK(error_of("/dev/zero").find("no file") != std::string::npos);
  put(folder.file("empty"), "");
  CHECK(error_of(folder.file("empty")).find("has 0 bytes") != std::string::npos);
}

TEST_CASE("names and folders that cannot be written are refused, the old file stays") {
  const Folder folder;
  const std::string path = folder.file("a.safetensors");
  write_safetensors(path, {{"a", Tensor::full({1}, 1)}});
  const std::string before = bytes_of(path);
  for (const std::string& name :
       {std::string("__metadata__"), std::string("a\nb"), std::string("\xFF")})
    CHECK_THROWS_AS(write_safetensors(path, {{name, Tensor::full({1}, 2)}}), Error);
  CHECK_THROWS_AS(write_safetensors(path, {{"a", Tensor()}}), Error);
  CHECK(bytes_of(path) == before);
  CHECK_THROWS_AS(write_safetensors(folder.file("no/a"), {{"a", Tensor::full({1}, 1)}}), Error);
}

}  // namespace soma
