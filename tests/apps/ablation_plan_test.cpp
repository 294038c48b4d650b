// The plan of an ablation: read in the file's order, every name and key checked; the plans and
// configurations that the repository ships load.
#include "apps/ablation_plan.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "apps/ablation_table.h"
#include "base/usage.h"
#include "run/config.h"
#include "tests/support/temp_dir.h"

namespace soma::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPlan = R"(
columns = ["backbone", "both"]
[all]
model.preset = "cells"
train.lr = 0.25
[models.zeta]
model.backbone = "resnet34"
[models.alpha]
train.lr = 0.5
model.classes = ["a \"b\"", "c"]
[rows.2]
models = ["zeta"]
cells = ["R34", ""]
table = "First"
[rows.10]
models = ["zeta", "alpha"]
cells = ["R34 + R18", "yes"]
against = "2"
test.views = ["plain", "h"]
test.score = 0.1
)";

std::string file_of(const TempDir& folder, const std::string& content) {
  const std::string path = folder / "plan.toml";
  std::ofstream(path) << content;
  return path;
}

std::string replaced(std::string content, const std::string& from, const std::string& to) {
  return content.replace(content.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("a plan: the file's order, the settings of all first") {
  const TempDir folder;
  const AblationPlan plan = read_ablation(file_of(folder, kPlan));
  CHECK(plan.columns == std::vector<std::string>{"backbone", "both"});
  REQUIRE(plan.models.size() == 2);
  CHECK(plan.models[0].name == "zeta");
  const RunConfig alpha = load_config({}, plan.model("alpha").settings);
  CHECK(alpha.train.lr == 0.5);
  CHECK(alpha.model.preset == "cells");
  CHECK(alpha.model.classes == std::vector<std::string>{"a \"b\"", "c"});
  CHECK(load_config({}, plan.model("zeta").settings).train.lr == 0.25);
  REQUIRE(plan.rows.size() == 2);
  CHECK(plan.rows[0].name == "2");
  CHECK(plan.rows[1].models == std::vector<std::string>{"zeta", "alpha"});
  CHECK(plan.row("10") == 1);
  const RunConfig row = load_config({}, plan.rows[1].settings);
  CHECK(row.ensemble.views == std::vector<std::string>{"plain", "h"});
  CHECK(row.test.score == 0.1);
}

TEST_CASE("what is wrong with a plan is told with its place") {
  const TempDir folder;
  const auto refused = [&](const char* from, const char* to, const char* why) {
    CAPTURE(from);
    CHECK_THROWS_WITH_AS(read_ablation(file_of(folder, replaced(kPlan, from, to))),
                         doctest::Contains(why), UsageError);
  };
  refused("train.lr = 0.25", "train.rl = 0.25", "models.zeta: train.rl=0.25: no such key");
  refused("[\"zeta\"]", "[\"zetta\"]", "rows.2: no model zetta sets a key; did you mean zeta?");
  refused("[\"zeta\"]", "3", "plan.toml:12: rows.2.models: expected a text, got 3");
  refused("\"yes\"]", "\"yes\", \"x\"]", "rows.10: expected cells for 2 columns, got 3");
  refused("against = \"2\"", "against = \"3\"", "rows.10: there is no row 3");
  refused("test.score", "train.lr", "expected cells, models, table, against or a key test...");
  refused("[rows.2]", "[lines.2]", "expected columns, or a key under [all]");
  refused("columns =", "colums =", "expected columns, or a key under [all]");
  CHECK_THROWS_WITH_AS(read_ablation(file_of(folder, "columns = []")),
                       doctest::Contains("holds no row"), UsageError);
}

TEST_CASE("the table: means, gains over the named row, empty where nothing is known") {
  const TempDir folder;
  const AblationPlan plan = read_ablation(file_of(folder, kPlan));
  const RowScores first = {{"x", "y,z"}, {0.25, 0.5}}, second = {{"x", "y,z"}, {0.5, 0.75}};
  const std::string path = folder / "row.csv";
  write_row_scores(path, first);
  const RowScores back = read_row_scores(path);
  CHECK(back.ids == first.ids);
  CHECK(back.scores == first.scores);
  const std::string table = ablation_markdown(plan, {back, second});
  CHECK(table.find(
            "First\n\n|  | backbone | both | mAP | 95 % | gain over | gain | 95 % |\n|---|") == 0);
  CHECK(table.find("| 2 | R34 |  | 0.375 | 0.250 to 0.500 |  |  |  |\n") != table.npos);
  CHECK(table.find(
            "| 10 | R34 + R18 | yes | 0.625 | 0.500 to 0.750 | 2 | 0.250 | 0.250 to 0.250 |") !=
        table.npos);
  const std::string half = ablation_markdown(plan, {std::nullopt, second});
  CHECK(half.find("| 2 | R34 |  |  |  |  |  |  |\n") != half.npos);
  const std::string json = ablation_json(plan, {back, second});
  CHECK(json.find("\"gain\":0.25") != json.npos);
}

TEST_CASE("every configuration that is shipped loads") {
  const char* root = std::getenv("SOMA_TEST_ROOT");
  REQUIRE(root != nullptr);
  int plans = 0, configurations = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(root) / "configs")) {
    const std::string path = entry.path().string();
    CAPTURE(path);
    const bool is_plan = path.find("ablation") != path.npos;
    (is_plan ? plans : configurations) += 1;
    if (is_plan) {
      const AblationPlan plan = read_ablation(path);
      CHECK(plan.rows.size() == 9);
      CHECK(plan.columns.size() == 6);
    } else {
      CHECK(load_config({path}, {}).test.submission_score[0] > 0.05);
    }
  }
  CHECK(plans == 2);
  CHECK(configurations == 3);
}

}  // namespace soma::test
