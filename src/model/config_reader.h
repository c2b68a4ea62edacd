// Hyperparameters of a model, from config.json or from GGUF metadata, with errors that name file and field.
#ifndef TOOLFORMER_SRC_MODEL_CONFIG_READER_H_
#define TOOLFORMER_SRC_MODEL_CONFIG_READER_H_

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/files/gguf.h"

namespace toolformer {

class ConfigReader {
 public:
  virtual ~ConfigReader() = default;

  // The file, for messages.
  virtual const std::string& where() const = 0;

  // Nothing where the field is absent (or null); kInvalidArgument where it has another type. A '/' in a name of
  // config.json separates the levels of nested objects and lists (a list's levels are indices); names of GGUF metadata
  // are given without the architecture's prefix.
  virtual absl::StatusOr<std::optional<int64_t>> Integer(std::string_view name) const = 0;
  virtual absl::StatusOr<std::optional<double>> Real(std::string_view name) const = 0;
  virtual absl::StatusOr<std::optional<bool>> Boolean(std::string_view name) const = 0;
  virtual absl::StatusOr<std::optional<std::string>> String(std::string_view name) const = 0;
  virtual absl::StatusOr<std::optional<std::vector<std::string>>> Strings(std::string_view name) const = 0;

  virtual absl::StatusOr<std::optional<std::vector<double>>> Reals(std::string_view name) const = 0;

  // Whether the field is there, and whether it is there and says null.
  virtual bool Has(std::string_view name) const = 0;
  virtual bool IsNull(std::string_view name) const = 0;
  // An integer, a real or a flag (1 or 0).
  absl::StatusOr<std::optional<double>> Number(std::string_view name) const;

  // Whether the weights hold a tensor of that name.
  bool HasTensor(std::string_view name) const { return weights().Find(name) != nullptr; }
  // Its values; nothing where there is no such tensor. For small ones: kInvalidArgument where it has over 65,536.
  absl::StatusOr<std::optional<std::vector<double>>> TensorValues(std::string_view name) const;

  absl::StatusOr<int64_t> RequiredInteger(std::string_view name) const;
  absl::StatusOr<double> RequiredReal(std::string_view name) const;
  absl::StatusOr<int64_t> IntegerOr(std::string_view name, int64_t fallback) const;
  absl::StatusOr<double> RealOr(std::string_view name, double fallback) const;
  absl::StatusOr<bool> BooleanOr(std::string_view name, bool fallback) const;
  absl::StatusOr<std::string> StringOr(std::string_view name, std::string fallback) const;

 protected:
  virtual const WeightFile& weights() const = 0;
};

// config.json of a Hugging Face folder; `weights` must outlive the reader.
std::unique_ptr<ConfigReader> JsonConfigReader(nlohmann::json config, std::string where, const WeightFile& weights);

// Metadata under `architecture` + "."; `file` must outlive the reader.
std::unique_ptr<ConfigReader> GgufConfigReader(const GgufFile& file, std::string architecture);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_CONFIG_READER_H_
