#include "toolformer/search_index.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "src/base/status.h"
#include "src/search/analyzer.h"
#include "src/search/index_part.h"
#include "src/search/manifest.h"
#include "src/search/ranked_search.h"

namespace toolformer {
namespace {

constexpr int64_t kMostResults = 10000;
constexpr size_t kMostQueryTerms = 64;

}  // namespace

struct SearchIndex::State {
  Manifest manifest;
  std::vector<std::unique_ptr<IndexPart>> parts;
  std::vector<uint64_t> first;  // passage of each part, and the number of all
  double average_length = 1.0;
  std::string identity;

  // An analyser is one thread's at a time.
  mutable std::mutex mutex;
  std::unique_ptr<Analyzer> analyzer;

  std::vector<std::string> Terms(std::string_view text) const {
    const std::lock_guard lock(mutex);
    return analyzer->Terms(text);
  }

  // The different terms of all `words`, at most kMostQueryTerms.
  std::set<std::string> TermsOf(const std::vector<std::string>& words) const {
    std::set<std::string> terms;
    for (const std::string& word : words) {
      for (std::string& term : Terms(word)) {
        if (terms.size() < kMostQueryTerms) terms.insert(std::move(term));
      }
    }
    return terms;
  }
};

SearchIndex::SearchIndex(std::unique_ptr<State> state) : state_(std::move(state)) {}
SearchIndex::~SearchIndex() = default;

absl::StatusOr<std::shared_ptr<const SearchIndex>> SearchIndex::Open(const std::string& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) return NotFound("{}: no such folder", folder);
  auto state = std::make_unique<State>();
  absl::StatusOr<Manifest> manifest = ReadManifest(folder);
  if (absl::IsNotFound(manifest.status())) return NotFound("{}: holds no search index (no index.json)", folder);
  if (!manifest.ok()) return manifest.status();
  state->manifest = *std::move(manifest);
  if (!state->manifest.finished) {
    return FailedPrecondition("{}: the index is not finished; run its build again, which goes on", folder);
  }
  TF_ASSIGN_OR_RETURN(state->analyzer, Analyzer::Make(state->manifest.options.language));
  uint64_t passages = 0, terms = 0;
  for (const PartEntry& entry : state->manifest.parts) {
    const std::string path = folder + "/" + entry.file;
    TF_ASSIGN_OR_RETURN(std::unique_ptr<IndexPart> part, IndexPart::Open(path));
    if (part->documents() != entry.documents || part->passages() != entry.passages ||
        part->terms() != static_cast<uint64_t>(entry.terms)) {
      return InvalidArgument("{}: not the file that index.json describes; build the index again", path);
    }
    state->first.push_back(passages);
    passages += part->passages();
    terms += part->terms();
    state->parts.push_back(std::move(part));
  }
  state->first.push_back(passages);
  if (terms > 0) state->average_length = static_cast<double>(terms) / static_cast<double>(passages);
  state->identity = state->manifest.Identity();
  return std::shared_ptr<const SearchIndex>(new SearchIndex(std::move(state)));
}

int64_t SearchIndex::documents() const { return state_->manifest.documents(); }
int64_t SearchIndex::passages() const { return static_cast<int64_t>(state_->first.back()); }
const SearchIndexOptions& SearchIndex::options() const { return state_->manifest.options; }
const std::string& SearchIndex::identity() const { return state_->identity; }
std::vector<std::string> SearchIndex::Terms(std::string_view text) const { return state_->Terms(text); }

absl::StatusOr<std::vector<SearchPassage>> SearchIndex::Search(std::string_view text, int64_t limit, int64_t offset,
                                                               const Interrupt& interrupt) const {
  return Search(SearchQuery{std::string(text), {}, {}, limit, offset}, interrupt);
}

