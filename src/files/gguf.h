// GGUF version 2 and 3 containers (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), read-only.
#ifndef TOOLFORMER_SRC_FILES_GGUF_H_
#define TOOLFORMER_SRC_FILES_GGUF_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/weight_file.h"

namespace toolformer {

// A GGUF file, its header checked and its tensors mapped. Immutable after Open.
class GgufFile : public WeightFile {
 public:
  static absl::StatusOr<std::unique_ptr<GgufFile>> Open(const std::string& path);

  virtual const std::string& path() const = 0;

  // Typed metadata. Nothing where the key is absent; kInvalidArgument, naming key and types, where it has another type.
  // Integers accept every integer type whose value fits; views are valid while the file is open.
  virtual absl::StatusOr<std::optional<std::string_view>> String(std::string_view key) const = 0;
  virtual absl::StatusOr<std::optional<int64_t>> Integer(std::string_view key) const = 0;
  virtual absl::StatusOr<std::optional<double>> Real(std::string_view key) const = 0;  // f32 or f64
  virtual absl::StatusOr<std::optional<bool>> Boolean(std::string_view key) const = 0;
  virtual absl::StatusOr<std::optional<std::vector<std::string_view>>> Strings(std::string_view key) const = 0;
  virtual absl::StatusOr<std::optional<std::vector<int64_t>>> Integers(std::string_view key) const = 0;
  virtual absl::StatusOr<std::optional<std::vector<float>>> Reals(std::string_view key) const = 0;  // f32 only
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_GGUF_H_
