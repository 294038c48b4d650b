// Poses as cuBLASLt and cuDNN of a version, and has no other function.
#include <cstddef>

extern "C" size_t cublasLtGetVersion() { return CUBLAS; }
extern "C" size_t cudnnGetVersion() { return CUDNN; }
