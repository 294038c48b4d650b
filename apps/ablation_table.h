// What the rows of an ablation scored, kept image by image so that rows can be held against each
// other, and the table of them.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/ablation_plan.h"

namespace soma {

// The competition's score of each image, in the data's order.
struct RowScores {
  std::vector<std::string> ids;
  std::vector<double> scores;
};
// A CSV: id,score. Error: it cannot be written; it is no such table.
void write_row_scores(const std::string& path, const RowScores& row);
RowScores read_row_scores(const std::string& path);

// rows: as the plan's; nothing where a row is not done. The mean score (mAP, as the competition
// calls it) with its 95 % interval, and the mean gain over the row that it is held against, paired
// by image. As Markdown, a table for each title; and as JSON: images, rows of row, table, cells,
// models, kaggle, kaggle_interval, against, gain, gain_interval.
std::string ablation_markdown(const AblationPlan& plan,
                              const std::vector<std::optional<RowScores>>& rows);
std::string ablation_json(const AblationPlan& plan,
                          const std::vector<std::optional<RowScores>>& rows);

}  // namespace soma
