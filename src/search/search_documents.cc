#include "toolformer/search_documents.h"

#include <algorithm>
#include <utility>

#include "src/base/json.h"
#include "src/base/status.h"
#include "src/search/mediawiki_export.h"
#include "src/search/packed_file.h"

namespace toolformer {
namespace {

constexpr size_t kMaxLineBytes = size_t{64} << 20;

class JsonLines : public SearchDocumentReader {
 public:
  JsonLines(std::unique_ptr<PackedFile> file, std::string begun) : file_(std::move(file)), buffer_(std::move(begun)) {}

  absl::StatusOr<bool> Next(SearchDocument* document) override {
    while (true) {
      std::string_view line;
      TF_ASSIGN_OR_RETURN(const bool more, NextLine(&line));
      if (!more) return false;
      if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
      const absl::Status read = ReadDocument(line, document);
      if (!read.ok()) return Annotate(read, fmt::format("{}:{}", file_->path(), line_number_));
      return true;
    }
  }
  uint64_t bytes_read() const override { return file_->bytes_read(); }
  uint64_t bytes() const override { return file_->bytes(); }

 private:
  // Valid until the next call.
  absl::StatusOr<bool> NextLine(std::string_view* line) {
    size_t searched = begin_;
    while (true) {
      const size_t end = buffer_.find('\n', searched);
      if (end != std::string::npos || (at_end_ && begin_ < buffer_.size())) {
        *line = std::string_view(buffer_).substr(begin_, std::min(end, buffer_.size()) - begin_);
        begin_ = std::min(end, buffer_.size() - 1) + 1;
        if (++line_number_ == 1 && line->starts_with("\xEF\xBB\xBF")) line->remove_prefix(3);
        return true;
      }
      if (at_end_) return false;
      buffer_.erase(0, begin_);
      begin_ = 0;
      searched = buffer_.size();
      if (buffer_.size() > kMaxLineBytes) {
        return ResourceExhausted("{}:{}: a line of over {} bytes", file_->path(), line_number_ + 1, kMaxLineBytes);
      }
      buffer_.resize(searched + kPackedFileBuffer);
      TF_ASSIGN_OR_RETURN(const size_t got, file_->Read(std::span(buffer_).subspan(searched)));
      buffer_.resize(searched + got);
      at_end_ = got == 0;
    }
  }

  static absl::Status ReadDocument(std::string_view line, SearchDocument* document) {
    TF_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(line));
    if (!json.is_object()) return InvalidArgument("not a JSON object");
    *document = {};
    const auto read = [&](const char* name, std::string* out) {
      const auto field = json.find(name);
      if (field == json.end() || field->is_null()) return absl::OkStatus();
      if (field->is_string()) {
        *out = field->get<std::string>();
      } else if (field->is_number_integer()) {
        *out = field->dump();
      } else {
        return InvalidArgument("field '{}' is not a string", name);
      }
      return absl::OkStatus();
    };
    if (!json.contains("text")) return InvalidArgument("field 'text' is missing");
    TF_RETURN_IF_ERROR(read("text", &document->text));
    TF_RETURN_IF_ERROR(read("title", &document->title));
    TF_RETURN_IF_ERROR(read("url", &document->url));
    return read("id", &document->id);
  }

  const std::unique_ptr<PackedFile> file_;
  std::string buffer_;
  size_t begin_ = 0;  // of what is in the buffer and was not returned yet
  bool at_end_ = false;
  int64_t line_number_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<SearchDocumentReader>> OpenSearchDocuments(const std::string& path) {
  TF_ASSIGN_OR_RETURN(std::unique_ptr<PackedFile> file, PackedFile::Open(path));
  std::string begun(kPackedFileBuffer, '\0');
  TF_ASSIGN_OR_RETURN(const size_t got, file->Read(begun));
  begun.resize(got);
  const size_t first = begun.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first != std::string::npos && begun[first] == '<') return OpenMediaWikiExport(std::move(file), begun);
  if (first == std::string::npos || begun[first] == '{') {
    return std::make_unique<JsonLines>(std::move(file), std::move(begun));
  }
  return InvalidArgument("{}: neither JSON Lines nor a MediaWiki export (XML); it begins with neither '{{' nor '<'",
                         path);
}

}  // namespace toolformer
