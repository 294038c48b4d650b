#include "weights/pickle.h"

#include <cstring>

#include "base/check.h"
#include "weights/pickle_opcodes.h"

namespace soma {

using namespace pickle;

namespace {

// Bounds on what a program may ask for: large checkpoints take some hundred thousand steps.
constexpr int64_t kMaxSteps = 2'000'000;
constexpr size_t kMaxNameBytes = 256;
constexpr uint64_t kHighestProtocol = 5;

}  // namespace

PickleReader::PickleReader(std::string_view file, size_t begin, std::string who)
    : file_(file), position_(begin), who_(std::move(who)) {}

PickleId PickleReader::run() {
  stack_.clear();
  marks_.clear();
  memo_.clear();
  while (step(static_cast<uint8_t>(take(1)[0]))) {
    require(++steps_ <= kMaxSteps, "more than ", kMaxSteps, " steps; no state dict takes so many");
  }
  require(stack_.size() == 1 && marks_.empty(), "it ends with ", stack_.size(),
          " values on its stack, expected one");
  return stack_.back();
}

const PickleValue* PickleReader::find(const PickleValue& dict, std::string_view key) const {
  for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
    const PickleValue& name = values_[dict.items[i]];
    if (name.kind == Kind::text && name.text == key) return &values_[dict.items[i + 1]];
  }
  return nullptr;
}

bool PickleReader::step(uint8_t opcode) {
  switch (opcode) {
    case STOP:
      return false;
    case PROTO: {
      const uint64_t protocol = take_number(1);
      require(protocol <= kHighestProtocol, "pickle protocol ", protocol, ", known are 2 to ",
              kHighestProtocol);
      return true;
    }
    case FRAME:
      take_number(8);
      return true;
    default:
      require(step_data(opcode) || step_container(opcode) || step_memo(opcode), "the opcode ",
              int{opcode}, " has no place in a state dict");
      return true;
  }
}

bool PickleReader::step_data(uint8_t opcode) {
  switch (opcode) {
    case NONE:
      return push({}), true;
    case NEWTRUE:
    case NEWFALSE:
      return push_integer(Kind::boolean, opcode == NEWTRUE), true;
    case BININT:
      return push_integer(Kind::integer, static_cast<int32_t>(take_number(4))), true;
    case BININT1:
      return push_integer(Kind::integer, static_cast<int64_t>(take_number(1))), true;
    case BININT2:
      return push_integer(Kind::integer, static_cast<int64_t>(take_number(2))), true;
    case LONG1:
      return push_long(take_number(1)), true;
    case LONG4:
      return push_long(take_number(4)), true;
    case BINFLOAT:
      take(8);
      return push_integer(Kind::other, 0), true;
    case BINUNICODE:
    case BINSTRING:
      return push_text(Kind::text, take(take_number(4))), true;
    case SHORT_BINUNICODE:
    case SHORT_BINSTRING:
      return push_text(Kind::text, take(take_number(1))), true;
    case BINUNICODE8:
      return push_text(Kind::text, take(take_number(8))), true;
    case BINBYTES:
      return push_text(Kind::bytes, take(take_number(4))), true;
    case SHORT_BINBYTES:
      return push_text(Kind::bytes, take(take_number(1))), true;
    case BINBYTES8:
    case BYTEARRAY8:
      return push_text(Kind::bytes, take(take_number(8))), true;
    default:
      return false;
  }
}

bool PickleReader::step_container(uint8_t opcode) {
  switch (opcode) {
    case MARK:
      return marks_.push_back(stack_.size()), true;
    case EMPTY_TUPLE:
      return push_tuple(0), true;
    case TUPLE1:
    case TUPLE2:
    case TUPLE3:
      return push_tuple(opcode - TUPLE1 + 1u), true;
    case TUPLE:
      return push({Kind::tuple, 0, {}, pop_to_mark()}), true;
    case EMPTY_LIST:
      return push({Kind::list, 0, {}, {}}), true;
    case EMPTY_DICT:
      return push({Kind::dict, 0, {}, {}}), true;
    case APPEND:
      return add_items({pop()}, Kind::list), true;
    case APPENDS:
      return add_items(pop_to_mark(), Kind::list), true;
    case SETITEM: {
      const PickleId value = pop();
      const PickleId key = pop();
      return add_items({key, value}, Kind::dict), true;
    }
    case SETITEMS:
      return add_items(pop_to_mark(), Kind::dict), true;
    default:
      return false;
  }
}

