#include "pages/explain_page.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "data/draw.h"
#include "pages/embedded.h"
#include "pages/explain_truth.h"
#include "pages/html.h"
#include "pages/marks.h"

namespace soma {
namespace {

constexpr size_t kMostBoxes = 500;   // of candidates and of proposals on the page
constexpr size_t kMostTiles = 40;    // cells looked at closely
constexpr size_t kMostAnchors = 24;  // of one cell
constexpr size_t kPictureBytes = 500'000;
constexpr int64_t kMapSide = 320, kChannelSide = 96;
constexpr double kTolerance = 0.7;

class Pages {
 public:
  Pages(const Explanation& explained, const ExplainFacts& facts)
      : e_(explained),
        facts_(facts),
        picture_(fitted(brightened(explained.image), kPictureBytes)) {}

  std::string html() const {
    Page page;
    page.title = text("How the model sees ", facts_.image);
    page.lead = lead();
    page.sections = {{"result", "Result", result()},
                     {"input", "1. Input", input()},
                     {"features", "2. Feature maps", features()},
                     {"anchors", "3. Anchors", anchors()},
                     {"proposals", "4. Proposals", proposals()},
                     {"cells", "5. From proposals to cells", tiles()},
                     {"time", "Time", times()}};
    if (!e_.truths.empty())
      page.sections.insert(page.sections.begin() + 1,
                           {"truth", "What was annotated", truth_section(e_, facts_)});
    page.scripts = std::string(embedded::explain);
    return to_html(page);
  }

 private:
  static Image small_map(const Image& map, int64_t side) {
    return map.height > side || map.width > side ? first_channel(shrunk(map, side, side)) : map;
  }
  static std::string image_tag(const Image& image, const std::string& about, const char* kind) {
    return text("<img class=\"", kind, "\" src=\"", png_uri(image), "\" width=\"", image.width,
                "\" height=\"", image.height, "\" alt=\"", escape_html(about), "\">");
  }
  std::string class_of(int index) const {
    const auto place = static_cast<size_t>(index);
    if (place == facts_.classes.size()) return "background";
    return place < facts_.classes.size() ? facts_.classes[place] : text("class ", index);
  }
  std::string name_of(size_t detection) const {
    const ExplainedDetection& one = e_.detections[detection];
    return text("cell ", detection + 1, ": ", class_of(one.class_index), ", score ",
                decimals(one.score, 2));
  }
  std::string name_of_truth(size_t place) const {
    return text("annotated cell ", place + 1, ": ", class_of(e_.truths[place].class_index));
  }
  PictureFigure on_image(std::string caption, std::string about, std::string marks) const {
    PictureFigure figure;
    figure.caption = std::move(caption);
    figure.about = std::move(about);
    figure.height = e_.image.height, figure.width = e_.image.width;
    figure.shared = "the-image";  // which the result, the first of the figures, brings
    figure.marks = std::move(marks);
    return figure;
  }

  std::string lead() const {
    std::string out =
        text("<p class=\"quiet\">Model ", escape_html(facts_.model), "; image of ", e_.image.width,
             " × ", e_.image.height, " pixels</p>\n<p>", e_.detections.size(),
             e_.detections.size() == 1 ? " detection scores" : " detections score",
             " above test.score. Below, every step on the way there.</p>\n");
    for (const std::string& note : facts_.notes)
      out += text("<p class=\"note\">", escape_html(note), "</p>\n");
    return out;
  }

  std::string result() const {
    std::vector<SvgMark> marks;
    for (size_t i = 0; i < e_.pasted.size(); ++i) {
      const Prediction& one = e_.pasted[i];
      marks.push_back({svg_path(one.mask, kTolerance),
                       text(class_of(one.class_index), ", score ", decimals(one.score, 2), ", ",
                            area(one.mask), " pixels"),
                       text("data-score=\"", decimals(one.score, 4), "\"")});
    }
    const std::string score = decimals(facts_.least_score, 2);
    PictureFigure figure = on_image(
        "What was found<small>masks pasted into the image, before overlaps are removed; "
        "point at a cell or touch it</small>",
        text("The image with outlines of ", marks.size(), " cells"), mark_group("hit", marks));
    figure.picture = &picture_;
    return text("<div class=\"controls\"><label>Score above <input type=\"range\" id=\"score\" ",
                "min=\"0\" max=\"1\" step=\"0.01\" value=\"", score,
                "\"></label><output id=\"score-out\" for=\"score\">", score,
                "</output><output id=\"score-count\" for=\"score\"></output></div>\n",
                to_html(figure));
  }

