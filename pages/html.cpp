#include "pages/html.h"

#include "base/text.h"
#include "data/image_io.h"
#include "pages/embedded.h"

namespace soma {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Bytes of the UTF-8 character that `text` begins with; 0 when it begins with none. Overlong forms,
// surrogates and what lies above U+10FFFF are none (Unicode 15, table 3-7).
size_t character_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(i < text.size() ? text[i] : 0); };
  const auto follows = [&](size_t i, int low = 0x80, int high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return follows(1) ? 2 : 0;
  const int low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  const int high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (first >= 0xE0 && first <= 0xEF) return follows(1, low, high) && follows(2) ? 3 : 0;
  if (first >= 0xF0 && first <= 0xF4)
    return follows(1, low, high) && follows(2) && follows(3) ? 4 : 0;
  return 0;
}

std::string_view entity(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

bool is_control(char c) {
  const auto byte = static_cast<uint8_t>(c);
  return (byte < 32 && c != '\n' && c != '\t') || byte == 127;
}

std::string policy(bool talks) {
  return text("default-src 'none'; img-src data:", talks ? " 'self'" : "",
              "; style-src 'unsafe-inline'; script-src "
              "'unsafe-inline'; base-uri 'none'; form-action 'none'",
              talks ? "; connect-src 'self'" : "");
}

std::string navigation(const std::vector<Section>& sections) {
  if (sections.size() < 2) return "";
  std::string items;
  for (const Section& section : sections)
    items += text("<li><a href=\"#", section.id, "\">", escape_html(section.heading), "</a></li>");
  return text("<nav aria-label=\"Sections\"><ul>", items, "</ul></nav>\n");
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t length = character_length(text.substr(at));
    const std::string_view named = entity(text[at]);
    if (!named.empty()) {
      out += named;
    } else if (length == 0 || is_control(text[at])) {
      out += kReplacement;
    } else {
      out += text.substr(at, length);
    }
    at += length > 0 ? length : 1;
  }
  return out;
}

std::string escape_script(std::string_view json) {
  std::string out;
  for (const char c : json) {
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  }
  return out;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t three = 0;
    for (size_t i = 0; i < 3; ++i)
      three = three << 8 | (at + i < bytes.size() ? static_cast<uint8_t>(bytes[at + i]) : 0);
    for (size_t i = 0; i < 4; ++i)
      out += at + i > bytes.size() ? '=' : kDigits[three >> (18 - 6 * i) & 63];
  }
  return out;
}

std::string png_uri(const Image& image) {
  return "data:image/png;base64," + base64(encode_png(image));
}

std::string to_html(const Page& page) {
  const std::string title = escape_html(page.title);
  std::string main;
  for (const Section& section : page.sections)
    main += text("<section id=\"", section.id, "\" aria-labelledby=\"", section.id,
                 "-h\">\n<h2 id=\"", section.id, "-h\">", escape_html(section.heading), "</h2>\n",
                 section.body, "</section>\n");
  return text("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
              "<meta http-equiv=\"Content-Security-Policy\" content=\"", policy(page.talks),
              "\">\n", "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
              "<meta name=\"color-scheme\" content=\"light dark\">\n<title>", title,
              "</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n", embedded::style,
              "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to content</a>\n",
              "<header><h1>", title, "</h1>\n", page.lead, "</header>\n", navigation(page.sections),
              "<main id=\"main\" tabindex=\"-1\">\n", main, "</main>\n",
              "<footer><p>Made by soma. This page needs no network.</p></footer>\n", "<script>\n",
              embedded::script, page.scripts, "</script>\n</body>\n</html>\n");
}

std::string to_html(const Table& table) {
  std::string head, body;
  for (const std::string& column : table.columns)
    head += text("<th scope=\"col\">", escape_html(column), "</th>");
  for (const auto& row : table.rows) {
    body += "<tr>";
    for (size_t i = 0; i < row.size(); ++i) {
      body += i == 0 ? text("<th scope=\"row\">", escape_html(row[i]), "</th>")
                     : text("<td>", escape_html(row[i]), "</td>");
    }
    body += "</tr>\n";
  }
  return text("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"",
              escape_html(table.caption), "\"><table><caption>", escape_html(table.caption),
              "</caption><thead><tr>", head, "</tr></thead><tbody>\n", body,
              "</tbody></table></div>\n");
}

std::string folded_text(const std::string& summary, const std::string& text_inside) {
  return text("<details><summary>", escape_html(summary), "</summary><pre tabindex=\"0\">",
              escape_html(text_inside), "</pre></details>\n");
}

}  // namespace soma
