#include "src/files/gguf.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <thread>

#include "src/files/quantization.h"
#include "tests/files/weight_images.h"
#include "tests/paths.h"

namespace toolformer::gguf_test {
namespace {

using Code = absl::StatusCode;

std::string Types() { return testing::Fixture("weights/types.gguf"); }

std::unique_ptr<GgufFile> OpenTypes() {
  auto file = GgufFile::Open(Types());
  REQUIRE_MESSAGE(file.ok(), testing::Message(file.status()));
  return *std::move(file);
}

std::vector<uint32_t> Bits(std::span<const float> values) {
  std::vector<uint32_t> bits(values.size());
  if (!values.empty()) std::memcpy(bits.data(), values.data(), values.size_bytes());
  return bits;
}

// A NaN's other bits depend on the machine.
std::vector<uint32_t> BitsWithOneNan(std::span<const float> values) {
  std::vector<uint32_t> bits = Bits(values);
  for (uint32_t& word : bits) {
    if ((word & 0x7fffffff) > 0x7f800000) word = 0x7fc00000;
  }
  return bits;
}

TEST_CASE("gguf: every readable type is bit-equal to the reference's conversion") {
  const auto file = OpenTypes();
  const std::string expected = testing::ReadBytes(testing::Fixture("weights/types.f32"));
  size_t done = 0;
  int read = 0;
  for (const TensorInfo& tensor : file->tensors()) {
    CAPTURE(tensor.name);
    if (tensor.name.starts_with("not read")) continue;
    std::vector<float> values(static_cast<size_t>(tensor.elements));
    REQUIRE(file->ReadF32(tensor.name, 0, values).ok());
    REQUIRE(done + 4 * values.size() <= expected.size());
    std::vector<float> wanted(values.size());
    std::memcpy(wanted.data(), expected.data() + done, 4 * wanted.size());
    CHECK(BitsWithOneNan(values) == BitsWithOneNan(wanted));
    done += 4 * values.size();
    ++read;
  }
  CHECK_EQ(done, expected.size());
  CHECK_EQ(read, 31);
}

TEST_CASE("gguf: parts of a tensor are the parts of the whole") {
  const auto file = OpenTypes();
  for (const char* name : {"Q4_0", "Q6_K", "F16", "IQ1_M", "NVFP4", "I16"}) {
    CAPTURE(name);
    const TensorInfo* info = file->Find(name);
    REQUIRE(info != nullptr);
    std::vector<float> whole(static_cast<size_t>(info->elements));
    REQUIRE(file->ReadF32(name, 0, whole).ok());
    const size_t row = static_cast<size_t>(info->shape.back());
    std::vector<float> parts(whole.size());
    std::vector<std::thread> threads;
    for (size_t begin = 0; begin < parts.size(); begin += row) {
      threads.emplace_back([&, begin] {
        if (!file->ReadF32(name, static_cast<int64_t>(begin), std::span(parts).subspan(begin, row)).ok()) std::abort();
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(BitsWithOneNan(parts) == BitsWithOneNan(whole));
  }
}

TEST_CASE("gguf: bf16 is copied, everything else is rounded to it") {
  const auto file = OpenTypes();
  for (const TensorInfo& tensor : file->tensors()) {
    CAPTURE(tensor.name);
    std::vector<float> values(static_cast<size_t>(tensor.elements));
    std::vector<uint16_t> bits(values.size()), wanted(values.size());
    const absl::Status status = file->ReadF32(tensor.name, 0, values);
    CHECK_EQ(file->ReadBF16(tensor.name, 0, bits).code(), status.code());
    if (!status.ok()) continue;
    RoundToBf16(values, wanted.data());
    CHECK(bits == wanted);
    const size_t row = static_cast<size_t>(tensor.shape.back());
    if (bits.size() == row) continue;
    REQUIRE(file->ReadBF16(tensor.name, static_cast<int64_t>(row), std::span(bits).first(row)).ok());
    CHECK(std::equal(bits.begin(), bits.begin() + static_cast<std::ptrdiff_t>(row),
                     wanted.begin() + static_cast<std::ptrdiff_t>(row)));
  }
  std::vector<uint16_t> bits(6);
  REQUIRE(file->ReadBF16("BF16", 0, bits).ok());
  CHECK(bits == std::vector<uint16_t>{0x3F80, 0xC049, 0x0001, 0x7F80, 0x7F7F, 0x8000});
  CHECK_EQ(file->ReadBF16("BF16", 1, bits).code(), Code::kOutOfRange);
  CHECK_EQ(file->ReadBF16("Q4_0", 0, bits).code(), Code::kOutOfRange);
  CHECK_EQ(file->ReadBF16("none", 0, bits).code(), Code::kNotFound);
}

TEST_CASE("gguf: tensors are listed by name, the outermost dimension first") {
  const auto file = OpenTypes();
  CHECK_EQ(file->format(), "GGUF v3");
  CHECK_EQ(file->path(), Types());
  CHECK_EQ(file->tensors().size(), 34);
  for (size_t i = 1; i < file->tensors().size(); ++i) {
    CHECK_LT(file->tensors()[i - 1].name, file->tensors()[i].name);
  }
  const TensorInfo* q4 = file->Find("Q4_1");
  REQUIRE(q4 != nullptr);
  CHECK(q4->shape == std::vector<int64_t>{3, 64});
  CHECK_EQ(q4->type, "Q4_1");
  CHECK_EQ(q4->elements, 192);
  CHECK_EQ(q4->bytes, 120);
  CHECK(file->Find("I64")->shape == std::vector<int64_t>{2, 3});
  CHECK_EQ(file->Find("I64")->type, "I64");
  CHECK_EQ(file->Find("not read Q8_K")->type, "Q8_K");
  CHECK(file->Find("not read Q8_K")->shape == std::vector<int64_t>{2, 256});
  CHECK_EQ(file->Find("not read Q8_K")->bytes, 584);
  CHECK(file->Find("not read Q1_0")->shape == std::vector<int64_t>{2, 128});
  CHECK(file->Find("Q4_") == nullptr);
  CHECK(file->Find("") == nullptr);
  CHECK(file->Find("zzz") == nullptr);
}

TEST_CASE("gguf: what cannot be read says so") {
  const auto file = OpenTypes();
  std::vector<float> out(64);
  const auto read = [&](std::string_view name, int64_t first, size_t count) {
    return file->ReadF32(name, first, std::span(out).first(count));
  };
  CHECK(read("Q4_0", 0, 0).ok());
  CHECK(read("Q4_0", 192, 0).ok());
  CHECK(read("Q4_0", 160, 32).ok());
  CHECK_EQ(read("Q4_0", 160, 64).code(), Code::kOutOfRange);
  CHECK_EQ(read("Q4_0", 224, 0).code(), Code::kOutOfRange);
  CHECK_EQ(read("Q4_0", -32, 32).code(), Code::kOutOfRange);
  CHECK_EQ(read("Q4_0", std::numeric_limits<int64_t>::max(), 32).code(), Code::kOutOfRange);
  CHECK_EQ(read("Q4_0", std::numeric_limits<int64_t>::min(), 32).code(), Code::kOutOfRange);
  CHECK_EQ(read("Q4_0", 16, 32).code(), Code::kOutOfRange);
  CHECK_EQ(read("Q4_0", 0, 16).code(), Code::kOutOfRange);
  CHECK(testing::Contains(testing::Message(read("Q4_0", 0, 16)), "blocks of 32"));
  const absl::Status missing = read("%s%n\n", 0, 1);
  CHECK_EQ(missing.code(), Code::kNotFound);
  CHECK(testing::Contains(testing::Message(missing), "'%s%n\\x0a'"));
  for (const char* name : {"not read Q8_1", "not read Q8_K", "not read Q1_0"}) {
    const absl::Status status = read(name, 0, 1);
    CHECK_EQ(status.code(), Code::kUnimplemented);
    CHECK(testing::Contains(testing::Message(status), "supported are F32, F16, BF16"));
  }
}

TEST_CASE("gguf: typed metadata") {
  const auto file = OpenTypes();
  CHECK_EQ(file->Integer("test.u8")->value(), 200);
  CHECK_EQ(file->Integer("test.i8")->value(), -100);
  CHECK_EQ(file->Integer("test.u16")->value(), 60000);
  CHECK_EQ(file->Integer("test.i16")->value(), -30000);
  CHECK_EQ(file->Integer("test.u32")->value(), 4000000000);
  CHECK_EQ(file->Integer("test.i32")->value(), -2000000000);
  CHECK_EQ(file->Integer("test.i64")->value(), -9000000000000000000);
  CHECK_EQ(file->Real("test.f32")->value(), static_cast<double>(0.1f));
  CHECK_EQ(file->Real("test.f64")->value(), 0.1);
  CHECK_EQ(file->Boolean("test.true")->value(), true);
  CHECK_EQ(file->Boolean("test.false")->value(), false);
  CHECK_EQ(file->String("test.text")->value(), "two\nlines, \u00e9\u4e2d");
  CHECK(file->Strings("test.strings")->value() == std::vector<std::string_view>{"a", "", "bb", "c", "last"});
  CHECK(file->Integers("test.integers")->value() == std::vector<int64_t>{-1, 2, 3});
  CHECK(file->Reals("test.reals")->value() == std::vector<float>{0.5f, -1.25f});

  CHECK_FALSE(file->String("absent")->has_value());
  CHECK_FALSE(file->Integer("absent")->has_value());
  CHECK_FALSE(file->Real("absent")->has_value());
  CHECK_FALSE(file->Boolean("absent")->has_value());
  CHECK_FALSE(file->Strings("absent")->has_value());
  CHECK_FALSE(file->Integers("absent")->has_value());
  CHECK_FALSE(file->Reals("absent")->has_value());
}

TEST_CASE("gguf: metadata of another type is refused by name") {
  const auto file = OpenTypes();
  const auto check = [](const absl::Status& status, std::string_view words) {
    CHECK_EQ(status.code(), Code::kInvalidArgument);
    CHECK(testing::Contains(testing::Message(status), words));
  };
  check(file->String("test.u8").status(), "'test.u8' is u8 where a string is wanted");
  check(file->Integer("test.f32").status(), "'test.f32' is f32 where an integer is wanted");
  check(file->Integer("test.true").status(), "is bool");
  check(file->Integer("test.integers").status(), "is array of i32");
  check(file->Integer("test.u64").status(), "holds an integer above 9223372036854775807");
  check(file->Real("test.u8").status(), "where f32 or f64 is wanted");
  check(file->Boolean("test.u8").status(), "where a bool is wanted");
  check(file->Strings("test.text").status(), "'test.text' is string where an array of string is wanted");
  check(file->Strings("test.integers").status(), "array of i32");
  check(file->Integers("test.strings").status(), "where an array of integers is wanted");
  check(file->Integers("test.flags").status(), "array of bool");
  check(file->Reals("test.integers").status(), "where an array of f32 is wanted");
}

TEST_CASE("gguf: metadata is printed in the order of the file") {
  const auto metadata = OpenTypes()->metadata();
  std::string text;
  for (const auto& [key, value] : metadata) text += key + "=" + value + ";";
  CHECK_EQ(text,
           "general.architecture=llama;test.u8=200;test.i8=-100;test.u16=60000;test.i16=-30000;test.i32=-2000000000;"
           "test.u32=4000000000;test.i64=-9000000000000000000;test.u64=18000000000000000000;test.f32=0.1;test.f64=0.1;"
           "test.true=true;test.false=false;test.text=two\\x0alines, \u00e9\u4e2d;"
           "test.strings=5 x string [\"a\", \"\", \"bb\", \"c\", ...];test.integers=3 x i32 [-1, 2, 3];"
           "test.reals=2 x f32 [0.5, -1.25];test.flags=2 x bool [true, false];");
}

TEST_CASE("gguf: a file cut at any byte is refused") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("cut.gguf");
  std::filesystem::copy_file(Types(), path);
  const uintmax_t size = std::filesystem::file_size(path);
  for (uintmax_t length = size; length-- > 0;) {
    std::filesystem::resize_file(path, length);
    const absl::Status status = GgufFile::Open(path).status();
    if (status.code() != Code::kInvalidArgument || !testing::IsProperMessage(status, path)) {
      FAIL("cut to ", length, " bytes: ", status.ToString());
    }
  }
}

TEST_CASE("gguf: no flipped bit of a header does harm") {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("flipped.gguf");
  std::string bytes = testing::GgufImage().Bytes();
  const size_t header_bytes = bytes.size() - 66;
  testing::WriteBytes(path, bytes);
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  size_t refused = 0;
  std::vector<float> values;
  for (size_t bit = 0; bit < 8 * header_bytes; ++bit) {
    const auto at = static_cast<off_t>(bit / 8);
    const char flipped = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    REQUIRE(pwrite(fd, &flipped, 1, at) == 1);
    const auto file = GgufFile::Open(path);
    if (!file.ok()) {
      ++refused;
      CHECK(testing::IsProperMessage(file.status(), path));
    } else {
      CHECK_FALSE((*file)->metadata().empty());
      for (const TensorInfo& tensor : (*file)->tensors()) {
        REQUIRE(tensor.bytes <= 66);
        values.resize(static_cast<size_t>(tensor.elements));
        const absl::Status status = (*file)->ReadF32(tensor.name, 0, values);
        CHECK((status.ok() || status.code() == Code::kUnimplemented));
      }
    }
    REQUIRE(pwrite(fd, &bytes[bit / 8], 1, at) == 1);
  }
  close(fd);
  CHECK_GT(refused, 8 * header_bytes / 2);
  CHECK(GgufFile::Open(path).ok());
}

TEST_CASE("gguf: a real model") {
  const std::optional<std::string> path = testing::SmolLm2();
  if (!path) {
    MESSAGE("skipped: SmolLM2 is not installed");
    return;
  }
  const auto file = GgufFile::Open(*path);
  REQUIRE_MESSAGE(file.ok(), testing::Message(file.status()));
  CHECK_EQ((*file)->tensors().size(), 272);
  CHECK_EQ((*file)->String("general.architecture")->value(), "llama");
  CHECK_EQ((*file)->Strings("tokenizer.ggml.tokens")->value().size(), 49152);
  CHECK((*file)->Find("token_embd.weight")->shape == std::vector<int64_t>{49152, 576});
  // The last four values, from the gguf package.
  const auto last = [&](std::string_view name) {
    std::vector<float> row(576);
    const TensorInfo* info = (*file)->Find(name);
    REQUIRE(info != nullptr);
    REQUIRE((*file)->ReadF32(name, info->elements - 576, row).ok());
    return Bits(std::span(row).last(4));
  };
  CHECK(last("token_embd.weight") == std::vector<uint32_t>{0x3da02300, 0x3e03ab00, 0xbdf58b00, 0xbd2ad000});
  CHECK(last("blk.7.ffn_down.weight") == std::vector<uint32_t>{0xbe3a4000, 0x3eb00800, 0x3e7e3000, 0x3d69c000});
  CHECK(last("output_norm.weight") == std::vector<uint32_t>{0x3ff50000, 0x3ff10000, 0x3ff60000, 0x3ffe0000});
}

}  // namespace
}  // namespace toolformer::gguf_test
