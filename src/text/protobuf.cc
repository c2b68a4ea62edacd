#include "src/text/protobuf.h"

#include <bit>

#include "src/base/status.h"

namespace toolformer {
namespace {

absl::Status WrongType(const ProtobufField& field, const std::string& where, const char* wanted) {
  return InvalidArgument("{}: field {} at byte {} has wire type {}; it must be {}", where, field.number, field.offset,
                         static_cast<int>(field.wire), wanted);
}

}  // namespace

absl::StatusOr<std::string_view> ProtobufField::AsBytes(const std::string& where) const {
  if (wire != Wire::kBytes) return WrongType(*this, where, "2 (bytes)");
  return bytes;
}

absl::StatusOr<int32_t> ProtobufField::AsInt32(const std::string& where) const {
  if (wire != Wire::kVarint) return WrongType(*this, where, "0 (integer)");
  // Negative numbers have 64 bits; the upper half of others is dropped, as the format says.
  return static_cast<int32_t>(static_cast<uint32_t>(value));
}

absl::StatusOr<bool> ProtobufField::AsBool(const std::string& where) const {
  if (wire != Wire::kVarint) return WrongType(*this, where, "0 (integer)");
  return value != 0;
}

absl::StatusOr<float> ProtobufField::AsFloat(const std::string& where) const {
  if (wire != Wire::kFixed32) return WrongType(*this, where, "5 (float)");
  return std::bit_cast<float>(static_cast<uint32_t>(value));
}

absl::StatusOr<uint64_t> ProtobufReader::ReadVarint() {
  const size_t begin = Offset();
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    if (at_ >= message_.size()) return InvalidArgument("{}: the integer at byte {} is cut off", where_, begin);
    const uint64_t byte = static_cast<uint8_t>(message_[at_++]);
    if (shift < 64) value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return InvalidArgument("{}: the integer at byte {} has more than 10 bytes", where_, begin);
}

absl::StatusOr<uint64_t> ProtobufReader::ReadFixed(size_t size) {
  if (message_.size() - at_ < size) return InvalidArgument("{}: the number at byte {} is cut off", where_, Offset());
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(message_[at_ + i]);
  at_ += size;
  return value;
}

absl::StatusOr<std::string_view> ProtobufReader::ReadBytes() {
  TF_ASSIGN_OR_RETURN(const uint64_t size, ReadVarint());
  if (size > message_.size() - at_) {
    return InvalidArgument("{}: at byte {} stand {} bytes, but {} are left", where_, Offset(), size,
                           message_.size() - at_);
  }
  const std::string_view bytes = message_.substr(at_, size);
  at_ += size;
  return bytes;
}

absl::StatusOr<std::optional<ProtobufField>> ProtobufReader::Next() {
  if (at_ >= message_.size()) return std::optional<ProtobufField>();
  ProtobufField field;
  field.offset = Offset();
  TF_ASSIGN_OR_RETURN(const uint64_t tag, ReadVarint());
  const uint64_t number = tag >> 3, wire = tag & 7;
  if (number == 0 || number >= uint64_t{1} << 29) {
    return InvalidArgument("{}: at byte {} stands field {}; fields are 1 to 2^29 - 1", where_, field.offset, number);
  }
  field.number = static_cast<uint32_t>(number);
  field.wire = static_cast<ProtobufField::Wire>(wire);
  switch (field.wire) {
    case ProtobufField::Wire::kVarint: {
      TF_ASSIGN_OR_RETURN(field.value, ReadVarint());
      return std::optional<ProtobufField>(field);
    }
    case ProtobufField::Wire::kFixed64: {
      TF_ASSIGN_OR_RETURN(field.value, ReadFixed(8));
      return std::optional<ProtobufField>(field);
    }
    case ProtobufField::Wire::kBytes: {
      TF_ASSIGN_OR_RETURN(field.bytes, ReadBytes());
      field.bytes_offset = Offset() - field.bytes.size();
      return std::optional<ProtobufField>(field);
    }
    case ProtobufField::Wire::kFixed32: {
      TF_ASSIGN_OR_RETURN(field.value, ReadFixed(4));
      return std::optional<ProtobufField>(field);
    }
  }
  return InvalidArgument("{}: field {} at byte {} has wire type {}; supported are 0, 1, 2 and 5", where_, number,
                         field.offset, wire);
}

}  // namespace toolformer
