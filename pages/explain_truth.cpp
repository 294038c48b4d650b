#include "pages/explain_truth.h"

#include <algorithm>
#include <numeric>

#include "pages/html.h"
#include "pages/marks.h"

namespace soma {
namespace {

constexpr size_t kMostRows = 300;
constexpr float kNear = 0.5f;  // IoU of a box that can become the cell
constexpr double kTolerance = 0.7;

enum Fate { kNoCandidate, kNoProposal, kNoDetection, kOtherMask, kLowScore, kFound };

Fate fate_of(const ExplainedTruth& truth, const Explanation& explained, double least_score) {
  if (truth.mask_iou > kNear) {
    const Prediction& found = explained.pasted[static_cast<size_t>(truth.found)];
    return found.score >= static_cast<float>(least_score) ? kFound : kLowScore;
  }
  if (truth.candidate < kNear) return kNoCandidate;
  if (truth.proposal < kNear) return kNoProposal;
  return truth.detection < kNear ? kNoDetection : kOtherMask;
}

const char* words_of(Fate fate) {
  switch (fate) {
    case kNoCandidate:
      return "lost: no anchor was moved onto it, or too low in rank";
    case kNoProposal:
      return "lost: its box fell to a better one (model.rpn_nms) or came too late in rank";
    case kNoDetection:
      return "lost: its proposal got no class above test.score, or fell to a neighbour (test.nms)";
    case kOtherMask:
      return "lost: its mask fits badly";
    case kLowScore:
      return "left out: scores below test.submission_score";
    case kFound:
      return "found";
  }
  return "";
}

std::string class_name(int index, const std::vector<std::string>& classes) {
  return index >= 0 && index < std::ssize(classes) ? classes[static_cast<size_t>(index)]
                                                   : text("class ", index);
}

std::string picture(const Explanation& explained, const ExplainFacts& facts) {
  std::vector<Instance> truths;
  for (const ExplainedTruth& truth : explained.truths)
    truths.push_back({truth.class_index, truth.mask, false});
  std::vector<Prediction> cells;
  for (const Prediction& one : explained.pasted)
    if (one.score >= static_cast<float>(facts.least_score)) cells.push_back(one);
  PictureFigure figure;
  figure.caption =
      "What is there and what was found<small>hits have an IoU above .5 with an annotated "
      "cell</small>";
  figure.about = text("The image with outlines of ", truths.size(), " annotated and ", cells.size(),
                      " found cells");
  figure.height = explained.image.height, figure.width = explained.image.width;
  figure.shared = "the-image";
  figure.marks = hit_groups({truths, cells}, facts.classes, kTolerance);
  return hit_switches("truth") + to_html(figure);
}

}  // namespace

std::string truth_section(const Explanation& explained, const ExplainFacts& facts) {
  const std::vector<ExplainedTruth>& truths = explained.truths;
  std::vector<Fate> fates;
  for (const ExplainedTruth& truth : truths)
    fates.push_back(fate_of(truth, explained, facts.least_score));
  std::vector<size_t> order(truths.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return fates[a] < fates[b]; });
  Table table{"Annotated cells: IoU with the best box or mask of each stage",
              {"cell", "class", "pixels", "anchors that match", "before suppression", "proposal",
               "detection", "mask", "fate"},
              {}};
  for (const size_t i : order) {
    if (table.rows.size() == kMostRows) break;
    const ExplainedTruth& truth = truths[i];
    std::string fate = words_of(fates[i]);
    if (truth.found >= 0 && fates[i] >= kLowScore) {
      const Prediction& found = explained.pasted[static_cast<size_t>(truth.found)];
      fate += text(" as ", class_name(found.class_index, facts.classes), ", ",
                   decimals(found.score, 2));
    }
    table.rows.push_back({text(i + 1), class_name(truth.class_index, facts.classes),
                          text(area(truth.mask)), text(truth.anchors), decimals(truth.candidate, 2),
                          decimals(truth.proposal, 2), decimals(truth.detection, 2),
                          decimals(truth.mask_iou, 2), fate});
  }
  const auto found = std::count(fates.begin(), fates.end(), kFound);
  const std::string rest =
      truths.size() > kMostRows ? text(" The first ", kMostRows, " rows are shown.") : "";
  return text("<p>", found, " of ", truths.size(),
              truths.size() == 1 ? " annotated cell" : " annotated cells",
              truths.size() == 1 && found == 1 ? " was" : " were",
              " found. Of the others the table tells the stage that lost them.", rest, "</p>\n",
              picture(explained, facts), to_html(table));
}

}  // namespace soma
