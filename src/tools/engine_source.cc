// https://www.elastic.co/guide/en/elasticsearch/reference/current/search-search.html; OpenSearch has the same.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "src/base/json.h"
#include "src/base/random.h"
#include "src/base/status.h"
#include "src/net/http_client.h"
#include "src/search/analyzer.h"
#include "src/search/passages.h"
#include "toolformer/wiki_search.h"

namespace toolformer {
namespace {

using Json = nlohmann::json;

constexpr int64_t kMostResults = 10000;  // of an engine's own
constexpr int64_t kTitlesLookedAt = 10;
constexpr size_t kMaxReasonBytes = 200;
// What an engine is asked and answers nests a dozen deep.
constexpr int kMaxDepth = 32;

// The string at `field` of `object`, or nothing.
const std::string* StringAt(const Json& object, const std::string& field) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(field);
  return found != object.end() && found->is_string() ? found->get_ptr<const std::string*>() : nullptr;
}

// The reason that an engine gives for an error, where it gives one.
std::string ReasonOf(const std::string& body) {
  const absl::StatusOr<Json> answer = ParseJson(body, kMaxDepth);
  if (!answer.ok() || !answer->is_object() || !answer->contains("error")) return "";
  const std::string* reason = StringAt(answer->at("error"), "reason");
  return reason == nullptr ? "" : ": " + reason->substr(0, kMaxReasonBytes);
}

class EngineSource : public SearchSource {
 public:
  EngineSource(EngineSourceOptions options, std::unique_ptr<HttpClient> client)
      : options_(std::move(options)), client_(std::move(client)) {}

  absl::StatusOr<std::vector<SearchPassage>> Search(const SearchQuery& query,
                                                    const Interrupt& interrupt) const override {
    if (query.limit < 0 || query.offset < 0 || query.limit + query.offset > kMostResults) {
      return OutOfRange("limit {} and offset {}: together within 0 and {}", query.limit, query.offset, kMostResults);
    }
    Json filter = Json::array(), excluded = Json::array();
    for (const std::string& word : query.required) filter.push_back(Match(word, "and"));
    for (const std::string& word : query.excluded) excluded.push_back(Match(word, "and"));
    const Json wanted = {{"bool",
                          {{"must", Json::array({Match(query.text, "or")})},
                           {"filter", std::move(filter)},
                           {"must_not", std::move(excluded)}}}};
    return Ask(wanted, query.limit, query.offset, interrupt);
  }

  absl::StatusOr<SearchPassage> Open(std::string_view title, int64_t page, const Interrupt& interrupt) const override {
    const std::string folded = FoldedTitle(title);
    Json filter = Json::array();
    const bool numbered = !options_.page_field.empty();
    if (numbered) filter.push_back({{"term", {{options_.page_field, page}}}});
    const Json wanted = {
        {"bool",
         {{"must", Json::array({{{"match_phrase", {{options_.title_field, title}}}}})},
          // Ranks the title itself before longer ones; ".keyword" is what engines call a field that is not analysed.
          {"should", Json::array({{{"term", {{options_.title_field + ".keyword", title}}}}})},
          {"filter", std::move(filter)}}}};
    TF_ASSIGN_OR_RETURN(const std::vector<SearchPassage> found, Ask(wanted, kTitlesLookedAt, 0, interrupt));
    for (const SearchPassage& each : found) {
      if (FoldedTitle(each.title) != folded) continue;
      SearchPassage passage = each;
      if (numbered) {
        passage.page = page;
        return passage;
      }
      const std::vector<PassageRange> ranges = CutIntoPassages(passage.text, options_.passage_words);
      passage.page = page;
      passage.pages = static_cast<int64_t>(ranges.size());
      if (page < 0 || page >= passage.pages) {
        return OutOfRange("'{}' has {} pages, not {}", passage.title, passage.pages, page + 1);
      }
      const PassageRange& range = ranges[static_cast<size_t>(page)];
      passage.text = passage.text.substr(range.begin, range.end - range.begin);
      return passage;
    }
    if (numbered && page > 0) return OutOfRange("'{}' has no page {}", title, page + 1);
    return NotFound("no document is called '{}'", title);
  }

  std::string Version() const override {
    const std::string all =
        fmt::format("{}\n{}\n{}\n{}\n{}\n{}", options_.url, options_.title_field, options_.text_field,
                    options_.page_field, options_.passage_words, options_.version);
    return fmt::format("engine {:016x}", HashBytes(all));
  }

 private:
  // Words of title and text as if they were one field, as an index of this library has them.
  Json Match(const std::string& words, const char* which) const {
    return {{"multi_match",
             {{"query", words},
              {"type", "cross_fields"},
              {"operator", which},
              {"fields", {options_.title_field, options_.text_field}}}}};
  }

