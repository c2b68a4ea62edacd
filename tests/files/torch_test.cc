#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>

#include "src/files/torch_file.h"
#include "tests/files/torch_images.h"
#include "tests/paths.h"

namespace toolformer::torch_test {
namespace {

using Code = absl::StatusCode;

std::string Torch(const std::string& name) { return testing::Fixture("weights/torch/" + name); }

std::unique_ptr<WeightFile> Open(const std::string& path) {
  auto file = WeightFile::Open(path);
  REQUIRE_MESSAGE(file.ok(), testing::Message(file.status()));
  return *std::move(file);
}

std::vector<float> ReadAll(const WeightFile& file, std::string_view name) {
  const TensorInfo* info = file.Find(name);
  REQUIRE(info != nullptr);
  std::vector<float> values(static_cast<size_t>(info->elements));
  const absl::Status status = file.ReadF32(name, 0, values);
  REQUIRE_MESSAGE(status.ok(), testing::Message(status));
  return values;
}

// All tensors' bytes as f32, sorted by name.
std::string AllValues(const WeightFile& file) {
  std::string bytes;
  for (const TensorInfo& info : file.tensors()) {
    const std::vector<float> values = ReadAll(file, info.name);
    bytes.append(reinterpret_cast<const char*>(values.data()), 4 * values.size());
  }
  return bytes;
}

TEST_CASE("torch: however it was saved, the values are those that torch reads") {
  const std::string expected = testing::ReadBytes(Torch("tensors.f32"));
  REQUIRE_FALSE(expected.empty());
  for (const char* name : {"zip.bin", "protocol3.bin", "protocol4.bin", "protocol5.bin", "old.bin", "old4.bin",
                           "state_dict.bin", "model.bin", "mixed.bin", "sharded"}) {
    CAPTURE(name);
    const auto file = Open(Torch(name));
    CHECK_EQ(file->tensors().size(), 25);
    CHECK(AllValues(*file) == expected);
    CHECK_EQ(file->format(), std::string_view(name) == "sharded" ? "PyTorch, 2 shards" : "PyTorch");
  }
}

TEST_CASE("torch: types, shapes and sizes") {
  const auto file = Open(Torch("zip.bin"));
  CHECK_EQ(file->Find("f32")->type, "F32");
  CHECK_EQ(file->Find("bf16 transposed")->type, "BF16");
  CHECK_EQ(file->Find("i64")->type, "I64");
  CHECK_EQ(file->Find("bool")->type, "BOOL");
  CHECK(file->Find("transposed")->shape == std::vector<int64_t>{5, 3});
  CHECK(file->Find("permuted")->shape == std::vector<int64_t>{4, 2, 3});
  CHECK(file->Find("scalar")->shape.empty());
  CHECK(file->Find("empty")->shape == std::vector<int64_t>{0, 4});
  CHECK_EQ(file->Find("f16")->bytes, 30);
  CHECK_EQ(file->Find("many")->elements, 4900);
  CHECK(file->metadata().empty());

  const auto kinds = Open(Torch("new_types.bin"));
  CHECK_EQ(kinds->Find("f8")->type, "F8_E4M3");
  CHECK_EQ(kinds->Find("c64")->type, "C64");
  CHECK(ReadAll(*kinds, "u16") == std::vector<float>{1, 65535});
  CHECK(ReadAll(*kinds, "u32") == std::vector<float>{7, 4294967296.0f});
  float out;
  CHECK_EQ(kinds->ReadF32("f8", 0, {&out, 1}).code(), Code::kUnimplemented);
}

TEST_CASE("torch: plain values beside the tensors are metadata") {
  const auto file = Open(Torch("mixed.bin"));
  std::string text;
  for (const auto& [key, value] : file->metadata()) text += key + "=" + value + ";";
  CHECK_EQ(text, "epoch=3;loss=0.25;note=two\\x0alines;best=true;negative=-5;large=70000;");
}

TEST_CASE("torch: options that were saved beside the tensors are metadata") {
  const auto file = Open(Torch("settings.bin"));
  REQUIRE_EQ(file->tensors().size(), 1);
  CHECK_EQ(file->tensors()[0].name, "f32");
  std::string text;
  for (const auto& [key, value] : file->metadata()) text += key + "=" + value + ";";
  CHECK_EQ(text, "step=7;opt.reader=t5;opt.length=200;opt.rate=0.5;opt.fast=true;opt.device=cuda;");
}

TEST_CASE("torch: parts of a tensor with strides are the parts of the whole") {
  const auto file = Open(Torch("zip.bin"));
  for (const char* name : {"permuted", "f64 transposed", "bf16 transposed", "many", "f32"}) {
    CAPTURE(name);
    const std::vector<float> whole = ReadAll(*file, name);
    const size_t step = whole.size() > 100 ? 97 : 1;
    for (size_t begin = 0; begin <= whole.size(); begin += step) {
      for (size_t count = 0; begin + count <= whole.size(); count += step) {
        std::vector<float> part(count);
        REQUIRE(file->ReadF32(name, static_cast<int64_t>(begin), part).ok());
        REQUIRE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(begin)));
      }
    }
    float out[1];
    CHECK_EQ(file->ReadF32(name, static_cast<int64_t>(whole.size()), out).code(), Code::kOutOfRange);
  }
}

