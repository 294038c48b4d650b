// The competition's table: what it gives, what is dropped with a warning, what is an error.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>

#include "data/annotations.h"
#include "tests/support/data_files.h"

namespace soma {
namespace {

// Reads `table` as train.csv beside pictures a (4x5, rows x columns), b (3x3) and c (1x1).
struct Folder {
  Folder() {
    write_picture(dir, "train/a.png", 4, 5);
    write_picture(dir, "train/b.png", 3, 3);
    write_picture(dir, "train/c.png", 1, 1);
  }
  Dataset read(const std::string& table) const {
    dir.write("train.csv", table);
    return read_dataset(dir.path());
  }
  std::string error(const std::string& table) const {
    return error_of([&] { read(table); });
  }
  TempDir dir;
};

std::string runs_of(const Sample& sample) {
  std::string all;
  for (const Instance& instance : sample.instances)
    all += text(instance.class_index, ": ", format_competition_runs(instance.mask), "; ");
  return all;
}

}  // namespace

TEST_CASE("a table gives images, cells and classes") {
  const Folder folder;
  const Dataset data = folder.read(
      "id,annotation,width,height,cell_type\n"
      "b,1 2 4 1,3,3,shsy5y\n"
      "a,20 1,5,4,cort\n"
      "b,9 1,3,3,astro\n"
      "c,,1,1,cort\n");
  CHECK(data.classes == std::vector<std::string>{"astro", "cort", "shsy5y"});
  CHECK(data.category_ids == std::vector<int64_t>{1, 2, 3});
  CHECK(data.warnings.empty());
  REQUIRE(data.samples.size() == 3);
  const Sample &a = data.samples[0], &b = data.samples[1], &c = data.samples[2];
  CHECK(a.id == "a");
  CHECK(a.file_name == "a.png");
  CHECK(a.path == folder.dir / "train/a.png");
  CHECK(a.height == 4);
  CHECK(a.width == 5);
  CHECK(a.coco_id == 1);
  CHECK(a.group == "");
  CHECK(runs_of(a) == "1: 20 1; ");
  CHECK(b.coco_id == 2);
  CHECK(runs_of(b) == "2: 1 2 4 1; 0: 9 1; ");
  CHECK(decode_mask(b.instances[0].mask) == std::vector<uint8_t>{1, 1, 0, 1, 0, 0, 0, 0, 0});
  CHECK(c.instances.empty());
}

TEST_CASE("columns in any order, quotes, CRLF, byte order mark, no cell_type") {
  const Folder folder;
  const Dataset data = folder.read(
      "\xEF\xBB\xBF\"height\",more,annotation,id,width\r\n"
      "4,\"x, \"\"y\"\"\n\",\"1 1\",a,5\r\n"
      "\r\n"
      "3.0,,2 2,\"b\",3.0");
  CHECK(data.classes == std::vector<std::string>{"cell"});
  REQUIRE(data.samples.size() == 2);
  CHECK(runs_of(data.samples[0]) == "0: 1 1; ");
  CHECK(runs_of(data.samples[1]) == "0: 2 2; ");
  CHECK(folder.read("annotation,id\n1 1,a\n").samples.size() == 1);
}

TEST_CASE("plates, wells and sample ids are groups") {
  const Folder folder;
  CHECK(folder.read("id,annotation,well,plate\na,1 1,E5,7\n").samples[0].group == "7/E5");
  CHECK(folder.read("id,annotation,sample_id\na,1 1,x_E5\n").samples[0].group == "x_E5");
  CHECK(folder.read("id,annotation,group\na,,g\n").samples[0].group == "g");
}

TEST_CASE("what is partly broken is counted") {
  const Folder folder;
  const Dataset data = folder.read(
      "id,annotation,width,height\n"
      "a,1 1,5,4\n"
      "a,1 1,5,4\n"     // twice: kept
      "a,0 1,5,4\n"     // no run
      "a,1,5,4\n"       // odd
      "a,20 2,5,4\n"    // past the end
      "a,2 1,4,5\n"     // another size
      "a,3 1,5,x\n"     // no size
      "none,1 1,5,4\n"  // no image
      "none,2 1,5,4\n"
      "b,9 1,3,3\n");
  REQUIRE(data.samples.size() == 2);
  CHECK(runs_of(data.samples[0]) == "0: 1 1; 0: 1 1; ");
  const std::string place = folder.dir / "train.csv: line ";
  CHECK(
      data.warnings ==
      std::vector<std::string>{
          "1 annotation kept though it is there twice: `soma clean` mends that (first: " + place +
              "3)",
          "3 annotations dropped: broken run lengths (first: " + place +
              "4: run lengths: run 1 must start at 1 or later, got 0)",
          "2 annotations dropped: its width and height are not its image's (first: " + place + "7)",
          "1 image left out: no file of that name in " + (folder.dir / "train") +
              " (first: none)"});
}

TEST_CASE("a broken image file leaves out that image only") {
  const Folder folder;
  folder.dir.write("train/d.png", "no image");
  const Dataset data = folder.read("id,annotation\nd,1 1\na,1 1\n");
  CHECK(data.samples.size() == 1);
  REQUIRE(data.warnings.size() == 1);
  CHECK(contains(data.warnings[0], "1 image left out: its file cannot be read (first: "));
  CHECK(contains(data.warnings[0], "d.png: is not an image"));
}

TEST_CASE("what is wholly broken is one line") {
  const Folder folder;
  CHECK(contains(folder.error(""), "train.csv: expected a table with a header"));
  CHECK(contains(folder.error("id,annotation\n"), "holds no image that can be used"));
  CHECK(contains(folder.error("id,mask\na,1 1\n"), "expected a column 'annotation'"));
  CHECK(contains(folder.error("annotation\n1 1\n"), "expected a column 'id'"));
  CHECK(contains(folder.error("id,id,annotation\na,a,1 1\n"), "twice"));
  CHECK(contains(folder.error("id,annotation\na,1 1,2\n"), "line 2: expected 2 fields"));
  CHECK(contains(folder.error("id,annotation\n\"a,1 1\n"), "never closed"));
  CHECK(contains(folder.error("id,annotation\nnone,1 1\n"),
                 "holds no image that can be used: 1 image left out: no file"));
  CHECK(contains(folder.error("id,annotation\na,1\nb,x\n"),
                 "holds 2 annotations, none of which can be used: 2 annotations dropped"));
  for (const char* id : {"../a", "..", ".", "a/b", "/etc/passwd", "", "a?b"}) {
    std::string written = id;  // a message shows control characters as question marks
    std::replace(written.begin(), written.end(), '?', '\n');
    const std::string error = folder.error("id,annotation\n\"" + written + "\",1 1\n");
    CHECK_MESSAGE(contains(error, "train.csv: line 2: '" + std::string(id) + "' cannot be the id"),
                  error);
  }
}

TEST_CASE("tables beside their images, or with a folder of them") {
  const Folder folder;
  const std::string table = folder.dir.write("other.csv", "id,annotation\na,1 1\n");
  CHECK_THROWS_AS(read_dataset(table), Error);  // neither other/ nor images/ nor a.png here
  CHECK(read_dataset(table, folder.dir / "train").samples.size() == 1);
  CHECK(read_dataset(table, folder.dir / "train/").samples[0].path == folder.dir / "train/a.png");
  CHECK(contains(error_of([&] { read_dataset(table, folder.dir / "nowhere"); }),
                 "nowhere: there is no such folder"));
  write_picture(folder.dir, "a.png", 2, 2);
  CHECK(read_dataset(table).samples[0].height == 2);
  write_picture(folder.dir, "images/a.png", 3, 2);
  CHECK(read_dataset(table).samples[0].height == 3);
  write_picture(folder.dir, "other/a.png", 5, 2);
  CHECK(read_dataset(table).samples[0].height == 5);
}

TEST_CASE("tables cut anywhere and with flipped bits do no harm") {
  const Folder folder;
  const std::string table = "id,annotation,width,height\na,1 2 5 1,5,4\n\"b\",9 1,3,3\nc,,1,1\n";
  for (size_t at = 0; at < table.size(); ++at) {
    CHECK_UNARY(!contains(folder.error(table.substr(0, at)), "\n"));
    std::string broken = table;
    broken[at] = static_cast<char>(broken[at] ^ 1 << (at % 8));
    folder.error(broken);
  }
}

TEST_CASE("two thousand cells in one image") {
  const Folder folder;
  write_picture(folder.dir, "train/many.png", 100, 100);
  std::string table = "id,annotation\n";
  for (int i = 0; i < 2000; ++i) table += text("many,", 5 * i + 1, " 1\n");
  const Dataset data = folder.read(table);
  REQUIRE(data.samples.size() == 1);
  CHECK(data.samples[0].instances.size() == 2000);
  CHECK(area(data.samples[0].instances[1999].mask) == 1);
}

TEST_CASE("the competition folder of the shared data") {
  const char* shared = std::getenv("SOMA_SHARED_DATA");
  if (!shared) {
    MESSAGE("skipped: SOMA_SHARED_DATA is not set");
    return;
  }
  const Dataset data = read_dataset(std::string(shared) + "/dsb2018");
  CHECK(data.samples.size() == 519);
  CHECK(data.classes == std::vector<std::string>{"brightfield", "fluorescence", "histology"});
  size_t cells = 0;
  for (const Sample& sample : data.samples) cells += sample.instances.size();
  CHECK(cells == 23442);
  CHECK(data.warnings.empty());
}

}  // namespace soma
