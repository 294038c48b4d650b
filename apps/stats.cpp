// `soma stats`: what a data set holds, what is wrong with its masks, which anchors suit it.
#include <cstdio>

#include "apps/commands.h"
#include "apps/console.h"
#include "base/json.h"
#include "data/loader.h"
#include "data/statistics.h"

namespace soma {
namespace {

Json to_json(const Quantiles& q) {
  return {{"least", q.least}, {"p5", q.p5},   {"p25", q.p25},           {"median", q.median},
          {"p75", q.p75},     {"p95", q.p95}, {"greatest", q.greatest}, {"mean", q.mean}};
}

Json to_json(const FaultCounts& f) {
  return {{"empty", f.empty},
          {"several_pieces", f.several_pieces},
          {"holed", f.holed},
          {"cut", f.cut},
          {"duplicates", f.duplicates},
          {"near_copies", f.near_copies},
          {"overlapping", f.overlapping}};
}

Json to_json(const DataStatistics& s, const MeanStd& pixels, const Dataset& dataset) {
  Json sizes = Json::array(), classes = Json::object();
  for (const SizeCount& size : s.sizes)
    sizes.push_back(
        Json{{"width", size.size.width}, {"height", size.size.height}, {"images", size.images}});
  for (const ClassStatistics& c : s.classes)
    classes.set(c.name, {{"images", c.images},
                         {"instances", c.instances},
                         {"areas", to_json(c.areas)},
                         {"per_image", to_json(c.per_image)}});
  return {{"images", s.images},
          {"images_without_instances", s.images_without_instances},
          {"instances", s.instances},
          {"crowds", s.crowds},
          {"sizes", sizes},
          {"classes", classes},
          {"areas", to_json(s.areas)},
          {"box_widths", to_json(s.box_widths)},
          {"box_heights", to_json(s.box_heights)},
          {"per_image", to_json(s.per_image)},
          {"faults", to_json(s.faults)},
          {"overlap_share", s.overlap_share},
          {"mean", pixels.mean},
          {"std", pixels.std},
          {"anchors", Json{{"sizes", s.anchors.sizes},
                           {"ratios", s.anchors.ratios},
                           {"mean_iou", s.anchors.fit.mean_iou},
                           {"above_half", s.anchors.fit.above_half}}},
          {"warnings", dataset.warnings}};
}

std::string short_number(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.4g", value);
  return buffer;
}

std::string row(const std::string& name, const Quantiles& q) {
  char line[160];
  std::snprintf(line, sizeof line, "  %-22.22s %8.4g %8.4g %8.4g %8.4g %8.4g\n", name.c_str(),
                q.least, q.p5, q.median, q.p95, q.greatest);
  return line;
}

std::string quantile_table(const DataStatistics& s) {
  std::string out = "                            least       5%   median      95% greatest\n";
  out += row("area, pixels", s.areas) + row("box width", s.box_widths);
  out += row("box height", s.box_heights) + row("instances an image", s.per_image);
  if (s.classes.size() < 2) return out;
  for (const ClassStatistics& c : s.classes) {
    out += text(c.name, ": ", c.instances, " instances on ", c.images, " images\n");
    out += row("area, pixels", c.areas) + row("instances an image", c.per_image);
  }
  return out;
}

template <class Numbers>
std::string list(const Numbers& numbers) {
  std::string out = "[";
  for (const auto number : numbers) out += text(out.size() > 1 ? ", " : "", short_number(number));
  return out + "]";
}

std::string percent(double share) {
  const bool tiny = share > 0 && share < 1e-4;
  return tiny ? "less than 0.01 %" : short_number(100 * share) + " %";
}

std::string to_page(const DataStatistics& s, const MeanStd& pixels) {
  std::string out = text(s.images, " images (", s.images_without_instances, " without instances), ",
                         s.instances, " instances, ", s.crowds, " crowds\n");
  for (const SizeCount& size : s.sizes)
    out += text("  ", size.size.width, "x", size.size.height, ": ", size.images,
                size.images == 1 ? " image\n" : " images\n");
  out += quantile_table(s);
  const FaultCounts& f = s.faults;
  out += text("masks: ", f.empty, " empty, ", f.several_pieces, " in several pieces, ", f.holed,
              " with holes, ", f.cut, " cut through, ", f.duplicates, " duplicates, ",
              f.near_copies, " near copies, ", f.overlapping, " overlapping (",
              percent(s.overlap_share), " of the pixels in masks)\n");
  out += text("pixels: mean ", list(pixels.mean), ", deviation ", list(pixels.std), "\n");
  if (s.anchors.sizes.empty()) return out;
  return out + text("anchors that suit: 'model.anchors=", list(s.anchors.sizes),
                    "' 'model.anchor_ratios=", list(s.anchors.ratios), "' (mean IoU ",
                    short_number(s.anchors.fit.mean_iou), ", ", percent(s.anchors.fit.above_half),
                    " of the boxes above 0.5)\n");
}

}  // namespace

int stats_command(const Options& options) {
  const Console console(options);
  const Dataset dataset = read_dataset(options.data, options.images_dir);
  for (const std::string& warning : dataset.warnings) console.warn(warning);
  const DataStatistics statistics = data_statistics(dataset);
  const MeanStd pixels = dataset_mean_std(dataset);
  console.result(console.json() ? to_json(statistics, pixels, dataset).dump() + "\n"
                                : to_page(statistics, pixels));
  return 0;
}

}  // namespace soma
