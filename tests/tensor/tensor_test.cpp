#include "tensor/tensor.h"

#include <doctest/doctest.h>

#include <cmath>

namespace soma {
namespace {

using Floats = std::vector<float>;

}  // namespace

TEST_CASE("tensors are made with shape, type and values") {
  const Tensor x = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  CHECK(x.defined());
  CHECK(x.shape() == Shape{2, 3});
  CHECK(x.rank() == 2);
  CHECK(x.extent(1) == 3);
  CHECK(x.numel() == 6);
  CHECK(x.bytes() == 24);
  CHECK(x.dtype() == DType::f32);
  CHECK(x.device() == Device::cpu);
  CHECK(x.to_vector<float>() == Floats{1, 2, 3, 4, 5, 6});
  CHECK(Tensor::zeros({3}, DType::i64).to_vector<int64_t>() == std::vector<int64_t>{0, 0, 0});
  CHECK(Tensor::full({2}, 7, DType::u8).to_vector<uint8_t>() == std::vector<uint8_t>{7, 7});
  CHECK(Tensor::full({}, -0.5, DType::bf16).item() == -0.5);
  CHECK(Tensor::empty_like(x).shape() == x.shape());
  CHECK(Tensor::zeros_like(Tensor::of<int32_t>({2}, {1, 2})).to_vector<int32_t>() ==
        std::vector<int32_t>{0, 0});
  CHECK_THROWS_WITH(Tensor::of<float>({3}, {1, 2}), "tensor: 2 values for shape [3]");
}

TEST_CASE("an undefined tensor stands for none") {
  const Tensor none;
  CHECK(!none.defined());
  CHECK(none.version() == 0);
  CHECK_THROWS_WITH_AS(none.raw(), "tensor: used before it was given a value", Error);
  CHECK_THROWS_AS(none.data<float>(), Error);
  CHECK_THROWS_AS(none.item(), Error);
  CHECK_THROWS_AS(none.clone(), Error);
}

TEST_CASE("empty tensors are as good as others") {
  const Tensor x = Tensor::zeros({0, 3});
  CHECK(x.defined());
  CHECK(x.numel() == 0);
  CHECK(x.clone().shape() == Shape{0, 3});
  CHECK(x.to(DType::f64).to_vector<double>().empty());
  CHECK(x.reshape({5, 0}).shape() == Shape{5, 0});
  CHECK(x.slice(0, 0).shape() == Shape{0, 3});
  CHECK(Tensor::of<float>({0}, {}).to_vector<float>().empty());
}

TEST_CASE("data checks the type") {
  CHECK_THROWS_WITH(Tensor::zeros({1}).data<double>(), "tensor: expected f64, is f32");
  CHECK_THROWS_WITH(Tensor::zeros({1}, DType::f16).data<bf16>(), "tensor: expected bf16, is f16");
}

TEST_CASE("a reshape is a view") {
  const Tensor x = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor y = x.reshape({3, 2});
  y.data<float>()[5] = 60;
  CHECK(x.to_vector<float>() == Floats{1, 2, 3, 4, 5, 60});
  CHECK(y.storage_id() == x.storage_id());
  CHECK(Tensor::full({1, 1}, 3).reshape({}).item() == 3);
  CHECK_THROWS_WITH(x.reshape({4}), "reshape: cannot view [2, 3] as [4]");
}

TEST_CASE("a slice is a view of rows, also of a slice") {
  const Tensor x = Tensor::of<float>({4, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  const Tensor rows = x.slice(1, 4);
  CHECK(rows.shape() == Shape{3, 2});
  CHECK(rows.to_vector<float>() == Floats{2, 3, 4, 5, 6, 7});
  const Tensor last = rows.slice(2, 3);
  CHECK(last.to_vector<float>() == Floats{6, 7});
  last.fill(9);
  CHECK(x.to_vector<float>() == Floats{0, 1, 2, 3, 4, 5, 9, 9});
  CHECK(rows.slice(1, 1).numel() == 0);
  CHECK(rows.slice(1, 3).reshape({4}).to_vector<float>() == Floats{4, 5, 9, 9});
  CHECK(rows.clone().to_vector<float>() == Floats{2, 3, 4, 5, 9, 9});
  CHECK(rows.to(DType::i32).to_vector<int32_t>() == std::vector<int32_t>{2, 3, 4, 5, 9, 9});
  CHECK_THROWS_WITH(x.slice(1, 5), "slice: rows [1, 5) of shape [4, 2]");
  CHECK_THROWS_WITH(x.slice(-1, 2), "slice: rows [-1, 2) of shape [4, 2]");
  CHECK_THROWS_WITH(x.slice(3, 2), "slice: rows [3, 2) of shape [4, 2]");
  CHECK_THROWS_AS(Tensor::zeros({}).slice(0, 1), Error);
}

TEST_CASE("copies share memory, clones do not") {
  const Tensor x = Tensor::full({2}, 1);
  CHECK(!x.shares_storage());
  const Tensor copy = x, clone = x.clone();
  CHECK(x.shares_storage());
  CHECK(!clone.shares_storage());
  x.fill(5);
  CHECK(copy.to_vector<float>() == Floats{5, 5});
  CHECK(clone.to_vector<float>() == Floats{1, 1});
  clone.copy_from(x);
  CHECK(clone.to_vector<float>() == Floats{5, 5});
  CHECK_THROWS_WITH(clone.copy_from(Tensor::zeros({3})), "tensor: cannot copy f32[3] into f32[2]");
  CHECK_THROWS_WITH(clone.copy_from(Tensor::zeros({2}, DType::f64)),
                    "tensor: cannot copy f64[2] into f32[2]");
}

TEST_CASE("every type converts to every other") {
  const std::vector<DType> types = {DType::f32, DType::f64, DType::i32, DType::i64,
                                    DType::u8,  DType::f16, DType::bf16};
  const Tensor x = Tensor::of<double>({3}, {0, 3, 200});
  for (const DType from : types) {
    for (const DType to : types) {
      CHECK(x.to(from).to(to).dtype() == to);
      CHECK(x.to(from).to(to).to_vector<double>() == std::vector<double>{0, 3, 200});
    }
  }
  CHECK(x.to(DType::f64).storage_id() == x.storage_id());
  CHECK(Tensor::of<double>({2}, {2.9, -2.9}).to(DType::i32).to_vector<int32_t>() ==
        std::vector<int32_t>{2, -2});
  CHECK(Tensor::full({}, 1.0 / 3, DType::f16).item() == 0x1.554p-2);
  CHECK(Tensor::full({}, 1e300, DType::f16).item() == std::numeric_limits<double>::infinity());
}

TEST_CASE("item needs one element") {
  CHECK(Tensor::full({1, 1}, 4).item() == 4);
  CHECK_THROWS_WITH(Tensor::zeros({2}).item(), "tensor: item() needs one element, shape is [2]");
  CHECK_THROWS_AS(Tensor::zeros({0}).item(), Error);
}

TEST_CASE("touch moves the version of all that share the memory") {
  const Tensor x = Tensor::zeros({4}), view = x.slice(0, 2);
  const uint64_t before = x.version();
  view.touch();
  CHECK(x.version() == before + 1);
}

TEST_CASE("a device that the build lacks is an error") {
  if (!kCudaBuilt) {
    CHECK_THROWS_WITH(Tensor::zeros({1}).to(Device::cuda), "tensor: this build has no CUDA");
    CHECK_THROWS_AS(Tensor::zeros({1}, DType::f32, Device::cuda), Error);
  }
}

}  // namespace soma
