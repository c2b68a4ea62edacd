#include "src/files/safetensors.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "tests/files/weight_images.h"
#include "tests/paths.h"

namespace toolformer::safetensors_test {
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
  CHECK_EQ(names, "bf16:BF16 bool:BOOL empty:F32 f16:F16 f32:F32 f64:F64 f8:F8_E4M3 i64:I64 scalar:F32 u32:U32 u8:U8 ");
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
  CHECK(ReadAll(weights, "i64") == std::vector<float>{0, 1, 2});
  CHECK(ReadAll(weights, "u8") == std::vector<float>{0, 1, 2});
  CHECK(ReadAll(weights, "u32") == std::vector<float>{4294967296.0f, 16777216.0f});
  CHECK(ReadAll(weights, "bool") == std::vector<float>{1, 0});
  CHECK_EQ(weights.ReadF32("f8", 0, out).code(), Code::kUnimplemented);
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

}  // namespace
}  // namespace toolformer::safetensors_test
