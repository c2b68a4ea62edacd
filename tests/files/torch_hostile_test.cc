// One row a fault of a checkpoint of torch.save; rows with kOk are the nearest files that must still open.
#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <limits>

#include "src/files/pickle.h"
#include "src/files/torch_file.h"
#include "src/files/zip_archive.h"
#include "tests/files/torch_images.h"
#include "tests/paths.h"

namespace toolformer::torch_hostile_test {
namespace {

using Code = absl::StatusCode;
using testing::Encode;
using testing::PickleInteger;
using testing::PickleOf;
using testing::PickleText;
using testing::PickleTuple;
using testing::TensorImage;
using testing::TorchImage;
using testing::ZipImage;

void CheckOpen(const std::string& bytes, Code code, std::string_view words) {
  const testing::TemporaryFolder folder;
  const std::string path = folder.file("image.bin");
  testing::WriteBytes(path, bytes);
  const auto file = WeightFile::Open(path);
  const std::string message = testing::Message(file.status());
  CAPTURE(message);
  CHECK_EQ(file.status().code(), code);
  CHECK(testing::Contains(message, words));
  if (code != Code::kOk) {
    CHECK(testing::IsProperMessage(file.status(), path));
    return;
  }
  REQUIRE(file.ok());
  for (const TensorInfo& info : (*file)->tensors()) {
    std::vector<float> values(static_cast<size_t>(info.elements));
    CHECK((*file)->ReadF32(info.name, 0, values).ok());
  }
}

std::string Repeat(std::string_view part, size_t times) {
  std::string text;
  text.reserve(part.size() * times);
  for (size_t i = 0; i < times; ++i) text += part;
  return text;
}

TEST_CASE("hostile torch: the archive") {
  struct Row {
    std::string name;
    std::function<void(ZipImage&)> change;
    Code code;
    const char* words;
  };
  const Row rows[] = {
      {"as it is", [](ZipImage&) {}, Code::kOk, ""},
      {"zip64 entries", [](ZipImage& z) { z.entries[2].is_zip64 = true; }, Code::kOk, ""},
      {"comment", [](ZipImage& z) { z.comment = "made by PK\x05\x06 hand"; }, Code::kOk, ""},
      {"big-endian", [](ZipImage& z) { z.entries[1].bytes = "big"; }, Code::kUnimplemented, "another byte order"},
      {"no byte order", [](ZipImage& z) { z.entries.erase(z.entries.begin() + 1); }, Code::kOk, ""},
      {"no pickle", [](ZipImage& z) { z.entries[0].name = "archive/x"; }, Code::kInvalidArgument,
       "a zip archive without 'data.pkl' is no checkpoint"},
      {"no entries", [](ZipImage& z) { z.entries.clear(); }, Code::kInvalidArgument, "without 'data.pkl'"},
      {"pickle too deep", [](ZipImage& z) { z.entries[0].name = "a/b/data.pkl"; }, Code::kInvalidArgument,
       "without 'data.pkl'"},
      {"two pickles",
       [](ZipImage& z) {
         z.entries[3] = z.entries[0];
         z.entries[3].name = "other/data.pkl";
       },
       Code::kInvalidArgument, "two entries are called 'data.pkl'"},
      {"TorchScript", [](ZipImage& z) { z.entries[3].name = "archive/constants.pkl"; }, Code::kUnimplemented,
       "is a TorchScript program"},
      {"no storage", [](ZipImage& z) { z.entries[2].name = "archive/data/1"; }, Code::kInvalidArgument,
       "the data of storage '0' is missing"},
      {"short storage", [](ZipImage& z) { z.entries[2].bytes.pop_back(); }, Code::kInvalidArgument,
       "storage '0' states 6 elements, its data has 23 bytes"},
      {"deflated", [](ZipImage& z) { z.entries[2].method = 8; }, Code::kUnimplemented,
       "entry 'archive/data/0' is compressed (method 8); only stored entries are read"},
      {"encrypted", [](ZipImage& z) { z.entries[2].flags = 1; }, Code::kUnimplemented, "is encrypted"},
      {"several parts", [](ZipImage& z) { z.disk = 1; }, Code::kUnimplemented, "has several parts"},
      {"name twice", [](ZipImage& z) { z.entries[3].name = "archive/data/0"; }, Code::kInvalidArgument,
       "two entries have the name 'archive/data/0'"},
      {"parent folder", [](ZipImage& z) { z.entries[3].name = "archive/../x"; }, Code::kInvalidArgument,
       "'archive/../x' is no relative path"},
      {"parent folder first", [](ZipImage& z) { z.entries[3].name = "../x"; }, Code::kInvalidArgument, "'../x' is no"},
      {"absolute", [](ZipImage& z) { z.entries[3].name = "/etc/x"; }, Code::kInvalidArgument, "'/etc/x' is no"},
      {"backslash", [](ZipImage& z) { z.entries[3].name = "..\\x"; }, Code::kInvalidArgument, "is no relative path"},
      {"dots within a name", [](ZipImage& z) { z.entries[3].name = "archive/a..b"; }, Code::kOk, ""},
      {"NUL in a name", [](ZipImage& z) { z.entries[3].name = std::string("a\0b", 3); }, Code::kInvalidArgument,
       "'a\\x00b' is no relative path"},
      {"empty name", [](ZipImage& z) { z.entries[3].name = ""; }, Code::kInvalidArgument, "'' is no relative path"},
      {"other name in the local header", [](ZipImage& z) { z.entries[2].local_name = "archive/data/9"; },
       Code::kInvalidArgument, "entry 'archive/data/0': the local header at byte"},
      {"other size in the local header", [](ZipImage& z) { z.entries[2].local_size = 20; }, Code::kInvalidArgument,
       "does not agree with the directory"},
      {"size follows the data",
       [](ZipImage& z) {
         z.entries[2].local_size = 0;
         z.entries[2].flags = 8;
       },
       Code::kOk, ""},
      {"packed size differs", [](ZipImage& z) { z.entries[2].packed = 20; }, Code::kInvalidArgument, "is stored, yet"},
      {"reaches into the next",
       [](ZipImage& z) {
         z.entries[2].size = z.entries[2].packed = 60;
         z.entries[2].flags = 8;
       },
       Code::kInvalidArgument, "entry 'archive/version' begins at byte"},
      {"reaches into the directory",
       [](ZipImage& z) {
         z.entries[3].size = z.entries[3].packed = 100;
         z.entries[3].flags = 8;
       },
       Code::kInvalidArgument, "do not fit before the directory"},
      {"size of 4 GB", [](ZipImage& z) { z.entries[3].size = z.entries[3].packed = 0xfffffffe; },
       Code::kInvalidArgument, "do not fit before the directory"},
      {"zip64 without the field", [](ZipImage& z) { z.entries[3].size = z.entries[3].packed = 0xffffffff; },
       Code::kInvalidArgument, "its zip64 field is missing"},
      {"same bytes twice", [](ZipImage& z) { z.entries[3].offset = 0; }, Code::kInvalidArgument,
       "begins at byte 0, within the entry before it"},
      {"offset beyond the file", [](ZipImage& z) { z.entries[3].offset = 1 << 30; }, Code::kInvalidArgument,
       "there is no local header at byte 1073741824"},
      {"offset of no header", [](ZipImage& z) { z.entries[0].offset = 3; }, Code::kInvalidArgument,
       "there is no local header at byte 3"},
      {"one entry more stated", [](ZipImage& z) { z.count = 5; }, Code::kInvalidArgument,
       "there is no entry where one"},
      {"one entry less stated", [](ZipImage& z) { z.count = 3; }, Code::kInvalidArgument, "belong to no entry"},
      {"60000 entries stated", [](ZipImage& z) { z.count = 60000; }, Code::kInvalidArgument, "is too small"},
      {"directory elsewhere", [](ZipImage& z) { z.directory_offset = 0; }, Code::kInvalidArgument, "do not end where"},
      {"directory beyond the file", [](ZipImage& z) { z.directory_offset = 0xfffffff0; }, Code::kInvalidArgument,
       "do not end where"},
      {"directory too large", [](ZipImage& z) { z.directory_size = 0x7fffffff; }, Code::kInvalidArgument,
       "do not end where"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    ZipImage image = TorchImage(PickleOf(TensorImage().Bytes()));
    row.change(image);
    CheckOpen(image.Bytes(), row.code, row.words);
  }
  CheckOpen("PK\x03\x04 and so on, but no directory", Code::kInvalidArgument, "there is no directory at the end");
  CheckOpen(TorchImage(PickleOf(TensorImage().Bytes())).Bytes() + "x", Code::kInvalidArgument, "no directory");
}

TEST_CASE("hostile torch: zip64") {
  const std::string image = TorchImage(PickleOf(TensorImage().Bytes())).Bytes();
  const size_t end = image.size() - 22;
  const uint64_t size = *reinterpret_cast<const uint32_t*>(image.substr(end + 12, 4).data());
  const uint64_t offset = end - size;
  const auto bytes = [&](uint64_t count, uint64_t stated_size, uint64_t stated_offset, uint64_t record) {
    return image.substr(0, end) + Encode<uint32_t>(0x06064b50) + Encode<uint64_t>(44) + Encode<uint32_t>(0) +
           Encode<uint32_t>(0) + Encode<uint32_t>(0) + Encode(count) + Encode(count) + Encode(stated_size) +
           Encode(stated_offset) + Encode<uint32_t>(0x07064b50) + Encode<uint32_t>(0) + Encode(record) +
           Encode<uint32_t>(1) + image.substr(end);
  };
  CheckOpen(bytes(4, size, offset, end), Code::kOk, "");
  CheckOpen(bytes(~0ull, size, offset, end), Code::kResourceExhausted, "more than the limit of 262144");
  CheckOpen(bytes(1 << 18, size, offset, end), Code::kInvalidArgument, "is too small");
  CheckOpen(bytes(4, ~0ull, offset, end), Code::kInvalidArgument, "do not end where it must");
  CheckOpen(bytes(4, size, ~0ull - size, end), Code::kInvalidArgument, "do not end where it must");
  CheckOpen(bytes(4, size, 0 - size + end + 1, end), Code::kInvalidArgument, "do not end where it must");
  CheckOpen(bytes(4, size, offset, ~0ull), Code::kInvalidArgument, "the zip64 record is not at byte");
  CheckOpen(bytes(4, size, offset, end + 1), Code::kInvalidArgument, "the zip64 record is not at byte");
}

TEST_CASE("hostile torch: pickles that would run code") {
  struct Row {
    const char* name;
    std::string value;
    Code code;
    const char* words;
  };
  const Row rows[] = {
      {"os.system", "cposix\nsystem\n(" + PickleText("touch /tmp/x") + "tR", Code::kInvalidArgument,
       "data.pkl: byte 9: refers to 'posix.system'; only tensors are read"},
      {"eval", "cbuiltins\neval\n(" + PickleText("1") + "tR", Code::kInvalidArgument, "refers to 'builtins.eval'"},
      {"eval by the stack", PickleText("builtins") + PickleText("eval") + "\x93)R", Code::kInvalidArgument,
       "refers to 'builtins.eval'"},
      {"getattr", "c__builtin__\ngetattr\n", Code::kInvalidArgument, "refers to '__builtin__.getattr'"},
      {"dotted name", "ctorch\n_utils.os.system\n", Code::kInvalidArgument, "refers to 'torch._utils.os.system'"},
      {"torch.load", "ctorch\nload\n", Code::kInvalidArgument, "refers to 'torch.load'"},
      {"control characters", "cos\x1b[2J\nsystem\n", Code::kInvalidArgument, "refers to 'os\\x1b[2J.system'"},
      {"name of a gigabyte", "c" + std::string(2000, 'x'), Code::kInvalidArgument, "a name does not end within 1000"},
      {"calls a text", PickleText("x") + ")R", Code::kInvalidArgument, "calls what is no name"},
      {"calls a dictionary", "})R", Code::kInvalidArgument, "calls what is no name"},
      {"calls a storage type", "ctorch\nFloatStorage\n)R", Code::kInvalidArgument, "calls 'torch.FloatStorage'"},
      {"calls with no tuple", "ccollections\nOrderedDict\n]R", Code::kInvalidArgument, "calls what is no name"},
      {"OrderedDict of something", "ccollections\nOrderedDict\n]\x85R", Code::kInvalidArgument, "is given 1 arguments"},
      {"INST", "(iposix\nsystem\n", Code::kUnimplemented, "opcode 0x69 does more than tensors need"},
      {"OBJ", "(cposix\nsystem\no", Code::kInvalidArgument, "refers to 'posix.system'"},
      {"NEWOBJ", "ccollections\nOrderedDict\n)\x81", Code::kInvalidArgument, "makes an object"},
      {"NEWOBJ of what is no name", ")\x81", Code::kInvalidArgument, "makes an object"},
      {"NEWOBJ of a dictionary", "})\x81", Code::kInvalidArgument, "makes an object"},
      {"object of arguments", "cargparse\nNamespace\n]\x85\x81", Code::kInvalidArgument, "makes an object"},
      {"object without a tuple", "cargparse\nNamespace\n]\x81", Code::kInvalidArgument, "makes an object"},
      {"attributes of a list", "cargparse\nNamespace\n)\x81]b", Code::kInvalidArgument, "attributes of an object"},
      {"Namespace called", "cargparse\nNamespace\n)R", Code::kInvalidArgument, "calls 'argparse.Namespace'"},
      {"device without a name", "ctorch\ndevice\n)R", Code::kInvalidArgument, "torch.device is given no name"},
      {"device of a number", "ctorch\ndevice\nK\x01\x85R", Code::kInvalidArgument, "torch.device is given no name"},
      {"NEWOBJ_EX", ")}\x92", Code::kUnimplemented, "opcode 0x92"},
      {"EXT1", "\x82\x01", Code::kUnimplemented, "opcode 0x82"},
      {"PERSID", "Pabc\n", Code::kUnimplemented, "opcode 0x50"},
      {"NEXT_BUFFER", "\x97", Code::kUnimplemented, "opcode 0x97"},
      {"state of a tensor", TensorImage().Bytes() + "}b", Code::kInvalidArgument, "state is set on what is no dict"},
      {"state of a name", "ctorch\nfloat32\n}b", Code::kInvalidArgument, "state is set on what is no dictionary"},
      {"state of a dictionary", "})}b0", Code::kInvalidArgument, "state is set"},
  };
  for (const Row& row : rows) {
    const std::string name = row.name;
    CAPTURE(name);
    CheckOpen(TorchImage(PickleOf(row.value)).Bytes(), row.code, row.words);
  }
}

TEST_CASE("hostile torch: pickles that are damaged or want too much") {
  const std::string head = "\x80\x02";
  struct Row {
    const char* name;
    std::string pickle;
    Code code;
    const char* words;
  };
  const Row rows[] = {
      {"empty", "", Code::kInvalidArgument, "byte 0: 1 bytes are needed, 0 remain"},
      {"no protocol", "}.", Code::kInvalidArgument, "a pickle of protocol 2 to 5 does not begin here"},
      {"protocol 1", "\x80\x01}.", Code::kUnimplemented, "protocol 1 is not supported; supported are 2 to 5"},
      {"protocol 6", "\x80\x06}.", Code::kUnimplemented, "protocol 6"},
      {"no stop", head + "}", Code::kInvalidArgument, "1 bytes are needed, 0 remain"},
      {"nothing left", head + ".", Code::kInvalidArgument, "the pickle ends with 0 values"},
      {"two values left", head + "}}.", Code::kInvalidArgument, "the pickle ends with 2 values"},
      {"mark left", head + "}(.", Code::kInvalidArgument, "the pickle ends with"},
      {"bytes after the end", head + "}.x", Code::kInvalidArgument, "byte 4: the pickle ends before its entry does"},
      {"empty dictionary", head + "}.", Code::kOk, ""},
      {"a list", head + "].", Code::kInvalidArgument, "holds no dictionary of tensors"},
      {"a million lists", head + Repeat("]", 1'000'000) + Repeat("a", 999'999) + ".", Code::kInvalidArgument,
       "holds no dictionary"},
      {"two million lists", head + Repeat("]", 2'000'000), Code::kResourceExhausted, "more than 1048576 values on"},
      {"a million tuples", head + ")" + Repeat("\x85", 1'000'000) + ".", Code::kInvalidArgument, "holds no dictionary"},
      {"three million tuples", head + ")" + Repeat("\x85", 3'000'000) + ".", Code::kResourceExhausted,
       "more than 2097152 values"},
      {"two million marks", head + Repeat("(", 2'000'000), Code::kResourceExhausted, "more than 1048576 marks"},
      {"dictionary in itself", head + "}q\x05" + PickleText("model") + "h\x05s.", Code::kInvalidArgument, "holds no"},
      {"memo never set", head + "h\x05.", Code::kInvalidArgument, "nothing was remembered as 5"},
      {"memo of nothing", head + "q\x05.", Code::kInvalidArgument, "the stack is empty"},
      {"memo far away", head + "}r\xff\xff\xff\x7f.", Code::kResourceExhausted, "memo 2147483647, more than the limit"},
      {"memo gap", head + "}q\x05h\x04.", Code::kInvalidArgument, "nothing was remembered as 4"},
      {"tuple of too few", head + "}\x86.", Code::kInvalidArgument, "the stack has 1 values of 2"},
      {"tuple across a mark", head + "}(\x85.", Code::kInvalidArgument, "the stack has 0 values of 1"},
      {"tuple without a mark", head + "}t.", Code::kInvalidArgument, "there is no mark"},
      {"item of no list", head + "}}a.", Code::kInvalidArgument, "there is no list to add to"},
      {"item of no dictionary", head + "]]]s.", Code::kInvalidArgument, "there is no dictionary to add to"},
      {"key without a value", head + "}(]u.", Code::kInvalidArgument, "a key has no value"},
      {"pop below a mark", head + "](a.", Code::kInvalidArgument, "the stack is empty"},
      {"text past the end", head + "X\xff\xff\xff\xff.", Code::kInvalidArgument, "4294967295 bytes are needed"},
      {"text of 2^64-1", head + "\x8d" + Encode(~0ull), Code::kInvalidArgument, "18446744073709551615 bytes are"},
      {"name of no text", head + "]]\x93.", Code::kInvalidArgument, "a name is no text"},
      {"storage of no tuple", head + "]Q.", Code::kInvalidArgument, "no storage of torch.save"},
      {"storage of nothing", head + ")Q.", Code::kInvalidArgument, "no storage of torch.save"},
  };
  for (const Row& row : rows) {
    const std::string name = row.name;
    CAPTURE(name);
    CheckOpen(TorchImage(row.pickle).Bytes(), row.code, row.words);
  }
}

TEST_CASE("hostile torch: tensors") {
  constexpr int64_t kHuge = int64_t{1} << 62, kLargest = std::numeric_limits<int64_t>::max();
  struct Row {
    const char* name;
    std::function<void(TensorImage&)> change;
    Code code;
    const char* words;
  };
  const Row rows[] = {
      {"as it is", [](TensorImage&) {}, Code::kOk, ""},
      {"state of nothing", [](TensorImage& t) { t.state = "}"; }, Code::kOk, ""},
      {"conjugated", [](TensorImage& t) { t.state = "}" + PickleText("conj") + "\x88s"; }, Code::kUnimplemented,
       "the state 'conj' is not supported"},
      {"offset of the last", [](TensorImage& t) { t.offset = PickleInteger(1); }, Code::kInvalidArgument,
       "tensor 't': offset 1, shape and strides lead beyond the 6 elements of the storage"},
      {"negative offset", [](TensorImage& t) { t.offset = PickleInteger(-1); }, Code::kInvalidArgument,
       "no storage and"},
      {"huge offset", [](TensorImage& t) { t.offset = PickleInteger(kLargest); }, Code::kInvalidArgument, "lead"},
      {"negative size",
       [](TensorImage& t) {
         t.shape = PickleTuple({-2, 3});
       },
       Code::kInvalidArgument, "a tensor's shape holds -2"},
      {"negative stride",
       [](TensorImage& t) {
         t.strides = PickleTuple({3, -1});
       },
       Code::kInvalidArgument, "a tensor's strides holds -1"},
      {"too large",
       [](TensorImage& t) {
         t.shape = PickleTuple({2, 4});
       },
       Code::kInvalidArgument, "lead beyond"},
      {"larger by a stride",
       [](TensorImage& t) {
         t.strides = PickleTuple({4, 1});
       },
       Code::kInvalidArgument, "lead"},
      {"overlapping",
       [](TensorImage& t) {
         t.strides = PickleTuple({1, 1});
       },
       Code::kOk, ""},
      {"broadcast",
       [](TensorImage& t) {
         t.strides = PickleTuple({0, 0});
       },
       Code::kOk, ""},
      {"broadcast to a terabyte",
       [](TensorImage& t) {
         t.shape = PickleTuple({1 << 20, 1 << 18});
         t.strides = PickleTuple({0, 0});
       },
       Code::kInvalidArgument, "1099511627776 bytes by its shape, more than the whole file has"},
      {"product wraps",
       [](TensorImage& t) {
         t.shape = PickleTuple({kHuge, 4});
       },
       Code::kInvalidArgument, "tensor 't': the product of the dimensions"},
      {"product wraps beside 0",
       [](TensorImage& t) {
         t.shape = PickleTuple({kHuge, 4, 0});
         t.strides = PickleTuple({1, 1, 1});
       },
       Code::kInvalidArgument, "the product of the dimensions"},
      {"bytes wrap",
       [](TensorImage& t) {
         t.shape = PickleTuple({kHuge, 1});
       },
       Code::kInvalidArgument, "does not fit 64 bits"},
      {"strides wrap",
       [](TensorImage& t) {
         t.strides = PickleTuple({kLargest, kLargest});
       },
       Code::kInvalidArgument, "lead beyond"},
      {"stride of a dimension of one",
       [](TensorImage& t) {
         t.shape = PickleTuple({1, 6});
         t.strides = PickleTuple({kHuge, 1});
       },
       Code::kOk, ""},
      {"nothing at all, far away",
       [](TensorImage& t) {
         t.shape = PickleTuple({0, 6});
         t.offset = PickleInteger(1000);
       },
       Code::kOk, ""},
      {"scalar",
       [](TensorImage& t) {
         t.shape = t.strides = ")";
         t.offset = PickleInteger(5);
       },
       Code::kOk, ""},
      {"one stride", [](TensorImage& t) { t.strides = PickleTuple({3}); }, Code::kInvalidArgument,
       "a tensor of 2 dimensions has 1 strides"},
      {"rank 9",
       [](TensorImage& t) {
         t.shape = t.strides = PickleTuple({1, 1, 1, 1, 1, 1, 1, 1, 1});
       },
       Code::kInvalidArgument, "a tensor's shape has more than 8 dimensions"},
      {"shape of texts", [](TensorImage& t) { t.shape = PickleText("2") + "\x85"; }, Code::kInvalidArgument,
       "a tensor's shape holds no integer"},
      {"shape is a list", [](TensorImage& t) { t.shape = "]"; }, Code::kInvalidArgument,
       "a tensor's shape is no tuple"},
      {"size of 2^70", [](TensorImage& t) { t.shape = std::string("(\x8a\x09\0\0\0\0\0\0\0\0\x40t", 13); },
       Code::kInvalidArgument, "a tensor's shape holds no integer"},
      {"negative count", [](TensorImage& t) { t.count = PickleInteger(-6); }, Code::kInvalidArgument,
       "storage '0' has -6 elements"},
      {"count beyond the entry", [](TensorImage& t) { t.count = PickleInteger(7); }, Code::kInvalidArgument,
       "storage '0' states 7 elements, its data has 24 bytes"},
      {"count whose bytes wrap", [](TensorImage& t) { t.count = PickleInteger(kHuge); }, Code::kInvalidArgument,
       "states 4611686018427387904 elements"},
      {"count below the tensor", [](TensorImage& t) { t.count = PickleInteger(5); }, Code::kInvalidArgument, "lead"},
      {"wider type", [](TensorImage& t) { t.storage_type = "ctorch\nDoubleStorage\n"; }, Code::kInvalidArgument,
       "storage '0' states 6 elements, its data has 24 bytes"},
      {"no type", [](TensorImage& t) { t.storage_type = "ctorch.storage\nUntypedStorage\n"; }, Code::kInvalidArgument,
       "the storage has no element type"},
      {"unknown type", [](TensorImage& t) { t.storage_type = "ctorch\nQInt8Storage\n"; }, Code::kInvalidArgument,
       "refers to 'torch.QInt8Storage'"},
      {"type of a tensor", [](TensorImage& t) { t.storage_type = "ctorch\nfloat32\n"; }, Code::kInvalidArgument,
       "no storage of torch.save"},
      {"key outside", [](TensorImage& t) { t.key = PickleText("../data.pkl"); }, Code::kInvalidArgument,
       "the data of storage '../data.pkl' is missing"},
      {"key is a number", [](TensorImage& t) { t.key = PickleInteger(0); }, Code::kInvalidArgument, "no storage of"},
      {"part of another storage", [](TensorImage& t) { t.count += ")"; }, Code::kUnimplemented, "is part of another"},
  };
  for (const Row& row : rows) {
    const std::string name = row.name;
    CAPTURE(name);
    TensorImage tensor;
    row.change(tensor);
    CheckOpen(TorchImage(PickleOf(tensor.Bytes())).Bytes(), row.code, row.words);
  }
  const std::string tensor = TensorImage().Bytes();
  const auto named = [&](std::string_view name) { return TorchImage(PickleOf(tensor, name)).Bytes(); };
  CheckOpen(named(""), Code::kInvalidArgument, "tensor '': the name is empty");
  CheckOpen(named(std::string_view("a\0b", 3)), Code::kInvalidArgument, "'a\\x00b': the name holds a control");
  CheckOpen(named("\xff"), Code::kInvalidArgument, "is not UTF-8");
  CheckOpen(named(std::string(256, 'n')), Code::kInvalidArgument, "more than the limit of 255");
  CheckOpen(named("../x"), Code::kOk, "");  // a tensor's name is no path
  const std::string item = PickleText("t") + tensor;
  CheckOpen(TorchImage("\x80\x02}(" + item + item + "u.").Bytes(), Code::kInvalidArgument,
            "two tensors have the name 't'");
  CheckOpen(TorchImage("\x80\x02}(" + PickleInteger(3) + tensor + item + "u.").Bytes(), Code::kOk, "");
}

TEST_CASE("hostile torch: the old format") {
  const std::string bytes = testing::ReadBytes(testing::Fixture("weights/torch/old.bin"));
  CheckOpen(bytes + "x", Code::kInvalidArgument, "1 bytes follow the last storage");
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string changed = bytes;
    const size_t at = changed.find(from);
    REQUIRE(at != std::string::npos);
    return changed.replace(at, from.size(), to);
  };
  CheckOpen(with("\x6c\xfc\x9c", "\x6c\xfc\x9d"), Code::kInvalidArgument, "is a pickle, but none of torch.save");
  CheckOpen(with("M\xe9\x03.", "M\xea\x03."), Code::kUnimplemented, "the version of the format is not supported");
  CheckOpen(with("little_endianq\x02\x88", "little_endianq\x02\x89"), Code::kUnimplemented, "another byte order");
  CheckOpen(with("torch\nFloatStorage", "posix\nsystem\nXXXXX"), Code::kInvalidArgument, "refers to 'posix.system'");
  CheckOpen("\x80\x04K\x01.", Code::kInvalidArgument, "is a pickle, but none of torch.save");
  CheckOpen("\x80\x04K\x01. and more of it", Code::kInvalidArgument, "is a pickle, but none of torch.save");
}

TEST_CASE("hostile torch: an index leads nowhere but to files beside it") {
  const testing::TemporaryFolder folder;
  std::filesystem::create_directory(folder.file("model"));
  testing::WriteBytes(folder.file("x"), TorchImage(PickleOf(TensorImage().Bytes())).Bytes());
  testing::WriteBytes(folder.file("model/x"), TorchImage(PickleOf(TensorImage().Bytes())).Bytes());
  const auto open = [&](const std::string& shard) {
    testing::WriteBytes(folder.file("model/pytorch_model.bin.index.json"),
                        R"({"weight_map":{"t":")" + shard + R"("}})");
    return WeightFile::Open(folder.file("model")).status();
  };
  CHECK(open("x").ok());
  for (const char* shard : {"../x", "..", "/x", "a/../x", "..\\\\x", "x\\u0000", ""}) {
    const absl::Status status = open(shard);
    CHECK_EQ(status.code(), Code::kInvalidArgument);
    CHECK(testing::Contains(testing::Message(status), "is not the name of a file beside the index"));
  }
}

}  // namespace
}  // namespace toolformer::torch_hostile_test
