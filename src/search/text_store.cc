#include "src/search/text_store.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "src/base/status.h"
#include "src/search/part_format.h"

namespace toolformer {

absl::Status TextStoreWriter::Compress() {
  uLongf packed = compressBound(static_cast<uLong>(pending_.size()));
  const size_t begin = bytes_.size();
  bytes_.resize(begin + packed);
  if (compress2(reinterpret_cast<Bytef*>(bytes_.data() + begin), &packed,
                reinterpret_cast<const Bytef*>(pending_.data()), static_cast<uLong>(pending_.size()),
                Z_DEFAULT_COMPRESSION) != Z_OK) {
    return ResourceExhausted("zlib has no memory");
  }
  bytes_.resize(begin + packed);
  blocks_.push_back(bytes_.size());
  pending_.clear();
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> TextStoreWriter::Append(std::string_view text) {
  const uint64_t offset = size_;
  size_ += text.size();
  while (!text.empty()) {
    const size_t part = std::min(text.size(), kTextBlockBytes - pending_.size());
    pending_.append(text.substr(0, part));
    text.remove_prefix(part);
    if (pending_.size() == kTextBlockBytes) TF_RETURN_IF_ERROR(Compress());
  }
  return offset;
}

absl::Status TextStoreWriter::Finish() { return pending_.empty() ? absl::OkStatus() : Compress(); }

absl::StatusOr<std::string> TextStore::Read(uint64_t offset, uint64_t size) const {
  if (offset > size_ || size > size_ - offset) return InvalidArgument("a text lies outside the texts");
  std::string out;
  if (size == 0) return out;
  const uint64_t first = offset / kTextBlockBytes, last = (offset + size - 1) / kTextBlockBytes;
  if (last + 1 >= blocks_.size()) return InvalidArgument("a text lies outside the blocks of texts");
  std::array<char, kTextBlockBytes> unpacked;
  for (uint64_t block = first; block <= last; ++block) {
    const uint64_t begin = blocks_[block], end = blocks_[block + 1];
    if (begin > end || end > bytes_.size()) return InvalidArgument("block {} of texts lies outside the file", block);
    uLongf got = kTextBlockBytes;
    if (uncompress(reinterpret_cast<Bytef*>(unpacked.data()), &got, bytes_.data() + begin,
                   static_cast<uLong>(end - begin)) != Z_OK ||
        got != std::min<uint64_t>(kTextBlockBytes, size_ - block * kTextBlockBytes)) {
      return InvalidArgument("block {} of texts is damaged", block);
    }
    const uint64_t start = block * kTextBlockBytes;
    const uint64_t from = std::max(offset, start) - start,
                   to = std::min(offset + size, start + kTextBlockBytes) - start;
    // Grows with what was really unpacked: a damaged size costs no memory.
    out.append(unpacked.data() + from, to - from);
  }
  return out;
}

}  // namespace toolformer
