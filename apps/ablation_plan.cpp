#include "apps/ablation_plan.h"

#include <algorithm>

#include "run/config.h"
#include "run/config_value.h"
#include "run/setting.h"

namespace soma {
namespace {

// "models.r18.train.lr" -> {"models", "r18", "train.lr"}; fewer parts where there are fewer dots.
std::vector<std::string> parts_of(const std::string& key, size_t most) {
  std::vector<std::string> parts;
  size_t at = 0;
  for (size_t dot = 0; parts.size() + 1 < most && (dot = key.find('.', at)) != key.npos;
       at = dot + 1)
    parts.push_back(key.substr(at, dot - at));
  parts.push_back(key.substr(at));
  return parts;
}

template <class Named>
Named& named(std::vector<Named>& all, const std::string& name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Named& one) { return one.name == name; });
  if (found != all.end()) return *found;
  all.push_back({});
  all.back().name = name;
  return all.back();
}

template <class Named>
std::vector<std::string> names_of(const std::vector<Named>& all) {
  std::vector<std::string> names;
  for (const Named& one : all) names.push_back(one.name);
  return names;
}

class PlanReader {
 public:
  explicit PlanReader(const std::string& path) : path_(path) {}

  AblationPlan read() {
    for (const Setting& setting : read_settings(path_)) take(setting);
    for (AblationModel& model : plan_.models)
      model.settings.insert(model.settings.begin(), all_.begin(), all_.end());
    for (const AblationRow& row : plan_.rows) check_row(row);
    check_usage(!plan_.rows.empty(), path_, "holds no row; expected [rows.NAME] with models=[...]");
    try_settings();
    return std::move(plan_);
  }

 private:
  void take(const Setting& setting) {
    const std::vector<std::string> two = parts_of(setting.key, 2), three = parts_of(setting.key, 3);
    const auto assigned = [&](const std::string& key) { return key + "=" + print(setting.value); };
    if (setting.key == "columns") {
      words(setting, plan_.columns);
    } else if (two.size() == 2 && two[0] == "all") {
      all_.push_back(assigned(two[1]));
    } else if (three.size() == 3 && three[0] == "models") {
      named(plan_.models, three[1]).settings.push_back(assigned(three[2]));
    } else if (three.size() == 3 && three[0] == "rows") {
      take_row(named(plan_.rows, three[1]), setting, three[2]);
    } else {
      throw UsageError(text(setting.where,
                            ": expected columns, or a key under [all], "
                            "[models.NAME] or [rows.NAME]"));
    }
  }

  void take_row(AblationRow& row, const Setting& setting, const std::string& key) {
    if (key == "cells") return words(setting, row.cells);
    if (key == "models") return words(setting, row.models);
    if (key == "table") return word(setting, row.table);
    if (key == "against") return word(setting, row.against);
    check_usage(
        key.rfind("test.", 0) == 0, setting.where,
        "expected cells, models, table, against or a key test...; others belong to a model");
    row.settings.push_back(key + "=" + print(setting.value));
  }

  template <class Out>
  void word(const Setting& setting, Out& out) {
    try {
      parse(setting.value, out, {});
    } catch (const UsageError& error) {
      throw UsageError(text(setting.where, ": ", error.what()));
    }
  }
  void words(const Setting& setting, std::vector<std::string>& out) { word(setting, out); }

  std::string place(const char* what, const std::string& name) const {
    return text(path_, ": ", what, ".", name);
  }

  void check_row(const AblationRow& row) const {
    const std::string where = place("rows", row.name);
    check_usage(row.cells.size() == plan_.columns.size(), where, "expected cells for ",
                plan_.columns.size(), " columns, got ", row.cells.size());
    check_usage(!row.models.empty(), where, "expected models=[...], one at least");
    const std::vector<std::string> models = names_of(plan_.models), rows = names_of(plan_.rows);
    for (const std::string& name : row.models)
      check_usage(std::find(models.begin(), models.end(), name) != models.end(), where, "no model ",
                  name, " sets a key", did_you_mean(name, models));
    check_usage(row.against.empty() || plan_.row(row.against) < rows.size(), where,
                "there is no row ", row.against, did_you_mean(row.against, rows));
  }

  void try_settings() const {
    const auto attempt = [&](const char* what, const auto& one) {
      try {
        load_config({}, one.settings);
      } catch (const UsageError& error) {
        throw UsageError(text(place(what, one.name), ": ", error.what()));
      }
    };
    for (const AblationModel& model : plan_.models) attempt("models", model);
    for (const AblationRow& row : plan_.rows) attempt("rows", row);
  }

  const std::string& path_;
  AblationPlan plan_;
  std::vector<std::string> all_;
};

}  // namespace

const AblationModel& AblationPlan::model(const std::string& name) const {
  return *std::find_if(models.begin(), models.end(),
                       [&](const AblationModel& one) { return one.name == name; });
}

size_t AblationPlan::row(const std::string& name) const {
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [&](const AblationRow& one) { return one.name == name; });
  return static_cast<size_t>(found - rows.begin());
}

AblationPlan read_ablation(const std::string& path) { return PlanReader(path).read(); }

}  // namespace soma
