#include "toolformer/weight_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>

#include "src/files/gguf.h"
#include "src/files/printable.h"
#include "tests/files/weight_images.h"
#include "tests/paths.h"

namespace toolformer::weight_file_test {
namespace {

using Code = absl::StatusCode;

void CheckRefused(const std::string& path, Code code, std::string_view words) {
  const absl::Status status = WeightFile::Open(path).status();
  const std::string message = testing::Message(status);
  CAPTURE(message);
  CHECK_EQ(status.code(), code);
  CHECK(testing::Contains(message, words));
  CHECK(testing::IsProperMessage(status, path));
}

TEST_CASE("Open: the content tells the format, not the name") {
  const testing::TemporaryFolder folder;
  std::filesystem::copy_file(testing::Fixture("weights/types.gguf"), folder.file("a.safetensors"));
  std::filesystem::copy_file(testing::Fixture("weights/types.safetensors"), folder.file("b.gguf"));
  const auto gguf = WeightFile::Open(folder.file("a.safetensors"));
  REQUIRE(gguf.ok());
  CHECK_EQ((*gguf)->format(), "GGUF v3");
  CHECK(dynamic_cast<const GgufFile*>(gguf->get()) != nullptr);
  const auto safetensors = WeightFile::Open(folder.file("b.gguf"));
  REQUIRE(safetensors.ok());
  CHECK_EQ((*safetensors)->format(), "safetensors");
}

TEST_CASE("Open: folders") {
  const testing::TemporaryFolder folder;
  CheckRefused(folder.path(), Code::kNotFound, "has none of model.safetensors, model.safetensors.index.json, pytorch_");
  // What comes later in this test is preferred to what came before.
  testing::WriteBytes(folder.file("pytorch_model.bin.index.json"), "{");
  CheckRefused(folder.path(), Code::kInvalidArgument, "pytorch_model.bin.index.json: not valid JSON");
  std::filesystem::copy_file(testing::Fixture("weights/torch/zip.bin"), folder.file("pytorch_model.bin"));
  const auto torch = WeightFile::Open(folder.path());
  REQUIRE(torch.ok());
  CHECK_EQ((*torch)->format(), "PyTorch");

  const auto sharded = WeightFile::Open(testing::Fixture("weights/sharded"));
  REQUIRE(sharded.ok());
  CHECK_EQ((*sharded)->format(), "safetensors, 2 shards");
  testing::WriteBytes(folder.file("model.safetensors.index.json"), "{");
  CheckRefused(folder.path(), Code::kInvalidArgument, "index.json: not valid JSON");
  std::filesystem::copy_file(testing::Fixture("weights/types.safetensors"), folder.file("model.safetensors"));
  const auto single = WeightFile::Open(folder.path());
  REQUIRE(single.ok());
  CHECK_EQ((*single)->tensors().size(), 11);
}

TEST_CASE("Open: a safetensors header of 0x0280 bytes is no pickle") {
  const testing::TemporaryFolder folder;
  testing::WriteBytes(folder.file("f"), testing::SafetensorsBytes("{}" + std::string(0x280 - 2, ' '), 0));
  CHECK(WeightFile::Open(folder.file("f")).ok());
}

TEST_CASE("Open: what is no weight file") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("file");
  CheckRefused(path, Code::kNotFound, "no such file");
  testing::WriteBytes(path, "");
  CheckRefused(path, Code::kInvalidArgument, "the file is empty");
  for (size_t size = 1; size <= 8; ++size) {
    testing::WriteBytes(path, std::string(size, 'x'));
    CheckRefused(path, Code::kInvalidArgument, "too short");
  }
  testing::WriteBytes(path, "GGU");
  CheckRefused(path, Code::kInvalidArgument, "too short for weights: 3 bytes");
  testing::WriteBytes(path, "GGUF");
  CheckRefused(path, Code::kInvalidArgument, "version at byte 4: needs 4 bytes, 0 remain");
  testing::WriteBytes(path, "ggjt\x03 some older file \x1b[31m");
  CheckRefused(
      path, Code::kInvalidArgument,
      "is neither GGUF ('GGUF' at byte 0; here 'ggjt') nor safetensors ('{' at byte 8; here 'm') nor of torch.save");
  testing::WriteBytes(path, "\x1b[2J\n\n\n\n\n\n\n");
  CheckRefused(path, Code::kInvalidArgument, "here '\\x1b[2J'");
  testing::WriteBytes(path, std::string("\0\0\0\0\0\0\0\0{", 9));
  CheckRefused(path, Code::kInvalidArgument, "header at byte 8");
  testing::WriteBytes(path, testing::Encode(~0ull) + "{}");
  CheckRefused(path, Code::kInvalidArgument, "header length at byte 0");

  REQUIRE(mkfifo(folder.file("pipe").c_str(), 0600) == 0);
  CheckRefused(folder.file("pipe"), Code::kInvalidArgument, "not a regular file");
  CheckRefused("/dev/zero", Code::kInvalidArgument, "not a regular file");
  std::filesystem::create_symlink("nowhere", folder.file("link"));
  CheckRefused(folder.file("link"), Code::kNotFound, "no such file");
}

TEST_CASE("Printable: nothing acts on a terminal, nothing is long") {
  CHECK_EQ(Printable("blk.0 \u00e9\u4e2d"), "blk.0 \u00e9\u4e2d");
  CHECK_EQ(Printable({"a\0\n\x1b\x7f", 5}), "a\\x00\\x0a\\x1b\\x7f");
  CHECK_EQ(Printable("\xc2\x9b"), "\\xc2\\x9b");  // a control sequence in one code point
  CHECK_EQ(Printable("\xff\xc3"), "\\xff\\xc3");
  CHECK_EQ(Printable("%s{}"), "%s{}");
  CHECK_EQ(Printable("abcdef", 6), "abcdef");
  CHECK_EQ(Printable("abcdef", 5), "abcde...");
  CHECK_EQ(Printable("ab\u00e9", 3), "ab...");
  CHECK_EQ(Printable(""), "");
}

}  // namespace
}  // namespace toolformer::weight_file_test
