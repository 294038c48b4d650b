// cuBLASLt and cuDNN: how they are found, that they are used, and what their emulation refuses.
#include <doctest/doctest.h>

#include <cstdlib>

#include "emulator/libraries.h"
#include "ops/cuda/libraries.h"
#include "ops/cuda/library_conv.h"
#include "ops/gpu_libraries.h"
#include "tests/support/op_test.h"

namespace soma::test {
namespace {

using namespace soma::nvidia;

std::string fake(const std::string& name) {
  const char* folder = std::getenv("SOMA_TEST_BUILD");
  REQUIRE(folder != nullptr);
  return text(folder, "/libfake_", name, ".so");
}

struct Switched {
  Switched() { cuda::use_gpu_libraries(true); }
  ~Switched() { cuda::use_gpu_libraries(false); }
};

Tensor on_device(const Shape& shape, uint32_t seed = 1) {
  return random_tensor(shape, seed).to(DType::f32).to(Device::cuda);
}

cuda::Product plain_product(const Tensor& a, const Tensor& b, const Tensor& out) {
  return {a, b, false, false, out.extent(0), out.extent(1), a.extent(1), {}, Tensor(), false, out};
}

// The raw entry points with arguments that fit, each of which a test may spoil.
struct LtCall {
  CublasLt lib = emulator::cublas_lt();
  Tensor a = on_device({6}), b = on_device({8}), d = on_device({12});
  Tensor space = Tensor::empty({1000}, DType::u8, Device::cuda);
  uint64_t rows = 3, depth = 2, columns = 4;
  int64_t leading_d = 3;
  size_t bytes = 1000;
  uint32_t alignment = 4;

