#include "src/files/safetensors.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "tests/files/weight_images.h"
#include "tests/paths.h"

namespace toolformer {
namespace {

using Code = absl::StatusCode;

std::vector<float> ReadAll(const WeightFile& file, std::string_view name) {
  const TensorInfo* info = file.Find(name);
  REQUIRE(info != nullptr);
  std::vector<float> values(static_cast<size_t>(info->elements));
  const absl::Status status = file.ReadF32(name, 0, values);
  REQUIRE_MESSAGE(status.ok(), testing::Message(status));
  return values;
}

TEST_CASE("safetensors: a file of the format's own package") {
  const auto file = OpenSafetensors(testing::Fixture("weights/types.safetensors"));
  REQUIRE_MESSAGE(file.ok(), testing::Message(file.status()));
  const WeightFile& weights = **file;
  CHECK_EQ(weights.format(), "safetensors");
  CHECK(weights.metadata() == std::vector<std::pair<std::string, std::string>>{{"note", "two\\x0alines"}});
  std::string names;
  for (const TensorInfo& tensor : weights.tensors()) names += tensor.name + ":" + tensor.type + " ";
  CHECK_EQ(names, "bf16:BF16 bool:BOOL empty:F32 f16:F16 f32:F32 f64:F64 i64:I64 scalar:F32 u8:U8 ");
  CHECK(ReadAll(weights, "f32") == std::vector<float>{-0.5f, -0.25f, 0, 0.25f, 0.5f, 0.75f});
  CHECK(ReadAll(weights, "f16") == std::vector<float>{-0.5f, -0.25f, 0, 0.25f, 0.5f, 0.75f});
  CHECK(ReadAll(weights, "bf16") == std::vector<float>{-0.5f, -0.25f, 0, 0.25f, 0.5f});
  CHECK(ReadAll(weights, "f64") == std::vector<float>{0, 1.0f / 3, 2.0f / 3, 1});
  CHECK(ReadAll(weights, "scalar") == std::vector<float>{2.5f});
  CHECK(ReadAll(weights, "empty").empty());
  CHECK(weights.Find("f32")->shape == std::vector<int64_t>{2, 3});
  CHECK(weights.Find("empty")->shape == std::vector<int64_t>{0, 4});
  CHECK(weights.Find("scalar")->shape.empty());
  CHECK_EQ(weights.Find("scalar")->elements, 1);
  CHECK_EQ(weights.Find("f64")->bytes, 32);
  float out[2];
  for (const char* name : {"i64", "u8", "bool"}) {
    CHECK_EQ(weights.ReadF32(name, 0, out).code(), Code::kUnimplemented);
  }
  REQUIRE(weights.ReadF32("f32", 3, out).ok());
  CHECK_EQ(out[0], 0.25f);
  CHECK_EQ(out[1], 0.5f);
  CHECK_EQ(weights.ReadF32("f32", 5, out).code(), Code::kOutOfRange);
  CHECK_EQ(weights.ReadF32("F32", 0, out).code(), Code::kNotFound);
}

TEST_CASE("safetensors: metadata keeps the order of the file") {
  const testing::TemporaryFolder folder;
  const std::string header = R"({"__metadata__":{"z":"1","a":"2"}})";
  testing::WriteBytes(folder.file("f"), testing::SafetensorsBytes(header, 0));
  const auto file = OpenSafetensors(folder.file("f"));
  REQUIRE(file.ok());
  CHECK((*file)->metadata() == std::vector<std::pair<std::string, std::string>>{{"z", "1"}, {"a", "2"}});
}

TEST_CASE("safetensors: a file cut at any byte is refused") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("cut.safetensors");
  std::filesystem::copy_file(testing::Fixture("weights/types.safetensors"), path);
  for (uintmax_t length = std::filesystem::file_size(path); length-- > 0;) {
    std::filesystem::resize_file(path, length);
    const absl::Status status = OpenSafetensors(path).status();
    if (status.code() != Code::kInvalidArgument || !testing::IsProperMessage(status, path)) {
      FAIL("cut to ", length, " bytes: ", status.ToString());
    }
  }
}

TEST_CASE("safetensors: no flipped bit of a header does harm") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("flipped.safetensors");
  std::filesystem::copy_file(testing::Fixture("weights/types.safetensors"), path);
  const std::string bytes = testing::ReadBytes(path);
  uint64_t header_bytes;
  std::memcpy(&header_bytes, bytes.data(), 8);
  header_bytes += 8;
  REQUIRE(header_bytes < bytes.size());
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  size_t refused = 0;
  for (size_t bit = 0; bit < 8 * header_bytes; ++bit) {
    const auto at = static_cast<off_t>(bit / 8);
    const char flipped = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    REQUIRE(pwrite(fd, &flipped, 1, at) == 1);
    const auto file = OpenSafetensors(path);
    if (!file.ok()) {
      ++refused;
      CHECK(testing::IsProperMessage(file.status(), path));
    } else {
      for (const TensorInfo& tensor : (*file)->tensors()) {
        REQUIRE(tensor.bytes <= bytes.size() - header_bytes);
        std::vector<float> values(static_cast<size_t>(tensor.elements));
        const absl::Status status = (*file)->ReadF32(tensor.name, 0, values);
        CHECK((status.ok() || status.code() == Code::kUnimplemented));
      }
    }
    REQUIRE(pwrite(fd, &bytes[bit / 8], 1, at) == 1);
  }
  close(fd);
  CHECK_GT(refused, 8 * header_bytes / 2);
  CHECK(OpenSafetensors(path).ok());
}

