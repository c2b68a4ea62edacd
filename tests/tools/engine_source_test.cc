// The search tool over an engine elsewhere: a stand-in that speaks the search API of Elasticsearch and OpenSearch.
#include <doctest/doctest.h>

#include <algorithm>
#include <mutex>
#include <sstream>

#include "src/base/json.h"
#include "tests/net/stand_in_server.h"
#include "toolformer/wiki_search.h"

namespace toolformer::engine_source_test {
namespace {

using Json = nlohmann::json;
using testing::Exchange;
using testing::StandInServer;

struct Article {
  std::string title, text;
  int page;
};

const std::vector<Article>& Articles() {
  static const std::vector<Article> articles = {
      {"Nile", "The Nile is a river in Africa. It floods in summer.", 0},
      {"Nile", "Its delta lies in Egypt.", 1},
      {"Amazon River", "The Amazon is the largest river by discharge.", 0},
      {"The Nile (band)", "A band.", 0},
  };
  return articles;
}

std::vector<std::string> Words(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return std::isalnum(c) ? std::tolower(c) : ' '; });
  std::istringstream stream(text);
  return {std::istream_iterator<std::string>(stream), {}};
}

int Matches(const Article& article, const Json& clause) {
  if (clause.contains("term")) {
    if (clause["term"].contains("page")) return clause["term"]["page"] == article.page ? 1 : 0;
    return clause["term"]["title.keyword"] == article.title ? 100 : 0;
  }
  const bool phrase = clause.contains("match_phrase");
  const std::vector<std::string> have = Words(phrase ? article.title : article.title + " " + article.text);
  const auto wanted =
      phrase ? clause["match_phrase"]["title"].get<std::string>() : clause["multi_match"]["query"].get<std::string>();
  int matches = 0;
  bool all = true;
  for (const std::string& word : Words(wanted)) {
    const bool has = std::find(have.begin(), have.end(), word) != have.end();
    matches += has ? 1 : 0;
    all = all && has;
  }
  const bool needs_all = phrase || clause["multi_match"]["operator"] == "and";
  return needs_all && !all ? 0 : matches;
}

// What an engine answers to a request's body.
std::string Answer(const Json& request) {
  struct Hit {
    int score;
    size_t number;
  };
  std::vector<Hit> hits;
  const Json query = request["query"]["bool"];
  for (size_t i = 0; i < Articles().size(); ++i) {
    int score = 0;
    bool found = true;
    for (const Json& clause : query["must"]) {
      score += Matches(Articles()[i], clause);
      found = found && Matches(Articles()[i], clause) > 0;
    }
    for (const Json& clause : query["filter"]) found = found && Matches(Articles()[i], clause) > 0;
    if (query.contains("must_not")) {
      for (const Json& clause : query["must_not"]) found = found && Matches(Articles()[i], clause) == 0;
    }
    if (query.contains("should")) {
      for (const Json& clause : query["should"]) score += Matches(Articles()[i], clause);
    }
    if (found) hits.push_back({score, i});
  }
  std::stable_sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) { return a.score > b.score; });
  Json list = Json::array();
  for (auto i = request["from"].get<size_t>(); i < hits.size() && std::ssize(list) < request["size"].get<int64_t>();
       ++i) {
    const Article& article = Articles()[hits[i].number];
    list.push_back({{"_index", "wiki"},
                    {"_id", std::to_string(hits[i].number)},
                    {"_score", hits[i].score},
                    {"_source", {{"title", article.title}, {"text", article.text}, {"url", nullptr}}}});
  }
  return Json({{"took", 1}, {"timed_out", false}, {"hits", {{"max_score", nullptr}, {"hits", list}}}}).dump();
}

EngineSourceOptions Local(const StandInServer& server) {
  EngineSourceOptions options;
  options.url = server.Url("/wiki/");
  options.allowed_networks = {"127.0.0.0/8"};
  options.headers = {{"Authorization", "ApiKey secret"}};
  return options;
}

std::string Ask(const Tool& tool, const std::string& input) {
  const auto answer = tool.call(input, {});
  return answer.ok() ? *answer : "ERROR " + std::string(answer.status().message());
}

TEST_CASE("the tool answers from an engine as it does from an index") {
  std::vector<std::string> wrong;
  StandInServer server([&](const Exchange& exchange) {
    if (exchange.method != "POST" || exchange.target != "/wiki/_search") wrong.push_back(exchange.target);
    if (exchange.head.find("Content-Type: application/json\r\n") == std::string::npos) wrong.push_back(exchange.head);
    if (exchange.head.find("Authorization: ApiKey secret\r\n") == std::string::npos) wrong.push_back(exchange.head);
    exchange.Answer("200 OK", Answer(Json::parse(exchange.body)), "Content-Type: application/json\r\n");
  });
  EngineSourceOptions options = Local(server);
  options.page_field = "page";
  const Tool tool = MakeWikiSearch(MakeEngineSource(options).value(), {.results = 1});
  CHECK(Ask(tool, "\"largest river\"") == "Amazon River > The Amazon is the largest river by discharge.");
  CHECK(Ask(tool, "\"largest river #2\"") == "Nile > The Nile is a river in Africa. It floods in summer.");
  CHECK(Ask(tool, "\"river -amazon\"") == "Nile > The Nile is a river in Africa. It floods in summer.");
  CHECK(Ask(tool, "\"nile +delta\"") == "Nile > Its delta lies in Egypt.");
  CHECK(Ask(tool, "\"open: nile #2\"") == "Nile > Its delta lies in Egypt.");
  CHECK(Ask(tool, "\"open: Nile #3\"") == "ERROR 'Nile' has no page 3");
  CHECK(Ask(tool, "\"zebra\"") == "ERROR search: nothing has any of these words");
  CHECK(Ask(tool, "\"open: Amazon\"") == "ERROR search: no article is called 'Amazon'; near: Amazon River");
  // Articles that are whole are cut here.
  options.page_field.clear();
  options.passage_words = 6;
  const Tool whole = MakeWikiSearch(MakeEngineSource(options).value());
  CHECK(Ask(whole, "\"open: Nile\"") == "Nile (1 of 2) > The Nile is a river in");
  CHECK(Ask(whole, "\"open: Nile #2\"") == "Nile (2 of 2) > Africa. It floods in summer.");
  CHECK(Ask(whole, "\"open: Nile #3\"") == "ERROR 'Nile' has 2 pages, not 3");
  CHECK(wrong.empty());
}