  std::string input() const {
    const NetworkInput& in = e_.input;
    return text(
        "<p>The image is resized from ", in.original.width, " × ", in.original.height, " to ",
        in.network.width, " × ", in.network.height, ", each colour has its mean subtracted and ",
        "is divided by its deviation, and zeros are added on the right and at the bottom up ",
        "to ", in.images.padded.width, " × ", in.images.padded.height,
        ".</p>\n<figure class=\"single\"><figcaption>",
        "One colour of what the network sees</figcaption>",
        image_tag(small_map(e_.network_image, 640), "The network's input as a gray picture", ""),
        "</figure>\n");
  }

  std::string features() const {
    std::string out =
        "<p>A residual network and a feature pyramid turn the image into maps of ever coarser "
        "cells. Bright is a strong answer. Beside each level's strength stand the channels that "
        "vary most, and how sure the network is that something is there (objectness).</p>\n";
    for (const FeatureLevel& level : e_.levels) {
      std::string channels;
      for (size_t i = 0; i < level.channels.size(); ++i)
        channels +=
            text("<li>",
                 image_tag(small_map(level.channels[i], kChannelSide),
                           text(level.name, ", channel ", i + 1, " of the most varied"), ""),
                 "</li>");
      const auto map = [&](const Image& image, const char* what) {
        return text(
            "<figure><figcaption>", what, "</figcaption>",
            image_tag(small_map(image, kMapSide), text(what, " of ", level.name), "pixelated"),
            "</figure>\n");
      };
      out += text("<h3>", level.name, ": ", level.width, " × ", level.height, " cells, one every ",
                  decimals(level.step, 1), " pixels</h3>\n<div class=\"grid\">",
                  map(level.strength, "Strength over all channels"),
                  map(level.objectness, "Objectness"), "</div>\n<ul class=\"tiles\">", channels,
                  "</ul>\n");
    }
    return out;
  }

  std::string anchors() const {
    Table table{"Anchors of each level",
                {"level", "sizes (pixels of the input)", "anchors", "match a cell", "unsure"},
                {}};
    for (const FeatureLevel& level : e_.levels) {
      std::string sizes;
      for (const double size : level.anchor_sizes)
        sizes += text(sizes.empty() ? "" : ", ", decimals(size, 0));
      table.rows.push_back(
          {level.name, sizes, text(level.anchors), text(level.matched), text(level.unsure)});
    }
    std::string groups, options;
    const bool known = !e_.truths.empty();
    const size_t shown = std::min(known ? e_.truths.size() : e_.detections.size(), kMostTiles);
    for (size_t i = 0; i < shown; ++i) {
      const std::string name = known ? name_of_truth(i) : name_of(i);
      groups += anchor_group(i, known ? e_.truths[i].box : e_.detections[i].box, name);
      options += text("<option value=\"", i, "\">", escape_html(name), "</option>");
    }
    const std::string chooser =
        shown == 0 ? ""
                   : text("<div class=\"controls\"><label>Anchors of <select id=\"anchor-cell\">",
                          options, "</select></label></div>\n",
                          to_html(on_image(
                              text("Anchors that match the cell<small>IoU with its box (white) of ",
                                   decimals(e_.least_iou, 2), " or more",
                                   known ? ", or the best there is" : "", "</small>"),
                              "The image with the anchors of one cell", groups)));
    return text(
        "<p>Anchors are boxes of fixed sizes at every cell of every level. Those that ",
        "overlap a cell well are where the network starts from. Which ones match is decided ",
        known ? "as in training, by the annotated cells.</p>\n"
              : "as in training, with what was found in place of the truth.</p>\n",
        to_html(table), chooser);
  }

  static std::string rect(const BoxCorners& box, const std::string& more,
                          const std::string& title) {
    return text("<rect x=\"", decimals(box[0], 1), "\" y=\"", decimals(box[1], 1), "\" width=\"",
                decimals(std::max(0.0f, box[2] - box[0]), 1), "\" height=\"",
                decimals(std::max(0.0f, box[3] - box[1]), 1), "\" ", more, "><title>",
                escape_html(title), "</title></rect>\n");
  }

  std::string anchor_group(size_t cell, const BoxCorners& box, const std::string& name) const {
    std::string rects = rect(box, "class=\"truth\"", name);
    size_t count = 0;
    for (const MatchedAnchor& anchor : e_.anchors) {
      if (anchor.cell != static_cast<int>(cell) || ++count > kMostAnchors) continue;
      const FeatureLevel& level = e_.levels[static_cast<size_t>(anchor.level)];
      rects +=
          rect(anchor.box, text("class=\"c", anchor.level, "\""), text("anchor of ", level.name));
    }
    return text("<g class=\"anchors\" data-cell=\"", cell, "\"", cell ? " hidden" : "",
                " data-count=\"", count, "\">", rects, "</g>");
  }

