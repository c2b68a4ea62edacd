// What every tool of a tools file may have.
#include <algorithm>
#include <cctype>
#include <memory>

#include "src/base/json.h"
#include "src/base/random.h"
#include "src/host/pattern.h"
#include "src/host/tool_kind.h"
#include "toolformer/call_syntax.h"

namespace toolformer {

using nlohmann::json;

namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(c < 0x80 ? std::tolower(c) : c); });
  return lower;
}

// `text` with the calls of one tool as calls of another.
std::string RenameCalls(std::string_view text, const std::string& from, const std::string& to) {
  std::string out;
  size_t copied = 0;
  for (const CallSpan& span : FindCalls(text)) {
    if (span.call.tool != from) continue;
    out.append(text.substr(copied, span.begin - copied));
    out += PrintCall({to, span.call.input}, span.result);
    copied = span.end;
  }
  return out.append(text.substr(copied));
}

void Rename(const std::string& name, Tool* tool) {
  const std::string old = std::exchange(tool->name, name);
  if (old.empty() || old == name) return;
  tool->instruction = RenameCalls(tool->instruction, old, name);
  for (ToolExample& example : tool->examples) example.output = RenameCalls(example.output, old, name);
  if (!tool->propose) return;
  tool->propose = [propose = std::move(tool->propose), name](const Document& document) {
    std::vector<WorkedOutCall> calls = propose(document);
    for (WorkedOutCall& call : calls) call.call.tool = name;
    return calls;
  };
}

void ReadExamples(ToolFields& fields, Tool* tool) {
  const json* examples = fields.Take("examples");
  if (examples == nullptr) return;
  if (!examples->is_array()) return fields.Fail("examples", "is not a list of objects with input and output");
  tool->examples.clear();
  for (size_t i = 0; i < examples->size(); ++i) {
    ToolFields each((*examples)[i], "examples[" + std::to_string(i) + "].");
    ToolExample example{each.Required("input"), each.Required("output")};
    if (const absl::Status status = each.Finish(); !status.ok()) return fields.Fail("examples", status);
    tool->examples.push_back(std::move(example));
  }
}

void ReadParameters(ToolFields& fields, Tool* tool) {
  const json* parameters = fields.Take("parameters");
  if (parameters == nullptr) return;
  ToolFields each(*parameters, "parameters.");
  each.Read("tau_s", &tool->parameters.tau_s);
  each.Read("k", &tool->parameters.k);
  each.Read("m", &tool->parameters.m);
  each.Read("tau_f", &tool->parameters.tau_f);
  fields.Fail("parameters", each.Finish());
}

// Which documents are worth asking the tool about.
void ReadDocuments(ToolFields& fields, Tool* tool) {
  const json* documents = fields.Take("documents");
  if (documents == nullptr) return;
  ToolFields each(*documents, "documents.");
  std::vector<std::string> keywords;
  std::string pattern_text;
  double share = 0;
  each.Read("keywords", &keywords);
  each.Read("pattern", &pattern_text);
  each.Read("share_of_others", &share);
  if (!(share >= 0 && share <= 1)) each.Fail("share_of_others", "is not from 0 to 1");
  if (keywords.empty() && pattern_text.empty()) each.Fail("", "has neither keywords nor a pattern");
  for (std::string& keyword : keywords) {
    if (keyword.empty()) each.Fail("keywords", "has an empty one");
    keyword = Lower(keyword);
  }
  std::shared_ptr<const Pattern> pattern;
  if (!pattern_text.empty()) {
    auto compiled = Pattern::Compile(pattern_text);
    each.Fail("pattern", compiled.status());
    if (compiled.ok()) pattern = *std::move(compiled);
  }
  if (const absl::Status status = each.Finish(); !status.ok()) return fields.Fail("documents", status);
  tool->accepts = [keywords, pattern, share](const Document& document, uint64_t seed) {
    const std::string text = keywords.empty() ? "" : Lower(document.text);
    for (const std::string& keyword : keywords) {
      if (text.find(keyword) != std::string::npos) return true;
    }
    // A text on which the pattern gives up is one of the others.
    if (pattern != nullptr && pattern->Matches(document.text).value_or(false)) return true;
    return share > 0 && RandomStream(CombineSeeds({seed, HashBytes(document.text)})).Uniform() < share;
  };
}

// Of a tool that takes its input as it is.
constexpr std::string_view kPlainInput =
    R"({"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]})";

}  // namespace

void ReadCommonFields(ToolFields& fields, Tool* tool) {
  if (fields.Has("name") || tool->name.empty()) {
    if (const std::string name = fields.Required("name"); !name.empty()) Rename(name, tool);
  } else {
    (void)fields.Take("name");  // known, if only not given
  }
  fields.Read("instruction", &tool->instruction);
  ReadExamples(fields, tool);
  ReadParameters(fields, tool);
  ReadDocuments(fields, tool);
  fields.Read("free_of_side_effects", &tool->free_of_side_effects);
  fields.Read("cacheable", &tool->cacheable);
  fields.Read("version", &tool->version);
  fields.Read("max_concurrent_calls", &tool->max_concurrent_calls);
  fields.Read("max_retries", &tool->max_retries);
  fields.Read("input_characters", &tool->input_characters);
  if (fields.Has("deadline_ms")) {
    std::chrono::milliseconds deadline{1};
    fields.ReadMilliseconds("deadline_ms", &deadline);
    tool->deadline = deadline;
  } else {
    (void)fields.Take("deadline_ms");
  }
}

std::shared_ptr<const ToolArguments> ReadArgumentFields(ToolFields& fields, Tool* tool) {
  std::string description;
  fields.Read("description", &description);
  const json* schema = fields.Take("arguments");
  auto arguments = ToolArguments::Parse(schema == nullptr ? std::string(kPlainInput) : PrintJson(*schema));
  fields.Fail("arguments", arguments.status());
  if (!arguments.ok()) return nullptr;
  if (!tool->name.empty()) (*arguments)->Describe(description, tool);
  if (schema == nullptr) return nullptr;
  return *std::move(arguments);
}

}  // namespace toolformer
