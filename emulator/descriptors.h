// The descriptors of the emulated libraries: a library's create and destroy functions for a T that
// is made by default.
#pragma once
#include "base/nvidia.h"

namespace soma::emulator {

template <class T>
int make(void** result) {
  *result = new T;
  return nvidia::kSuccess;
}
template <class T>
int destroy(void* one) {
  delete static_cast<T*>(one);
  return nvidia::kSuccess;
}

}  // namespace soma::emulator
