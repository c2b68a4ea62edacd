#include "toolformer/wiki_search.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "src/base/status.h"
#include "src/search/snippet.h"
#include "src/tools/names.h"
#include "src/tools/search_input.h"

namespace toolformer {
namespace {

// Of a title in a result, and of a passage that is read on.
constexpr size_t kMaxTitleWords = 20;
constexpr int64_t kMaxPageWords = 400;
constexpr int64_t kTitlesSuggested = 3;
// Passages that are asked for, for each result: as many may be of one article.
constexpr int64_t kPassagesOfArticle = 4;

class IndexSource : public SearchSource {
 public:
  explicit IndexSource(std::shared_ptr<const SearchIndex> index) : index_(std::move(index)) {}

  absl::StatusOr<std::vector<SearchPassage>> Search(const SearchQuery& query,
                                                    const Interrupt& interrupt) const override {
    return index_->Search(query, interrupt);
  }
  absl::StatusOr<SearchPassage> Open(std::string_view title, int64_t page,
                                     const Interrupt& /*interrupt*/) const override {
    TF_ASSIGN_OR_RETURN(SearchPassage first, index_->Find(title));
    if (page == 0) return first;
    if (page < 0 || page >= first.pages) {
      return OutOfRange("'{}' has {} pages, not {}", first.title, first.pages, page + 1);
    }
    return index_->Passage(first.number + page);
  }
  std::string Version() const override { return "index " + index_->identity(); }

 private:
  const std::shared_ptr<const SearchIndex> index_;
};

// Titles are shown whole, but for those that are none.
std::string Title(const SearchPassage& passage) {
  return passage.title.empty() ? "untitled" : Snippet(passage.title, "", kMaxTitleWords);
}

absl::StatusOr<std::string> AnswerSearch(const SearchSource& source, const SearchInput& input,
                                         const WikiSearchOptions& options, const Interrupt& interrupt) {
  if (input.page > options.most_pages) {
    return OutOfRange("search: page {}: {} can be asked for; use other words", input.page, options.most_pages);
  }
  const int64_t last = input.page * options.results;
  const SearchQuery query = {input.text, input.required, input.excluded, last * kPassagesOfArticle, 0};
  TF_ASSIGN_OR_RETURN(const std::vector<SearchPassage> found, source.Search(query, interrupt));
  // A title that is searched for is found in all passages of its article: each article has one result, its best
  // passage.
  std::set<std::string_view> articles;
  std::string answer;
  for (const SearchPassage& passage : found) {
    if (!articles.insert(passage.title.empty() ? passage.document_id : passage.title).second) continue;
    const int64_t rank = std::ssize(articles);
    if (rank <= last - options.results) continue;
    if (rank > last) break;
    if (!answer.empty()) answer += " | ";
    answer += Title(passage) + " > " + Snippet(passage.text, input.text, options.snippet_words);
  }
  if (!answer.empty()) return answer;
  return input.page == 1 ? NotFound("search: nothing has any of these words")
                         : OutOfRange("search: there is no page {} of results", input.page);
}

absl::StatusOr<std::string> AnswerOpen(const SearchSource& source, const SearchInput& input,
                                       const Interrupt& interrupt) {
  const absl::StatusOr<SearchPassage> opened = source.Open(input.text, input.page - 1, interrupt);
  if (absl::IsNotFound(opened.status())) {
    // A model that has to guess learns from what there is.
    std::string titles;
    const auto near = source.Search({input.text, {}, {}, kTitlesSuggested, 0}, interrupt);
    if (near.ok()) {
      for (const SearchPassage& passage : *near) titles += (titles.empty() ? "; near: " : ", ") + Title(passage);
    }
    return NotFound("search: no article is called '{}'{}", input.text, titles);
  }
  if (!opened.ok()) return opened.status();
  const std::string place = opened->pages > 0 ? fmt::format(" ({} of {})", opened->page + 1, opened->pages) : "";
  return Title(*opened) + place + " > " + Snippet(opened->text, "", kMaxPageWords);
}

absl::StatusOr<std::string> Answer(const SearchSource* source, std::string_view argument,
                                   const WikiSearchOptions& options, const Interrupt& interrupt) {
  TF_RETURN_IF_ERROR(interrupt.Check());
  if (source == nullptr) return FailedPrecondition("search: there is no index");
  TF_ASSIGN_OR_RETURN(const SearchInput input, ParseSearchInput(argument));
  return input.kind == SearchInput::Kind::kOpen ? AnswerOpen(*source, input, interrupt)
                                                : AnswerSearch(*source, input, options, interrupt);
}

std::vector<ToolExample> Examples(const std::string& name) {
  const auto call = [&](const std::string& term, const std::string& result) {
    return "[" + name + "(\"" + term + "\") -> " + result + "] ";
  };
  return {
      {"Estonia got its flag back in 1990: three stripes of blue, black and white.",
       "Estonia got its flag back in 1990: three stripes of " +
           call("flag of Estonia",
                "Flag of Estonia > The flag of Estonia is a tricolour of three horizontal bands of the same height: "
                "blue at the top, black in the middle and white at the bottom.") +
           "blue, black and white."},
      {"Aerogels keep heat in because nearly all of their volume is gas, held in pores too narrow for it to flow.",
       "Aerogels keep heat in because " +
           call("aerogel thermal insulation",
                "Aerogel > An aerogel is a gel whose liquid was replaced by gas. It may consist of gas to over 95 "
                "percent, and the gas can hardly move in its tiny pores, so that little heat passes through.") +
           "nearly all of their volume is gas, held in pores too narrow for it to flow."},
      {"After a stroke doctors often prescribe aspirin, which keeps blood platelets from sticking together.",
       "After a stroke doctors often prescribe aspirin, which " +
           call("how aspirin works",
                "Aspirin > In small doses aspirin stops platelets from making thromboxane, the substance by which they "
                "stick to each other, so that clots form less easily.") +
           "keeps blood platelets from sticking together."},
  };
}

}  // namespace

std::shared_ptr<const SearchSource> MakeIndexSource(std::shared_ptr<const SearchIndex> index) {
  return std::make_shared<IndexSource>(std::move(index));
}

Tool MakeWikiSearch(std::shared_ptr<const SearchSource> source, const WikiSearchOptions& given) {
  WikiSearchOptions options = given;
  options.results = std::clamp<int64_t>(options.results, 1, 20);
  options.snippet_words = std::clamp<int64_t>(options.snippet_words, 1, 1000);
  options.most_pages = std::clamp<int64_t>(options.most_pages, 1, 100);
  Tool tool;
  tool.name = options.name;
  tool.instruction = fmt::format(
      "Your task is to complete a given piece of text. You can use a Wikipedia Search API to look up what the text "
      "goes "
      "on to say. You can call the API by writing \"[{}(\"term\")]\" where \"term\" is what you want to look up.",
      options.name);
  tool.examples = Examples(options.name);
  tool.parameters = {.tau_s = 0.05, .k = 5, .m = 5, .tau_f = 1.0};
  tool.accepts = [](const Document& document, uint64_t /*seed*/) { return NamesSomething(document.text); };
  if (source != nullptr) {
    tool.version =
        fmt::format("1 {} {} {} {}", options.results, options.snippet_words, options.most_pages, source->Version());
  }
  tool.free_of_side_effects = true;
  tool.call = [source = std::move(source), options](std::string_view input, const ToolContext& context) {
    return Answer(source.get(), input, options, context.interrupt);
  };
  return tool;
}

}  // namespace toolformer