TEST_CASE("safetensors: a folder of shards") {
  const auto file = OpenShardedSafetensors(testing::Fixture("weights/sharded"));
  REQUIRE_MESSAGE(file.ok(), testing::Message(file.status()));
  CHECK_EQ((*file)->format(), "safetensors, 2 shards");
  CHECK_EQ((*file)->tensors().size(), 3);
  CHECK(ReadAll(**file, "layer.0") == std::vector<float>(16, 0.0f));
  CHECK(ReadAll(**file, "layer.1") == std::vector<float>(16, 1.0f));
  CHECK(ReadAll(**file, "layer.2") == std::vector<float>(16, 2.0f));
}

TEST_CASE("safetensors: shards may be links, as download caches make them") {
  const testing::TemporaryFolder folder;
  const std::filesystem::path source = testing::Fixture("weights/sharded");
  for (const auto& entry : std::filesystem::directory_iterator(source)) {
    std::filesystem::create_symlink(entry.path(), folder.file(entry.path().filename().string()));
  }
  CHECK(OpenShardedSafetensors(folder.path()).ok());
}

TEST_CASE("WriteSafetensors: what is written is read") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("out.safetensors");
  const std::vector<float> matrix = {1, -2, 0.5f, 1e-45f, 3e38f, -0.0f};
  const std::vector<float> scalar = {7};
  const F32Tensor tensors[] = {{"z", {2, 3}, matrix}, {"a \"quoted\" \u00e9", {}, scalar}, {"empty", {0, 5}, {}}};
  for (int i = 0; i < 2; ++i) {  // the second time over the first file
    const absl::Status status = WriteSafetensors(path, tensors);
    REQUIRE_MESSAGE(status.ok(), testing::Message(status));
  }
  const auto file = WeightFile::Open(path);
  REQUIRE_MESSAGE(file.ok(), testing::Message(file.status()));
  CHECK((*file)->metadata() == std::vector<std::pair<std::string, std::string>>{{"format", "pt"}});
  CHECK_EQ((*file)->tensors().size(), 3);
  CHECK((*file)->Find("z")->shape == std::vector<int64_t>{2, 3});
  CHECK((*file)->Find("empty")->shape == std::vector<int64_t>{0, 5});
  CHECK(std::memcmp(ReadAll(**file, "z").data(), matrix.data(), 24) == 0);
  CHECK(ReadAll(**file, "a \"quoted\" \u00e9") == scalar);
  const std::string bytes = testing::ReadBytes(path);
  uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  CHECK_EQ(length % 8, 0);
  CHECK_EQ(bytes.size(), 8 + length + 28);
  size_t entries = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder.path())) ++entries;
  CHECK_EQ(entries, 1);
}

TEST_CASE("WriteSafetensors: no tensors is a file too") {
  const testing::TemporaryFolder folder;
  REQUIRE(WriteSafetensors(folder.file("none"), {}).ok());
  const auto file = WeightFile::Open(folder.file("none"));
  REQUIRE(file.ok());
  CHECK((*file)->tensors().empty());
}

TEST_CASE("WriteSafetensors: what cannot be written leaves nothing behind") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("out.safetensors");
  const std::vector<float> two = {1, 2};
  const auto write = [&](std::vector<F32Tensor> tensors) { return WriteSafetensors(path, tensors); };
  const auto check = [&](const absl::Status& status, std::string_view words) {
    const std::string message = testing::Message(status);
    CAPTURE(message);
    CHECK_EQ(status.code(), Code::kInvalidArgument);
    CHECK(testing::Contains(message, words));
    CHECK(testing::IsProperMessage(status, path));
  };
  check(write({{"a", {3}, two}}), "tensor 'a': 2 values for a shape of 3 elements");
  check(write({{"a", {2}, two}, {"a", {2}, two}}), "two tensors have the name 'a'");
  check(write({{"", {2}, two}}), "the name is empty");
  check(write({{"a\nb", {2}, two}}), "'a\\x0ab': the name holds a control character");
  check(write({{"\xff", {2}, two}}), "is not UTF-8");
  check(write({{std::string(256, 'n'), {2}, two}}), "more than the limit of 255");
  check(write({{"__metadata__", {2}, two}}), "the format reserves this name");
  check(write({{"a", {-1, -2}, two}}), "dimension -1 is negative");
  check(write({{"a", {1, 1, 1, 1, 1, 1, 1, 1, 2}, two}}), "9 dimensions");
  check(write({{"a", {int64_t{1} << 40, int64_t{1} << 40}, two}}), "does not fit");
  CHECK(std::filesystem::is_empty(folder.path()));

  const absl::Status status = WriteSafetensors(folder.file("missing/out"), {});
  CHECK_EQ(status.code(), Code::kUnavailable);
  CHECK(testing::Contains(testing::Message(status), "missing/out: cannot be written: No such file"));
}

}  // namespace
}  // namespace toolformer