  std::string box_figure(const std::vector<ScoredBoxOfLevel>& boxes, const char* caption) const {
    std::string rects;
    for (size_t i = 0; i < std::min(boxes.size(), kMostBoxes); ++i)
      rects += rect(
          boxes[i].box,
          text("class=\"c", boxes[i].level < 0 ? 4 : boxes[i].level, "\" data-rank=\"", i, "\""),
          text("rank ", i + 1, ", score ", decimals(boxes[i].score, 3)));
    return to_html(on_image(text(caption, "<small>", boxes.size(), " in all</small>"),
                            text("The image with boxes: ", caption),
                            text("<g class=\"ranked\">", rects, "</g>")));
  }

  std::string proposals() const {
    return text("<p>Each anchor is moved to fit what it sees. Of boxes that overlap, non-maximum ",
                "suppression keeps the best; those that are left are the proposals.</p>\n",
                "<div class=\"controls\"><label>The best <input type=\"range\" id=\"rank\" ",
                "min=\"1\" max=\"", kMostBoxes, "\" value=\"60\"></label><output id=\"rank-out\" ",
                "for=\"rank\">60</output></div>\n<div class=\"grid\">\n",
                box_figure(e_.candidates, "Before suppression"),
                box_figure(e_.proposals, "Proposals after it"), "</div>\n");
  }

  std::string score_bars(const ExplainedDetection& one) const {
    std::string out;
    for (size_t c = 0; c < one.class_scores.size(); ++c)
      out += text("<span class=\"bar\"><span>", escape_html(class_of(static_cast<int>(c))),
                  "</span><i style=\"width:", decimals(100 * one.class_scores[c], 1),
                  "%\"></i><span>", decimals(one.class_scores[c], 2), "</span></span>");
    return out;
  }

  std::string tile(size_t i) const {
    const ExplainedDetection& one = e_.detections[i];
    Json logits = Json::array();  // in tenths: what the eye tells apart
    for (const float value : one.mask_logits)
      logits.push_back(static_cast<int>(std::lround(std::clamp(value, -12.7f, 12.7f) * 10)));
    const std::string name = name_of(i);
    return text("<figure data-score=\"", decimals(one.score, 4), "\"><figcaption>",
                escape_html(name), "<small>",
                one.proposal < 0 ? "" : text("from proposal ", one.proposal + 1), "</small>",
                "</figcaption><ul class=\"tiles\"><li>",
                image_tag(one.crop, "The image within the box of " + name, ""), "crop</li><li>",
                image_tag(one.pooled, "Strength of the pooled features of " + name, "pixelated"),
                "features</li><li><canvas class=\"mask\" width=\"", one.mask_side, "\" height=\"",
                one.mask_side, "\" role=\"img\" aria-label=\"Mask logits of ", escape_html(name),
                "\" data-logits=\"", logits.dump(), "\"></canvas>mask logits</li></ul>",
                score_bars(one), "</figure>\n");
  }

  std::string tiles() const {
    std::string out;
    const size_t shown = std::min(e_.detections.size(), kMostTiles);
    for (size_t i = 0; i < shown; ++i) out += tile(i);
    const std::string rest =
        shown < e_.detections.size() ? text(" The best ", shown, " are shown.") : "";
    if (out.empty()) return "<p>Nothing was found that scores above test.score.</p>\n";
    return text("<p>From each proposal features are pooled on a fixed grid (RoIAlign). One head ",
                "gives it a class, the other a mask of logits: red is outside, green inside. The ",
                "threshold says where the outline runs.", rest, "</p>\n",
                "<div class=\"controls\"><label>Mask threshold <input type=\"range\" id=\"mask\" ",
                "min=\"0.02\" max=\"0.98\" step=\"0.02\" value=\"0.5\"></label>",
                "<output id=\"mask-out\" for=\"mask\">0.5</output></div>\n",
                "<div class=\"grid\" id=\"tiles\">\n", out, "</div>\n");
  }

  std::string times() const {
    Table table{"Time of each stage on this machine", {"stage", "milliseconds"}, {}};
    double sum = 0;
    for (const StageTime& one : e_.times) {
      table.rows.push_back({one.name, decimals(one.milliseconds, 1)});
      sum += one.milliseconds;
    }
    table.rows.push_back({"together", decimals(sum, 1)});
    return to_html(table);
  }

  const Explanation& e_;
  const ExplainFacts& facts_;
  Image picture_;
};

}  // namespace

std::string explain_page(const Explanation& explained, const ExplainFacts& facts) {
  return Pages(explained, facts).html();
}

}  // namespace soma
