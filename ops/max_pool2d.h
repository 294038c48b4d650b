// Max pooling, NHWC. Padding counts as minus infinity; the first of equal values (row-major within
// the window) takes the gradient, as torch.
#pragma once
#include "autograd/variable.h"

namespace soma {

struct MaxPool2dSpec {
  int kernel = 3;
  int stride = 2;
  int pad = 1;  // at most kernel / 2
};

// x [N, H, W, C] -> [N, (H + 2 pad - kernel) / stride + 1, ..., C]. NaN wins, as torch.
Variable max_pool2d(const Variable& x, const MaxPool2dSpec& spec);

}  // namespace soma