TEST_CASE("errors of an engine are told apart") {
  // The server may still be writing an answer of which enough was read.
  std::mutex mutex;
  std::string status, body;
  StandInServer server([&](const Exchange& exchange) {
    std::unique_lock lock(mutex);
    const std::string said_status = status, said_body = body;
    lock.unlock();
    exchange.Answer(said_status, said_body);
  });
  const auto source = MakeEngineSource(Local(server)).value();
  const auto say = [&](const std::string& with_status, const std::string& with_body) {
    const std::lock_guard lock(mutex);
    status = with_status;
    body = with_body;
  };
  const auto search = [&](const std::string& with_status, const std::string& with_body) {
    say(with_status, with_body);
    const auto found = source->Search({"river", {}, {}, 2, 0}, {});
    return found.status();
  };
  CHECK(absl::IsPermissionDenied(search("401 Unauthorized", "")));
  CHECK(absl::IsFailedPrecondition(
      search("404 Not Found", R"({"error":{"reason":"no such index [wiki]"},"status":404})")));
  CHECK(search("404 Not Found", R"({"error":{"reason":"no such index [wiki]"}})").message().find("no such index") !=
        absl::string_view::npos);
  CHECK(absl::IsUnavailable(search("429 Too Many Requests", "")));
  CHECK(absl::IsUnavailable(search("503 Service Unavailable", "<html>busy</html>")));
  CHECK(absl::IsDeadlineExceeded(search("504 Gateway Timeout", "")));
  CHECK(absl::IsInvalidArgument(search("400 Bad Request", "{\"error\": 7}")));
  CHECK(absl::IsDeadlineExceeded(search("200 OK", R"({"timed_out":true,"hits":{"hits":[]}})")));
  CHECK(search("200 OK", R"({"hits":{"hits":[]}})").ok());
  for (const std::string garbage :
       {"", "hello", "[]", "{}", "null", R"({"hits":7})", R"({"hits":{"hits":{}}})", R"({"hits":{"hits":[7]}})",
        R"({"hits":{"hits":[{"_source":null}]}})", R"({"hits":{"hits":[{"_source":{"text":7}}]}})",
        R"({"hits":{"hits":[{"_source":{"text":"a"}})", "\xff\xfe"}) {
    CHECK_MESSAGE(absl::IsInvalidArgument(search("200 OK", garbage)), garbage);
  }
  CHECK_FALSE(search("200 OK", std::string(100000, '[')).ok());
  // More hits than were asked for, and fields of other types.
  std::string many = R"({"hits":{"hits":[{"_source":{"text":"a","title":7,"url":[]},"_id":7,"_score":"x"})";
  for (int i = 0; i < 1000; ++i) many += R"(,{"_source":{"text":"a"}})";
  say("200 OK", many + "]}}");
  CHECK(source->Search({"river", {}, {}, 2, 0}, {})->size() == 2);
}

TEST_CASE("an engine that is slow, too talkative or not there") {
  std::atomic<bool> hang = true;
  StandInServer server([&](const Exchange& exchange) {
    if (hang) {
      exchange.Hang();
    } else {
      exchange.Answer("200 OK", std::string(100000, ' '));
    }
  });
  EngineSourceOptions options = Local(server);
  options.deadline = std::chrono::milliseconds(100);
  options.max_response_bytes = 50000;
  const auto source = MakeEngineSource(options).value();
  CHECK(absl::IsDeadlineExceeded(source->Search({"river", {}, {}, 2, 0}, {}).status()));
  Interrupt interrupt;
  interrupt.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
  CHECK(absl::IsDeadlineExceeded(source->Search({"river", {}, {}, 2, 0}, interrupt).status()));
  hang = false;
  CHECK(absl::IsResourceExhausted(source->Search({"river", {}, {}, 2, 0}, {}).status()));
  // A local address is refused unless it is allowed.
  options.allowed_networks.clear();
  CHECK(absl::IsPermissionDenied(MakeEngineSource(options).value()->Search({"river", {}, {}, 2, 0}, {}).status()));
  options.allowed_networks = {"127.0.0.0/8"};
  options.url = "http://127.0.0.1:1/wiki";
  CHECK(absl::IsUnavailable(MakeEngineSource(options).value()->Search({"river", {}, {}, 2, 0}, {}).status()));
  for (const char* url : {"", "file:///etc/passwd", "http://u:p@x/wiki", "http://x/wiki?a=b"}) {
    options.url = url;
    CHECK_MESSAGE(absl::IsInvalidArgument(MakeEngineSource(options).status()), url);
  }
}

}  // namespace
}  // namespace toolformer::engine_source_test
