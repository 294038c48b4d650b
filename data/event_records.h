// TensorBoard's event files (events.out.tfevents.*): records framed as TFRecord has them (length,
// its CRC, bytes, their CRC) that hold protocol buffers of type tensorflow.Event. Only what a
// training logs: scalars. Each function gives the bytes of one whole record.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace soma {

using Scalars = std::vector<std::pair<std::string, double>>;  // tag ("loss/mask"), value

// The record that a file begins with. `seconds` are since 1970, here and below.
std::string event_header(double seconds);
// The run was taken up again: what earlier files hold of this step and later ones is void.
std::string event_restart(double seconds, int64_t step);
std::string event_of_scalars(double seconds, int64_t step, const Scalars& scalars);

// CRC-32C (Castagnoli), turned and shifted as TFRecord masks it.
uint32_t masked_crc32c(std::string_view bytes);

}  // namespace soma
