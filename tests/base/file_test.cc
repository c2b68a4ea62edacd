#include "src/base/file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/paths.h"

namespace toolformer::file_test {
namespace {

using Code = absl::StatusCode;

void Write(const std::string& path, std::string_view bytes) { std::ofstream(path, std::ios::binary) << bytes; }
std::string Read(const std::string& path) { return ReadFile(path, 1 << 20).value_or("(unreadable)"); }
size_t CountFiles(const std::string& folder) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

TEST_CASE("MappedFile: content") {
  const testing::TemporaryFolder folder;
  Write(folder.file("f"), std::string_view("a\0b", 3));
  const auto file = MappedFile::Open(folder.file("f"));
  REQUIRE(file.ok());
  CHECK_EQ((*file)->path(), folder.file("f"));
  REQUIRE_EQ((*file)->bytes().size(), 3);
  CHECK_EQ((*file)->bytes()[1], 0);
  CHECK_EQ((*file)->bytes()[2], 'b');

  Write(folder.file("empty"), "");
  const auto empty = MappedFile::Open(folder.file("empty"));
  REQUIRE(empty.ok());
  CHECK((*empty)->bytes().empty());

  std::filesystem::create_symlink("f", folder.file("link"));
  CHECK(MappedFile::Open(folder.file("link")).ok());
}

TEST_CASE("MappedFile: outlives the name of the file") {
  const testing::TemporaryFolder folder;
  Write(folder.file("f"), "content");
  const auto file = MappedFile::Open(folder.file("f"));
  REQUIRE(file.ok());
  std::filesystem::remove(folder.file("f"));
  CHECK_EQ((*file)->bytes()[6], 't');
}

TEST_CASE("what is no regular file is refused without waiting for it") {
  const testing::TemporaryFolder folder;
  REQUIRE(mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  std::filesystem::create_symlink("nowhere", folder.file("dangling"));
  std::filesystem::create_symlink("loop", folder.file("loop"));
  struct Row {
    std::string path;
    Code code;
    const char* words;
  };
  const Row rows[] = {
      {folder.file("absent"), Code::kNotFound, "no such file"},
      {folder.file("dangling"), Code::kNotFound, "no such file"},
      {folder.path(), Code::kInvalidArgument, "not a regular file"},
      {folder.file("pipe"), Code::kInvalidArgument, "not a regular file"},
      {"/dev/zero", Code::kInvalidArgument, "not a regular file"},
      {"/dev/null", Code::kInvalidArgument, "not a regular file"},
      {folder.file("loop"), Code::kUnavailable, "Too many levels of symbolic links"},
      {folder.path() + "/" + std::string(300, 'n'), Code::kUnavailable, "File name too long"},
      {"", Code::kNotFound, "no such file"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path);
    for (const absl::Status& status : {MappedFile::Open(row.path).status(), ReadFile(row.path, 100).status()}) {
      CHECK_EQ(status.code(), row.code);
      const std::string message(status.message());
      CAPTURE(message);
      CHECK(message.find(row.words) != std::string::npos);
      CHECK(message.find(row.path) != std::string::npos);
    }
  }
}

TEST_CASE("ReadFile: the limit is inclusive") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("f");
  Write(path, std::string_view("12\0\n5", 5));
  CHECK_EQ(*ReadFile(path, 5), std::string_view("12\0\n5", 5));
  CHECK_EQ(ReadFile(path, 6)->size(), 5);
  const absl::Status status = ReadFile(path, 4).status();
  CHECK_EQ(status.code(), Code::kResourceExhausted);
  CHECK_EQ(std::string(status.message()), path + ": 5 bytes, more than the limit of 4");
  std::filesystem::resize_file(path, uintmax_t{1} << 40);  // a hole: nothing of it may be allocated
  CHECK_EQ(ReadFile(path, 1 << 20).status().code(), Code::kResourceExhausted);
  std::filesystem::resize_file(path, 0);
  CHECK_EQ(*ReadFile(path, 0), "");
}

TEST_CASE("AtomicFile: the target changes at Commit and not before") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("f");
  Write(path, "old");
  {
    const auto file = AtomicFile::Create(path);
    REQUIRE(file.ok());
    REQUIRE((*file)->Write("ne").ok());
    REQUIRE((*file)->Write(std::string_view("w\0", 2)).ok());
    REQUIRE((*file)->Write("").ok());
    CHECK_EQ(Read(path), "old");
    REQUIRE((*file)->Commit().ok());
    CHECK_EQ(Read(path), std::string_view("new\0", 4));
  }
  CHECK_EQ(Read(path), std::string_view("new\0", 4));
  CHECK_EQ(CountFiles(folder.path()), 1);
}

TEST_CASE("AtomicFile: without Commit nothing has happened") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("f");
  {
    const auto file = AtomicFile::Create(path);
    REQUIRE(file.ok());
    REQUIRE((*file)->Write("half").ok());
    CHECK_EQ(CountFiles(folder.path()), 1);  // the temporary one
  }
  CHECK_EQ(CountFiles(folder.path()), 0);
}

TEST_CASE("AtomicFile: a Commit that fails leaves the folder as it was") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("f");
  {
    const auto file = AtomicFile::Create(path);
    REQUIRE(file.ok());
    std::filesystem::create_directory(path);
    const absl::Status status = (*file)->Commit();
    CHECK_EQ(status.code(), Code::kUnavailable);
    CHECK(std::string(status.message()).find(path + ": cannot be written") == 0);
  }
  CHECK(std::filesystem::is_directory(path));
  CHECK_EQ(CountFiles(folder.path()), 1);
}

TEST_CASE("AtomicFile: permissions are those of an ordinary new file") {
  const testing::TemporaryFolder folder;
  const mode_t before = umask(027);
  const auto file = AtomicFile::Create(folder.file("f"));
  umask(before);
  REQUIRE(file.ok());
  REQUIRE((*file)->Commit().ok());
  struct stat info;
  REQUIRE(stat(folder.file("f").c_str(), &info) == 0);
  CHECK_EQ(info.st_mode & 0777, 0640);
}

TEST_CASE("AtomicFile: where nothing can be written") {
  const testing::TemporaryFolder folder;
  CHECK_EQ(AtomicFile::Create(folder.file("absent/f")).status().code(), Code::kUnavailable);
  CHECK_EQ(AtomicFile::Create(folder.path()).status().code(), Code::kInvalidArgument);
  CHECK_EQ(AtomicFile::Create("/dev/null").status().code(), Code::kInvalidArgument);
  CHECK_EQ(CountFiles(folder.path()), 0);
}

}  // namespace
}  // namespace toolformer::file_test
