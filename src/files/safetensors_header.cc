#include "src/files/safetensors_header.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/status.h"
#include "src/files/printable.h"

namespace toolformer {
namespace {

constexpr std::string_view kMetadataKey = "__metadata__";

// A tensor as the header states it.
struct StatedTensor {
  StoredTensor stored;
  uint64_t begin = 0, end = 0;  // within the data
};

// Takes the header as events, since a tree of values would lose a key that appears twice and cost many times the
// text. What the format does not foresee is refused where it begins, so nothing ever nests deeper than three levels.
class HeaderHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  const absl::Status& status() const { return status_; }
  std::vector<StatedTensor>& tensors() { return tensors_; }
  std::vector<std::pair<std::string, std::string>>& metadata() { return metadata_; }

  bool null() override { return Unexpected("null"); }
  bool boolean(bool /*value*/) override { return Unexpected("a bool"); }
  bool number_integer(number_integer_t value) override { return Unexpected(fmt::format("{}", value)); }
  bool number_float(number_float_t /*value*/, const string_t& text) override { return Unexpected(Printable(text)); }
  bool binary(binary_t& /*value*/) override { return Unexpected("bytes"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (state_ != State::kNumbers) return Unexpected(fmt::format("{}", value));
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return Fault(fmt::format("{} does not fit 63 bits", value));
    }
    if (field_ == "shape") {
      if (current_.stored.info.shape.size() == kMaxRank) {
        return Fault(fmt::format("has more than {} dimensions", kMaxRank));
      }
      current_.stored.info.shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (offset_count_ == 2) return Fault("has more than two numbers");
    (offset_count_++ == 0 ? current_.begin : current_.end) = value;
    return true;
  }

  bool string(string_t& value) override {
    if (state_ == State::kMetadata) {
      metadata_.emplace_back(field_, value);
      return true;
    }
    if (state_ != State::kTensor || field_ != "dtype") return Unexpected("a string");
    current_.stored.type = FindSafetensorsType(value);
    if (current_.stored.type == nullptr) {
      return Fail(Unimplemented("{}type '{}' is unknown; known are {}", Where(), Printable(value), SafetensorsTypes()));
    }
    current_.stored.info.type = value;
    return true;
  }

  bool start_object(std::size_t /*size*/) override {
    if (state_ == State::kStart) return Enter(State::kTop);
    if (state_ != State::kTop) return Unexpected("an object");
    if (name_ == kMetadataKey) return Enter(State::kMetadata);
    current_ = StatedTensor();
    current_.stored.info.name = name_;
    fields_.clear();
    return Enter(State::kTensor);
  }

  bool key(string_t& value) override {
    if (state_ != State::kTop) {
      field_ = value;
      if (!fields_.insert(value).second) return Fault("appears twice");
      const bool known = value == "dtype" || value == "shape" || value == "data_offsets";
      return state_ == State::kMetadata || known ? true : Fault("is no field of a tensor");
    }
    name_ = value;
    field_.clear();
    fields_.clear();
    if (name_ == kMetadataKey) {
      if (std::exchange(has_metadata_, true)) return Fault("appears twice");
      return true;
    }
    const std::optional<std::string> fault = TensorNameFault(name_);
    return fault ? Fault("the name " + *fault) : true;
  }

  bool end_object() override {
    field_.clear();
    if (state_ == State::kTop) return Enter(State::kEnd);
    if (state_ == State::kTensor) {
      if (fields_.size() != 3) return Fault("must have the fields dtype, shape and data_offsets");
      tensors_.push_back(std::move(current_));
    }
    return Enter(State::kTop);
  }

  bool start_array(std::size_t /*size*/) override {
    if (state_ != State::kTensor || field_ == "dtype") return Unexpected("an array");
    offset_count_ = 0;
    return Enter(State::kNumbers);
  }

  bool end_array() override {
    if (field_ == "data_offsets" && offset_count_ != 2) return Fault("must be two numbers");
    return Enter(State::kTensor);
  }

  bool parse_error(std::size_t position, const std::string& /*token*/, const nlohmann::detail::exception&) override {
    return Fail(InvalidArgument("header, byte {}: is not valid JSON", kSafetensorsPrefixBytes + position));
  }

 private:
  enum class State { kStart, kTop, kTensor, kNumbers, kMetadata, kEnd };

  bool Enter(State state) {
    state_ = state;
    return true;
  }
  bool Fail(absl::Status status) {
    status_ = std::move(status);
    return false;
  }
  std::string Where() const {
    if (state_ == State::kStart) return "header: ";
    return fmt::format("tensor '{}'{}{}: ", Printable(name_), field_.empty() ? "" : ", ", Printable(field_));
  }
  bool Fault(std::string_view problem) { return Fail(InvalidArgument("{}{}", Where(), problem)); }
  bool Unexpected(std::string_view what) { return Fault(fmt::format("{} does not belong here", what)); }

  State state_ = State::kStart;
  absl::Status status_;
  std::string name_, field_;
  std::set<std::string> fields_;  // of the object being read
  StatedTensor current_;
  int offset_count_ = 0;
  bool has_metadata_ = false;
  std::vector<StatedTensor> tensors_;
  std::vector<std::pair<std::string, std::string>> metadata_;
};

// The header's text, its length checked.
absl::StatusOr<std::string_view> HeaderText(const MappedFile& file) {
  const std::span<const uint8_t> bytes = file.bytes();
  if (bytes.size() < kSafetensorsPrefixBytes) {
    return InvalidArgument("{}: header length at byte 0: the file is too short: {} bytes", file.path(), bytes.size());
  }
  uint64_t length;
  std::memcpy(&length, bytes.data(), sizeof(length));
  const uint64_t remaining = bytes.size() - kSafetensorsPrefixBytes;
  if (length > remaining) {
    return InvalidArgument("{}: header length at byte 0: states {} bytes, {} remain in the file", file.path(), length,
                           remaining);
  }
  if (length > kMaxSafetensorsHeaderBytes) {
    return ResourceExhausted("{}: header length at byte 0: states {} bytes, more than the limit of {}", file.path(),
                             length, kMaxSafetensorsHeaderBytes);
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + kSafetensorsPrefixBytes, length);
  if (text.empty() || text.front() != '{') {
    return InvalidArgument("{}: header at byte {}: must begin with '{{'", file.path(), kSafetensorsPrefixBytes);
  }
  return text;
}

// Checks that the tensors, in the order of their offsets, follow each other from the first byte of the data to the
// last: no byte is unaccounted for or has two meanings.
absl::Status CheckCoverage(const std::vector<StatedTensor>& tensors, uint64_t data_size) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(tensors[a].begin, tensors[a].end) < std::pair(tensors[b].begin, tensors[b].end);
  });
  uint64_t covered = 0;
  for (const size_t index : order) {
    const StatedTensor& tensor = tensors[index];
    if (tensor.begin != covered) {
      return InvalidArgument(
          "tensor '{}', data_offsets: begins at {}, {} {}", Printable(tensor.stored.info.name), tensor.begin,
          tensor.begin < covered ? "within the tensor before it, which ends at" : "with a hole from", covered);
    }
    covered = tensor.end;
  }
  if (covered == data_size) return absl::OkStatus();
  return InvalidArgument("data: tensors take {} bytes, the file holds {}", covered, data_size);
}

