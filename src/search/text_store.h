// The texts of a part: one long string, compressed in blocks so that any piece of it is read in a fraction of a
// millisecond.
#ifndef TOOLFORMER_SRC_SEARCH_TEXT_STORE_H_
#define TOOLFORMER_SRC_SEARCH_TEXT_STORE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace toolformer {

class TextStoreWriter {
 public:
  // Returns the offset at which `text` begins.
  absl::StatusOr<uint64_t> Append(std::string_view text);
  absl::Status Finish();

  const std::vector<uint64_t>& blocks() const { return blocks_; }
  const std::string& bytes() const { return bytes_; }
  uint64_t size() const { return size_; }

 private:
  absl::Status Compress();

  std::string pending_;
  std::string bytes_;
  std::vector<uint64_t> blocks_ = {0};
  uint64_t size_ = 0;
};

// Reads what the writer made. Const and concurrent.
class TextStore {
 public:
  TextStore() = default;
  TextStore(std::span<const uint64_t> blocks, std::span<const uint8_t> bytes, uint64_t size)
      : blocks_(blocks), bytes_(bytes), size_(size) {}

  // kInvalidArgument where the range or a block is not as it should be.
  absl::StatusOr<std::string> Read(uint64_t offset, uint64_t size) const;

 private:
  std::span<const uint64_t> blocks_;
  std::span<const uint8_t> bytes_;
  uint64_t size_ = 0;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEARCH_TEXT_STORE_H_
