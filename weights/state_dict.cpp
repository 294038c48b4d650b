#include "weights/state_dict.h"

#include <algorithm>
#include <set>

#include "base/check.h"

namespace soma {
namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view kNested[] = {"model", "state_dict", "model_state_dict", "blobs"};
constexpr std::string_view kWrappers[] = {"module.", "model.", "_orig_mod."};
constexpr size_t kMaxNameBytes = 512;
constexpr int kMaxNesting = 4;

bool plain(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) { return c >= 32 && c < 127; });
}

// A key as it can be told; checkpoints number some of their parts.
std::string key_text(const PickleValue& key) {
  if (key.kind == Kind::text && plain(key.text)) return std::string(key.text);
  return key.kind == Kind::integer ? text(key.integer) : "?";
}

// The dict one level below `dict`, if it is there; everything beside it goes to the extras.
const PickleValue* step_into(const PickleReader& program, const PickleValue& dict,
                             StateDict& found) {
  for (const std::string_view name : kNested) {
    const PickleValue* inner = program.find(dict, name);
    if (inner == nullptr || inner->kind != Kind::dict) continue;
    for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
      if (&program[dict.items[i + 1]] != inner) {
        found.extras.push_back(key_text(program[dict.items[i]]));
      }
    }
    return inner;
  }
  return nullptr;
}

void read_author(const PickleReader& program, const PickleValue& dict, StateDict& found) {
  const PickleValue* author = program.find(dict, "__author__");
  if (author != nullptr && author->kind == Kind::text && plain(author->text)) {
    found.author = author->text;
  }
}

void take_off_wrappers(StateDict& found) {
  for (bool again = !found.tensors.empty(); again;) {
    again = false;
    for (const std::string_view wrapper : kWrappers) {
      const bool all =
          std::all_of(found.tensors.begin(), found.tensors.end(), [&](const auto& tensor) {
            return tensor.first.starts_with(wrapper) && tensor.first.size() > wrapper.size();
          });
      if (!all) continue;
      for (auto& tensor : found.tensors) tensor.first.erase(0, wrapper.size());
      again = true;
    }
  }
}

}  // namespace

StateDict find_state_dict(const PickleReader& program, PickleId root, std::string_view who) {
  StateDict found;
  const PickleValue* dict = &program[root];
  check(dict->kind == Kind::dict, who, "holds no dict of tensors; save model.state_dict()");
  for (int depth = 0; depth < kMaxNesting; ++depth) {
    read_author(program, *dict, found);
    const PickleValue* inner = step_into(program, *dict, found);
    if (inner == nullptr) break;
    dict = inner;
  }
  std::string keys;
  for (size_t i = 0; i + 1 < dict->items.size(); i += 2) {
    const PickleValue &key = program[dict->items[i]], &value = program[dict->items[i + 1]];
    if (value.kind == Kind::tensor) {
      check(key.kind == Kind::text && plain(key.text), who,
            "a tensor's name is no plain text of at most ", kMaxNameBytes, " characters");
      found.tensors.emplace_back(key.text, static_cast<size_t>(value.integer));
    } else {
      found.extras.push_back(key_text(key));
      if (keys.size() < 200) keys += (keys.empty() ? "" : ", ") + found.extras.back();
    }
  }
  check(!found.tensors.empty() || dict->items.empty(), who,
        "holds no tensors at its top, nor under model, state_dict or model_state_dict; it holds ",
        keys);
  take_off_wrappers(found);
  std::sort(found.tensors.begin(), found.tensors.end());
  const auto twice =
      std::adjacent_find(found.tensors.begin(), found.tensors.end(),
                         [](const auto& a, const auto& b) { return a.first == b.first; });
  check(twice == found.tensors.end(), who, "names the tensor ",
        twice == found.tensors.end() ? "" : twice->first, " twice");
  return found;
}

}  // namespace soma
