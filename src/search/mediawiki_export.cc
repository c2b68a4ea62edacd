// https://www.mediawiki.org/wiki/Help:Export:
// <mediawiki><siteinfo><base/></siteinfo><page><title/><ns/><id/><redirect/>
// <revision><text/></revision></page>...</mediawiki>.
#include "src/search/mediawiki_export.h"

#include <expat.h>

#include <deque>
#include <exception>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/status.h"

namespace toolformer {
namespace {

constexpr size_t kMaxFieldBytes = size_t{64} << 20;
constexpr size_t kMaxDepth = 32;

class MediaWikiExport : public SearchDocumentReader {
 public:
  explicit MediaWikiExport(std::unique_ptr<PackedFile> file)
      : file_(std::move(file)), parser_(XML_ParserCreate("UTF-8")) {
    if (parser_ == nullptr) return;
    XML_SetUserData(parser_, this);
    XML_SetElementHandler(parser_, OnStart, OnEnd);
    XML_SetCharacterDataHandler(parser_, OnText);
  }
  ~MediaWikiExport() override { XML_ParserFree(parser_); }
  MediaWikiExport(const MediaWikiExport&) = delete;
  MediaWikiExport& operator=(const MediaWikiExport&) = delete;

  absl::Status Parse(std::string_view bytes) {
    if (parser_ == nullptr) return ResourceExhausted("{}: no memory for an XML parser", file_->path());
    const bool last = bytes.empty();
    const XML_Status parsed =
        XML_Parse(parser_, bytes.data(), static_cast<int>(bytes.size()), last ? XML_TRUE : XML_FALSE);
    TF_RETURN_IF_ERROR(status_);
    if (parsed == XML_STATUS_OK) return absl::OkStatus();
    return InvalidArgument("{}:{}: {}", file_->path(), XML_GetCurrentLineNumber(parser_),
                           XML_ErrorString(XML_GetErrorCode(parser_)));
  }

  absl::StatusOr<bool> Next(SearchDocument* document) override {
    while (pages_.empty() && !at_end_) {
      std::string buffer(kPackedFileBuffer, '\0');
      TF_ASSIGN_OR_RETURN(const size_t got, file_->Read(buffer));
      at_end_ = got == 0;
      TF_RETURN_IF_ERROR(Parse(std::string_view(buffer).substr(0, got)));
    }
    if (pages_.empty()) return false;
    *document = std::move(pages_.front());
    pages_.pop_front();
    // Here, not in the parser's callbacks: the host's thread pays for what it takes.
    document->text = StripWikiMarkup(document->text);
    return true;
  }
  uint64_t bytes_read() const override { return file_->bytes_read(); }
  uint64_t bytes() const override { return file_->bytes(); }

 private:
  void Fail(absl::Status status) {
    if (status_.ok()) status_ = std::move(status);
    XML_StopParser(parser_, XML_FALSE);
  }

  void Start(std::string_view name) {
    if (path_.empty() && name != "mediawiki") {
      return Fail(InvalidArgument("{}: XML, but not a MediaWiki export: it begins with <{}>", file_->path(), name));
    }
    if (path_.size() >= kMaxDepth) return Fail(InvalidArgument("{}: elements nest too deeply", file_->path()));
    path_.emplace_back(name);
    text_.clear();
    if (path_.size() == 2 && name == "page") {
      page_ = {};
      namespace_ = "0";
      redirect_ = false;
    }
    if (path_.size() == 3 && name == "redirect" && path_[1] == "page") redirect_ = true;
  }

  void End() {
    const std::string name = std::move(path_.back());
    path_.pop_back();
    const bool in_page = path_.size() >= 2 && path_[1] == "page";
    if (path_.size() == 2 && path_[1] == "siteinfo" && name == "base") {
      // ".../wiki/Main_Page": what comes before the last slash is before every title.
      base_ = text_.substr(0, text_.rfind('/') + 1);
    } else if (in_page && path_.size() == 2 && name == "title") {
      page_.title = std::move(text_);
    } else if (in_page && path_.size() == 2 && name == "ns") {
      namespace_ = std::move(text_);
    } else if (in_page && path_.size() == 2 && name == "id") {
      page_.id = std::move(text_);
    } else if (in_page && path_.size() == 3 && path_[2] == "revision" && name == "text") {
      page_.text = std::move(text_);  // of several revisions the last
    } else if (path_.size() == 1 && name == "page" && namespace_ == "0" && !redirect_) {
      if (!base_.empty()) {
        page_.url = base_ + page_.title;
        for (char& c : page_.url) c = c == ' ' ? '_' : c;
      }
      pages_.push_back(std::move(page_));
    }
    text_.clear();
  }

  void Text(std::string_view text) {
    if (text_.size() + text.size() > kMaxFieldBytes) {
      return Fail(ResourceExhausted("{}: a field of over {} bytes", file_->path(), kMaxFieldBytes));
    }
    text_ += text;
  }

  // expat is C: nothing may be thrown through it.
  template <typename Work>
  static void Guard(void* self, const Work& work) {
    auto* reader = static_cast<MediaWikiExport*>(self);
    try {
      work(reader);
    } catch (const std::exception& error) {
      reader->Fail(ResourceExhausted("{}: {}", reader->file_->path(), error.what()));
    }
  }
  static void OnStart(void* self, const char* name, const char** /*attributes*/) {
    Guard(self, [&](MediaWikiExport* reader) { reader->Start(name); });
  }
  static void OnEnd(void* self, const char* /*name*/) {
    Guard(self, [](MediaWikiExport* reader) { reader->End(); });
  }
  static void OnText(void* self, const char* text, int size) {
    Guard(self, [&](MediaWikiExport* reader) { reader->Text({text, static_cast<size_t>(size)}); });
  }

  const std::unique_ptr<PackedFile> file_;
  XML_Parser const parser_;
  absl::Status status_;
  bool at_end_ = false;
  std::vector<std::string> path_;  // of the open elements
  std::string text_;               // of the innermost one
  std::string base_, namespace_;
  bool redirect_ = false;
  SearchDocument page_;
  std::deque<SearchDocument> pages_;  // read, and not taken yet
};

}  // namespace

absl::StatusOr<std::unique_ptr<SearchDocumentReader>> OpenMediaWikiExport(std::unique_ptr<PackedFile> file,
                                                                          std::string_view begun) {
  auto reader = std::make_unique<MediaWikiExport>(std::move(file));
  TF_RETURN_IF_ERROR(reader->Parse(begun));
  return reader;
}

}  // namespace toolformer