bool PickleReader::step_memo(uint8_t opcode) {
  switch (opcode) {
    case BINPUT:
      return memoize(take_number(1)), true;
    case LONG_BINPUT:
      return memoize(take_number(4)), true;
    case MEMOIZE:
      return memoize(memo_.size()), true;
    case BINGET:
      return recall(take_number(1)), true;
    case LONG_BINGET:
      return recall(take_number(4)), true;
    case GLOBAL: {
      const std::string_view module = take_line();
      return push_name(std::string(module), take_line()), true;
    }
    case STACK_GLOBAL: {
      const std::string_view name = values_[pop()].text;
      return push_name(std::string(values_[pop()].text.substr(0, kMaxNameBytes)), name), true;
    }
    case REDUCE:
    case NEWOBJ: {
      const PickleId arguments = pop();
      const PickleId callee = pop();
      require(values_[callee].kind == Kind::name && values_[arguments].kind == Kind::tuple,
              "it calls what is no known constructor");
      return push(called(values_[callee], values_[arguments])), true;
    }
    case BUILD: {
      const PickleId state = pop();
      require(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "its stack is empty");
      return set_state(values_[stack_.back()], values_[state]), true;
    }
    case BINPERSID:
      return push(storage_of(values_[pop()])), true;
    default:
      return false;
  }
}

std::string_view PickleReader::take(uint64_t count) {
  require(count <= file_.size() - position_, "it is cut short: ", count, " bytes are announced, ",
          file_.size() - position_, " are there");
  const std::string_view result = file_.substr(position_, count);
  position_ += count;
  return result;
}

uint64_t PickleReader::take_number(size_t bytes) {
  uint64_t value = 0;
  std::memcpy(&value, take(bytes).data(), bytes);
  return value;
}

std::string_view PickleReader::take_line() {
  const std::string_view rest = file_.substr(position_, kMaxNameBytes + 1);
  const size_t end = rest.find('\n');
  require(end != std::string_view::npos, "a name of more than ", kMaxNameBytes,
          " bytes, or cut short");
  position_ += end + 1;
  return rest.substr(0, end);
}

PickleId PickleReader::push(PickleValue value) {
  // Some constructors copy what they are given, and may be given the same again and again.
  items_ += static_cast<int64_t>(value.items.size());
  require(items_ <= 2 * kMaxSteps, "more than ", 2 * kMaxSteps,
          " items; no state dict has so many");
  values_.push_back(std::move(value));
  stack_.push_back(static_cast<PickleId>(values_.size() - 1));
  return stack_.back();
}

// Two's complement, least significant byte first; beyond 64 bits its value does not matter.
PickleId PickleReader::push_long(uint64_t bytes) {
  const std::string_view digits = take(bytes);
  if (digits.size() > 8) return push_integer(Kind::other, 0);
  const bool negative = !digits.empty() && (digits.back() & 0x80) != 0;
  uint64_t value = negative ? ~uint64_t{0} : 0;
  if (!digits.empty()) std::memcpy(&value, digits.data(), digits.size());
  return push_integer(Kind::integer, static_cast<int64_t>(value));
}

PickleId PickleReader::pop() {
  require(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "its stack is empty");
  const PickleId id = stack_.back();
  stack_.pop_back();
  return id;
}

std::vector<PickleId> PickleReader::pop_to_mark() {
  require(!marks_.empty(), "it closes a group that it did not open");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleId> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

void PickleReader::push_tuple(size_t count) {
  PickleValue tuple{Kind::tuple, 0, {}, std::vector<PickleId>(count)};
  for (size_t i = count; i-- > 0;) tuple.items[i] = pop();
  push(std::move(tuple));
}

void PickleReader::push_name(const std::string& module, std::string_view name) {
  require(!module.empty() && !name.empty() && name.size() <= kMaxNameBytes,
          "it imports what has no name");
  owned_.push_back(text(module, ".", name));
  require(known(owned_.back()), "it wants ", owned_.back(),
          ", which is no part of a state dict and is not run; save model.state_dict() alone");
  push_text(Kind::name, owned_.back());
}

void PickleReader::add_items(std::vector<PickleId> items, Kind kind) {
  require(stack_.size() > (marks_.empty() ? 0 : marks_.back()), "its stack is empty");
  PickleValue& target = values_[stack_.back()];
  if (target.kind == Kind::other) return;  // a Counter's
  require(target.kind == kind && (kind == Kind::list || items.size() % 2 == 0),
          "it adds items to what is no list or dict");
  target.items.insert(target.items.end(), items.begin(), items.end());
}

void PickleReader::memoize(uint64_t index) {
  require(!stack_.empty(), "its stack is empty");
  memo_[index] = stack_.back();
}

void PickleReader::recall(uint64_t index) {
  const auto found = memo_.find(index);
  require(found != memo_.end(), "it recalls value ", index, ", which it never kept");
  stack_.push_back(found->second);
}

}  // namespace soma
