// Reads the one kind of pickle program that a checkpoint is: plain data (dicts, lists, tuples,
// text, numbers) and tensors. Nothing is imported or run. The few constructors that state dicts
// call are known by name (weights/pickle_calls.cpp); any other name or opcode is an error that
// tells it. Opcodes: Python's Lib/pickle.py, protocols 2 to 5.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "weights/layout.h"

namespace soma {

using PickleId = uint32_t;  // of a value, in the order of their making

struct PickleValue {
  // name: of a class or function; storage, tensor: see below; dtype: numpy's, by its text;
  // array: numpy's, before its state; other: something that no state dict needs.
  enum class Kind : uint8_t {
    none,
    boolean,
    integer,
    text,
    bytes,
    tuple,
    list,
    dict,
    name,
    storage,
    tensor,
    dtype,
    array,
    other
  };
  Kind kind = Kind::none;
  int64_t integer = 0;          // boolean, integer; storage, tensor: place in storages(), tensors()
  std::string_view text;        // text, bytes, name ("torch.FloatStorage"), dtype ("f4")
  std::vector<PickleId> items;  // tuple, list; dict: key, value, key, value
};

// A typed block that a program names and that lies elsewhere in the file.
struct PickleStorage {
  std::string_view key;
  DType dtype = DType::f32;
  int64_t count = 0;   // elements
  int64_t offset = 0;  // of a view of the block (files before torch 1.6), in elements
};

struct PickleTensor {
  std::string_view bytes;  // numpy's elements, in the program itself
  int64_t storage = -1;    // torch's, a place in storages()
  DType dtype = DType::f32;
  Layout layout;
};

class PickleReader {
 public:
  // Reads from `file` at byte `begin`; texts and bytes point into `file`, which must stay.
  PickleReader(std::string_view file, size_t begin, std::string who);
  PickleReader(const PickleReader&) = delete;
  PickleReader& operator=(const PickleReader&) = delete;

  PickleId run();  // the program up to its end; its value
  size_t position() const { return position_; }

  const PickleValue& operator[](PickleId id) const { return values_[id]; }
  const std::vector<PickleStorage>& storages() const { return storages_; }
  const std::vector<PickleTensor>& tensors() const { return tensors_; }
  // Texts decoded by the program, which tensors may point into: to be kept as long as these.
  std::deque<std::string> take_owned() { return std::move(owned_); }
  // The value under a text key of a dict; null when there is none.
  const PickleValue* find(const PickleValue& dict, std::string_view key) const;

 private:
  using Kind = PickleValue::Kind;
  bool step(uint8_t opcode);  // false at the end of the program
  bool step_data(uint8_t opcode);
  bool step_container(uint8_t opcode);
  bool step_memo(uint8_t opcode);

  std::string_view take(uint64_t count);
  uint64_t take_number(size_t bytes);
  std::string_view take_line();
  PickleId push(PickleValue value);
  PickleId push_text(Kind kind, std::string_view text) { return push({kind, 0, text, {}}); }
  PickleId push_integer(Kind kind, int64_t value) { return push({kind, value, {}, {}}); }
  PickleId push_long(uint64_t bytes);
  PickleId pop();
  std::vector<PickleId> pop_to_mark();
  void push_tuple(size_t count);
  void push_name(const std::string& module, std::string_view name);
  void add_items(std::vector<PickleId> items, Kind kind);
  void memoize(uint64_t index);
  void recall(uint64_t index);

  // weights/pickle_calls.cpp: what a state dict's constructors mean.
  bool known(std::string_view name) const;
  PickleValue called(const PickleValue& callee, const PickleValue& arguments);
  PickleValue ordered_dict(const PickleValue& arguments);
  PickleValue torch_tensor(const PickleValue& arguments);
  PickleValue storage_of(const PickleValue& id);
  PickleValue decoded(const PickleValue& arguments);
  PickleValue numpy_from_buffer(const PickleValue& arguments);
  PickleValue numpy_tensor(const PickleValue& bytes, PickleId dtype, PickleId shape, bool columns);
  void set_state(PickleValue& target, const PickleValue& state);
  const PickleValue& argument(const PickleValue& tuple, size_t i, Kind kind, const char* what);
  Shape shape_of(const PickleValue& tuple);

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail(who_, "byte ", position_, " of the program: ", parts...);
  }
  template <class... Parts>
  void require(bool good, const Parts&... parts) const {
    if (!good) refuse(parts...);
  }

  std::string_view file_;
  size_t position_;
  std::string who_;
  int64_t steps_ = 0, items_ = 0;
  size_t decoded_bytes_ = 0;
  std::vector<PickleValue> values_;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;
  std::unordered_map<uint64_t, PickleId> memo_;
  std::vector<PickleStorage> storages_;
  std::vector<PickleTensor> tensors_;
  std::deque<std::string> owned_;  // texts that do not stand in the file as they are
};

}  // namespace soma
