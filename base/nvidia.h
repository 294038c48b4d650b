// cuBLASLt (12 to 13) and cuDNN (8 to 9) as soma calls them: their functions as tables of pointers,
// and of their headers' constants and structs what those need, so that a build needs neither.
// Opaque handles and descriptors are void*, enumerations int. ops/cuda/nvidia_headers.cpp holds
// all of it against NVIDIA's headers where they are installed.
#pragma once
#include <cstddef>
#include <cstdint>

namespace soma::nvidia {

inline constexpr int kSuccess = 0;

namespace lt {
enum { kReal32 = 0, kReal16 = 2 };                                   // cudaDataType_t
enum { kCompute32 = 68 };                                            // exact f32: never TF32
enum { kNormal = 0, kTransposed = 1 };                               // cublasOperation_t
enum { kTransA = 3, kTransB = 4, kEpilogue = 7, kBiasPointer = 8 };  // of a matmul descriptor
enum { kPlain = 1, kRelu = 2, kBias = 4 };  // epilogues; kRelu | kBias is one
// Of a preference: the workspace, and the alignment in bytes of A; B, C and D follow.
enum { kMaxWorkspace = 1, kAlignment = 5 };
enum { kNotSupported = 15 };  // cublasStatus_t

struct Heuristic {  // cublasLtMatmulHeuristicResult_t
  uint64_t algorithm[8];
  size_t workspace;
  int state;
  float waves;
  int reserved[4];
};
}  // namespace lt

struct CublasLt {
  size_t (*version)();
  int (*create)(void** handle);
  int (*matmul_create)(void** descriptor, int compute, int scale_type);
  int (*matmul_set)(void* descriptor, int attribute, const void* value, size_t bytes);
  int (*matmul_destroy)(void* descriptor);
  int (*layout_create)(void** layout, int type, uint64_t rows, uint64_t columns, int64_t leading);
  int (*layout_destroy)(void* layout);
  int (*preference_create)(void** preference);
  int (*preference_set)(void* preference, int attribute, const void* value, size_t bytes);
  int (*preference_destroy)(void* preference);
  int (*heuristic)(void* handle, void* matmul, void* a, void* b, void* c, void* d, void* preference,
                   int wanted, lt::Heuristic* results, int* found);
  int (*matmul)(void* handle, void* matmul, const void* alpha, const void* a, void* a_layout,
                const void* b, void* b_layout, const void* beta, const void* c, void* c_layout,
                void* d, void* d_layout, const void* algorithm, void* workspace, size_t bytes,
                void* stream);
};

namespace dnn {
enum { kFloat = 0, kHalf = 2 };                            // cudnnDataType_t
enum { kNhwc = 1 };                                        // cudnnTensorFormat_t
enum { kCrossCorrelation = 1 };                            // cudnnConvolutionMode_t
enum { kDefaultMath = 0, kTensorMath = 1, kFmaMath = 3 };  // cudnnMathType_t
enum { kNonDeterministic = 0, kDeterministic = 1 };        // cudnnDeterminism_t
enum { kRelu = 1, kIdentity = 5 };                         // cudnnActivationMode_t
enum { kPropagateNan = 1 };                                // cudnnNanPropagation_t
enum { kImplicitGemm = 0, kImplicitPrecomputed = 1 };      // cudnnConvolutionFwdAlgo_t
enum { kBackward0 = 0, kBackward1 = 1 };                   // of data and filter; 1 adds in order
// cudnnStatus_t: of cuDNN 8; of 9, which has several kinds up to the end.
enum { kNotSupported8 = 9, kNotSupported = 3000, kNotSupportedEnd = 4000 };

struct Performance {  // cudnnConvolution{Fwd,BwdData,BwdFilter}AlgoPerf_t
  int algorithm, status;
  float time;
  size_t memory;
  int determinism, math;
  int reserved[3];
};
using Find = int(void* handle, void* first, void* second, void* convolution, void* third,
                 int wanted, int* found, Performance* results);
using Pass = int(void* handle, const void* alpha, void* first, const void* first_data, void* second,
                 const void* second_data, void* convolution, int algorithm, void* workspace,
                 size_t bytes, const void* beta, void* out, void* out_data);
}  // namespace dnn

struct Cudnn {
  size_t (*version)();
  const char* (*status_text)(int status);
  int (*create)(void** handle);
  int (*set_stream)(void* handle, void* stream);
  int (*tensor_create)(void** tensor);
  int (*tensor_set)(void* tensor, int format, int type, int n, int c, int h, int w);
  int (*tensor_destroy)(void* tensor);
  int (*filter_create)(void** filter);
  int (*filter_set)(void* filter, int type, int format, int k, int c, int h, int w);
  int (*filter_destroy)(void* filter);
  int (*convolution_create)(void** convolution);
  int (*convolution_set)(void* convolution, int pad_h, int pad_w, int stride_h, int stride_w,
                         int dilation_h, int dilation_w, int mode, int compute);
  int (*convolution_groups)(void* convolution, int groups);
  int (*convolution_math)(void* convolution, int math);
  int (*convolution_destroy)(void* convolution);
  int (*activation_create)(void** activation);
  int (*activation_set)(void* activation, int mode, int nan, double coefficient);
  int (*activation_destroy)(void* activation);
  dnn::Find* find_forward;     // x, filter, y
  dnn::Find* find_data;        // filter, dy, dx
  dnn::Find* find_filter;      // x, dy, dfilter
  dnn::Pass* forward;          // x, filter, y
  dnn::Pass* backward_data;    // filter, dy, dx
  dnn::Pass* backward_filter;  // x, dy, dfilter
  // y = activation(alpha1 * convolution(x) + alpha2 * z + bias)
  int (*fused)(void* handle, const void* alpha1, void* x, const void* x_data, void* filter,
               const void* filter_data, void* convolution, int algorithm, void* workspace,
               size_t bytes, const void* alpha2, void* z, const void* z_data, void* bias,
               const void* bias_data, void* activation, void* y, void* y_data);
};

}  // namespace soma::nvidia
