// A random order of values.
#pragma once
#include <cstddef>
#include <utility>
#include <vector>

#include "base/random.h"

namespace soma {

// Fisher and Yates: every order is equally likely.
template <class Value>
void shuffle(std::vector<Value>& values, Random& random) {
  for (size_t i = values.size(); i > 1; --i)
    std::swap(values[i - 1], values[random.below(static_cast<uint32_t>(i))]);
}

}  // namespace soma
