// MediaWiki's markup taken out of an article. A scanner with a stack of what is open: one pass, whatever the text.
#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/utf8.h"
#include "toolformer/search_documents.h"

namespace toolformer {
namespace {

// How far the scanner looks ahead, so that no text makes it look at the same bytes again and again.
constexpr size_t kMaxNameBytes = 16, kMaxMarkBytes = 200, kMaxLinkBytes = 2000;

// Elements whose content is no text of the article.
constexpr std::array<std::string_view, 11> kDroppedElements = {
    "ref",  "math",   "gallery",  "score", "timeline",      "syntaxhighlight",
    "code", "source", "imagemap", "chem",  "templatestyles"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kEntities = {{{"nbsp", " "},
                                                                                     {"ndash", "\u2013"},
                                                                                     {"mdash", "\u2014"},
                                                                                     {"amp", "&"},
                                                                                     {"lt", "<"},
                                                                                     {"gt", ">"},
                                                                                     {"quot", "\""},
                                                                                     {"minus", "\u2212"},
                                                                                     {"times", "\u00d7"}}};

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

class MarkupStripper {
 public:
  explicit MarkupStripper(std::string_view text) : text_(text) {}

  std::string Strip() {
    while (at_ < text_.size()) Step();
    // What was opened and never closed stays: better some markup than the rest of the article lost.
    return Tidy();
  }

 private:
  enum class Kind { kTemplate, kTable, kLink };
  struct Open {
    Kind kind;
    size_t begin;  // of what was written since
  };

  bool Starts(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  bool AtLineStart() const { return at_ == 0 || text_[at_ - 1] == '\n'; }
  bool IsOpen(Kind kind) const { return !open_.empty() && open_.back().kind == kind; }

  void Step() {
    if (Starts("{{")) return Begin(Kind::kTemplate);
    if (Starts("{|") && AtLineStart()) return Begin(Kind::kTable);
    if (Starts("[[")) return Begin(Kind::kLink);
    if ((Starts("}}") && IsOpen(Kind::kTemplate)) || (Starts("|}") && IsOpen(Kind::kTable)) ||
        (Starts("]]") && IsOpen(Kind::kLink))) {
      at_ += 2;
      return Close();
    }
    switch (text_[at_]) {
      case '<':
        return Element();
      case '&':
        return Entity();
      case '[':
        return ExternalLink();
      case '\'':
        if (Starts("''")) {
          while (at_ < text_.size() && text_[at_] == '\'') ++at_;
          return;
        }
        break;
      case '=':
        // Headings' marks stand at both ends of a line.
        if (AtLineStart() || MarksEnd()) {
          while (at_ < text_.size() && text_[at_] == '=') ++at_;
          return;
        }
        break;
      case '*':
      case '#':
      case ':':
      case ';':
        if (AtLineStart()) {
          at_ = std::min(text_.find_first_not_of("*#:;", at_), text_.size());
          return;
        }
        break;
      case '_':
        if (Starts("__") && Word()) return;
        break;
      default:
        break;
    }
    out_ += text_[at_++];
  }

  void Begin(Kind kind) {
    open_.push_back({kind, out_.size()});
    at_ += 2;
  }

  // Only blanks stand between the marks here and the line's end.
  bool MarksEnd() const {
    if (!Starts("==")) return false;
    const std::string_view rest = text_.substr(at_, kMaxMarkBytes);
    const size_t after = rest.find_first_not_of("= \t");
    return after == std::string_view::npos || rest[after] == '\n';
  }

  // "__NOTOC__".
  bool Word() {
    const size_t end = text_.find("__", at_ + 2);
    if (end == std::string_view::npos || end - at_ > 40) return false;
    const std::string_view word = text_.substr(at_ + 2, end - at_ - 2);
    if (word.empty() || !std::all_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; }))
      return false;
    at_ = end + 2;
    return true;
  }

  void Close() {
    const Open open = open_.back();
    open_.pop_back();
    if (open.kind != Kind::kLink) return out_.resize(open.begin);
    const std::string_view link = std::string_view(out_).substr(open.begin);
    // Brackets around so much are no link; they are not looked through, and nothing behind them is moved up.
    if (link.size() > kMaxLinkBytes) return;
    const size_t colon = link.find(':'), bar = link.find('|');
    // "File:...", "Category:...", "de:...": of another namespace, and shown elsewhere. ":Category:..." is an ordinary
    // link.
    if (colon != std::string_view::npos && colon > 0 && colon < bar && link[colon - 1] != ' ' &&
        (colon + 1 >= link.size() || link[colon + 1] != ' ')) {
      return out_.resize(open.begin);
    }
    if (bar != std::string_view::npos) out_.erase(open.begin, link.rfind('|') + 1);
  }

  // "<name ...>", "</name>", "<!-- ... -->"; anything else is text.
  void Element() {
    if (Starts("<!--")) {
      const size_t end = text_.find("-->", at_ + 4);
      at_ = end == std::string_view::npos ? text_.size() : end + 3;
      return;
    }
    size_t name_begin = at_ + 1;
    if (name_begin < text_.size() && text_[name_begin] == '/') ++name_begin;
    std::string name;
    size_t at = name_begin;
    for (; at < text_.size() && name.size() <= kMaxNameBytes; ++at) {
      const char c = Lower(text_[at]);
      if (c < 'a' || c > 'z') break;
      name += c;
    }
    const size_t end = text_.find_first_of("<>", at);
    if (name.empty() || name.size() > kMaxNameBytes || end == std::string_view::npos || text_[end] != '>') {
      out_ += text_[at_++];
      return;
    }
    const bool closing = name_begin > at_ + 1, empty = text_[end - 1] == '/';
    at_ = end + 1;
    if (name == "br" || name == "p" || name == "div") out_ += ' ';
    if (closing || empty || std::find(kDroppedElements.begin(), kDroppedElements.end(), name) == kDroppedElements.end())
      return;
    at_ = EndOf(name);
  }

  // Behind the "</name>" that comes next, or here where there is none: what was found missing once is not looked for
  // again, since a text of many such elements would be read to its end for each.
  size_t EndOf(const std::string& name) {
    if (std::find(never_closed_.begin(), never_closed_.end(), name) != never_closed_.end()) return at_;
    for (size_t at = text_.find("</", at_); at != std::string_view::npos; at = text_.find("</", at + 2)) {
      const std::string_view found = text_.substr(at + 2, name.size());
      if (found.size() != name.size() ||
          !std::equal(found.begin(), found.end(), name.begin(), [](char a, char b) { return Lower(a) == b; })) {
        continue;
      }
      const size_t end = text_.find('>', at);
      return end == std::string_view::npos ? text_.size() : end + 1;
    }
    never_closed_.push_back(name);
    return at_;
  }

  void Entity() {
    const size_t end = text_.substr(at_, kMaxNameBytes).find(';');
    if (end != std::string_view::npos) {
      const std::string_view name = text_.substr(at_ + 1, end - 1);
      for (const auto& [known, meaning] : kEntities) {
        if (name != known) continue;
        out_ += meaning;
        at_ += end + 1;
        return;
      }
    }
    out_ += text_[at_++];
  }

  // "[http://... words]".
  void ExternalLink() {
    const std::string_view rest = text_.substr(at_ + 1, kMaxLinkBytes);
    if (rest.starts_with("http://") || rest.starts_with("https://") || rest.starts_with("//")) {
      const size_t end = rest.find_first_of("]\n");
      if (end != std::string_view::npos && rest[end] == ']') {
        const size_t blank = rest.substr(0, end).find(' ');
        if (blank != std::string_view::npos) out_ += rest.substr(blank + 1, end - blank - 1);
        at_ += end + 2;
        return;
      }
    }
    out_ += text_[at_++];
  }

  // Blanks and empty lines that are left where markup was.
  std::string Tidy() const {
    std::string tidy;
    for (const char c : out_) {
      if (c == '\r') continue;
      const bool after_break = tidy.empty() || tidy.back() == '\n';
      if ((c == ' ' || c == '\t') && (after_break || tidy.back() == ' ')) continue;
      if (c == '\n') {
        while (!tidy.empty() && tidy.back() == ' ') tidy.pop_back();
        if (tidy.empty() || tidy.back() == '\n') continue;
      }
      tidy += c == '\t' ? ' ' : c;
      // Brackets that held nothing but markup, as where a pronunciation was.
      if (c == ')' && tidy.ends_with(" ()")) tidy.resize(tidy.size() - 3);
    }
    while (!tidy.empty() && (tidy.back() == ' ' || tidy.back() == '\n')) tidy.pop_back();
    return tidy;
  }

  const std::string_view text_;
  size_t at_ = 0;
  std::string out_;
  std::vector<Open> open_;
  std::vector<std::string> never_closed_;
};

}  // namespace

std::string StripWikiMarkup(std::string_view markup) { return MarkupStripper(markup).Strip(); }

}  // namespace toolformer
