// The one typeface of soma's pictures: 5 x 8 pixels a glyph, ASCII.
#pragma once
#include <cstdint>

namespace soma {

inline constexpr int64_t kGlyphWidth = 5, kGlyphHeight = 8;

// Whether the glyph is inked at row y of 8 and column x of 5. A box stands for what it lacks.
bool glyph_pixel(char32_t character, int64_t y, int64_t x);

}  // namespace soma
