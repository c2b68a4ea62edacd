#include "src/model/config_reader.h"

#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "src/base/status.h"

namespace toolformer {
namespace {

template <typename T>
absl::StatusOr<T> Require(absl::StatusOr<std::optional<T>> value, const std::string& where, std::string_view name) {
  TF_RETURN_IF_ERROR(value.status());
  if (!value->has_value()) return InvalidArgument("{}: field '{}' is missing", where, name);
  return **std::move(value);
}

template <typename T>
absl::StatusOr<T> Default(absl::StatusOr<std::optional<T>> value, T fallback) {
  TF_RETURN_IF_ERROR(value.status());
  return std::move(*value).value_or(std::move(fallback));
}

class Json : public ConfigReader {
 public:
  Json(nlohmann::json config, std::string where, const WeightFile& weights)
      : config_(std::move(config)), where_(std::move(where)), weights_(weights) {}

  const std::string& where() const override { return where_; }

  absl::StatusOr<std::optional<int64_t>> Integer(std::string_view name) const override {
    const nlohmann::json* value = Find(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX) return WrongType(name, "an integer");
    if (!value->is_number_integer()) return WrongType(name, "an integer");
    return value->get<int64_t>();
  }
  absl::StatusOr<std::optional<double>> Real(std::string_view name) const override {
    const nlohmann::json* value = Find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_number()) return WrongType(name, "a number");
    return value->get<double>();
  }
  absl::StatusOr<std::optional<bool>> Boolean(std::string_view name) const override {
    const nlohmann::json* value = Find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_boolean()) return WrongType(name, "true or false");
    return value->get<bool>();
  }
  absl::StatusOr<std::optional<std::string>> String(std::string_view name) const override {
    const nlohmann::json* value = Find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) return WrongType(name, "a string");
    return value->get<std::string>();
  }
  absl::StatusOr<std::optional<std::vector<std::string>>> Strings(std::string_view name) const override {
    const nlohmann::json* value = Find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_array()) return WrongType(name, "a list of strings");
    std::vector<std::string> strings;
    for (const nlohmann::json& element : *value) {
      if (!element.is_string()) return WrongType(name, "a list of strings");
      strings.push_back(element.get<std::string>());
    }
    return strings;
  }
  absl::StatusOr<std::optional<std::vector<double>>> Reals(std::string_view name) const override {
    const nlohmann::json* value = Find(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_array()) return WrongType(name, "a list of numbers");
    std::vector<double> reals;
    for (const nlohmann::json& element : *value) {
      if (!element.is_number()) return WrongType(name, "a list of numbers");
      reals.push_back(element.get<double>());
    }
    return reals;
  }
  bool Has(std::string_view name) const override { return Walk(name) != nullptr; }
  bool IsNull(std::string_view name) const override {
    const nlohmann::json* value = Walk(name);
    return value != nullptr && value->is_null();
  }

 private:
  const WeightFile& weights() const override { return weights_; }

  // Null where the field is absent or null.
  const nlohmann::json* Find(std::string_view name) const {
    const nlohmann::json* value = Walk(name);
    return value == nullptr || value->is_null() ? nullptr : value;
  }
  // Null where the field is absent.
  const nlohmann::json* Walk(std::string_view name) const {
    const nlohmann::json* value = &config_;
    while (true) {
      const size_t slash = name.find('/');
      const std::string_view step = name.substr(0, slash);
      if (value->is_array()) {
        size_t index = 0;
        const auto [stop, error] = std::from_chars(step.data(), step.data() + step.size(), index);
        if (error != std::errc() || stop != step.data() + step.size() || index >= value->size()) return nullptr;
        value = &(*value)[index];
      } else {
        if (!value->is_object()) return nullptr;
        const auto found = value->find(std::string(step));
        if (found == value->end()) return nullptr;
        value = &*found;
      }
      if (slash == std::string_view::npos) return value;
      name.remove_prefix(slash + 1);
    }
  }
  absl::Status WrongType(std::string_view name, std::string_view wanted) const {
    return InvalidArgument("{}: field '{}' is not {}", where_, name, wanted);
  }

  const nlohmann::json config_;
  const std::string where_;
  const WeightFile& weights_;
};

