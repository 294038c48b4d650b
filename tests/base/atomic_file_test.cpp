// Atomic files: whole or not at all, and errors that name the file. And reading whole files.
#include "base/atomic_file.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/read_file.h"
#include "tests/support/temp_dir.h"

namespace soma {
namespace {

int files_in(const TempDir& dir) {
  int count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(dir.path()))
    ++count;
  return count;
}

// Writes past `most` bytes fail in its scope, as on a full disk.
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t most) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{most, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~SmallFiles() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("folders are made with those above them; a file in the way is an error that names it") {
  const TempDir dir;
  make_folder(dir / "a/b");
  make_folder(dir / "a/b");
  CHECK_UNARY(std::filesystem::is_directory(dir / "a/b"));
  write_file_atomically(dir / "file", "x");
  try {
    make_folder(dir / "file");
    FAIL("no error");
  } catch (const Error& error) {
    CHECK_UNARY(std::string(error.what()).starts_with((dir / "file") + ": cannot be made"));
  }
}

TEST_CASE("what is written is read back, in one piece or in many") {
  const TempDir dir;
  for (const size_t size : {0, 1, 65535, 65536, 65537, 200000}) {
    std::string bytes(size, 'x');
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 + i / 256);
    write_file_atomically(dir / "whole", bytes);
    CHECK(bytes_of(dir / "whole") == bytes);
    CHECK(read_file(dir / "whole", 200000) == bytes);
    for (const size_t piece : {1, 1000, 65536, 70000}) {
      AtomicFile file(dir / "pieces");
      for (size_t at = 0; at < size; at += piece) file.write(bytes.substr(at, piece));
      file.commit();
      CHECK(bytes_of(dir / "pieces") == bytes);
    }
  }
  CHECK(files_in(dir) == 2);
}

TEST_CASE("without commit nothing changes and nothing is left") {
  const TempDir dir;
  dir.write("file", "before");
  {
    AtomicFile file(dir / "file");
    file.write("after");
  }
  CHECK(bytes_of(dir / "file") == "before");
  CHECK(files_in(dir) == 1);
}

TEST_CASE("until commit the old file stays, then the new one is there with usual rights") {
  const TempDir dir;
  dir.write("file", "before");
  AtomicFile file(dir / "file");
  file.write(std::string(100000, 'a'));
  CHECK(bytes_of(dir / "file") == "before");
  file.commit();
  CHECK(bytes_of(dir / "file") == std::string(100000, 'a'));
  CHECK_THROWS_AS(file.write("more"), Error);
  CHECK_THROWS_AS(file.commit(), Error);
  struct stat made, usual;
  dir.write("usual", "");
  REQUIRE(stat((dir / "file").c_str(), &made) == 0);
  REQUIRE(stat((dir / "usual").c_str(), &usual) == 0);
  CHECK(made.st_mode == usual.st_mode);
}

TEST_CASE("a write that the system refuses is one line and keeps the old file") {
  const TempDir dir;
  dir.write("file", "before");
  {
    const SmallFiles limit(1000);
    for (const size_t size : {1001, 300000}) {
      const std::string error =
          error_of([&] { write_file_atomically(dir / "file", std::string(size, 'a')); });
      CHECK_MESSAGE(contains(error, dir / "file: cannot be written: File too large"), error);
    }
  }
  CHECK(bytes_of(dir / "file") == "before");
  CHECK(files_in(dir) == 1);
}

TEST_CASE("places that cannot be written are errors") {
  const TempDir dir;
  std::filesystem::create_directory(dir / "folder");
  CHECK(contains(error_of([&] { write_file_atomically(dir / "none/file", ""); }),
                 "its folder does not exist"));
  CHECK(contains(error_of([&] { write_file_atomically(dir / "folder", ""); }), "is not a file"));
  CHECK(contains(error_of([&] { write_file_atomically(dir / "folder/", ""); }), "not a file"));
  CHECK(contains(error_of([&] { write_file_atomically("", ""); }), "names no file"));
  CHECK(contains(error_of([&] { write_file_atomically("/dev/null", ""); }), "is not a file"));
  CHECK_THROWS_AS(write_file_atomically(dir / std::string(300, 'n'), ""), Error);
  CHECK_THROWS_AS(write_file_atomically("/sys/soma", ""), Error);
  chmod((dir / "folder").c_str(), 0500);
  if (geteuid() != 0)  // who may write everywhere sees no error
    CHECK(contains(error_of([&] { write_file_atomically(dir / "folder/file", ""); }),
                   "choose a folder that you may write to"));
  CHECK(files_in(dir) == 1);
}

TEST_CASE("links are followed, long and odd names are fine") {
  const TempDir dir;
  dir.write("file", "before");
  std::filesystem::create_symlink("file", dir / "link");
  write_file_atomically(dir / "link", "after");
  CHECK(std::filesystem::is_symlink(dir / "link"));
  CHECK(bytes_of(dir / "file") == "after");
  for (const std::string& name : {std::string(255, 'n'), std::string("a b\n'\"%s*ü")}) {
    write_file_atomically(dir / name, name);
    CHECK(bytes_of(dir / name) == name);
  }
}

TEST_CASE("a file made executable is so for those who may read it") {
  const TempDir dir;
  const mode_t before = umask(027);
  AtomicFile file(dir / "program");
  file.make_executable();
  file.commit();
  umask(before);
  struct stat found;
  REQUIRE(stat((dir / "program").c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0750);
}

TEST_CASE("files that cannot be read are errors") {
  const TempDir dir;
  dir.write("file", "four");
  CHECK(read_file(dir / "file", 4) == "four");
  CHECK(contains(error_of([&] { read_file(dir / "file", 3); }), "has 4 bytes, the most"));
  CHECK(contains(error_of([&] { read_file(dir / "none", 4); }), "none: cannot be read: No such"));
  CHECK(contains(error_of([&] { read_file(dir.path(), 4); }), "is a folder"));
  CHECK(contains(error_of([&] { read_file("/dev/zero", 4); }), "is not a file"));
}

}  // namespace soma
