// A plot (data/plot.h) as a figure of a page: SVG in the page's colours, a legend, its numbers as a
// table, values read off by pointer or arrow keys (script.js).
#pragma once
#include <string>

#include "data/plot.h"

namespace soma {

// `id` is unique on the page; `about` says in words what the chart shows, for who does not see it.
// Lines of over 400 points are thinned to their means. Error as draw_plot().
std::string chart(const Plot& plot, const std::string& id, const std::string& about);

// At most `most` points, each the mean of neighbours; numbers that are none are left out of it.
Series thinned(const Series& series, size_t most);

}  // namespace soma
