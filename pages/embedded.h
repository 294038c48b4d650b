// The style sheet and the scripts beside this file, as meson embeds them (pages/embed.py).
#pragma once
#include <string_view>

namespace soma::embedded {

extern const std::string_view style;    // style.css
extern const std::string_view script;   // script.js: hovering over charts and pictures, switches
extern const std::string_view explain;  // explain.js
extern const std::string_view serve;    // serve.js

}  // namespace soma::embedded
