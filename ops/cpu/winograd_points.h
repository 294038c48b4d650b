// The points of Winograd's convolution (winograd_kernel.h): squares and products of these are all
// that B and A are made of. They are exact in f32, so that rounding stays random: an error of a
// constant would add up over channels and pixels. G, whose entries are not, works in f64.
#pragma once

namespace soma::cpu {

inline constexpr float kP = 0.625F, kQ = 1.5F, kPP = kP * kP, kQQ = kQ * kQ;

}  // namespace soma::cpu
