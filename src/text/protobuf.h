// Messages of protocol buffers, field by field: every length is checked against what is there.
#ifndef TOOLFORMER_SRC_TEXT_PROTOBUF_H_
#define TOOLFORMER_SRC_TEXT_PROTOBUF_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace toolformer {

struct ProtobufField {
  enum class Wire { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
  uint32_t number = 0;
  Wire wire = Wire::kVarint;
  uint64_t value = 0;       // of all but kBytes
  std::string_view bytes;   // of kBytes: a string or a message
  size_t offset = 0;        // of the field in the file
  size_t bytes_offset = 0;  // of its bytes

  // The value as the schema's type; kInvalidArgument, naming the field, where the file has another.
  absl::StatusOr<std::string_view> AsBytes(const std::string& where) const;
  absl::StatusOr<int32_t> AsInt32(const std::string& where) const;
  absl::StatusOr<bool> AsBool(const std::string& where) const;
  absl::StatusOr<float> AsFloat(const std::string& where) const;
};

class ProtobufReader {
 public:
  // `where` begins the error messages; `offset` is where `message` begins in its file.
  ProtobufReader(std::string_view message, const std::string& where, size_t offset = 0)
      : message_(message), where_(where), offset_(offset) {}

  // The next field; nothing at the end. kInvalidArgument for a field that is cut off or of an unknown wire type.
  absl::StatusOr<std::optional<ProtobufField>> Next();

 private:
  absl::StatusOr<uint64_t> ReadVarint();
  absl::StatusOr<uint64_t> ReadFixed(size_t size);
  absl::StatusOr<std::string_view> ReadBytes();
  size_t Offset() const { return offset_ + at_; }

  std::string_view message_;
  const std::string& where_;
  size_t offset_;
  size_t at_ = 0;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_PROTOBUF_H_