  absl::Status ErrorOf(const HttpResponse& response) const {
    const std::string what =
        fmt::format("{}: HTTP status {}{}", PrintableUrl(options_.url), response.status, ReasonOf(response.body));
    switch (response.status) {
      case 401:
      case 403:
        return absl::PermissionDeniedError(what);
      case 404:
        return FailedPrecondition("{}", what);
      case 408:
      case 504:
        return DeadlineExceeded("{}", what);
      case 413:
        return ResourceExhausted("{}", what);
      default:
        break;
    }
    if (response.status == 429 || response.status >= 500) return Unavailable("{}", what);
    return InvalidArgument("{}", what);
  }

  absl::StatusOr<std::vector<SearchPassage>> Ask(const Json& query, int64_t limit, int64_t offset,
                                                 const Interrupt& interrupt) const {
    Json source = {options_.title_field, options_.text_field, "url"};
    const Json body = {{"query", query},
                       {"size", limit},
                       {"from", offset},
                       {"_source", std::move(source)},
                       {"track_total_hits", false},
                       {"timeout", fmt::format("{}ms", options_.deadline.count())}};
    HttpRequest request;
    request.method = "POST";
    request.url = options_.url + "/_search";
    request.headers = options_.headers;
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = PrintJson(body);
    TF_ASSIGN_OR_RETURN(const HttpResponse response, client_->Fetch(request, interrupt));
    if (response.status != 200) return ErrorOf(response);
    return Read(response.body, limit);
  }

  absl::StatusOr<std::vector<SearchPassage>> Read(const std::string& body, int64_t limit) const {
    const std::string name = PrintableUrl(options_.url);
    const absl::StatusOr<Json> answer = ParseJson(body, kMaxDepth);
    if (!answer.ok()) return Annotate(answer.status(), name + ": not an answer of a search engine");
    const auto malformed = [&] {
      return InvalidArgument("{}: not an answer of a search engine: no list of hits", name);
    };
    if (!answer->is_object() || !answer->contains("hits")) return malformed();
    if (const auto late = answer->find("timed_out"); late != answer->end() && late->is_boolean() && late->get<bool>()) {
      return DeadlineExceeded("{}: the engine did not finish in time", name);
    }
    const Json& outer = answer->at("hits");
    if (!outer.is_object() || !outer.contains("hits") || !outer.at("hits").is_array()) return malformed();
    std::vector<SearchPassage> passages;
    for (const Json& hit : outer.at("hits")) {
      if (std::ssize(passages) == limit) break;  // whatever it sends
      if (!hit.is_object() || !hit.contains("_source")) return malformed();
      const Json& document = hit.at("_source");
      const std::string* text = StringAt(document, options_.text_field);
      if (text == nullptr) return InvalidArgument("{}: a hit has no text in the field '{}'", name, options_.text_field);
      SearchPassage passage;
      passage.text = *text;
      if (const std::string* title = StringAt(document, options_.title_field)) passage.title = *title;
      if (const std::string* url = StringAt(document, "url")) passage.url = *url;
      if (const std::string* id = StringAt(hit, "_id")) passage.document_id = *id;
      if (const auto score = hit.find("_score"); score != hit.end() && score->is_number()) {
        passage.score = score->get<double>();
      }
      passages.push_back(std::move(passage));
    }
    return passages;
  }

  const EngineSourceOptions options_;
  const std::unique_ptr<HttpClient> client_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const SearchSource>> MakeEngineSource(const EngineSourceOptions& given) {
  EngineSourceOptions options = given;
  while (!options.url.empty() && options.url.back() == '/') options.url.pop_back();
  TF_RETURN_IF_ERROR(CheckHttpUrl(options.url));
  if (options.url.find_first_of("?#") != std::string::npos) {
    return InvalidArgument("{}: the address of an index has no query", PrintableUrl(options.url));
  }
  if (options.title_field.empty() || options.text_field.empty()) {
    return InvalidArgument("title_field and text_field have to name fields");
  }
  if (options.passage_words < 1 || options.passage_words > 10000) {
    return InvalidArgument("passage_words is {}, not within 1 and 10,000", options.passage_words);
  }
  HttpClientOptions http;
  http.allowed_networks = options.allowed_networks;
  http.deadline = options.deadline;
  http.max_response_bytes = options.max_response_bytes;
  http.max_redirects = 0;
  TF_ASSIGN_OR_RETURN(std::unique_ptr<HttpClient> client, HttpClient::Create(std::move(http)));
  return std::make_shared<EngineSource>(std::move(options), std::move(client));
}

}  // namespace toolformer