class Gguf : public ConfigReader {
 public:
  Gguf(const GgufFile& file, std::string architecture) : file_(file), prefix_(std::move(architecture) + ".") {}

  const std::string& where() const override { return file_.path(); }

  absl::StatusOr<std::optional<int64_t>> Integer(std::string_view name) const override {
    return file_.Integer(prefix_ + std::string(name));
  }
  absl::StatusOr<std::optional<double>> Real(std::string_view name) const override {
    return file_.Real(prefix_ + std::string(name));
  }
  absl::StatusOr<std::optional<bool>> Boolean(std::string_view name) const override {
    return file_.Boolean(prefix_ + std::string(name));
  }
  absl::StatusOr<std::optional<std::string>> String(std::string_view name) const override {
    TF_ASSIGN_OR_RETURN(const std::optional<std::string_view> value, file_.String(prefix_ + std::string(name)));
    if (!value) return std::nullopt;
    return std::string(*value);
  }
  absl::StatusOr<std::optional<std::vector<std::string>>> Strings(std::string_view name) const override {
    TF_ASSIGN_OR_RETURN(const auto value, file_.Strings(prefix_ + std::string(name)));
    if (!value) return std::nullopt;
    return std::vector<std::string>(value->begin(), value->end());
  }
  // No list of numbers is asked for in GGUF metadata.
  absl::StatusOr<std::optional<std::vector<double>>> Reals(std::string_view) const override { return std::nullopt; }
  bool Has(std::string_view name) const override {
    const auto value = Integer(name);
    return !value.ok() || value->has_value();  // an error: it is there and of another type
  }
  bool IsNull(std::string_view) const override { return false; }

 private:
  const WeightFile& weights() const override { return file_; }

  const GgufFile& file_;
  const std::string prefix_;
};

}  // namespace

absl::StatusOr<std::optional<double>> ConfigReader::Number(std::string_view name) const {
  if (const auto flag = Boolean(name); flag.ok()) {
    if (!flag->has_value()) return std::nullopt;
    return **flag ? 1.0 : 0.0;
  }
  if (const auto integer = Integer(name); integer.ok()) return static_cast<double>(**integer);
  return Real(name);
}
absl::StatusOr<std::optional<std::vector<double>>> ConfigReader::TensorValues(std::string_view name) const {
  const TensorInfo* info = weights().Find(name);
  if (info == nullptr) return std::nullopt;
  if (info->elements > 1 << 16) {
    return InvalidArgument("{}: tensor '{}' has {} elements, too many", where(), name, info->elements);
  }
  std::vector<float> values(info->elements);
  TF_RETURN_IF_ERROR(weights().ReadF32(name, 0, values));
  return std::vector<double>(values.begin(), values.end());
}
absl::StatusOr<int64_t> ConfigReader::RequiredInteger(std::string_view name) const {
  return Require(Integer(name), where(), name);
}
absl::StatusOr<double> ConfigReader::RequiredReal(std::string_view name) const {
  return Require(Real(name), where(), name);
}
absl::StatusOr<int64_t> ConfigReader::IntegerOr(std::string_view name, int64_t fallback) const {
  return Default(Integer(name), fallback);
}
absl::StatusOr<double> ConfigReader::RealOr(std::string_view name, double fallback) const {
  return Default(Real(name), fallback);
}
absl::StatusOr<bool> ConfigReader::BooleanOr(std::string_view name, bool fallback) const {
  return Default(Boolean(name), fallback);
}
absl::StatusOr<std::string> ConfigReader::StringOr(std::string_view name, std::string fallback) const {
  return Default(String(name), std::move(fallback));
}

std::unique_ptr<ConfigReader> JsonConfigReader(nlohmann::json config, std::string where, const WeightFile& weights) {
  return std::make_unique<Json>(std::move(config), std::move(where), weights);
}
std::unique_ptr<ConfigReader> GgufConfigReader(const GgufFile& file, std::string architecture) {
  return std::make_unique<Gguf>(file, std::move(architecture));
}

}  // namespace toolformer