TEST_CASE("torch: bfloat16 with strides is copied bit by bit") {
  const auto file = Open(Torch("zip.bin"));
  for (const char* name : {"bf16", "bf16 transposed", "transposed", "i8"}) {
    CAPTURE(name);
    const std::vector<float> values = ReadAll(*file, name);
    std::vector<uint16_t> bits(values.size());
    REQUIRE(file->ReadBF16(name, 0, bits).ok());
    for (size_t i = 0; i < bits.size(); ++i) {
      const float back = std::bit_cast<float>(static_cast<uint32_t>(bits[i]) << 16);
      if (std::string_view(name).starts_with("bf16")) {
        CHECK_EQ(back, values[i]);
      } else {
        CHECK_EQ(back, doctest::Approx(values[i]).epsilon(0.004));
      }
    }
    file->DoneWith(name);
    CHECK(ReadAll(*file, name) == values);
  }
}

TEST_CASE("torch: what holds no dictionary of tensors is refused for its reason") {
  struct Row {
    const char* name;
    Code code;
    const char* words;
  };
  const Row rows[] = {
      {"refused_neg.bin", Code::kUnimplemented, "a tensor with the state 'neg' is not supported"},
      {"refused_meta.bin", Code::kInvalidArgument, "refers to 'torch._utils._rebuild_meta_tensor_no_storage'"},
      {"refused_sparse.bin", Code::kInvalidArgument, "refers to 'torch._utils._rebuild_sparse_tensor'; only tensors"},
      {"refused_module.bin", Code::kInvalidArgument, "data.pkl: byte 2: refers to 'torch.nn.modules.linear.Linear'"},
      {"refused_tensor.bin", Code::kInvalidArgument, "holds no dictionary of tensors; save the state_dict()"},
      {"refused_empty.bin", Code::kInvalidArgument, "the dictionary holds no tensors"},
      {"refused_script.bin", Code::kUnimplemented, "linear.py' is compressed (method 8); only stored entries are read"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const absl::Status status = WeightFile::Open(Torch(row.name)).status();
    const std::string message = testing::Message(status);
    CAPTURE(message);
    CHECK_EQ(status.code(), row.code);
    CHECK(testing::Contains(message, row.words));
    CHECK(testing::IsProperMessage(status, Torch(row.name)));
  }
}

TEST_CASE("torch: a file cut at any byte is refused") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("cut.bin");
  for (const char* name : {"zip.bin", "protocol4.bin", "old.bin", "old4.bin"}) {
    CAPTURE(name);
    std::filesystem::copy_file(Torch(name), path, std::filesystem::copy_options::overwrite_existing);
    for (uintmax_t length = std::filesystem::file_size(path); length-- > 0;) {
      std::filesystem::resize_file(path, length);
      const absl::Status status = WeightFile::Open(path).status();
      if (status.code() != Code::kInvalidArgument || !testing::IsProperMessage(status, path)) {
        FAIL("cut to ", length, " bytes: ", status.ToString());
      }
    }
  }
}

TEST_CASE("torch: no flipped bit does harm") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("flipped.bin");
  for (const char* name : {"new_types.bin", "old4.bin"}) {
    CAPTURE(name);
    const std::string bytes = testing::ReadBytes(Torch(name));
    testing::WriteBytes(path, bytes);
    const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    size_t refused = 0;
    for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      const auto at = static_cast<off_t>(bit / 8);
      const char flipped = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      REQUIRE(pwrite(fd, &flipped, 1, at) == 1);
      const auto file = WeightFile::Open(path);
      if (!file.ok()) {
        ++refused;
        REQUIRE(testing::IsProperMessage(file.status(), path));
      } else {
        for (const TensorInfo& tensor : (*file)->tensors()) {
          REQUIRE(tensor.elements <= 1 << 20);
          std::vector<float> values(static_cast<size_t>(tensor.elements));
          const absl::Status status = (*file)->ReadF32(tensor.name, 0, values);
          REQUIRE((status.ok() || status.code() == Code::kUnimplemented));
          (*file)->DoneWith(tensor.name);
        }
      }
      REQUIRE(pwrite(fd, &bytes[bit / 8], 1, at) == 1);
    }
    close(fd);
    CHECK_GT(refused, bytes.size());
    CHECK(WeightFile::Open(path).ok());
  }
}

}  // namespace
}  // namespace toolformer::torch_test
