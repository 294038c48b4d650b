#include "apps/run_folder.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/check.h"
#include "tests/support/text_search.h"

namespace soma {
namespace {

namespace fs = std::filesystem;

struct Run {
  fs::path root = fs::temp_directory_path() / text("soma_run_", reinterpret_cast<uintptr_t>(this));
  Options options;
  Run() {
    fs::create_directories(root / "data");
    std::ofstream(root / "data/train.csv") << "id\n";
    options.out = (root / "a/run").string();
    options.data = (root / "data").string();
    options.quiet = true;
  }
  ~Run() { fs::remove_all(root); }
};

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> lines(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

IterationRecord record(int64_t iteration, double loss) {
  return {iteration, {{"loss_cls", loss}, {"loss_mask", 2 * loss}},
          0.01,      5.5,
          0.25,      static_cast<double>(iteration) / 10};
}

std::string error_of(const Options& options) {
  try {
    RunFolder folder(options, "[train]\nseed = 3\n", 1);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a run folder holds its configuration, environment, log and metrics") {
  const Run run;
  {
    RunFolder folder(run.options, "[train]\nseed = 3\n", 2);
    CHECK(folder.file("weights/x") == run.options.out + "/weights/x");
    folder.log("hello");
    for (int64_t i = 1; i <= 5; ++i) folder.iteration(record(i, static_cast<double>(i)));
    folder.validation(5, 0.25, 0.125);
  }
  const std::string out = run.options.out;
  CHECK(content(out + "/config.toml") == "[train]\nseed = 3\n");
  CHECK(fs::is_directory(out + "/weights"));
  const std::string environment = content(out + "/env.txt");
  for (const char* fact : {"build: ", "cpu: ", "isa: ", "threads: ", "seed: 3\n", "data hash: "})
    CHECK_MESSAGE(has(environment, fact), fact);

  const auto metrics = lines(out + "/metrics.jsonl");
  REQUIRE(metrics.size() == 6);
  const auto third = nlohmann::json::parse(metrics[2]);
  CHECK(third["iteration"] == 3);
  CHECK(third["total_loss"] == 9.0);
  CHECK(third["loss_cls"] == 3.0);
  CHECK(third["loss_mask"] == 6.0);
  CHECK(third["lr"] == 0.01);
  CHECK(third["images_per_s"] == 5.5);
  CHECK(third["max_mem_mb"].is_number());
  const auto last = nlohmann::json::parse(metrics[5]);
  CHECK(last["kaggle"] == 0.25);
  CHECK(last["AP"] == 0.125);
  CHECK(lines(out + "/results.csv") ==
        std::vector<std::string>{"iteration,total_loss,lr,kaggle,AP", "5,15,0.01,0.25,0.125"});

  const auto log = lines(out + "/log.txt");
  REQUIRE(log.size() == 3);  // hello, iterations 2 and 4
  for (const char* part : {"eta: ", "iter: 4 ", "total_loss: 12 ", "loss_cls: 4 ", "loss_mask: 8 ",
                           "lr: 0.01 ", "img/s: 5.5 ", "data: 0.25 s", "max_mem: "})
    CHECK_MESSAGE(has(log[2], part), log[2]);
}

TEST_CASE("values that are no numbers stay JSON") {
  const Run run;
  {
    RunFolder folder(run.options, "", 100);
    folder.iteration(record(1, std::numeric_limits<double>::quiet_NaN()));
    folder.iteration({});
  }
  for (const std::string& line : lines(run.options.out + "/metrics.jsonl"))
    CHECK(nlohmann::json::accept(line));
}

TEST_CASE("a folder that holds a run needs --resume, and only such a folder resumes") {
  Run run;
  Options resume = run.options;
  resume.resume = true;
  CHECK(has(error_of(resume), "no run to resume"));
  CHECK_FALSE(fs::exists(run.options.out));
  CHECK(error_of(run.options).empty());
  CHECK(has(error_of(run.options), "holds a run; give --resume"));
  CHECK(error_of(resume).empty());

  Options file = run.options;
  file.out = (run.root / "data/train.csv").string();
  CHECK(has(error_of(file), "train.csv"));
  Options filled = run.options;  // a folder with other things in it is no run
  filled.out = (run.root / "data").string();
  CHECK(error_of(filled).empty());
}

TEST_CASE("two runs in one folder are refused, also with --resume") {
  Run run;
  const RunFolder folder(run.options, "", 1);
  Options resume = run.options;
  resume.resume = true;
  CHECK(has(error_of(resume), "another process"));
}

TEST_CASE("a resumed run goes on where it was saved") {
  Run run;
  const std::string out = run.options.out;
  {
    RunFolder folder(run.options, "", 1);
    for (int64_t i = 1; i <= 4; ++i) folder.iteration(record(i, 1));
    folder.validation(2, 0.5, 0.5);
    folder.validation(4, 0.5, 0.5);
  }
  std::ofstream(out + "/metrics.jsonl", std::ios::app) << "{\"iteration\": 1, \"cut";
  std::ofstream(out + "/weights/.soma-1-2.tmp") << "left by a killed process";
  run.options.resume = true;
  {
    RunFolder folder(run.options, "[train]\n", 1);
    folder.rewind(2);
    folder.iteration(record(3, 7));
  }
  const auto metrics = lines(out + "/metrics.jsonl");
  REQUIRE(metrics.size() == 4);  // 1, 2, the validation at 2, and the new 3
  CHECK(nlohmann::json::parse(metrics[3])["loss_cls"] == 7.0);
  CHECK(lines(out + "/results.csv").size() == 2);
  CHECK_FALSE(fs::exists(out + "/weights/.soma-1-2.tmp"));
  CHECK(content(out + "/config.toml") == "[train]\n");
}

TEST_CASE("lines reach the disk within two seconds while the run goes on") {
  const Run run;
  RunFolder folder(run.options, "", 100);
  folder.iteration(record(1, 1));
  std::this_thread::sleep_for(std::chrono::milliseconds(2000));
  CHECK(lines(run.options.out + "/metrics.jsonl").size() == 1);
}

TEST_CASE("the data's hash follows names, sizes and annotations") {
  const Run run;
  int count = 0;
  const auto hash = [&] {
    Options options = run.options;
    options.out = (run.root / text("r", ++count)).string();
    RunFolder folder(options, "", 1);
    const std::string facts = content(options.out + "/env.txt");
    return facts.substr(facts.find("data hash: "));
  };
  const std::string first = hash();
  CHECK(hash() == first);
  std::ofstream(run.root / "data/train.csv") << "ie\n";
  const std::string edited = hash();
  CHECK(edited != first);
  std::ofstream(run.root / "data/x.png") << "1";
  CHECK(hash() != edited);
}

}  // namespace soma
