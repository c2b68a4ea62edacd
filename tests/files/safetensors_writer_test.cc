// Writing safetensors, and letting go of what was read.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "src/files/safetensors.h"
#include "tests/files/weight_images.h"
#include "tests/paths.h"

namespace toolformer::safetensors_writer_test {
namespace {

using Code = absl::StatusCode;

std::vector<float> ReadAll(const WeightFile& file, std::string_view name) {
  const TensorInfo* info = file.Find(name);
  REQUIRE(info != nullptr);
  std::vector<float> values(static_cast<size_t>(info->elements));
  REQUIRE(file.ReadF32(name, 0, values).ok());
  return values;
}

std::set<std::string> Names(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.insert(entry.path().filename().string());
  return names;
}

// Every element of the tensor is `value`.
TensorToWrite Constant(const std::string& name, std::vector<int64_t> shape, float value) {
  return {name, std::move(shape), WrittenType::kFloat32, [value](std::span<std::byte> out) {
            for (size_t at = 0; at < out.size(); at += sizeof(value)) std::memcpy(&out[at], &value, sizeof(value));
            return absl::OkStatus();
          }};
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
  REQUIRE(WriteSafetensors(folder.file("none"), std::span<const F32Tensor>()).ok());
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

  const absl::Status status = WriteSafetensors(folder.file("missing/out"), std::span<const TensorToWrite>());
  CHECK_EQ(status.code(), Code::kUnavailable);
  CHECK(testing::Contains(testing::Message(status), "missing/out: cannot be written: No such file"));
}

TEST_CASE("WriteSafetensors: tensors are made one after the other, each type in its own bytes") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("out.safetensors");
  std::string order;
  const auto fill = [&order](std::string name, std::vector<uint16_t> bits) {
    return [&order, name, bits](std::span<std::byte> out) {
      order += name;
      CHECK_EQ(out.size(), 2 * bits.size());
      CHECK_EQ(reinterpret_cast<uintptr_t>(out.data()) % 8, 0);
      std::memcpy(out.data(), bits.data(), out.size());
      return absl::OkStatus();
    };
  };
  const std::vector<TensorToWrite> tensors = {
      {"b", {3}, WrittenType::kBFloat16, fill("b", {0x3f80, 0x7fc1, 0xc000})},
      {"f", {2}, WrittenType::kFloat32, fill("f", {0x0001, 0x3f80, 0, 0xbf80})},
      {"a", {}, WrittenType::kBFloat16, fill("a", {0x4000})},
      {"e", {0, 9}, WrittenType::kBFloat16, nullptr},
      {"g", {1, 1}, WrittenType::kFloat32, fill("g", {0, 0x4040})},
  };
  const absl::Status status = WriteSafetensors(path, tensors);
  REQUIRE_MESSAGE(status.ok(), testing::Message(status));
  CHECK_EQ(order, "fgba");  // aligned: four bytes before two
  const auto file = WeightFile::Open(path);
  REQUIRE_MESSAGE(file.ok(), testing::Message(file.status()));
  CHECK_EQ((*file)->Find("b")->type, "BF16");
  CHECK((*file)->Find("e")->shape == std::vector<int64_t>{0, 9});
  std::vector<uint16_t> bits(3);
  REQUIRE((*file)->ReadBF16("b", 0, bits).ok());
  CHECK(bits == std::vector<uint16_t>{0x3f80, 0x7fc1, 0xc000});
  CHECK(ReadAll(**file, "a") == std::vector<float>{2});
  CHECK(ReadAll(**file, "g") == std::vector<float>{3});
  CHECK(ReadAll(**file, "f") == std::vector<float>{0x1.000002p+0f, -1});
}

TEST_CASE("WriteSafetensors: a failure on the way leaves what was there") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("out.safetensors");
  testing::WriteBytes(path, "before");
  std::vector<TensorToWrite> tensors = {Constant("a", {4}, 1), Constant("b", {2}, 1)};
  tensors[1].fill = [](std::span<std::byte>) { return absl::CancelledError("no more"); };
  absl::Status status = WriteSafetensors(path, tensors);
  CHECK_EQ(status.code(), Code::kCancelled);
  CHECK_EQ(testing::Message(status), path + ": tensor 'b': no more");
  tensors[1].fill = nullptr;
  status = WriteSafetensors(path, tensors);
  CHECK_EQ(status.code(), Code::kInvalidArgument);
  CHECK(testing::Contains(testing::Message(status), "tensor 'b': has no function to fill it"));
#ifndef __SANITIZE_ADDRESS__  // which ends the program where so much is asked for
  tensors[1] = Constant("b", {int64_t{1} << 60}, 1);
  CHECK_EQ(WriteSafetensors(path, tensors).code(), Code::kResourceExhausted);
#endif
  tensors[1] = Constant("a", {1}, 1);
  CHECK(testing::Contains(testing::Message(WriteSafetensors(path, tensors)), "two tensors have the name 'a'"));
  const std::vector<TensorToWrite> wraps = {Constant("a", {int64_t{1} << 61}, 1), Constant("b", {int64_t{1} << 61}, 1)};
  CHECK_EQ(WriteSafetensors(path, wraps).code(), Code::kInvalidArgument);
  CHECK_EQ(testing::ReadBytes(path), "before");
  CHECK(Names(folder.path()) == std::set<std::string>{"out.safetensors"});
}

// For as long as it lives, no file can grow beyond `bytes`.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_;
  void (*handler_)(int);
};