  int run() {
    void *handle, *matmul, *la, *lb, *ld, *preference;
    lib.create(&handle);
    lib.matmul_create(&matmul, lt::kCompute32, lt::kReal32);
    lib.layout_create(&la, lt::kReal32, rows, depth, static_cast<int64_t>(rows));
    lib.layout_create(&lb, lt::kReal32, 2, columns, 2);
    lib.layout_create(&ld, lt::kReal32, 3, 4, leading_d);
    lib.preference_create(&preference);
    const uint64_t most = 4096;
    lib.preference_set(preference, lt::kMaxWorkspace, &most, sizeof most);
    for (int i = 0; i < 4; ++i) {
      lib.preference_set(preference, lt::kAlignment + i, &alignment, sizeof alignment);
    }
    lt::Heuristic chosen = {};
    int found = 0;
    lib.heuristic(handle, matmul, la, lb, ld, ld, preference, 1, &chosen, &found);
    const float one = 1, zero = 0;
    return lib.matmul(handle, matmul, &one, a.raw(), la, b.raw(), lb, &zero, d.raw(), ld, d.raw(),
                      ld, chosen.algorithm, space.raw(), bytes, nullptr);
  }
};

}  // namespace

TEST_CASE("libraries: missing, too old and incomplete ones are one line, and not used") {
  const auto none = cuda::load_cublas_lt({"libsoma-none.so.1", "libsoma-none.so.2"});
  CHECK_FALSE(none.functions);
  CHECK(none.words ==
        "cuBLASLt was not found (libsoma-none.so.1, libsoma-none.so.2): install it, or name its "
        "folder in LD_LIBRARY_PATH; soma's own kernels are used");
  const auto old = cuda::load_cublas_lt({fake("old")});
  CHECK_FALSE(old.functions);
  CHECK(old.words ==
        "cuBLASLt 11.6 was found, versions 12 to 13 can be used; soma's own kernels are used");
  const auto old_dnn = cuda::load_cudnn({"libsoma-none.so.1", fake("old")});
  CHECK_FALSE(old_dnn.functions);
  CHECK(old_dnn.words ==
        "cuDNN 7.6 was found, versions 8 to 9 can be used; soma's own kernels are used");
  CHECK(cuda::load_cublas_lt({fake("bare")}).words ==
        "cuBLASLt 13.0 lacks cublasLtCreate; soma's own kernels are used");
  CHECK(cuda::load_cudnn({fake("bare")}).words ==
        "cuDNN 9.19 lacks cudnnGetErrorString; soma's own kernels are used");
}

TEST_CASE("libraries: used where they are wanted and can, in f32; f64 is left to soma's kernels") {
  const Tensor a = on_device({5, 3}), b = on_device({3, 7}), out = on_device({5, 7});
  CHECK_FALSE(cuda::library_product(plain_product(a, b, out)));
  const Switched on;
  CHECK(cuda::library_product(plain_product(a, b, out)));
  const auto wide = [](const Tensor& x) { return x.to(DType::f64); };
  CHECK_FALSE(cuda::library_product(plain_product(wide(a), wide(b), wide(out))));
  const Tensor x = on_device({1, 4, 4, 2}), weight = on_device({3, 3, 3, 2});
  const Tensor y = on_device({1, 4, 4, 3});
  CHECK(cuda::library_conv_forward(x, weight, {}, {}, {1, 1, 1, false}, y));
  CHECK(cuda::library_conv_backward_data(y, weight, {1, 1, 1, false}, x));
  CHECK(cuda::library_conv_backward_weight(x, y, {1, 1, 1, false}, weight));
  CHECK_FALSE(
      cuda::library_conv_forward(x.slice(0, 0), weight, {}, {}, {1, 1, 1, false}, y.slice(0, 0)));
  CHECK(cuda::gpu_libraries().size() == 2);
}

TEST_CASE("libraries: the emulated cuBLASLt refuses what the real one would") {
  CHECK(LtCall().run() == kSuccess);
  LtCall call;
  call.leading_d = 2;
  CHECK_THROWS_WITH(call.run(), doctest::Contains("cannot have the leading dimension 2"));
  call = {};
  call.depth = 3;
  CHECK_THROWS_WITH(call.run(), doctest::Contains("do not fit"));
  call = {};
  call.leading_d = 4;  // the last column lies behind the block
  CHECK_THROWS_WITH(call.run(), doctest::Contains("behind the end of a block of 48 bytes"));
  call = {};
  call.bytes = 999;
  CHECK_THROWS_WITH(call.run(), doctest::Contains("wants a workspace of 1000 bytes"));
  call = {};
  call.space = Tensor::empty({900}, DType::u8, Device::cuda);
  CHECK_THROWS_WITH(call.run(), doctest::Contains("behind the end of a block of 900 bytes"));
  call = {};
  call.alignment = 256;
  CHECK_THROWS_WITH(call.run(), doctest::Contains("is not aligned to 256 bytes"));
  call = {};
  call.d = call.a;
  CHECK_THROWS_WITH(call.run(), doctest::Contains("D may not be A or B"));
}

TEST_CASE("libraries: the emulated cuDNN refuses what the real one would") {
  const Cudnn lib = emulator::cudnn();
  void *x, *y, *filter, *conv;
  lib.tensor_create(&x);
  lib.tensor_create(&y);
  lib.filter_create(&filter);
  lib.convolution_create(&conv);
  CHECK_THROWS_WITH(lib.tensor_set(x, 0, dnn::kFloat, 1, 2, 3, 3), doctest::Contains("NHWC only"));
  CHECK_THROWS_WITH(lib.tensor_set(x, dnn::kNhwc, dnn::kFloat, 1, 0, 3, 3),
                    doctest::Contains("must be positive"));
  dnn::Performance results[4];
  int found = 0;
  const auto find = [&] { lib.find_data(nullptr, filter, y, conv, x, 4, &found, results); };
  CHECK_THROWS_WITH(find(), doctest::Contains("was not set"));
  lib.tensor_set(x, dnn::kNhwc, dnn::kFloat, 1, 2, 3, 3);
  lib.tensor_set(y, dnn::kNhwc, dnn::kFloat, 1, 4, 3, 2);
  lib.filter_set(filter, dnn::kFloat, dnn::kNhwc, 4, 2, 3, 3);
  lib.convolution_set(conv, 1, 1, 1, 1, 1, 1, dnn::kCrossCorrelation, dnn::kFloat);
  CHECK_THROWS_WITH(find(), doctest::Contains("must be 1 x 3 x 3 x 4, is 1 x 3 x 2 x 4"));
  lib.tensor_set(y, dnn::kNhwc, dnn::kFloat, 1, 4, 3, 3);
  find();
  REQUIRE(found == 2);
  CHECK(results[0].determinism == dnn::kNonDeterministic);
  lib.convolution_groups(conv, 2);
  CHECK_THROWS_WITH(find(), doctest::Contains("does not fit 2 channels in 2 groups"));
  lib.convolution_groups(conv, 1);

  const Tensor image = on_device({1, 3, 3, 2}), grad = on_device({1, 3, 3, 4});
  const Tensor weight = on_device({4, 3, 3, 2});
  const Tensor space = Tensor::empty({1000}, DType::u8, Device::cuda);
  const float one = 1, zero = 0;
  const auto pass = [&](int algorithm, size_t bytes) {
    return lib.backward_data(nullptr, &one, filter, weight.raw(), y, grad.raw(), conv, algorithm,
                             space.raw(), bytes, &zero, x, image.raw());
  };
  CHECK(pass(dnn::kBackward1, 1000) == kSuccess);
  CHECK_THROWS_WITH(pass(dnn::kBackward1, 10), doctest::Contains("wants a workspace"));
  CHECK_THROWS_WITH(pass(dnn::kBackward0, 1000), doctest::Contains("the same bits every time"));
}

}  // namespace soma::test
