#include "weights/layout.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/check.h"

namespace soma {
namespace {

size_t place(int axis) { return static_cast<size_t>(axis); }

// Offsets of the rows (all axes but the last), in row-major order, one at a time.
class Rows {
 public:
  explicit Rows(const Layout& layout) : layout_(layout), offset_(layout.offset) {}
  int64_t offset() const { return offset_; }
  void next() {
    for (int axis = layout_.shape.rank() - 2; axis >= 0; --axis) {
      offset_ += layout_.stride[place(axis)];
      if (++index_[place(axis)] < layout_.shape[axis]) return;
      offset_ -= layout_.shape[axis] * layout_.stride[place(axis)];
      index_[place(axis)] = 0;
    }
  }

 private:
  const Layout& layout_;
  std::array<int64_t, Shape::kMaxRank> index_{};
  int64_t offset_;
};

template <class T>
void copy_same(const std::byte* from, int64_t from_stride, std::byte* to, int64_t to_stride,
               int64_t count) {
  constexpr auto size = static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(to + i * to_stride * size, from + i * from_stride * size, sizeof(T));
  }
}

// Row by row; both sides have the same element type, which only its size matters for.
void copy_rows(const StoredElements& from, std::byte* to_base, const Layout& to) {
  const int64_t size = size_of(from.dtype);
  const int last = from.layout.shape.rank() - 1;
  const int64_t width = last >= 0 ? from.layout.shape[last] : 1;
  const int64_t from_stride = last >= 0 ? from.layout.stride[place(last)] : 1;
  const int64_t to_stride = last >= 0 ? to.stride[place(last)] : 1;
  if (from.layout.shape.numel() == 0) return;
  const int64_t rows = from.layout.shape.numel() / width;
  Rows sources(from.layout), targets(to);
  for (int64_t row = 0; row < rows; ++row, sources.next(), targets.next()) {
    const std::byte* source = from.base + sources.offset() * size;
    std::byte* target = to_base + targets.offset() * size;
    if (from_stride == 1 && to_stride == 1) {
      std::memcpy(target, source, static_cast<size_t>(width * size));
    } else if (size == 4) {
      copy_same<uint32_t>(source, from_stride, target, to_stride, width);
    } else if (size == 2) {
      copy_same<uint16_t>(source, from_stride, target, to_stride, width);
    } else if (size == 8) {
      copy_same<uint64_t>(source, from_stride, target, to_stride, width);
    } else {
      copy_same<uint8_t>(source, from_stride, target, to_stride, width);
    }
  }
}

}  // namespace

Layout Layout::dense(const Shape& shape) {
  Layout result{shape, {}, 0};
  for (int axis = 0; axis < shape.rank(); ++axis) {
    result.stride[place(axis)] = shape.product(axis + 1, shape.rank());
  }
  return result;
}

Layout Layout::permuted(std::initializer_list<int> axes) const {
  Layout result{{}, {}, offset};
  for (const int axis : axes) {
    result.stride[place(result.shape.rank())] = stride[place(axis)];
    result.shape.push_back(shape[axis]);
  }
  return result;
}

Layout Layout::cut(int axis, int64_t first, int64_t last) const {
  check(0 <= first && first <= last && last <= shape[axis], "layout", "[", first, ", ", last,
        ") of axis ", axis, " of ", shape);
  Layout result = *this;
  result.shape = shape.with(axis, last - first);
  result.offset += first * stride[place(axis)];
  return result;
}

Layout Layout::reversed(int axis) const {
  Layout result = *this;
  result.offset += std::max<int64_t>(0, shape[axis] - 1) * stride[place(axis)];
  result.stride[place(axis)] = -stride[place(axis)];
  return result;
}

Layout Layout::split_last(std::initializer_list<int64_t> extents) const {
  const int last = shape.rank() - 1;
  Layout result{{}, stride, offset};
  for (int axis = 0; axis < last; ++axis) result.shape.push_back(shape[axis]);
  for (const int64_t extent : extents) result.shape.push_back(extent);
  check(result.shape.numel() == shape.numel(), "layout", "cannot view ", shape, " as ",
        result.shape);
  for (int axis = last; axis < result.shape.rank(); ++axis) {
    result.stride[place(axis)] =
        stride[place(last)] * result.shape.product(axis + 1, result.shape.rank());
  }
  return result;
}

void check_inside(const Layout& layout, int64_t count, std::string_view who) {
  const int64_t numel = layout.shape.numel();
  check(numel <= count, who, "has ", numel, " elements ", layout.shape, ", its storage ", count);
  if (numel == 0) return;
  int64_t reach = layout.offset;  // of the last element
  bool inside = 0 <= reach && reach < count;
  for (int axis = 0; inside && axis < layout.shape.rank(); ++axis) {
    const int64_t steps = layout.shape[axis] - 1, stride = layout.stride[place(axis)];
    if (steps == 0) continue;
    inside = stride >= 0 && stride <= (count - 1 - reach) / steps;
    if (inside) reach += steps * stride;
  }
  check(inside, who, "reaches outside its storage of ", count, " elements");
}

void copy_elements(const StoredElements& from, const Tensor& tensor, const Layout& to,
                   std::string_view who) {
  check(from.layout.shape == to.shape, who, "has the shape ", from.layout.shape, ", expected ",
        to.shape);
  check(from.dtype == tensor.dtype() || (is_float(from.dtype) && is_float(tensor.dtype())), who,
        "holds ", name_of(from.dtype), ", expected ", name_of(tensor.dtype()));
  if (from.dtype == tensor.dtype()) {
    return copy_rows(from, static_cast<std::byte*>(tensor.raw()), to);
  }
  const Tensor converted = to_tensor(from).to(tensor.dtype());
  copy_rows({static_cast<const std::byte*>(converted.raw()), converted.dtype(),
             Layout::dense(converted.shape())},
            static_cast<std::byte*>(tensor.raw()), to);
}

Tensor to_tensor(const StoredElements& from) {
  const Tensor result = Tensor::empty(from.layout.shape, from.dtype);
  copy_rows(from, static_cast<std::byte*>(result.raw()), Layout::dense(result.shape()));
  return result;
}

}  // namespace soma
