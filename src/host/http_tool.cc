#include "toolformer/http_tool.h"

#include <utility>

#include "src/base/json.h"
#include "src/base/status.h"
#include "src/host/fill_template.h"
#include "src/host/json_path.h"
#include "src/host/network.h"
#include "toolformer/call_syntax.h"

namespace toolformer {
namespace {

using nlohmann::json;

TemplateKind KindOf(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find(';'));
  if (type == "application/x-www-form-urlencoded") return TemplateKind::kForm;
  const bool is_json = type == "application/json" || (type.size() > 5 && type.substr(type.size() - 5) == "+json");
  return is_json ? TemplateKind::kJson : TemplateKind::kText;
}

struct HttpTool {
  HttpToolOptions options;
  Template url, body;
  bool has_result = false;
  JsonPath result;
  std::shared_ptr<const HttpClient> client;

  absl::StatusOr<std::string> Call(std::string_view input, const Interrupt& interrupt) const {
    json values = json::object();
    values["input"] = std::string(input);
    if (options.arguments != nullptr) {
      TF_ASSIGN_OR_RETURN(const std::string read, options.arguments->Read(input));
      TF_ASSIGN_OR_RETURN(values, ParseJson(read));
      const json all = values;
      if (!values.contains("input")) values["input"] = all;
    }
    HttpRequest request;
    request.method = options.method;
    TF_ASSIGN_OR_RETURN(request.url, url.Fill(values));
    request.headers.assign(options.headers.begin(), options.headers.end());
    if (options.method != "GET") {
      TF_ASSIGN_OR_RETURN(request.body, body.Fill(values));
      if (!options.body.empty()) request.headers.emplace_back("Content-Type", options.content_type);
    }
    TF_ASSIGN_OR_RETURN(const HttpResponse response, client->Fetch(request, interrupt));
    TF_RETURN_IF_ERROR(CheckStatus(response));
    if (!has_result) return response.body;
    const absl::StatusOr<json> answer = ParseJson(response.body);
    if (!answer.ok()) return Annotate(answer.status(), "the answer of " + PrintableUrl(response.url));
    return result.Read(*answer);
  }
};

}  // namespace

absl::Status CheckStatus(const HttpResponse& response) {
  const int status = response.status;
  if (status >= 200 && status < 300) return absl::OkStatus();
  const std::string said = NeutralizeResult(response.body, 160);
  const std::string message =
      fmt::format("{}: status {}{}{}", PrintableUrl(response.url), status, said.empty() ? "" : ": ", said);
  if (status == 404) return absl::NotFoundError(message);
  const bool may_pass = status == 408 || status == 425 || status == 429 || status >= 500;
  return may_pass ? absl::UnavailableError(message) : absl::FailedPreconditionError(message);
}

absl::StatusOr<std::shared_ptr<const HttpClient>> MakeClient(const NetworkOptions& network) {
  HttpClientOptions options;
  options.allowed_networks = network.allowed_networks;
  options.deadline = network.deadline;
  options.max_response_bytes = network.max_response_bytes;
  options.max_redirects = network.max_redirects;
  options.ca_file = network.ca_file;
  TF_ASSIGN_OR_RETURN(std::unique_ptr<HttpClient> client, HttpClient::Create(std::move(options)));
  return std::shared_ptr<const HttpClient>(std::move(client));
}

absl::StatusOr<ToolFunction> MakeHttpFunction(HttpToolOptions options) {
  auto tool = std::make_shared<HttpTool>();
  TF_ASSIGN_OR_RETURN(tool->client, MakeClient(options.network));
  const absl::StatusOr<Template> url = Template::Parse(options.url, TemplateKind::kUrl);
  if (!url.ok()) return Annotate(url.status(), "url");
  tool->url = *url;
  TF_ASSIGN_OR_RETURN(tool->body, Template::Parse(options.body, KindOf(options.content_type)));
  TF_ASSIGN_OR_RETURN(const std::string sample, tool->url.Fill(json::object()));
  if (const absl::Status good = CheckHttpUrl(sample); !good.ok()) return Annotate(good, "url");
  if (options.method == "GET" && !options.body.empty())
    return InvalidArgument("body: a GET request has none; method POST has");
  if (options.method == "HEAD") return InvalidArgument("method: HEAD answers nothing");
  std::set<std::string> names = tool->url.Names();
  names.merge(tool->body.Names());
  for (const std::string& name : names) {
    if (name == "input") continue;
    if (options.arguments == nullptr) {
      return InvalidArgument("'{{{}}}' is no place: without a schema of arguments there is only {{input}}", name);
    }
    if (!options.arguments->HasArgument(name)) {
      return InvalidArgument("'{{{}}}' is no place: there is no such argument; they are written {}", name,
                             options.arguments->Form());
    }
  }
  if (KindOf(options.content_type) == TemplateKind::kJson && !options.body.empty()) {
    TF_ASSIGN_OR_RETURN(const std::string filled, tool->body.Fill(json::object()));
    if (const auto parsed = ParseJson(filled); !parsed.ok()) return Annotate(parsed.status(), "body");
  }
  tool->has_result = !options.result.empty();
  const absl::StatusOr<JsonPath> result = JsonPath::Parse(options.result);
  if (!result.ok()) return Annotate(result.status(), "result");
  tool->result = *result;
  tool->options = std::move(options);
  return [tool = std::shared_ptr<const HttpTool>(tool)](std::string_view input, const ToolContext& context) {
    return tool->Call(input, context.interrupt);
  };
}

}  // namespace toolformer
