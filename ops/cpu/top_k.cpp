// Top-k: rows in parallel; the k first keys are selected, and only those sorted.
#include "ops/top_k.h"

#include <vector>

#include "base/parallel.h"
#include "ops/math/order.h"

namespace soma::cpu {

void top_k(const Tensor& x, const TopK& out) {
  const int64_t columns = x.extent(1), k = out.value.extent(1);
  if (k == 0) return;
  const float* values = x.data<float>();
  float* largest = out.value.data<float>();
  int32_t* where = out.index.data<int32_t>();
  parallel_for(x.extent(0), [&](int64_t row) {
    const float* from = values + row * columns;
    std::vector<uint64_t> keys(static_cast<size_t>(columns));
    for (size_t i = 0; i < keys.size(); ++i) keys[i] = order_key(from[i], static_cast<uint32_t>(i));
    const auto end = keys.begin() + k;
    if (k < columns) std::nth_element(keys.begin(), end, keys.end());
    std::sort(keys.begin(), end);
    for (int64_t i = 0; i < k; ++i) {
      const uint32_t index = order_index(keys[static_cast<size_t>(i)]);
      largest[row * k + i] = from[index];
      where[row * k + i] = static_cast<int32_t>(index);
    }
  });
}

}  // namespace soma::cpu
