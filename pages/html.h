// The frame of soma's pages: one file of HTML each, style and scripts within, nothing fetched from
// anywhere (the page's own policy forbids it). Landmarks, headings in order, a link past the head.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "data/image.h"

namespace soma {

// Text as it may stand between tags and in quoted attributes. Control characters and bytes that are
// no UTF-8 become U+FFFD; line breaks and tabs stay.
std::string escape_html(std::string_view text);
// JSON as it may stand in a <script>.
std::string escape_script(std::string_view json);

std::string base64(std::string_view bytes);
std::string png_uri(const Image& image);  // data:image/png;base64,...

struct Section {
  std::string id, heading;  // plain text
  std::string body;         // HTML
};
struct Page {
  std::string title;  // plain text
  std::string lead;   // HTML under the title
  std::vector<Section> sections;
  std::string scripts;  // JavaScript of its own, beside what every page has
  bool talks = false;   // to the server that it came from
};
std::string to_html(const Page& page);

// A table with a caption; the first cell of each row is its heading. Cells are plain text.
struct Table {
  std::string caption;
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};
std::string to_html(const Table& table);

// Plain text that is unfolded by a click.
std::string folded_text(const std::string& summary, const std::string& text);

}  // namespace soma