absl::Status CheckTensor(StatedTensor* tensor, uint64_t data_size) {
  const std::string name = Printable(tensor->stored.info.name);
  if (tensor->begin > tensor->end || tensor->end > data_size) {
    return InvalidArgument("tensor '{}', data_offsets: [{}, {}] is no range of the {} bytes of data", name,
                           tensor->begin, tensor->end, data_size);
  }
  if (const absl::Status measured = MeasureTensor(&tensor->stored); !measured.ok()) {
    return Annotate(measured, fmt::format("tensor '{}', shape", name));
  }
  const TensorInfo& info = tensor->stored.info;
  if (tensor->end - tensor->begin != info.bytes) {
    return InvalidArgument("tensor '{}', data_offsets: [{}, {}] are {} bytes where shape and type need {}", name,
                           tensor->begin, tensor->end, tensor->end - tensor->begin, info.bytes);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WeightList> ParseSafetensorsHeader(const MappedFile& file) {
  TF_ASSIGN_OR_RETURN(const std::string_view text, HeaderText(file));
  // The parser takes a NUL for the end of its input and would not see what follows.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return InvalidArgument("{}: header, byte {}: is not valid JSON", file.path(), kSafetensorsPrefixBytes + nul);
  }
  HeaderHandler handler;
  if (!nlohmann::json::sax_parse(text.begin(), text.end(), &handler)) return Annotate(handler.status(), file.path());

  const uint64_t data_begin = kSafetensorsPrefixBytes + text.size();
  const uint64_t data_size = file.bytes().size() - data_begin;
  WeightList list;
  list.metadata = std::move(handler.metadata());
  list.tensors.reserve(handler.tensors().size());
  for (StatedTensor& tensor : handler.tensors()) {
    if (const absl::Status status = CheckTensor(&tensor, data_size); !status.ok()) return Annotate(status, file.path());
  }
  if (const absl::Status status = CheckCoverage(handler.tensors(), data_size); !status.ok()) {
    return Annotate(status, file.path());
  }
  for (StatedTensor& tensor : handler.tensors()) {
    tensor.stored.data = file.bytes().data() + data_begin + tensor.begin;
    list.tensors.push_back(std::move(tensor.stored));
  }
  return list;
}

}  // namespace toolformer
