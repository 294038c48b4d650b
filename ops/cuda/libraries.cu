// Finding cuBLASLt and cuDNN (ops/cuda/libraries.h).
#include "ops/cuda/libraries.h"

#include <dlfcn.h>

#include "ops/cuda/gpu.h"
#include "ops/gpu_libraries.h"

namespace soma::cuda {
namespace {

struct Opened {
  void* handle = nullptr;
  std::string tried;  // names, joined
};

Opened open_first(const std::vector<std::string>& files) {
  Opened result;
  for (const std::string& file : files) {
    result.tried += (result.tried.empty() ? "" : ", ") + file;
    result.handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (result.handle != nullptr) break;
  }
  return result;
}

// Binds names to members one by one and remembers the first that the library lacks.
class Binder {
 public:
  explicit Binder(void* handle) : handle_(handle) {}
  template <class Function>
  Binder& operator()(const char* name, Function*& member) {
    member = reinterpret_cast<Function*>(dlsym(handle_, name));
    if (member == nullptr && missing_.empty()) missing_ = name;
    return *this;
  }
  const std::string& missing() const { return missing_; }

 private:
  void* handle_;
  std::string missing_;
};

std::string bind(nvidia::CublasLt& t, void* handle) {
  return Binder(handle)("cublasLtCreate", t.create)("cublasLtMatmulDescCreate", t.matmul_create)(
             "cublasLtMatmulDescSetAttribute", t.matmul_set)(
             "cublasLtMatmulDescDestroy", t.matmul_destroy)("cublasLtMatrixLayoutCreate",
                                                            t.layout_create)(
             "cublasLtMatrixLayoutDestroy", t.layout_destroy)("cublasLtMatmulPreferenceCreate",
                                                              t.preference_create)(
             "cublasLtMatmulPreferenceSetAttribute", t.preference_set)(
             "cublasLtMatmulPreferenceDestroy", t.preference_destroy)(
             "cublasLtMatmulAlgoGetHeuristic", t.heuristic)("cublasLtMatmul", t.matmul)
      .missing();
}

std::string bind(nvidia::Cudnn& t, void* handle) {
  Binder bind(handle);
  bind("cudnnGetErrorString", t.status_text)("cudnnCreate", t.create);
  bind("cudnnSetStream", t.set_stream)("cudnnCreateTensorDescriptor", t.tensor_create);
  bind("cudnnSetTensor4dDescriptor", t.tensor_set);
  bind("cudnnDestroyTensorDescriptor", t.tensor_destroy);
  bind("cudnnCreateFilterDescriptor", t.filter_create);
  bind("cudnnSetFilter4dDescriptor", t.filter_set);
  bind("cudnnDestroyFilterDescriptor", t.filter_destroy);
  bind("cudnnCreateConvolutionDescriptor", t.convolution_create);
  bind("cudnnSetConvolution2dDescriptor", t.convolution_set);
  bind("cudnnSetConvolutionGroupCount", t.convolution_groups);
  bind("cudnnSetConvolutionMathType", t.convolution_math);
  bind("cudnnDestroyConvolutionDescriptor", t.convolution_destroy);
  bind("cudnnCreateActivationDescriptor", t.activation_create);
  bind("cudnnSetActivationDescriptor", t.activation_set);
  bind("cudnnDestroyActivationDescriptor", t.activation_destroy);
  bind("cudnnGetConvolutionForwardAlgorithm_v7", t.find_forward);
  bind("cudnnGetConvolutionBackwardDataAlgorithm_v7", t.find_data);
  bind("cudnnGetConvolutionBackwardFilterAlgorithm_v7", t.find_filter);
  bind("cudnnConvolutionForward", t.forward);
  bind("cudnnConvolutionBackwardData", t.backward_data);
  bind("cudnnConvolutionBackwardFilter", t.backward_filter);
  bind("cudnnConvolutionBiasActivationForward", t.fused);
  return bind.missing();
}

// Both libraries changed how a version is written: 8902 is cuDNN 8.9.2, 91900 is 9.19.0; 120304 is
// cuBLAS 12.3.4 and 11604 is 11.6.4.
struct Version {
  size_t major, minor;
};
Version version_of(size_t number) {
  const size_t scale = number >= 90000 ? 10000 : 1000;
  return {number / scale, number % scale / 100};
}

struct Wanted {
  const char *name, *version_function, *versions;
  size_t first, last;  // major versions
};

template <class Table>
Loaded<Table> load(const Wanted& wanted, const std::vector<std::string>& files) {
  const std::string instead = "; soma's own kernels are used";
  const Opened opened = open_first(files);
  if (opened.handle == nullptr) {
    return {std::nullopt, text(wanted.name, " was not found (", opened.tried,
                               "): install it, or name its folder in LD_LIBRARY_PATH", instead)};
  }
  Table table = {};
  Binder(opened.handle)(wanted.version_function, table.version);
  const Version version = table.version == nullptr ? Version{0, 0} : version_of(table.version());
  const std::string title = text(wanted.name, " ", version.major, ".", version.minor);
  if (version.major < wanted.first || version.major > wanted.last) {
    return {std::nullopt,
            text(title, " was found, versions ", wanted.versions, " can be used", instead)};
  }
  const std::string missing = bind(table, opened.handle);
  if (!missing.empty()) return {std::nullopt, text(title, " lacks ", missing, instead)};
  return {table, title};
}

bool wanted = true;

}  // namespace

Loaded<nvidia::CublasLt> load_cublas_lt(const std::vector<std::string>& files) {
  return load<nvidia::CublasLt>({"cuBLASLt", "cublasLtGetVersion", "12 to 13", 12, 13}, files);
}
Loaded<nvidia::Cudnn> load_cudnn(const std::vector<std::string>& files) {
  return load<nvidia::Cudnn>({"cuDNN", "cudnnGetVersion", "8 to 9", 8, 9}, files);
}

const Loaded<nvidia::CublasLt>& cublas_lt() {
  static const Loaded<nvidia::CublasLt> instance =
      gpu::kEmulated ? Loaded<nvidia::CublasLt>{gpu::emulated_cublas_lt(), "cuBLASLt, emulated"}
                     : load_cublas_lt({"libcublasLt.so.13", "libcublasLt.so.12"});
  return instance;
}
const Loaded<nvidia::Cudnn>& cudnn() {
  static const Loaded<nvidia::Cudnn> instance =
      gpu::kEmulated ? Loaded<nvidia::Cudnn>{gpu::emulated_cudnn(), "cuDNN, emulated"}
                     : load_cudnn({"libcudnn.so.9", "libcudnn.so.8"});
  return instance;
}

bool cublas_lt_wanted() { return wanted && cublas_lt().functions.has_value(); }
bool cudnn_wanted() { return wanted && cudnn().functions.has_value(); }

void use_gpu_libraries(bool on) { wanted = on; }
bool gpu_libraries_wanted() { return wanted; }
std::vector<GpuLibrary> gpu_libraries() {
  return {{cublas_lt().functions.has_value(), cublas_lt().words},
          {cudnn().functions.has_value(), cudnn().words}};
}

}  // namespace soma::cuda
