// base/nvidia.h against NVIDIA's own headers: every function's parameters, every constant, every
// struct. Compiled only where they are installed; nothing of it runs.
#include <cublasLt.h>
#include <cudnn.h>

#include <cstddef>
#include <type_traits>

#include "base/nvidia.h"

namespace soma::nvidia {
namespace {

// A handle is a pointer, an enumeration an int to the calling convention.
template <class A, class B>
constexpr bool kAlike =
    (std::is_pointer_v<A> && std::is_pointer_v<B>) ||
    (std::is_enum_v<A> && sizeof(A) == sizeof(B) && std::is_integral_v<B>) || std::is_same_v<A, B>;
template <class A, class B>
constexpr bool kSameCall = false;
template <class A, class... As, class B, class... Bs>
constexpr bool kSameCall<A (*)(As...), B (*)(Bs...)> = [] {
  if constexpr (sizeof...(As) == sizeof...(Bs)) return kAlike<A, B> && (kAlike<As, Bs> && ...);
  return false;
}();

#define SAME(theirs, ours) static_assert(kSameCall<decltype(&theirs), decltype(ours)>)
SAME(cublasLtGetVersion, CublasLt::version);
SAME(cublasLtCreate, CublasLt::create);
SAME(cublasLtMatmulDescCreate, CublasLt::matmul_create);
SAME(cublasLtMatmulDescSetAttribute, CublasLt::matmul_set);
SAME(cublasLtMatmulDescDestroy, CublasLt::matmul_destroy);
SAME(cublasLtMatrixLayoutCreate, CublasLt::layout_create);
SAME(cublasLtMatrixLayoutDestroy, CublasLt::layout_destroy);
SAME(cublasLtMatmulPreferenceCreate, CublasLt::preference_create);
SAME(cublasLtMatmulPreferenceSetAttribute, CublasLt::preference_set);
SAME(cublasLtMatmulPreferenceDestroy, CublasLt::preference_destroy);
SAME(cublasLtMatmulAlgoGetHeuristic, CublasLt::heuristic);
SAME(cublasLtMatmul, CublasLt::matmul);
SAME(cudnnGetVersion, Cudnn::version);
SAME(cudnnGetErrorString, Cudnn::status_text);
SAME(cudnnCreate, Cudnn::create);
SAME(cudnnSetStream, Cudnn::set_stream);
SAME(cudnnCreateTensorDescriptor, Cudnn::tensor_create);
SAME(cudnnSetTensor4dDescriptor, Cudnn::tensor_set);
SAME(cudnnDestroyTensorDescriptor, Cudnn::tensor_destroy);
SAME(cudnnCreateFilterDescriptor, Cudnn::filter_create);
SAME(cudnnSetFilter4dDescriptor, Cudnn::filter_set);
SAME(cudnnDestroyFilterDescriptor, Cudnn::filter_destroy);
SAME(cudnnCreateConvolutionDescriptor, Cudnn::convolution_create);
SAME(cudnnSetConvolution2dDescriptor, Cudnn::convolution_set);
SAME(cudnnSetConvolutionGroupCount, Cudnn::convolution_groups);
SAME(cudnnSetConvolutionMathType, Cudnn::convolution_math);
SAME(cudnnDestroyConvolutionDescriptor, Cudnn::convolution_destroy);
SAME(cudnnCreateActivationDescriptor, Cudnn::activation_create);
SAME(cudnnSetActivationDescriptor, Cudnn::activation_set);
SAME(cudnnDestroyActivationDescriptor, Cudnn::activation_destroy);
SAME(cudnnGetConvolutionForwardAlgorithm_v7, Cudnn::find_forward);
SAME(cudnnGetConvolutionBackwardDataAlgorithm_v7, Cudnn::find_data);
SAME(cudnnGetConvolutionBackwardFilterAlgorithm_v7, Cudnn::find_filter);
SAME(cudnnConvolutionForward, Cudnn::forward);
SAME(cudnnConvolutionBackwardData, Cudnn::backward_data);
SAME(cudnnConvolutionBackwardFilter, Cudnn::backward_filter);
SAME(cudnnConvolutionBiasActivationForward, Cudnn::fused);
#undef SAME

#define EQUAL(theirs, ours) static_assert(static_cast<int>(theirs) == static_cast<int>(ours))
EQUAL(CUBLAS_STATUS_SUCCESS, kSuccess);
EQUAL(CUBLAS_STATUS_NOT_SUPPORTED, lt::kNotSupported);
EQUAL(CUDA_R_32F, lt::kReal32);
EQUAL(CUDA_R_16F, lt::kReal16);
EQUAL(CUBLAS_COMPUTE_32F, lt::kCompute32);
EQUAL(CUBLAS_OP_N, lt::kNormal);
EQUAL(CUBLAS_OP_T, lt::kTransposed);
EQUAL(CUBLASLT_MATMUL_DESC_TRANSA, lt::kTransA);
EQUAL(CUBLASLT_MATMUL_DESC_TRANSB, lt::kTransB);
EQUAL(CUBLASLT_MATMUL_DESC_EPILOGUE, lt::kEpilogue);
EQUAL(CUBLASLT_MATMUL_DESC_BIAS_POINTER, lt::kBiasPointer);
EQUAL(CUBLASLT_EPILOGUE_DEFAULT, lt::kPlain);
EQUAL(CUBLASLT_EPILOGUE_RELU, lt::kRelu);
EQUAL(CUBLASLT_EPILOGUE_BIAS, lt::kBias);
EQUAL(CUBLASLT_EPILOGUE_RELU_BIAS, lt::kRelu | lt::kBias);
EQUAL(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, lt::kMaxWorkspace);
EQUAL(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, lt::kAlignment);
EQUAL(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, lt::kAlignment + 3);
EQUAL(CUDNN_STATUS_SUCCESS, kSuccess);
EQUAL(CUDNN_STATUS_NOT_SUPPORTED, dnn::kNotSupported);
EQUAL(CUDNN_DATA_FLOAT, dnn::kFloat);
EQUAL(CUDNN_DATA_HALF, dnn::kHalf);
EQUAL(CUDNN_TENSOR_NHWC, dnn::kNhwc);
EQUAL(CUDNN_CROSS_CORRELATION, dnn::kCrossCorrelation);
EQUAL(CUDNN_DEFAULT_MATH, dnn::kDefaultMath);
EQUAL(CUDNN_TENSOR_OP_MATH, dnn::kTensorMath);
EQUAL(CUDNN_FMA_MATH, dnn::kFmaMath);
EQUAL(CUDNN_NON_DETERMINISTIC, dnn::kNonDeterministic);
EQUAL(CUDNN_DETERMINISTIC, dnn::kDeterministic);
EQUAL(CUDNN_ACTIVATION_RELU, dnn::kRelu);
EQUAL(CUDNN_ACTIVATION_IDENTITY, dnn::kIdentity);
EQUAL(CUDNN_PROPAGATE_NAN, dnn::kPropagateNan);
EQUAL(CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM, dnn::kImplicitGemm);
EQUAL(CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, dnn::kImplicitPrecomputed);
EQUAL(CUDNN_CONVOLUTION_BWD_DATA_ALGO_1, dnn::kBackward1);
EQUAL(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1, dnn::kBackward1);
#undef EQUAL

template <class Theirs>
constexpr bool same_performance() {
  using Ours = dnn::Performance;
  return sizeof(Theirs) == sizeof(Ours) && offsetof(Theirs, status) == offsetof(Ours, status) &&
         offsetof(Theirs, memory) == offsetof(Ours, memory) &&
         offsetof(Theirs, determinism) == offsetof(Ours, determinism) &&
         offsetof(Theirs, mathType) == offsetof(Ours, math);
}
static_assert(same_performance<cudnnConvolutionFwdAlgoPerf_t>());
static_assert(same_performance<cudnnConvolutionBwdDataAlgoPerf_t>());
static_assert(same_performance<cudnnConvolutionBwdFilterAlgoPerf_t>());
static_assert(sizeof(cublasLtMatmulHeuristicResult_t) == sizeof(lt::Heuristic) &&
              offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize) ==
                  offsetof(lt::Heuristic, workspace) &&
              offsetof(cublasLtMatmulHeuristicResult_t, state) == offsetof(lt::Heuristic, state));

}  // namespace
}  // namespace soma::nvidia
