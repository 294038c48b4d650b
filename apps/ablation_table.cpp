#include "apps/ablation_table.h"

#include <array>
#include <charconv>

#include "base/atomic_file.h"
#include "base/check.h"
#include "base/json.h"
#include "base/quantile.h"
#include "base/read_file.h"
#include "data/csv.h"
#include "evaluation/bootstrap.h"

namespace soma {
namespace {

struct Mean {
  double value = 0;
  std::pair<double, double> interval{};
};

Mean with_interval(const std::vector<double>& values) {
  return {mean_of(values), bootstrap_interval(values)};
}

using Rows = std::vector<std::optional<RowScores>>;

// Over the row that row `r` is held against; nothing where one of them is not there.
std::optional<Mean> gain_of(const AblationPlan& plan, const Rows& rows, size_t r) {
  const std::string& name = plan.rows[r].against;
  if (name.empty() || !rows[r] || !rows[plan.row(name)]) return std::nullopt;
  const RowScores &own = *rows[r], &other = *rows[plan.row(name)];
  check(own.ids == other.ids, "ablate", "rows ", plan.rows[r].name, " and ", name,
        " were scored on other images; remove the folder of rows");
  std::vector<double> gains;
  for (size_t i = 0; i < own.scores.size(); ++i) gains.push_back(own.scores[i] - other.scores[i]);
  return with_interval(gains);
}

std::string between(const Mean& mean) {
  return text(decimals(mean.interval.first, 3), " to ", decimals(mean.interval.second, 3));
}

std::string line_of(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += text(" ", cell, " |");
  return line + "\n";
}

std::string header_of(const AblationPlan& plan) {
  std::vector<std::string> names = {""};
  names.insert(names.end(), plan.columns.begin(), plan.columns.end());
  for (const char* name : {"mAP", "95 %", "gain over", "gain", "95 %"}) names.push_back(name);
  std::string rule = "|";
  for (size_t i = 0; i < names.size(); ++i) rule += "---|";
  return line_of(names) + rule + "\n";
}

}  // namespace

void write_row_scores(const std::string& path, const RowScores& row) {
  std::string out = "id,score\n";
  for (size_t i = 0; i < row.ids.size(); ++i)
    out += text(csv_field(row.ids[i]), ",", row.scores[i], "\n");
  write_file_atomically(path, out);
}

RowScores read_row_scores(const std::string& path) {
  const std::string bytes = read_file(path, int64_t{1} << 30);
  CsvReader csv(bytes, path);
  const size_t id = csv.column("id"), score = csv.column("score");
  RowScores row;
  while (csv.next()) {
    row.ids.push_back(csv.field(id));
    const std::string& field = csv.field(score);
    const char* end = field.data() + field.size();
    const auto parsed = std::from_chars(field.data(), end, row.scores.emplace_back());
    check(parsed.ec == std::errc() && parsed.ptr == end, csv.place(), "expected a score, got ",
          field);
  }
  return row;
}

std::string ablation_markdown(const AblationPlan& plan, const Rows& rows) {
  std::string out;
  for (size_t r = 0; r < plan.rows.size(); ++r) {
    const AblationRow& row = plan.rows[r];
    if (r == 0 || row.table != plan.rows[r - 1].table) {
      if (!out.empty()) out += "\n";
      if (!row.table.empty()) out += row.table + "\n\n";
      out += header_of(plan);
    }
    std::vector<std::string> cells = {row.name};
    cells.insert(cells.end(), row.cells.begin(), row.cells.end());
    const std::optional<Mean> gain = gain_of(plan, rows, r);
    const std::optional<Mean> mean =
        rows[r] ? std::optional(with_interval(rows[r]->scores)) : std::nullopt;
    cells.push_back(mean ? decimals(mean->value, 3) : "");
    cells.push_back(mean ? between(*mean) : "");
    cells.push_back(row.against);
    cells.push_back(gain ? decimals(gain->value, 3) : "");
    cells.push_back(gain ? between(*gain) : "");
    out += line_of(cells);
  }
  return out;
}

std::string ablation_json(const AblationPlan& plan, const Rows& rows) {
  Json list = Json::array();
  size_t images = 0;
  for (size_t r = 0; r < plan.rows.size(); ++r) {
    const AblationRow& row = plan.rows[r];
    Json cells = Json::object();
    for (size_t c = 0; c < row.cells.size(); ++c) cells.set(plan.columns[c], row.cells[c]);
    Json entry = {
        {"row", row.name}, {"table", row.table}, {"cells", cells}, {"models", row.models}};
    if (rows[r]) {
      images = rows[r]->ids.size();
      const Mean mean = with_interval(rows[r]->scores);
      entry.set("kaggle", mean.value);
      entry.set("kaggle_interval", std::array{mean.interval.first, mean.interval.second});
    }
    if (const std::optional<Mean> gain = gain_of(plan, rows, r)) {
      entry.set("against", row.against);
      entry.set("gain", gain->value);
      entry.set("gain_interval", std::array{gain->interval.first, gain->interval.second});
    }
    list.push_back(entry);
  }
  return Json{{"images", images}, {"rows", list}}.dump() + "\n";
}

}  // namespace soma
