// A host that links libraries which libtorch and the engine have in other versions: Debian's protobuf, where libtorch
// brings an older one of its own with the same names, and names of a later fmt and Abseil. Each side must keep its own,
// before, while and after the library works. Linked with the host's libraries first and exporting its names, which is
// where a clash would come from.
#include <doctest/doctest.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <string>
#include <string_view>

#include "toolformer_c.h"

// What a later version of either has; called by nobody but this file.
namespace fmt::v12 {
int stand_in_calls = 0;
__attribute__((visibility("default"))) std::string vformat(std::string_view format) {
  ++stand_in_calls;
  return std::string(format);
}
}  // namespace fmt::v12
namespace absl::lts_20990101 {
class Status {};
__attribute__((visibility("default"))) std::string StatusCodeToString(int code) { return std::to_string(code); }
}  // namespace absl::lts_20990101

namespace {

void UseNeighbours() {
  google::protobuf::Struct message;
  (*message.mutable_fields())["answer"].set_number_value(42);
  std::string json;
  REQUIRE(google::protobuf::util::MessageToJsonString(message, &json).ok());
  CHECK(json == R"({"answer":42})");
  google::protobuf::Struct again;
  REQUIRE(again.ParseFromString(message.SerializeAsString()));
  CHECK(again.fields().at("answer").number_value() == 42);
  CHECK(again.GetDescriptor()->full_name() == "google.protobuf.Struct");
  CHECK(fmt::v12::vformat("{}") == "{}");
  CHECK(absl::lts_20990101::StatusCodeToString(3) == "3");
}

TEST_CASE("a host may link other versions of what the library is made of") {
  UseNeighbours();
  const int own_calls = fmt::v12::stand_in_calls;

  toolformer_model* model = nullptr;
  toolformer_error* error = nullptr;
  const std::string path = TOOLFORMER_SOURCE_DIR "/tests/fixtures/models/llama_gqa";
  REQUIRE(toolformer_model_load({path.data(), path.size()}, nullptr, &model, &error) == TOOLFORMER_OK);
  const int32_t ids[] = {1, 2, 3};
  toolformer_loss loss = {};
  loss.struct_size = sizeof(loss);
  REQUIRE(toolformer_model_loss(model, {ids, 3}, nullptr, &loss, &error) == TOOLFORMER_OK);
  CHECK(loss.tokens == 3);
  // An error's message is formatted by our own fmt.
  toolformer_model* none = nullptr;
  CHECK(toolformer_model_load({"no such file", 12}, nullptr, &none, &error) == TOOLFORMER_ERROR_NOT_FOUND);
  const toolformer_string message = toolformer_error_message(error);
  CHECK(std::string(message.data, message.size).find("no such file") != std::string::npos);
  toolformer_error_free(error);
  CHECK(fmt::v12::stand_in_calls == own_calls);
  UseNeighbours();
  toolformer_model_free(model);
  UseNeighbours();
}

}  // namespace
