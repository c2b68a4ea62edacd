// One row a fault: what is made wrong with a valid file, and the code and words that must come of it. Rows with kOk are
// the nearest files that must still open.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <functional>

#include "src/files/gguf.h"
#include "src/files/gguf_header.h"
#include "tests/files/weight_images.h"
#include "tests/paths.h"

namespace toolformer::gguf_hostile_test {
namespace {

using testing::Encode;
using testing::GgufEntryBytes;
using testing::GgufImage;
using testing::GgufString;
using Code = absl::StatusCode;

struct Row {
  std::string name;
  std::function<void(GgufImage&)> change;
  Code code;
  const char* words;
};

void AddEntry(GgufImage& image, uint32_t type, const std::string& value) {
  image.entries.push_back(GgufEntryBytes("test.more", type, value));
}
std::string Array(uint32_t element, uint64_t count, const std::string& content) {
  return Encode(element) + Encode(count) + content;
}
void SetAlignment(GgufImage& image, uint32_t alignment) {
  image.entries[0] = GgufEntryBytes("general.alignment", 4, Encode(alignment));
}

const Row kHeaderRows[] = {
    {"as it is", [](GgufImage&) {}, Code::kOk, ""},
    {"wrong magic", [](GgufImage& f) { f.magic = "GGUX"; }, Code::kInvalidArgument, "magic at byte 0: is 'GGUX'"},
    {"control characters in the magic", [](GgufImage& f) { f.magic = "\x1b[2J"; }, Code::kInvalidArgument, "\\x1b[2J"},
    {"version 0", [](GgufImage& f) { f.version = 0; }, Code::kUnimplemented, "version 0 is not supported; supported"},
    {"version 1", [](GgufImage& f) { f.version = 1; }, Code::kUnimplemented, "supported are versions 2 and 3"},
    {"version 2", [](GgufImage& f) { f.version = 2; }, Code::kOk, ""},
    {"version 4", [](GgufImage& f) { f.version = 4; }, Code::kUnimplemented, "version 4 is not supported"},
    {"big-endian", [](GgufImage& f) { f.version = 0x03000000; }, Code::kUnimplemented, "(written big-endian)"},
    {"no metadata", [](GgufImage& f) { f.entries.clear(); }, Code::kOk, ""},
    {"no tensors", [](GgufImage& f) { f.tensors.clear(); }, Code::kOk, ""},
    {"2^64-1 tensors", [](GgufImage& f) { f.tensor_count = ~0ull; }, Code::kInvalidArgument, "tensor count at byte 8"},
    {"2^63 entries", [](GgufImage& f) { f.entry_count = 1ull << 63; }, Code::kInvalidArgument,
     "metadata count at byte"},
    {"more tensors than bytes", [](GgufImage& f) { f.tensor_count = 12; }, Code::kInvalidArgument, "states 12"},
    {"one tensor more than there are",
     [](GgufImage& f) {
       f.tensor_count = 3;
       f.data_bytes = 0;
     },
     Code::kInvalidArgument, "tensor 2, name"},
    {"one entry more than there are", [](GgufImage& f) { f.entry_count = 3; }, Code::kInvalidArgument,
     "bytes, 140 remain in the file"},
};

const Row kMetadataRows[] = {
    {"empty key", [](GgufImage& f) { f.entries[1] = GgufEntryBytes("", 4, Encode(1u)); }, Code::kInvalidArgument,
     "metadata 1, key at byte 57: is empty"},
    {"key of 2^64-1 bytes", [](GgufImage& f) { f.entries[1] = Encode(~0ull) + "key"; }, Code::kInvalidArgument,
     "needs 18446744073709551615 bytes"},
    {"key of 10^12 bytes", [](GgufImage& f) { f.entries[1] = Encode(1000000000000ull) + "key"; },
     Code::kInvalidArgument, "metadata 1, key at byte 65: needs 1000000000000 bytes"},
    {"key of 65536 bytes", [](GgufImage& f) { f.entries[1] = GgufEntryBytes(std::string(65536, 'k'), 4, Encode(1u)); },
     Code::kInvalidArgument, "has 65536 bytes, more than 65535"},
    {"key of 65535 bytes", [](GgufImage& f) { f.entries[1] = GgufEntryBytes(std::string(65535, 'k'), 4, Encode(1u)); },
     Code::kOk, ""},
    {"key with NUL",
     [](GgufImage& f) {
       f.entries[1] = GgufEntryBytes({"a\0b", 3}, 4, Encode(1u));
     },
     Code::kInvalidArgument, "'a\\x00b' holds a control character"},
    {"key not UTF-8", [](GgufImage& f) { f.entries[1] = GgufEntryBytes("a\xff", 4, Encode(1u)); },
     Code::kInvalidArgument, "'a\\xff'"},
    {"key twice", [](GgufImage& f) { f.entries.push_back(f.entries[1]); }, Code::kInvalidArgument,
     "key at byte 91: 'test.name' appears twice"},
    {"key of format characters", [](GgufImage& f) { f.entries[1] = GgufEntryBytes("%s%n{}", 13, ""); },
     Code::kInvalidArgument, "metadata '%s%n{}', value type at byte"},
    {"value type 13", [](GgufImage& f) { AddEntry(f, 13, ""); }, Code::kInvalidArgument, "13 is not a type of GGUF"},
    {"value type 2^32-1", [](GgufImage& f) { AddEntry(f, ~0u, ""); }, Code::kInvalidArgument, "value type at byte"},
    {"string of 2^63 bytes", [](GgufImage& f) { AddEntry(f, 8, Encode(1ull << 63)); }, Code::kInvalidArgument,
     "value at byte"},
    {"empty string", [](GgufImage& f) { AddEntry(f, 8, Encode(0ull)); }, Code::kOk, ""},
    {"bool of 2", [](GgufImage& f) { AddEntry(f, 7, "\2"); }, Code::kInvalidArgument, "is 2; must be 0 or 1"},
    {"bool of 1", [](GgufImage& f) { AddEntry(f, 7, "\1"); }, Code::kOk, ""},
    {"array of arrays", [](GgufImage& f) { AddEntry(f, 9, Array(9, 1, Array(0, 1, "x"))); }, Code::kUnimplemented,
     "arrays of arrays are not supported"},
    {"array of type 13", [](GgufImage& f) { AddEntry(f, 9, Array(13, 0, "")); }, Code::kInvalidArgument,
     "element type at byte"},
    {"array of 2^63 bytes", [](GgufImage& f) { AddEntry(f, 9, Array(0, 1ull << 63, "")); }, Code::kInvalidArgument,
     "array length at byte"},
    {"array whose size wraps", [](GgufImage& f) { AddEntry(f, 9, Array(10, (1ull << 61) + 1, "12345678")); },
     Code::kInvalidArgument, "array length at byte"},
    {"2^61 strings", [](GgufImage& f) { AddEntry(f, 9, Array(8, 1ull << 61, "")); }, Code::kInvalidArgument,
     "array length at byte"},
    {"array with a string too long", [](GgufImage& f) { AddEntry(f, 9, Array(8, 1, Encode(1ull << 40))); },
     Code::kInvalidArgument, "array element at byte"},
    {"bools with a 7", [](GgufImage& f) { AddEntry(f, 9, Array(7, 2, "\1\7")); }, Code::kInvalidArgument, "is 7"},
    {"array of nothing", [](GgufImage& f) { AddEntry(f, 9, Array(8, 0, "")); }, Code::kOk, ""},
    {"alignment 0", [](GgufImage& f) { SetAlignment(f, 0); }, Code::kInvalidArgument, "is 0; must be a power of two"},
    {"alignment 3", [](GgufImage& f) { SetAlignment(f, 3); }, Code::kInvalidArgument, "is 3; must be a power of two"},
    {"alignment 2^31", [](GgufImage& f) { SetAlignment(f, 1u << 31); }, Code::kInvalidArgument, "is 2147483648"},
    {"alignment 2^21", [](GgufImage& f) { SetAlignment(f, 1u << 21); }, Code::kInvalidArgument, "up to 1048576"},
    {"alignment 8",
     [](GgufImage& f) {
       SetAlignment(f, 8);
       f.alignment = 8;
     },
     Code::kOk, ""},
    {"alignment 64",
     [](GgufImage& f) {
       SetAlignment(f, 64);
       f.alignment = 64;
       f.tensors[1].offset = 64;
       f.data_bytes = 98;
     },
     Code::kOk, ""},
    {"alignment as i32", [](GgufImage& f) { f.entries[0] = GgufEntryBytes("general.alignment", 5, Encode(32)); },
     Code::kInvalidArgument, "is i32; must be u32"},
    {"alignment as text", [](GgufImage& f) { f.entries[0] = GgufEntryBytes("general.alignment", 8, GgufString("32")); },
     Code::kInvalidArgument, "is string; must be u32"},
};

const Row kTensorRows[] = {
    {"empty name", [](GgufImage& f) { f.tensors[0].name = GgufString(""); }, Code::kInvalidArgument,
     "tensor 0, name at byte 91: '' is empty"},
    {"name of 255 bytes", [](GgufImage& f) { f.tensors[0].name = GgufString(std::string(255, 'n')); }, Code::kOk, ""},
    {"name of 256 bytes", [](GgufImage& f) { f.tensors[0].name = GgufString(std::string(256, 'n')); },
     Code::kInvalidArgument, "has 256 bytes, more than the limit of 255"},
    {"name of a megabyte", [](GgufImage& f) { f.tensors[0].name = GgufString(std::string(1 << 20, 'n')); },
     Code::kInvalidArgument, "nnn...'"},
    {"name that is too long for the file", [](GgufImage& f) { f.tensors[0].name = Encode(1ull << 62) + "n"; },
     Code::kInvalidArgument, "tensor 0, name at byte 99: needs 4611686018427387904 bytes"},
    {"name with NUL",
     [](GgufImage& f) {
       f.tensors[0].name = GgufString({"a\0b", 3});
     },
     Code::kInvalidArgument, "'a\\x00b' holds a control character"},
    {"name with an escape", [](GgufImage& f) { f.tensors[0].name = GgufString("\x1b[31m"); }, Code::kInvalidArgument,
     "'\\x1b[31m'"},
    {"name of format characters",
     [](GgufImage& f) {
       f.tensors[0].name = GgufString("%s%n%p{}");
       f.tensors[0].type = 99;
     },
     Code::kUnimplemented, "tensor '%s%n%p{}', type at byte"},
    {"name twice", [](GgufImage& f) { f.tensors[1].name = f.tensors[0].name; }, Code::kInvalidArgument,
     "two tensors have the name 'first'"},
    {"rank 0", [](GgufImage& f) { f.tensors[0].dimensions = {}; }, Code::kOk, ""},
    {"rank 8", [](GgufImage& f) { f.tensors[0].dimensions = {4, 2, 1, 1, 1, 1, 1, 1}; }, Code::kOk, ""},
    {"rank 9", [](GgufImage& f) { f.tensors[0].dimensions = {4, 2, 1, 1, 1, 1, 1, 1, 1}; }, Code::kInvalidArgument,
     "tensor 'first', rank at byte 104: is 9, more than the limit of 8"},
    {"rank 64", [](GgufImage& f) { f.tensors[0].rank = 64; }, Code::kInvalidArgument, "is 64"},
    {"rank 2^32-1", [](GgufImage& f) { f.tensors[0].rank = ~0u; }, Code::kInvalidArgument, "is 4294967295"},
    {"dimension 0",
     [](GgufImage& f) {
       f.tensors[0].dimensions = {4, 0};
     },
     Code::kInvalidArgument, "dimension at byte 116: is 0"},
    {"dimension 2^63", [](GgufImage& f) { f.tensors[0].dimensions = {1ull << 63}; }, Code::kInvalidArgument,
     "does not fit 63 bits"},
    {"product wraps to 0",
     [](GgufImage& f) {
       f.tensors[0].dimensions = {65536, 65536, 65536, 65536};
     },
     Code::kInvalidArgument, "product of the dimensions [65536, 65536, 65536, 65536]"},
    {"product wraps to 8",
     [](GgufImage& f) {
       f.tensors[0].dimensions = {8, (1ull << 61) + 1};
     },
     Code::kInvalidArgument, "product of the dimensions"},
    {"bytes wrap to 0", [](GgufImage& f) { f.tensors[0].dimensions = {1ull << 62}; }, Code::kInvalidArgument,
     "in bytes does not fit 64 bits"},
    {"larger than the file", [](GgufImage& f) { f.tensors[0].dimensions = {(1ull << 42) + 1}; }, Code::kInvalidArgument,
     "end past the 66 bytes of data"},
    {"row of half a block",
     [](GgufImage& f) {
       f.tensors[1].dimensions = {16, 2};
     },
     Code::kInvalidArgument, "rows of 16 elements are no whole number of Q8_0 blocks of 32"},
    {"scalar of a block type", [](GgufImage& f) { f.tensors[1].dimensions = {}; }, Code::kInvalidArgument,
     "rows of 1 elements"},
    {"removed type 4", [](GgufImage& f) { f.tensors[0].type = 4; }, Code::kUnimplemented, "tensor type 4 is unknown"},
    {"type 2^32-1", [](GgufImage& f) { f.tensors[0].type = ~0u; }, Code::kUnimplemented,
     "supported are F32, F16, BF16, F64, Q4_0"},
    {"offset not aligned", [](GgufImage& f) { f.tensors[1].offset = 40; }, Code::kInvalidArgument,
     "40 is not a multiple of the alignment 32"},
    {"offset 2^64-32", [](GgufImage& f) { f.tensors[1].offset = ~0ull - 31; }, Code::kInvalidArgument,
     "end past the 66 bytes"},
    {"offset that wraps with the size", [](GgufImage& f) { f.tensors[0].offset = ~0ull - 31; }, Code::kInvalidArgument,
     "32 bytes from 18446744073709551584 on end past"},
    {"offset past the end", [](GgufImage& f) { f.tensors[1].offset = 64; }, Code::kInvalidArgument,
     "34 bytes from 64 on end past the 66 bytes"},
    {"same bytes", [](GgufImage& f) { f.tensors[1].offset = 0; }, Code::kInvalidArgument,
     "0 lies within tensor 'first', which ends at 32"},
    {"overlap", [](GgufImage& f) { f.tensors[0].dimensions = {9}; }, Code::kInvalidArgument,
     "32 lies within tensor 'first', which ends at 36"},
    {"in another order", [](GgufImage& f) { std::swap(f.tensors[0], f.tensors[1]); }, Code::kOk, ""},
    {"with a hole",
     [](GgufImage& f) {
       f.tensors[1].offset = 64;
       f.data_bytes = 98;
     },
     Code::kOk, ""},
    {"one byte short", [](GgufImage& f) { f.data_bytes = 65; }, Code::kInvalidArgument, "end past the 65 bytes"},
    {"no data", [](GgufImage& f) { f.data_bytes = 0; }, Code::kInvalidArgument, "end past the 0 bytes"},
};

void Check(std::span<const Row> rows) {
  const testing::TemporaryFolder folder;
  for (const Row& row : rows) {
    CAPTURE(row.name);
    GgufImage image;
    row.change(image);
    const std::string path = folder.file("image.gguf");
    testing::WriteBytes(path, image.Bytes());
    const auto file = GgufFile::Open(path);
    const std::string message = testing::Message(file.status());
    CAPTURE(message);
    CHECK_EQ(file.status().code(), row.code);
    CHECK(testing::Contains(message, row.words));
    if (row.code != Code::kOk) CHECK(testing::IsProperMessage(file.status(), path));
  }
}

TEST_CASE("hostile GGUF: header") { Check(kHeaderRows); }
TEST_CASE("hostile GGUF: metadata") { Check(kMetadataRows); }
TEST_CASE("hostile GGUF: tensors") { Check(kTensorRows); }

// The file is made longer by a hole, which takes no room on the disk.
absl::Status OpenPadded(const GgufImage& image, uint64_t size) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("padded.gguf");
  testing::WriteBytes(path, image.Bytes());
  std::filesystem::resize_file(path, size);
  return GgufFile::Open(path).status();
}

TEST_CASE("hostile GGUF: limits") {
  GgufImage tensors;
  tensors.tensor_count = kMaxGgufTensors + 1;
  CHECK_EQ(OpenPadded(tensors, 8 << 20).code(), Code::kResourceExhausted);
  CHECK(testing::Contains(testing::Message(OpenPadded(tensors, 8 << 20)), "more than the limit of 262144"));
  tensors.tensor_count = kMaxGgufTensors;  // passes this check, and ends at a tensor of zeros
  CHECK_EQ(OpenPadded(tensors, 8 << 20).code(), Code::kInvalidArgument);

  GgufImage entries;
  entries.entry_count = kMaxGgufEntries + 1;
  CHECK_EQ(OpenPadded(entries, 2 << 20).code(), Code::kResourceExhausted);
  entries.entry_count = kMaxGgufEntries;
  CHECK_EQ(OpenPadded(entries, 2 << 20).code(), Code::kInvalidArgument);

  GgufImage text;
  text.tensors.clear();
  text.entries = {GgufEntryBytes("long", 8, "")};
  const uint64_t begin = 24 + text.entries[0].size() + 8;
  text.entries[0] += Encode<uint64_t>(kMaxGgufHeaderBytes - begin);
  CHECK(OpenPadded(text, kMaxGgufHeaderBytes + 100).ok());
  text.entries = {GgufEntryBytes("long", 8, Encode<uint64_t>(kMaxGgufHeaderBytes - begin + 1))};
  const absl::Status status = OpenPadded(text, kMaxGgufHeaderBytes + 100);
  CHECK_EQ(status.code(), Code::kResourceExhausted);
  CHECK(testing::Contains(testing::Message(status), "the header exceeds 100000000 bytes"));
}

}  // namespace
}  // namespace toolformer::gguf_hostile_test