absl::StatusOr<std::vector<SearchPassage>> SearchIndex::Search(const SearchQuery& query,
                                                               const Interrupt& interrupt) const {
  if (query.limit < 0 || query.limit > kMostResults || query.offset < 0 || query.offset > kMostResults) {
    return OutOfRange("limit {} and offset {}: each has to be within 0 and {}", query.limit, query.offset,
                      kMostResults);
  }
  const State& state = *state_;
  std::map<std::string, int> times;
  for (std::string& term : state.Terms(query.text)) {
    if (times.size() < kMostQueryTerms || times.contains(term)) ++times[std::move(term)];
  }
  // Where each term is, in each part; how rare it is is a matter of all parts.
  std::vector<PartQuery> of_part(state.parts.size());
  for (const auto& [term, in_query] : times) {
    std::vector<std::optional<TermPostings>> found;
    uint64_t passages = 0;
    for (const std::unique_ptr<IndexPart>& part : state.parts) {
      TF_ASSIGN_OR_RETURN(std::optional<TermPostings> postings, part->Find(term));
      if (postings) passages += postings->passages;
      found.push_back(postings);
    }
    const auto all = static_cast<double>(state.first.back()), with = static_cast<double>(passages);
    const double weight = in_query * std::log1p((all - with + 0.5) / (with + 0.5));
    for (size_t i = 0; i < found.size(); ++i) {
      if (found[i]) of_part[i].terms.push_back({weight, *found[i]});
    }
  }
  const std::set<std::string> required = state.TermsOf(query.required), excluded = state.TermsOf(query.excluded);
  for (size_t i = 0; i < state.parts.size(); ++i) {
    for (const std::string& term : required) {
      TF_ASSIGN_OR_RETURN(std::optional<TermPostings> postings, state.parts[i]->Find(term));
      if (!postings) {
        of_part[i].terms.clear();  // no passage of this part can have it
        break;
      }
      of_part[i].required.push_back(*postings);
    }
    for (const std::string& term : excluded) {
      TF_ASSIGN_OR_RETURN(std::optional<TermPostings> postings, state.parts[i]->Find(term));
      if (postings) of_part[i].excluded.push_back(*postings);
    }
  }
  const Bm25 bm25 = {state.manifest.options.k1, state.manifest.options.b, state.average_length};
  TopPassages top(static_cast<size_t>(query.limit + query.offset));
  for (size_t i = 0; i < state.parts.size(); ++i) {
    TF_RETURN_IF_ERROR(interrupt.Check());
    TF_RETURN_IF_ERROR(top.AddPart(of_part[i], state.parts[i]->lengths(), bm25, state.first[i], interrupt));
  }
  std::vector<SearchPassage> results;
  const std::vector<RankedPassage> ranked = top.Sorted();
  for (size_t i = static_cast<size_t>(query.offset); i < ranked.size(); ++i) {
    TF_ASSIGN_OR_RETURN(SearchPassage passage, Passage(static_cast<int64_t>(ranked[i].passage)));
    passage.score = ranked[i].score;
    results.push_back(std::move(passage));
  }
  return results;
}

absl::StatusOr<SearchPassage> SearchIndex::Passage(int64_t number) const {
  const State& state = *state_;
  if (number < 0 || number >= passages()) return NotFound("there is no passage {}; there are {}", number, passages());
  const size_t part =
      std::upper_bound(state.first.begin(), state.first.end(), static_cast<uint64_t>(number)) - state.first.begin() - 1;
  TF_ASSIGN_OR_RETURN(SearchPassage passage,
                      state.parts[part]->Passage(static_cast<uint32_t>(number - state.first[part])));
  passage.number = number;
  return passage;
}

absl::StatusOr<SearchPassage> SearchIndex::Find(std::string_view title) const {
  const State& state = *state_;
  const std::string folded = FoldedTitle(title);
  for (size_t i = 0; i < state.parts.size() && !folded.empty(); ++i) {
    TF_ASSIGN_OR_RETURN(const std::optional<uint32_t> passage, state.parts[i]->FindTitle(folded));
    if (passage) return Passage(static_cast<int64_t>(state.first[i] + *passage));
  }
  return NotFound("no document is called '{}'", title);
}

}  // namespace toolformer
