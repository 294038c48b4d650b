// The plan of `soma ablate`, a TOML file: trainings by name, and rows that test them.
//   columns = ["backbone", "ensemble"]         what tells the rows apart, as the table prints it
//   [all]           keys of every training:    model.preset = "cells"
//   [models.r18]    keys of this one:          model.backbone = "resnet18"
//   [rows.1]        models = ["r18"]           one, or several that answer together
//                   cells = ["R18", ""]        one for each column
//                   against = "2"              the row that it is held against; may be left out
//                   table = "Backbones"        rows of one title stand in one table; may be left
//                   out test.views = ["plain", "h"]     keys of the test, and no others
#pragma once
#include <string>
#include <vector>

namespace soma {

struct AblationModel {
  std::string name;
  std::vector<std::string> settings;  // key=value, those of [all] first
};

struct AblationRow {
  std::string name, table, against;
  std::vector<std::string> cells, models, settings;
};

struct AblationPlan {
  std::vector<std::string> columns;
  std::vector<AblationModel> models;  // in the file's order, as are the rows
  std::vector<AblationRow> rows;
  const AblationModel& model(const std::string& name) const;
  // Its place; rows.size() when there is none.
  size_t row(const std::string& name) const;
};

// Every model and row is tried as a configuration, too. UsageError, one line with the place: what
// the file may not hold, a name that nothing has, not as many cells as columns, a wrong key.
AblationPlan read_ablation(const std::string& path);

}  // namespace soma
