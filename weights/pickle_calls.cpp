// The constructors that state dicts call, and nothing else: torch's rebuilding of a tensor from a
// storage (torch/_utils.py), numpy's of an array (numpy/_core/multiarray.py), ordered dicts, and a
// few inert ones that schedulers and scripts leave in checkpoints.
#include <algorithm>
#include <array>

#include "base/check.h"
#include "weights/pickle.h"

namespace soma {
namespace {

struct TypeName {
  std::string_view name;
  DType dtype;
};
constexpr TypeName kStorages[] = {
    {"torch.FloatStorage", DType::f32}, {"torch.DoubleStorage", DType::f64},
    {"torch.HalfStorage", DType::f16},  {"torch.BFloat16Storage", DType::bf16},
    {"torch.LongStorage", DType::i64},  {"torch.IntStorage", DType::i32},
    {"torch.ByteStorage", DType::u8},   {"torch.BoolStorage", DType::u8}};
constexpr TypeName kNumpyTypes[] = {{"f4", DType::f32}, {"f8", DType::f64}, {"f2", DType::f16},
                                    {"i8", DType::i64}, {"i4", DType::i32}, {"u1", DType::u8},
                                    {"b1", DType::u8}};

enum class Call {
  nothing,
  ordered_dict,
  first_argument,
  torch_tensor,
  encode,
  empty_bytes,
  array,
  dtype,
  from_buffer,
  inert
};
struct KnownName {
  std::string_view name;
  Call call;
};
constexpr KnownName kNames[] = {
    {"collections.OrderedDict", Call::ordered_dict},
    {"torch._utils._rebuild_tensor_v2", Call::torch_tensor},
    {"torch._utils._rebuild_tensor", Call::torch_tensor},
    {"torch._utils._rebuild_parameter", Call::first_argument},
    {"torch.Size", Call::first_argument},
    {"numpy.core.multiarray._reconstruct", Call::array},
    {"numpy._core.multiarray._reconstruct", Call::array},
    {"numpy.core.numeric._frombuffer", Call::from_buffer},
    {"numpy._core.numeric._frombuffer", Call::from_buffer},
    {"numpy.dtype", Call::dtype},
    {"_codecs.encode", Call::encode},
    {"__builtin__.bytes", Call::empty_bytes},
    // Their contents are of no use here: a scheduler's milestones, a script's arguments, scores.
    {"collections.Counter", Call::inert},
    {"argparse.Namespace", Call::inert},
    {"torch.device", Call::inert},
    {"numpy.core.multiarray.scalar", Call::inert},
    {"numpy._core.multiarray.scalar", Call::inert},
    // Named, never called.
    {"numpy.ndarray", Call::nothing}};

template <class Table>
auto* entry_of(const Table& table, std::string_view name) {
  const auto* found = std::find_if(std::begin(table), std::end(table),
                                   [&](const auto& entry) { return entry.name == name; });
  return found == std::end(table) ? nullptr : found;
}

Shape transposed(const Shape& shape) {
  Shape result;
  for (int axis = shape.rank(); axis-- > 0;) result.push_back(shape[axis]);
  return result;
}

// Row-major, or with the first axis innermost ("Fortran order").
Layout numpy_layout(const Shape& shape, bool columns) {
  Layout layout = Layout::dense(columns ? transposed(shape) : shape);
  if (columns) {
    std::reverse(layout.stride.begin(), layout.stride.begin() + shape.rank());
    layout.shape = shape;
  }
  return layout;
}

}  // namespace

bool PickleReader::known(std::string_view name) const {
  return entry_of(kNames, name) != nullptr || entry_of(kStorages, name) != nullptr;
}

PickleValue PickleReader::called(const PickleValue& callee, const PickleValue& arguments) {
  const KnownName* entry = entry_of(kNames, callee.text);
  switch (entry == nullptr ? Call::nothing : entry->call) {
    case Call::ordered_dict:
      return ordered_dict(arguments);
    case Call::first_argument:
      require(!arguments.items.empty(), callee.text, " needs an argument");
      return values_[arguments.items[0]];
    case Call::torch_tensor:
      return torch_tensor(arguments);
    case Call::encode:
      return decoded(arguments);
    case Call::empty_bytes:
      require(arguments.items.empty(), "it makes bytes of what are none");
      return {Kind::bytes, 0, {}, {}};
    case Call::array:
      return {Kind::array, 0, {}, {}};
    case Call::dtype:
      return {Kind::dtype, 0, argument(arguments, 0, Kind::text, "numpy.dtype's name").text, {}};
    case Call::from_buffer:
      return numpy_from_buffer(arguments);
    case Call::inert:
      return {Kind::other, 0, {}, {}};
    case Call::nothing:
      break;
  }
  refuse("it calls ", callee.text, ", which has no place in a state dict");
}

const PickleValue& PickleReader::argument(const PickleValue& tuple, size_t i, Kind kind,
                                          const char* what) {
  require(i < tuple.items.size() && values_[tuple.items[i]].kind == kind, what,
          " is missing or of another type");
  return values_[tuple.items[i]];
}

Shape PickleReader::shape_of(const PickleValue& tuple) {
  Shape shape;
  try {
    for (size_t axis = 0; axis < tuple.items.size(); ++axis) {
      shape.push_back(argument(tuple, axis, Kind::integer, "an extent").integer);
    }
  } catch (const Error& error) {
    refuse(error.what());
  }
  return shape;
}

// OrderedDict() or, from Python 2, OrderedDict([[key, value], ...]).
PickleValue PickleReader::ordered_dict(const PickleValue& arguments) {
  PickleValue dict{Kind::dict, 0, {}, {}};
  if (arguments.items.empty()) return dict;
  for (const PickleId id : argument(arguments, 0, Kind::list, "an ordered dict's list").items) {
    const PickleValue& pair = values_[id];
    require((pair.kind == Kind::list || pair.kind == Kind::tuple) && pair.items.size() == 2,
            "an ordered dict's list needs pairs");
    dict.items.insert(dict.items.end(), pair.items.begin(), pair.items.end());
  }
  return dict;
}

// ("storage", torch.FloatStorage, key, device, count[, view or None]), view (key, offset, count).
PickleValue PickleReader::storage_of(const PickleValue& id) {
  require(id.kind == Kind::tuple && id.items.size() >= 5 && id.items.size() <= 6 &&
              values_[id.items[0]].text == "storage",
          "a reference to data is no torch storage");
  const std::string_view type = argument(id, 1, Kind::name, "a storage's type").text;
  const TypeName* entry = entry_of(kStorages, type);
  require(entry != nullptr, type, " is no storage");
  PickleStorage storage{argument(id, 2, Kind::text, "a storage's key").text, entry->dtype,
                        argument(id, 4, Kind::integer, "a storage's size").integer, 0};
  if (id.items.size() == 6 && values_[id.items[5]].kind != Kind::none) {
    const PickleValue& view = argument(id, 5, Kind::tuple, "a storage's view");
    const int64_t whole = storage.count;
    storage.offset = argument(view, 1, Kind::integer, "a view's offset").integer;
    storage.count = argument(view, 2, Kind::integer, "a view's size").integer;
    require(0 <= storage.offset && storage.offset <= whole && 0 <= storage.count &&
                storage.count <= whole - storage.offset,
            "a view reaches outside its storage of ", whole);
  }
  require(storage.count >= 0, "a storage of ", storage.count, " elements");
  storages_.push_back(storage);
  return {Kind::storage, static_cast<int64_t>(storages_.size()) - 1, {}, {}};
}

// (storage, offset, size, stride, ...)
PickleValue PickleReader::torch_tensor(const PickleValue& arguments) {
  const int64_t place = argument(arguments, 0, Kind::storage, "a tensor's storage").integer;
  const PickleStorage& storage = storages_[static_cast<size_t>(place)];
  Layout layout;
  layout.offset = argument(arguments, 1, Kind::integer, "a tensor's offset").integer;
  layout.shape = shape_of(argument(arguments, 2, Kind::tuple, "a tensor's size"));
  const PickleValue& strides = argument(arguments, 3, Kind::tuple, "a tensor's strides");
  require(strides.items.size() == static_cast<size_t>(layout.shape.rank()),
          "a tensor has another number of strides than extents");
  for (size_t axis = 0; axis < strides.items.size(); ++axis) {
    layout.stride[axis] = argument(strides, axis, Kind::integer, "a stride").integer;
  }
  check_inside(layout, storage.count, text(who_, ": byte ", position_, " of the program: tensor"));
  tensors_.push_back({{}, place, storage.dtype, layout});
  return {Kind::tensor, static_cast<int64_t>(tensors_.size()) - 1, {}, {}};
}

// _codecs.encode(text, "latin1"): how Python 3 writes bytes in protocol 2. UTF-8 back to bytes.
PickleValue PickleReader::decoded(const PickleValue& arguments) {
  const std::string_view from = argument(arguments, 0, Kind::text, "_codecs.encode's text").text;
  const std::string_view codec = argument(arguments, 1, Kind::text, "_codecs.encode's codec").text;
  require(codec == "latin1", "the codec ", codec.substr(0, 20), ", known is latin1");
  decoded_bytes_ += from.size();  // the same text may be named again and again
  require(decoded_bytes_ <= file_.size(), "more text to decode than the file holds");
  std::string bytes;
  bytes.reserve(from.size());
  for (size_t i = 0; i < from.size(); ++i) {
    const auto first = static_cast<uint8_t>(from[i]);
    if (first < 0x80) {
      bytes.push_back(from[i]);
      continue;
    }
    const bool pair = (first == 0xC2 || first == 0xC3) && i + 1 < from.size();
    const uint8_t second = pair ? static_cast<uint8_t>(from[++i]) : uint8_t{0};
    require(pair && (second & 0xC0) == 0x80, "a text that is not latin1");
    bytes.push_back(static_cast<char>(((first & 3) << 6) | (second & 0x3F)));
  }
  owned_.push_back(std::move(bytes));
  return {Kind::bytes, 0, owned_.back(), {}};
}

// (buffer, dtype, shape, "C" or "F")
PickleValue PickleReader::numpy_from_buffer(const PickleValue& arguments) {
  const PickleValue& order = argument(arguments, 3, Kind::text, "an array's order");
  return numpy_tensor(argument(arguments, 0, Kind::bytes, "an array's buffer"), arguments.items[1],
                      arguments.items[2], order.text == "F");
}

PickleValue PickleReader::numpy_tensor(const PickleValue& bytes, PickleId dtype, PickleId shape,
                                       bool columns) {
  require(values_[dtype].kind == Kind::dtype && values_[shape].kind == Kind::tuple,
          "an array's type or shape is missing");
  const TypeName* type = entry_of(kNumpyTypes, values_[dtype].text);
  require(type != nullptr, "numpy's type ", values_[dtype].text.substr(0, 20),
          "; known are f2 f4 f8 u1 i4 i8 b1");
  const Shape extents = shape_of(values_[shape]);
  const int64_t needed = extents.numel() * size_of(type->dtype);
  require(static_cast<int64_t>(bytes.text.size()) == needed, "an array ", extents, " needs ",
          needed, " bytes, has ", bytes.text.size());
  tensors_.push_back({bytes.text, -1, type->dtype, numpy_layout(extents, columns)});
  return {Kind::tensor, static_cast<int64_t>(tensors_.size()) - 1, {}, {}};
}

// What BUILD adds: an array's elements, a type's byte order; a dict's attributes are of no use.
void PickleReader::set_state(PickleValue& target, const PickleValue& state) {
  if (target.kind == Kind::dict || target.kind == Kind::other) return;
  if (target.kind == Kind::dtype) {
    const std::string_view order = argument(state, 1, Kind::text, "numpy.dtype's order").text;
    return require(order == "<" || order == "|" || order == "=", "numpy's byte order ",
                   order.substr(0, 4), "; known is little-endian");
  }
  require(target.kind == Kind::array && state.kind == Kind::tuple && state.items.size() == 5,
          "it sets the state of what has none");
  const PickleValue& bytes = values_[state.items[4]];  // Python 2 has no bytes but text
  require(bytes.kind == Kind::bytes || bytes.kind == Kind::text,
          "an array's elements are missing; arrays of objects are not read");
  const bool columns = values_[state.items[3]].integer != 0;
  target = numpy_tensor(bytes, state.items[2], state.items[1], columns);
}

}  // namespace soma
