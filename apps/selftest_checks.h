// What `soma selftest` computes and holds against plain definitions and recorded detections.
#pragma once
#include <vector>

#include "tensor/device.h"

namespace soma {

struct SelfCheck {
  const char* name;
  void (*run)(Device device);  // Error: where the result is wrong, what was expected and found
};

// Those of a device. Milliseconds each; nothing is kept between two of them.
std::vector<SelfCheck> self_checks(Device device);

}  // namespace soma
