#include "pages/report.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.h"
#include "data/image_io.h"
#include "pages/chart.h"
#include "pages/html.h"
#include "pages/marks.h"

namespace soma {
namespace {

constexpr size_t kEnds = 4;                // images shown from the best and from the worst
constexpr size_t kPictureBytes = 280'000;  // of a picture's PNG
constexpr size_t kMarkBytes = 130'000;     // of its outlines, as far as they can be straightened
constexpr double kTolerances[] = {0.8, 1.6, 3, 6};

std::string score_text(double value) { return std::isfinite(value) ? decimals(value, 3) : "–"; }
std::string percent(int64_t part, int64_t whole) {
  return whole > 0
             ? text(std::llround(100.0 * static_cast<double>(part) / static_cast<double>(whole)),
                    " %")
             : "–";
}

// Over all images, at IoU above .5.
struct Found {
  int64_t hits = 0, wrong = 0, missed = 0;
  int64_t truths() const { return hits + missed; }
  int64_t cells() const { return hits + wrong; }
};
Found found_in(const ImageScore& image) {
  return {image.true_positives[0], image.false_positives[0], image.false_negatives[0]};
}
Found found_in(const KaggleScore& score) {
  Found sum;
  for (const ImageScore& image : score.images) {
    const Found one = found_in(image);
    sum.hits += one.hits, sum.wrong += one.wrong, sum.missed += one.missed;
  }
  return sum;
}

std::string card(const std::string& name, const std::string& value, const std::string& more) {
  return text("<div><dt>", name, "</dt><dd>", escape_html(value),
              more.empty() ? "" : text("<small>", escape_html(more), "</small>"), "</dd></div>\n");
}

std::string cards(const RunReport& report) {
  std::string out = card("Iterations", text(report.curves.iterations), "");
  if (report.validation) {
    const KaggleScore& kaggle = report.validation->kaggle;
    const CocoAp& ap = report.validation->ap;
    out += card("Competition score", score_text(kaggle.mean),
                text("95 %: ", score_text(kaggle.interval.first), " to ",
                     score_text(kaggle.interval.second)));
    out += card("Mask AP", score_text(ap.ap),
                text("AP50 ", score_text(ap.ap50), ", AP75 ", score_text(ap.ap75)));
    out += card("Validated on", text(report.validation->truth.samples.size()), "images");
    out += card("Best at iteration", text(report.validation->iteration), "");
  }
  return text("<dl class=\"cards\">\n", out, "</dl>\n");
}

// The result in a sentence.
std::string lead_of(const RunReport& report) {
  std::string lead;
  if (report.validation) {
    const Found found = found_in(report.validation->kaggle);
    lead = text("<p>On ", report.validation->truth.samples.size(),
                " images that it did not train on, the model found <strong>",
                percent(found.hits, found.truths()), "</strong> of ", found.truths(),
                " cells; <strong>", percent(found.wrong, found.cells()), "</strong> of the ",
                found.cells(), " that it found are no true cell. A cell counts as found where ",
                "the outlines share over half of their joint area (IoU above 0.5).</p>\n");
  }
  for (const std::string& note : report.notes)
    lead += text("<p class=\"note\">", escape_html(note), "</p>\n");
  return text("<p class=\"quiet\">Training report</p>", lead, cards(report));
}

std::string charts(const std::vector<NamedPlot>& plots) {
  std::string out;
  for (const NamedPlot& one : plots) out += chart(one.plot, one.name, one.about);
  return text("<div class=\"grid\">\n", out, "</div>\n");
}

Table class_table(const ValidationResult& validation) {
  const std::vector<std::string>& classes = validation.truth.classes;
  std::vector<int64_t> truths(classes.size()), found(classes.size());
  for (const Sample& sample : validation.truth.samples)
    for (const Instance& one : sample.instances) ++truths[static_cast<size_t>(one.class_index)];
  for (const ImagePredictions& image : validation.cells)
    for (const Prediction& one : image.predictions) ++found[static_cast<size_t>(one.class_index)];
  Table table{"Scores of each class",
              {"class", "images", "true cells", "found", "competition score", "mask AP"},
              {}};
  for (size_t c = 0; c < classes.size(); ++c)
    table.rows.push_back({classes[c], text(validation.kaggle.classes[c].images), text(truths[c]),
                          text(found[c]), score_text(validation.kaggle.classes[c].score),
                          score_text(validation.ap.classes[c])});
  return table;
}

Table image_table(const ValidationResult& validation) {
  Table table{"Every validation image, at IoU above 0.5",
              {"image", "score", "true cells", "hits", "false finds", "misses"},
              {}};
  for (size_t i = 0; i < validation.truth.samples.size(); ++i) {
    const Found found = found_in(validation.kaggle.images[i]);
    table.rows.push_back({validation.truth.samples[i].id,
                          score_text(validation.kaggle.images[i].score), text(found.truths()),
                          text(found.hits), text(found.wrong), text(found.missed)});
  }
  return table;
}

// Straightened more where they would be many bytes.
std::string bounded_marks(const ImagePair& pair, const std::vector<std::string>& classes,
                          int64_t side) {
  const double scale = std::max(1.0, static_cast<double>(side) / 640);  // pixels of the picture
  std::string marks;
  for (const double tolerance : kTolerances) {
    marks = hit_groups(pair, classes, tolerance * scale);
    if (marks.size() <= kMarkBytes) break;
  }
  return marks;
}

std::string image_figure(const ValidationResult& validation, size_t place) {
  const Sample& sample = validation.truth.samples[place];
  const Found found = found_in(validation.kaggle.images[place]);
  const std::string counts =
      text(found.hits, found.hits == 1 ? " hit, " : " hits, ", found.wrong,
           found.wrong == 1 ? " false find, " : " false finds, ", found.missed, " missed");
  PictureFigure figure;
  figure.caption =
      text(escape_html(sample.id), "<small>score ",
           score_text(validation.kaggle.images[place].score), ": ", counts, "</small>");
  figure.about = text("Image ", sample.id, " with outlines of cells: ", counts);
  figure.height = sample.height, figure.width = sample.width;
  figure.marks = bounded_marks({sample.instances, validation.cells[place].predictions},
                               validation.truth.classes, std::max(sample.height, sample.width));
  Image picture;
  if (!sample.path.empty()) {
    try {
      picture = fitted(read_image(sample.path), kPictureBytes);
      figure.picture = &picture;
    } catch (const Error&) {
      figure.caption += "<small>its picture cannot be read</small>";
    }
  }
  return to_html(figure);
}

std::string figures(const ValidationResult& validation, const std::string& heading,
                    const std::vector<size_t>& places) {
  std::string out;
  for (const size_t place : places) out += image_figure(validation, place);
  return text("<h3>", heading, "</h3>\n<div class=\"grid\">\n", out, "</div>\n");
}

std::string images_body(const ValidationResult& validation) {
  const auto& scores = validation.kaggle.images;
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return scores[a].score > scores[b].score; });
  std::string body;
  if (order.size() <= 2 * kEnds) {
    body = figures(validation, "From the best to the worst", order);
  } else {
    const std::vector<size_t> best(order.begin(), order.begin() + kEnds);
    const std::vector<size_t> worst(order.rbegin(), order.rbegin() + kEnds);
    body = figures(validation, "Best", best) + figures(validation, "Worst", worst);
  }
  return text("<p>Point at a cell, or touch it, to read its class and score.</p>\n",
              hit_switches("image-figures"), "<div id=\"image-figures\">\n", body, "</div>\n",
              "<details><summary>Every validation image</summary>",
              to_html(image_table(validation)), "</details>\n");
}

}  // namespace

std::string report_page(const RunReport& report) {
  Page page;
  page.title = report.name.empty() ? "Training run" : report.name;
  page.lead = lead_of(report);
  page.sections.push_back({"training", "Training", charts(training_plots(report.curves))});
  if (report.validation) {
    const ValidationResult& validation = *report.validation;
    page.sections.push_back(
        {"scores-by-class", "Validation",
         to_html(class_table(validation)) + charts(validation_plots(validation))});
    page.sections.push_back({"images", "Best and worst images", images_body(validation)});
  }
  std::string settings;
  if (!report.config.empty()) settings += folded_text("config.toml", report.config);
  if (!report.environment.empty()) settings += folded_text("env.txt", report.environment);
  if (settings.empty()) settings = "<p>The run has no config.toml.</p>\n";
  page.sections.push_back({"settings", "Settings", settings});
  return to_html(page);
}

}  // namespace soma
