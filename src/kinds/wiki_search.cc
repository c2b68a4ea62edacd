#include "toolformer/wiki_search.h"

#include <map>

#include "src/base/status.h"
#include "src/kinds/kinds.h"

namespace toolformer {
namespace {

absl::StatusOr<std::shared_ptr<const SearchSource>> ReadSource(ToolFields& fields, const KindContext& context) {
  std::string index;
  EngineSourceOptions engine;
  std::map<std::string, std::string> headers;
  fields.Read("index", &index);
  fields.Read("url", &engine.url);
  fields.Read("title_field", &engine.title_field);
  fields.Read("text_field", &engine.text_field);
  fields.Read("page_field", &engine.page_field);
  fields.Read("passage_words", &engine.passage_words);
  fields.ReadTexts("headers", &headers);
  engine.headers.assign(headers.begin(), headers.end());
  fields.Read("allowed_networks", &engine.allowed_networks);
  fields.Read("max_response_bytes", &engine.max_response_bytes);
  fields.Read("version", &engine.version);
  if (fields.Has("deadline_ms")) fields.ReadMilliseconds("deadline_ms", &engine.deadline);
  if (index.empty() == engine.url.empty()) fields.Fail("index", "or 'url' says what is searched, one of them");
  TF_RETURN_IF_ERROR(fields.status());
  if (!engine.url.empty()) return MakeEngineSource(engine);
  TF_ASSIGN_OR_RETURN(std::shared_ptr<const SearchIndex> opened, SearchIndex::Open(context.Resolve(index)));
  return MakeIndexSource(std::move(opened));
}

}  // namespace

absl::StatusOr<std::vector<Tool>> MakeWikiSearchKind(ToolFields& fields, const KindContext& context) {
  WikiSearchOptions options;
  fields.Read("results", &options.results);
  fields.Read("snippet_words", &options.snippet_words);
  TF_ASSIGN_OR_RETURN(std::shared_ptr<const SearchSource> source, ReadSource(fields, context));
  std::vector<Tool> tools;
  tools.push_back(MakeWikiSearch(std::move(source), options));
  ReadCommonFields(fields, &tools.back());
  return tools;
}

}  // namespace toolformer
