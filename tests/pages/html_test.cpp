#include "pages/html.h"

#include <doctest/doctest.h>

#include "tests/support/text_search.h"

namespace soma {

TEST_CASE("text of any kind can stand in a page") {
  CHECK(escape_html("a<b>&\"c\"'d'") == "a&lt;b&gt;&amp;&quot;c&quot;&#39;d&#39;");
  CHECK(escape_html("Zelle 3 µm, 細胞 \U0001F9EB\n\t") == "Zelle 3 µm, 細胞 \U0001F9EB\n\t");
  const std::string odd = "\xEF\xBF\xBD";
  for (const char* broken : {"\x01", "\x7F", "\x80", "\xC0\xAF", "\xE2\x82", "\xED\xA0\x80",
                             "\xF4\x90\x80\x80", "\xFF"}) {
    const std::string escaped = escape_html(std::string("a") + broken + "b");
    CHECK(escaped.front() == 'a');
    CHECK(escaped.back() == 'b');
    CHECK_MESSAGE(has(escaped, odd), escaped);
    CHECK_FALSE(has(escaped, broken));
  }
  CHECK(escape_html(std::string_view("a\0b", 3)) == "a" + odd + "b");
  CHECK(escape_html("\xC3\xA4\xC3") == "\xC3\xA4" + odd);
  CHECK(escape_html("") == "");
}

TEST_CASE("a script cannot be left by what stands in it") {
  CHECK(escape_script("{\"a\": \"</script><!--\"}") == "{\"a\": \"\\u003c/script>\\u003c!--\"}");
}

TEST_CASE("base64 is that of RFC 4648") {
  const std::pair<const char*, const char*> known[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"},
                                                       {"\xFB\xFF", "+/8="}};
  for (const auto& [bytes, expected] : known) CHECK(base64(bytes) == expected);
}

TEST_CASE("a page has its landmarks, headings and policy, and fetches nothing") {
  Page page{"A <b> & \"run\"", "<p>lead</p>", {{"one", "First <x>", "<p>1</p>"}, {"two", "2", ""}}};
  const std::string html = to_html(page);
  CHECK(html.starts_with("<!doctype html>\n<html lang=\"en\">"));
  CHECK(has(html, "<title>A &lt;b&gt; &amp; &quot;run&quot;</title>"));
  CHECK(count(html, "<h1>") == 1);
  CHECK(has(html, "<h2 id=\"one-h\">First &lt;x&gt;</h2>"));
  for (const char* part : {"<header>", "<nav aria-label=", "<main id=\"main\"", "<footer>",
                           "href=\"#main\"", "href=\"#two\"", "default-src 'none'"})
    CHECK_MESSAGE(has(html, part), part);
  CHECK_FALSE(has(html, "connect-src"));
  CHECK_FALSE(has(html, "http://"));
  CHECK_FALSE(has(html, "https://"));
  page.talks = true;
  CHECK(has(to_html(page), "connect-src 'self'"));
  CHECK(has(to_html(Page()), "</html>"));
}

TEST_CASE("a table has a caption and headings of both kinds") {
  const std::string html = to_html(Table{"C & D", {"name", "n"}, {{"a<b", "1"}, {"c", "2"}}});
  CHECK(has(html, "<caption>C &amp; D</caption>"));
  CHECK(has(html, "<th scope=\"col\">n</th>"));
  CHECK(has(html, "<tr><th scope=\"row\">a&lt;b</th><td>1</td></tr>"));
  CHECK(has(to_html(Table()), "<tbody>"));
}

TEST_CASE("folded text is not markup") {
  CHECK(has(folded_text("s", "[a]\n<b>"), "[a]\n&lt;b&gt;"));
}

}  // namespace soma