TEST_CASE("WriteSafetensors: where the system takes no more, its reason is given and nothing is left") {
  const testing::TemporaryFolder folder;
  const std::vector<TensorToWrite> tensors = {Constant("a", {3000}, 1), Constant("b", {3000}, 2)};
  absl::Status single, sharded;
  {
    const FileSizeLimit limit(16384);
    single = WriteSafetensors(folder.file("out.safetensors"), tensors);
    sharded = WriteShardedSafetensors(folder.path(), tensors, 24000);
  }
  for (const absl::Status& status : {single, sharded}) {
    CHECK_EQ(status.code(), Code::kUnavailable);
    CHECK(testing::Contains(testing::Message(status), ".safetensors: cannot be written: File too large"));
  }
  CHECK(Names(folder.path()).empty());
}

TEST_CASE("WriteShardedSafetensors: shards, an index, and nothing of an earlier save") {
  const testing::TemporaryFolder folder;
  const std::vector<TensorToWrite> tensors = {Constant("a", {10}, 1), Constant("b", {20}, 2), Constant("c", {5}, 3),
                                              Constant("d", {0}, 0), Constant("e", {5}, 5)};
  testing::WriteBytes(folder.file("config.json"), "{}");
  testing::WriteBytes(folder.file("model-x-of-00002.safetensors"), "not ours");
  const auto check = [&](uint64_t limit, std::set<std::string> names, std::string_view format) {
    CAPTURE(limit);
    const absl::Status status = WriteShardedSafetensors(folder.path(), tensors, limit);
    REQUIRE_MESSAGE(status.ok(), testing::Message(status));
    names.insert({"config.json", "model-x-of-00002.safetensors"});
    CHECK(Names(folder.path()) == names);
    const auto file = WeightFile::Open(folder.path());
    REQUIRE_MESSAGE(file.ok(), testing::Message(file.status()));
    CHECK_EQ((*file)->format(), format);
    CHECK_EQ((*file)->tensors().size(), 5);
    CHECK(ReadAll(**file, "a") == std::vector<float>(10, 1));
    CHECK(ReadAll(**file, "b") == std::vector<float>(20, 2));
    CHECK(ReadAll(**file, "e") == std::vector<float>(5, 5));
  };
  const std::string index = "model.safetensors.index.json";
  check(160, {"model.safetensors"}, "safetensors");
  check(159, {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", index}, "safetensors, 2 shards");
  CHECK_EQ(testing::ReadBytes(folder.file(index)),
           "{\"metadata\":{\"total_size\":160},\"weight_map\":{\"a\":\"model-00001-of-00002.safetensors\","
           "\"b\":\"model-00001-of-00002.safetensors\",\"c\":\"model-00001-of-00002.safetensors\","
           "\"d\":\"model-00001-of-00002.safetensors\",\"e\":\"model-00002-of-00002.safetensors\"}}\n");
  // The second tensor is larger than the limit.
  check(50,
        {"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors",
         index},
        "safetensors, 3 shards");
  check(159, {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", index}, "safetensors, 2 shards");
  check(uint64_t{5} << 30, {"model.safetensors"}, "safetensors");

  // A save that fails leaves the one before.
  std::vector<TensorToWrite> failing = tensors;
  failing[4].fill = [](std::span<std::byte>) { return absl::CancelledError("no more"); };
  CHECK_EQ(WriteShardedSafetensors(folder.path(), failing, 50).code(), Code::kCancelled);
  CHECK_EQ(WriteShardedSafetensors(folder.path(), failing, 1000).code(), Code::kCancelled);
  CHECK_EQ(WriteShardedSafetensors(folder.path(), tensors, 0).code(), Code::kInvalidArgument);
  CHECK_EQ(Names(folder.path()).size(), 3);
  CHECK(WeightFile::Open(folder.path()).ok());

  std::vector<TensorToWrite> many;
  for (int i = 0; i < 513; ++i) many.push_back(Constant(std::to_string(i), {1}, 1));
  const absl::Status status = WriteShardedSafetensors(folder.path(), many, 4);
  CHECK_EQ(status.code(), Code::kInvalidArgument);
  CHECK(testing::Contains(testing::Message(status), "would be 513 files, more than the limit of 512"));
  CHECK_EQ(WriteShardedSafetensors(folder.file("missing"), tensors, 50).code(), Code::kUnavailable);
}

// Bytes of mapped files in memory; nothing where the system does not say.
std::optional<size_t> ResidentFileBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    size_t kilobytes = 0;
    if (word == "RssFile:" && status >> kilobytes) return kilobytes * 1024;
  }
  return std::nullopt;
}

TEST_CASE("DoneWith: what was read stops counting as resident, and can be read again") {
  if (!ResidentFileBytes()) {
    MESSAGE("skipped: the system does not state resident memory of files");
    return;
  }
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("large.safetensors");
  constexpr int64_t kElements = 4 << 20;
  REQUIRE(
      WriteSafetensors(path, std::vector<TensorToWrite>{Constant("t", {kElements}, 3), Constant("u", {1}, 4)}).ok());
  const auto file = WeightFile::Open(path);
  REQUIRE(file.ok());
  const size_t before = *ResidentFileBytes();
  std::vector<float> values = ReadAll(**file, "t");
  const size_t read = *ResidentFileBytes();
  (*file)->DoneWith("none");
  (*file)->DoneWith("t");
  const size_t done = *ResidentFileBytes();
  CHECK_GT(read, before + 12 * 1024 * 1024);
  CHECK_LT(done, before + 2 * 1024 * 1024);
  CHECK(ReadAll(**file, "t") == std::vector<float>(kElements, 3));
  (*file)->DoneWith("u");
  CHECK(ReadAll(**file, "u") == std::vector<float>{4});
}

}  // namespace
}  // namespace toolformer::safetensors_writer_test
