// toolformer inspect: what is in a weight file.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "failure.h"
#include "jsonl.h"
#include "terminal.h"
#include "toolformer/weight_file.h"

namespace toolformer::cli {
namespace {

struct InspectFlags {
  std::string path;
  bool json = false;
};

struct Sum {
  uint64_t tensors = 0, bytes = 0;
  int64_t elements = 0;
};

std::string ByteSize(uint64_t bytes) {
  if (bytes < 10000) return fmt::format("{} B", bytes);
  const auto value = static_cast<double>(bytes);
  if (value < 1e6) return fmt::format("{:.1f} kB", value / 1e3);
  return value < 1e9 ? fmt::format("{:.1f} MB", value / 1e6) : fmt::format("{:.2f} GB", value / 1e9);
}

std::string Shape(const TensorInfo& tensor) { return fmt::format("[{}]", fmt::join(tensor.shape, ", ")); }

std::map<std::string, Sum> SumByType(const WeightFile& file) {
  std::map<std::string, Sum> sums;
  for (const TensorInfo& tensor : file.tensors()) {
    Sum& sum = sums[tensor.type];
    ++sum.tensors;
    sum.bytes += tensor.bytes;
    sum.elements += tensor.elements;
  }
  return sums;
}

nlohmann::ordered_json ToJson(const std::string& path, const WeightFile& file) {
  nlohmann::ordered_json json;
  json["path"] = path;
  json["format"] = file.format();
  json["metadata"] = nlohmann::ordered_json::object();
  for (const auto& [name, value] : file.metadata()) json["metadata"][name] = value;
  json["types"] = nlohmann::ordered_json::object();
  for (const auto& [type, sum] : SumByType(file)) {
    json["types"][type] = {{"tensors", sum.tensors}, {"elements", sum.elements}, {"bytes", sum.bytes}};
  }
  json["tensors"] = nlohmann::ordered_json::array();
  for (const TensorInfo& tensor : file.tensors()) {
    nlohmann::ordered_json entry;
    entry["name"] = tensor.name;
    entry["type"] = tensor.type;
    entry["shape"] = tensor.shape;
    entry["elements"] = tensor.elements;
    entry["bytes"] = tensor.bytes;
    json["tensors"].push_back(std::move(entry));
  }
  return json;
}

void PrintTables(const std::string& path, const WeightFile& file) {
  const Style style(stdout);
  fmt::print("{}\n{}\n", style.Strong(PrintableLine(path)), PrintableLine(std::string(file.format())));
  const auto metadata = file.metadata();
  size_t width = 0;
  for (const auto& [name, value] : metadata) width = std::max(width, std::min<size_t>(name.size(), 48));
  if (!metadata.empty()) fmt::print("\n{}\n", style.Strong(fmt::format("metadata ({})", metadata.size())));
  for (const auto& [name, value] : metadata) {
    fmt::print("  {:<{}}  {}\n", PrintableLine(name), width, Shorten(PrintableLine(value), 100));
  }
  fmt::print("\n{}\n", style.Strong(fmt::format("tensors ({})", file.tensors().size())));
  width = 0;
  size_t shape_width = 0;
  for (const TensorInfo& tensor : file.tensors()) {
    width = std::max(width, std::min<size_t>(tensor.name.size(), 64));
    shape_width = std::max(shape_width, Shape(tensor).size());
  }
  for (const TensorInfo& tensor : file.tensors()) {
    fmt::print("  {:<{}}  {:<5} {:<{}} {:>10}\n", PrintableLine(tensor.name), width, tensor.type, Shape(tensor),
               shape_width, ByteSize(tensor.bytes));
  }
  fmt::print("\n{}\n", style.Strong("types"));
  Sum all;
  for (const auto& [type, sum] : SumByType(file)) {
    fmt::print("  {:<5} {:>6} tensors {:>16} elements {:>10}\n", type, sum.tensors, sum.elements, ByteSize(sum.bytes));
    all.tensors += sum.tensors;
    all.elements += sum.elements;
    all.bytes += sum.bytes;
  }
  fmt::print("  {:<5} {:>6} tensors {:>16} elements {:>10}\n", "all", all.tensors, all.elements, ByteSize(all.bytes));
}

absl::Status RunInspect(const InspectFlags& flags) {
  CLI_ASSIGN_OR_RETURN(const std::unique_ptr<WeightFile> file, WeightFile::Open(flags.path));
  if (flags.json) {
    fmt::print("{}\n", PrintJson(ToJson(flags.path, *file)));
  } else {
    PrintTables(flags.path, *file);
  }
  return absl::OkStatus();
}

}  // namespace

Subcommand AddInspect(CLI::App* parent) {
  auto flags = std::make_shared<InspectFlags>();
  CLI::App* app = parent->add_subcommand("inspect", "Metadata and tensors of a weight file");
  app->description("Shows what is in a weight file: format, metadata, and each tensor's type, shape and size.");
  app->add_option("FILE", flags->path,
                  "a .gguf, .safetensors or PyTorch .bin file, or a folder with safetensors or .bin")
      ->required();
  app->add_flag("--json", flags->json, "print one JSON object instead of tables");
  app->footer("\nExample:\n  toolformer inspect gemma.gguf");
  return {app, [flags] { return RunInspect(*flags); }};
}

}  // namespace toolformer::cli
