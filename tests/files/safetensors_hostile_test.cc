// One row a fault of a safetensors header or of an index; rows with kOk are the nearest files that must still open.
#include <doctest/doctest.h>

#include <filesystem>

#include "src/files/safetensors.h"
#include "src/files/safetensors_header.h"
#include "tests/files/weight_images.h"
#include "tests/paths.h"

namespace toolformer::safetensors_hostile_test {
namespace {

using Code = absl::StatusCode;

struct Row {
  std::string name;
  std::string header;
  size_t data_bytes;
  Code code;
  const char* words;
};

std::string Tensor(std::string_view name, std::string_view shape, std::string_view offsets,
                   std::string_view type = "F32") {
  return '"' + std::string(name) + R"(":{"dtype":")" + std::string(type) + R"(","shape":[)" + std::string(shape) +
         R"(],"data_offsets":[)" + std::string(offsets) + "]}";
}
std::string One(std::string_view shape, std::string_view offsets, std::string_view type = "F32") {
  return "{" + Tensor("t", shape, offsets, type) + "}";
}
std::string Two(std::string_view first_offsets, std::string_view second_offsets) {
  return "{" + Tensor("a", "2", first_offsets) + "," + Tensor("b", "2", second_offsets) + "}";
}
std::string Named(std::string_view name) { return "{" + Tensor(name, "1", "0,4") + "}"; }
std::string Repeat(std::string_view part, size_t times) {
  std::string text;
  for (size_t i = 0; i < times; ++i) text += part;
  return text;
}

void CheckOpen(const Row& row, const std::string& bytes) {
  CAPTURE(row.name);
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("image.safetensors");
  testing::WriteBytes(path, bytes);
  const auto file = OpenSafetensors(path);
  const std::string message = testing::Message(file.status());
  CAPTURE(message);
  CHECK_EQ(file.status().code(), row.code);
  CHECK(testing::Contains(message, row.words));
  if (row.code != Code::kOk) CHECK(testing::IsProperMessage(file.status(), path));
}

TEST_CASE("hostile safetensors: JSON") {
  const std::string valid = One("2", "0,8");
  const Row rows[] = {
      {"as it is", valid, 8, Code::kOk, ""},
      {"padded with spaces", valid + "   ", 8, Code::kOk, ""},
      {"no tensors", "{}", 0, Code::kOk, ""},
      {"header of no bytes", "", 8, Code::kInvalidArgument, "header at byte 8: must begin with '{'"},
      {"array", "[]", 0, Code::kInvalidArgument, "must begin with '{'"},
      {"leading space", " {}", 0, Code::kInvalidArgument, "must begin with '{'"},
      {"not closed", valid.substr(0, valid.size() - 1), 8, Code::kInvalidArgument, "is not valid JSON"},
      {"trailing garbage", valid + "x", 8, Code::kInvalidArgument, "byte 63: is not valid JSON"},
      {"second value", valid + "{}", 8, Code::kInvalidArgument, "is not valid JSON"},
      {"trailing NUL", valid + std::string(1, '\0'), 8, Code::kInvalidArgument, "is not valid JSON"},
      {"comment", "{/**/}", 0, Code::kInvalidArgument, "is not valid JSON"},
      {"not UTF-8", Named("a\xff"), 4, Code::kInvalidArgument, "is not valid JSON"},
      {"lone surrogate", Named("\\ud800"), 4, Code::kInvalidArgument, "is not valid JSON"},
      {"100000 arrays", R"({"t":)" + Repeat("[", 100000), 0, Code::kInvalidArgument, "an array does not belong here"},
      {"100000 objects", Repeat(R"({"shape":)", 100000), 0, Code::kInvalidArgument, "an object does not belong here"},
      {"100000 arrays in a shape", R"({"t":{"shape":)" + Repeat("[", 100000), 0, Code::kInvalidArgument,
       "'t', shape: an array does not belong here"},
      {"tensor is a number", R"({"t":3})", 0, Code::kInvalidArgument, "tensor 't': 3 does not belong here"},
      {"tensor is null", R"({"t":null})", 0, Code::kInvalidArgument, "null does not belong here"},
      {"tensor is a text", R"({"t":"F32"})", 0, Code::kInvalidArgument, "a string does not belong here"},
      {"metadata", R"({"__metadata__":{"a":"b"}})", 0, Code::kOk, ""},
      {"metadata is a list", R"({"__metadata__":["a"]})", 0, Code::kInvalidArgument, "an array does not belong"},
      {"metadata holds a number", R"({"__metadata__":{"a":1}})", 0, Code::kInvalidArgument, "a: 1 does not belong"},
      {"metadata nests", R"({"__metadata__":{"a":{}}})", 0, Code::kInvalidArgument, "an object does not belong"},
      {"metadata twice", R"({"__metadata__":{},"__metadata__":{}})", 0, Code::kInvalidArgument, "appears twice"},
      {"metadata key twice", R"({"__metadata__":{"a":"b","a":"c"}})", 0, Code::kInvalidArgument, "a: appears twice"},
  };
  for (const Row& row : rows) CheckOpen(row, testing::SafetensorsBytes(row.header, row.data_bytes));
}

TEST_CASE("hostile safetensors: tensors") {
  const std::string name255(255, 'n'), name256(256, 'n');
  const Row rows[] = {
      {"name of 255 bytes", Named(name255), 4, Code::kOk, ""},
      {"name of 256 bytes", Named(name256), 4, Code::kInvalidArgument, "256 bytes, more than the limit of 255"},
      {"name of a megabyte", Named(std::string(1 << 20, 'n')), 4, Code::kInvalidArgument, "nnn...'"},
      {"empty name", Named(""), 4, Code::kInvalidArgument, "tensor '': the name is empty"},
      {"name with NUL", Named("a\\u0000b"), 4, Code::kInvalidArgument, "tensor 'a\\x00b': the name holds a control"},
      {"name with an escape", Named("\\u001b[2J"), 4, Code::kInvalidArgument, "'\\x1b[2J'"},
      {"name of format characters", "{" + Tensor("%s%n{}", "1", "0,5") + "}", 5, Code::kInvalidArgument, "'%s%n{}'"},
      {"name twice", "{" + Tensor("t", "1", "0,4") + "," + Tensor("t", "1", "4,8") + "}", 8, Code::kInvalidArgument,
       "two tensors have the name 't'"},
      {"unknown type", One("2", "0,8", "F31"), 8, Code::kUnimplemented, "type 'F31' is unknown; known are F32, F16"},
      {"type in lower case", One("2", "0,8", "f32"), 8, Code::kUnimplemented, "type 'f32' is unknown"},
      {"type is a number", R"({"t":{"dtype":1}})", 0, Code::kInvalidArgument, "'t', dtype: 1 does not belong here"},
      {"type is a list", R"({"t":{"dtype":["F32"]}})", 0, Code::kInvalidArgument, "dtype: an array does not belong"},
      {"no type", R"({"t":{"shape":[2],"data_offsets":[0,8]}})", 8, Code::kInvalidArgument, "must have the fields"},
      {"no shape", R"({"t":{"dtype":"F32","data_offsets":[0,8]}})", 8, Code::kInvalidArgument, "must have the fields"},
      {"no offsets", R"({"t":{"dtype":"F32","shape":[2]}})", 8, Code::kInvalidArgument, "must have the fields"},
      {"unknown field", R"({"t":{"dtype":"F32","x":[2]}})", 8, Code::kInvalidArgument, "x: is no field of a tensor"},
      {"field twice", R"({"t":{"dtype":"F32","dtype":"F32"}})", 8, Code::kInvalidArgument, "dtype: appears twice"},
      {"scalar", One("", "0,4"), 4, Code::kOk, ""},
      {"rank 8", One("1,1,1,1,1,1,1,2", "0,8"), 8, Code::kOk, ""},
      {"rank 9", One("1,1,1,1,1,1,1,1,2", "0,8"), 8, Code::kInvalidArgument, "'t', shape: has more than 8 dimensions"},
      {"shape is a number", R"({"t":{"shape":2}})", 0, Code::kInvalidArgument, "shape: 2 does not belong here"},
      {"shape of texts", R"({"t":{"shape":["2"]}})", 0, Code::kInvalidArgument, "a string does not belong here"},
      {"negative dimension", One("-2", "0,8"), 8, Code::kInvalidArgument, "shape: -2 does not belong here"},
      {"fraction", One("2.0", "0,8"), 8, Code::kInvalidArgument, "shape: 2.0 does not belong here"},
      {"exponent", One("1e400", "0,8"), 8, Code::kInvalidArgument, "is not valid JSON"},
      {"dimension of 2^63", One("9223372036854775808", "0,8"), 8, Code::kInvalidArgument, "does not fit 63 bits"},
      {"dimension of 2^64", One("18446744073709551616", "0,8"), 8, Code::kInvalidArgument, "does not belong here"},
      {"dimension 0", One("0,4", "0,0"), 0, Code::kOk, ""},
      {"dimension 0 beside a wrap", One("4294967296,4294967296,0", "0,0"), 0, Code::kInvalidArgument, "product"},
      {"product wraps to 0", One("65536,65536,65536,65536", "0,0"), 0, Code::kInvalidArgument,
       "tensor 't', shape: the product of the dimensions [65536, 65536, 65536, 65536]"},
      {"bytes wrap to 0", One("4611686018427387904", "0,0"), 0, Code::kInvalidArgument, "does not fit 64 bits"},
      {"shape larger than the range", One("3", "0,8"), 8, Code::kInvalidArgument,
       "[0, 8] are 8 bytes where shape and type need 12"},
      {"shape smaller than the range", One("1", "0,8"), 8, Code::kInvalidArgument, "need 4"},
      {"one offset", One("2", "0"), 8, Code::kInvalidArgument, "data_offsets: must be two numbers"},
      {"three offsets", One("2", "0,8,8"), 8, Code::kInvalidArgument, "data_offsets: has more than two numbers"},
      {"negative offset", One("2", "-8,0"), 8, Code::kInvalidArgument, "data_offsets: -8 does not belong here"},
      {"reversed", One("2", "8,0"), 8, Code::kInvalidArgument, "[8, 0] is no range of the 8 bytes of data"},
      {"past the end", One("2", "0,8"), 7, Code::kInvalidArgument, "[0, 8] is no range of the 7 bytes"},
      {"far past the end", One("2", "9223372036854775799,9223372036854775807"), 8, Code::kInvalidArgument,
       "is no range of the 8 bytes"},
      {"two tensors", Two("0,8", "8,16"), 16, Code::kOk, ""},
      {"two tensors, the later first", Two("8,16", "0,8"), 16, Code::kOk, ""},
      {"same bytes", Two("0,8", "0,8"), 8, Code::kInvalidArgument, "tensor 'b', data_offsets: begins at 0, within"},
      {"overlap", Two("0,8", "4,12"), 12, Code::kInvalidArgument, "within the tensor before it, which ends at 8"},
      {"hole", Two("0,8", "12,20"), 20, Code::kInvalidArgument, "begins at 12, with a hole from 8"},
      {"hole at the start", One("2", "4,12"), 12, Code::kInvalidArgument, "with a hole from 0"},
      {"bytes after the last", One("2", "0,8"), 9, Code::kInvalidArgument, "tensors take 8 bytes, the file holds 9"},
      {"not aligned", "{" + Tensor("u", "1", "0,1", "U8") + "," + Tensor("f", "1", "1,5") + "}", 5, Code::kOk, ""},
  };
  for (const Row& row : rows) CheckOpen(row, testing::SafetensorsBytes(row.header, row.data_bytes));
}

TEST_CASE("hostile safetensors: the length of the header") {
  const std::string header = One("2", "0,8");
  const auto bytes = [&](uint64_t length) { return testing::SafetensorsBytes(header, 8, length); };
  const uint64_t file_size = 8 + header.size() + 8;
  CheckOpen({"2^64-1", "", 0, Code::kInvalidArgument, "header length at byte 0: states 18446744073709551615"},
            bytes(~0ull));
  CheckOpen({"2^63", "", 0, Code::kInvalidArgument, "header length at byte 0"}, bytes(1ull << 63));
  CheckOpen({"file size + 1", "", 0, Code::kInvalidArgument, "header length at byte 0"}, bytes(file_size + 1));
  CheckOpen({"all that remains + 1", "", 0, Code::kInvalidArgument, "header length at byte 0"}, bytes(file_size - 7));
  CheckOpen({"0", "", 0, Code::kInvalidArgument, "header at byte 8"}, bytes(0));
  CheckOpen({"one less", "", 0, Code::kInvalidArgument, "is not valid JSON"}, bytes(header.size() - 1));
  CheckOpen({"one more", "", 0, Code::kInvalidArgument, "is not valid JSON"}, bytes(header.size() + 1));

  std::string padded = "{}" + std::string(kMaxSafetensorsHeaderBytes - 2, ' ');
  CheckOpen({"at the limit", "", 0, Code::kOk, ""}, testing::SafetensorsBytes(padded, 0));
  padded += ' ';
  CheckOpen({"over the limit", "", 0, Code::kResourceExhausted, "more than the limit of 16777216"},
            testing::SafetensorsBytes(padded, 0));
}

struct IndexRow {
  std::string name;
  std::string index;
  Code code;
  const char* words;
};

TEST_CASE("hostile safetensors: the index of a folder") {
  const testing::TemporaryFolder folder;
  testing::WriteBytes(folder.file("one"), testing::SafetensorsBytes("{" + Tensor("a", "1", "0,4") + "}", 4));
  testing::WriteBytes(folder.file("two"), testing::SafetensorsBytes("{" + Tensor("b", "1", "0,4") + "}", 4));
  testing::WriteBytes(folder.file("bad"), "abc");
  const auto map = [](const std::string& entries) { return R"({"weight_map":{)" + entries + "}}"; };
  const IndexRow rows[] = {
      {"as it is", map(R"("a":"one","b":"two")"), Code::kOk, ""},
      {"only one shard", map(R"("a":"one")"), Code::kOk, ""},
      {"not JSON", "{", Code::kInvalidArgument, "not valid JSON"},
      {"too deep", Repeat("[", 9), Code::kResourceExhausted, "deeper than 8"},
      {"array", "[]", Code::kInvalidArgument, "'weight_map' is missing"},
      {"no map", "{}", Code::kInvalidArgument, "'weight_map' is missing"},
      {"map is a list", R"({"weight_map":[]})", Code::kInvalidArgument, "not an object"},
      {"empty map", map(""), Code::kInvalidArgument, "'weight_map' is empty"},
      {"shard is a number", map(R"("a":1)"), Code::kInvalidArgument, "'a': the shard is not a string"},
      {"parent folder", map(R"("a":"../one")"), Code::kInvalidArgument, "'../one' is not the name of a file beside"},
      {"dots", map(R"("a":"..")"), Code::kInvalidArgument, "'..' is not the name"},
      {"one dot", map(R"("a":".")"), Code::kInvalidArgument, "'.' is not the name"},
      {"absolute", map(R"("a":"/dev/zero")"), Code::kInvalidArgument, "'/dev/zero' is not the name"},
      {"sub-folder", map(R"("a":"x/one")"), Code::kInvalidArgument, "'x/one' is not the name"},
      {"backslash", map(R"("a":"..\\one")"), Code::kInvalidArgument, "is not the name"},
      {"empty shard", map(R"("a":"")"), Code::kInvalidArgument, "'' is not the name"},
      {"shard with NUL", map(R"("a":"one\u0000x")"), Code::kInvalidArgument, "'one\\x00x' is not the name"},
      {"missing shard", map(R"("a":"three")"), Code::kNotFound, "three: no such file"},
      {"corrupt shard", map(R"("a":"bad")"), Code::kInvalidArgument, "bad: header length at byte 0: the file is too"},
      {"tensor in another shard", map(R"("a":"two","b":"one")"), Code::kInvalidArgument,
       "tensor 'a' is in 'one', the index states 'two'"},
      {"tensor not in the index", map(R"("b":"two","c":"one")"), Code::kInvalidArgument,
       "tensor 'a' is in 'one', the index states 'none'"},
      {"tensor in no shard", map(R"("a":"one","b":"two","c":"two")"), Code::kInvalidArgument,
       "tensor 'c' is missing from 'two'"},
  };
  for (const IndexRow& row : rows) {
    CAPTURE(row.name);
    testing::WriteBytes(folder.file(kSafetensorsIndexName), row.index);
    const auto file = OpenShardedSafetensors(folder.path());
    const std::string message = testing::Message(file.status());
    CAPTURE(message);
    CHECK_EQ(file.status().code(), row.code);
    CHECK(testing::Contains(message, row.words));
    if (row.code != Code::kOk) CHECK(testing::IsProperMessage(file.status(), folder.path()));
  }
  std::filesystem::resize_file(folder.file(kSafetensorsIndexName), (16 << 20) + 1);
  CHECK_EQ(OpenShardedSafetensors(folder.path()).status().code(), Code::kResourceExhausted);
}

}  // namespace
}  // namespace toolformer::safetensors_hostile_test
