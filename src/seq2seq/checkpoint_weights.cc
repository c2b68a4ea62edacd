#include "src/seq2seq/checkpoint_weights.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/status.h"

namespace toolformer {
namespace {

constexpr std::string_view kReader = "reader.", kModule = "module.";
constexpr std::string_view kWrappedEncoder = "encoder.encoder.", kEncoder = "encoder.", kBlock = "block.";

// A file under other names. Tensors that have none are not there.
class RenamedWeights : public WeightFile {
 public:
  using Rename = std::optional<std::string> (*)(std::string_view name);

  RenamedWeights(std::unique_ptr<WeightFile> file, Rename rename) : file_(std::move(file)) {
    for (const TensorInfo& tensor : file_->tensors()) {
      std::optional<std::string> name = rename(tensor.name);
      if (!name || !originals_.emplace(*name, tensor.name).second) continue;
      tensors_.push_back(tensor);
      tensors_.back().name = *std::move(name);
    }
    std::sort(tensors_.begin(), tensors_.end(),
              [](const TensorInfo& a, const TensorInfo& b) { return a.name < b.name; });
  }

  std::string_view format() const override { return file_->format(); }
  std::vector<std::pair<std::string, std::string>> metadata() const override { return file_->metadata(); }
  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  absl::Status ReadF32(std::string_view name, int64_t first, std::span<float> out) const override {
    return file_->ReadF32(Original(name), first, out);
  }
  absl::Status ReadBF16(std::string_view name, int64_t first, std::span<uint16_t> out) const override {
    return file_->ReadBF16(Original(name), first, out);
  }
  void DoneWith(std::string_view name) const override { file_->DoneWith(Original(name)); }

 private:
  // Of an unknown name the name itself, which the file does not know either, or which is not to be known.
  std::string_view Original(std::string_view name) const {
    const auto found = originals_.find(name);
    return found == originals_.end() ? std::string_view() : std::string_view(found->second);
  }

  const std::unique_ptr<WeightFile> file_;
  std::map<std::string, std::string, std::less<>> originals_;
  std::vector<TensorInfo> tensors_;
};

// "block.3.module.layer.0" -> "block.3.layer.0".
std::string WithoutBlockWrapper(std::string_view name) {
  if (!name.starts_with(kBlock)) return std::string(name);
  const size_t dot = name.find('.', kBlock.size());
  if (dot == std::string_view::npos || !name.substr(dot + 1).starts_with(kModule)) return std::string(name);
  return std::string(name.substr(0, dot + 1)) + std::string(name.substr(dot + 1 + kModule.size()));
}

std::optional<std::string> OfFid(std::string_view name) {
  if (!name.starts_with(kWrappedEncoder)) return std::string(name);
  return std::string(kEncoder) + WithoutBlockWrapper(name.substr(kWrappedEncoder.size()));
}

std::optional<std::string> OfAtlas(std::string_view name) {
  if (!name.starts_with(kReader)) return std::nullopt;
  name.remove_prefix(kReader.size());
  if (name.starts_with(kModule)) name.remove_prefix(kModule.size());
  return std::string(name);
}

}  // namespace

absl::StatusOr<std::unique_ptr<WeightFile>> OpenSeq2SeqWeights(const std::string& folder) {
  const std::string atlas = folder + "/" + kAtlasFileName;
  std::error_code ignored;
  if (std::filesystem::exists(atlas, ignored)) {
    TF_ASSIGN_OR_RETURN(std::unique_ptr<WeightFile> file, WeightFile::Open(atlas));
    auto reader = std::make_unique<RenamedWeights>(std::move(file), OfAtlas);
    if (reader->tensors().empty()) return InvalidArgument("{}: holds no reader of Atlas", atlas);
    return reader;
  }
  TF_ASSIGN_OR_RETURN(std::unique_ptr<WeightFile> file, WeightFile::Open(folder));
  const std::vector<TensorInfo>& tensors = file->tensors();
  const bool wrapped = std::any_of(tensors.begin(), tensors.end(),
                                   [](const TensorInfo& tensor) { return tensor.name.starts_with(kWrappedEncoder); });
  if (!wrapped) return file;
  return std::make_unique<RenamedWeights>(std::move(file), OfFid);
}

}  // namespace toolformer
