// AnnotatedDocument as one line of JSON, and back.
#include <utility>

#include "src/base/json.h"
#include "src/base/json_fields.h"
#include "src/base/status.h"
#include "toolformer/annotator.h"

namespace toolformer {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const JudgedCall& call) {
  Json json;
  json["position"] = call.position;
  json["byte_offset"] = call.byte_offset;
  json["opening_probability"] = call.opening_probability;
  if (call.source != CallSource::kSampled) json["source"] = CallSourceName(call.source);
  json["tool"] = call.call.tool;
  json["input"] = call.call.input;
  json["result"] = call.result ? Json(*call.result) : Json();
  if (!call.error.empty()) json["error"] = call.error;
  if (call.losses) {
    json["loss_empty"] = call.losses->empty;
    if (call.losses->call) json["loss_call"] = *call.losses->call;
    json["loss_result"] = call.losses->result;
    json[call.losses->gain_is_bound() ? "gain_at_most" : "gain"] = call.losses->gain();
  }
  json["verdict"] = VerdictName(call.verdict);
  return json;
}

Json ToJson(const ToolOutcome& outcome) {
  Json json;
  json["tool"] = outcome.tool;
  json["document_accepted"] = outcome.document_accepted;
  json["positions"] = Json::array();
  for (const Position& position : outcome.positions) {
    json["positions"].push_back({{"index", position.index}, {"probability", position.probability}});
  }
  const SamplingCounts& counts = outcome.sampling;
  json["sampling"] = {{"samples", counts.samples},       {"not_a_call", counts.not_a_call},
                      {"other_tool", counts.other_tool}, {"not_closed", counts.not_closed},
                      {"duplicates", counts.duplicates}, {"candidates", counts.candidates}};
  if (counts.dropped > 0) json["sampling"]["dropped"] = counts.dropped;
  json["calls"] = Json::array();
  for (const JudgedCall& call : outcome.calls) json["calls"].push_back(ToJson(call));
  return json;
}

template <typename Enum>
void ReadName(const std::string& name, std::initializer_list<Enum> values, std::string_view (*name_of)(Enum),
              std::pair<JsonFields*, Enum*> to) {
  for (const Enum value : values) {
    if (name_of(value) == name) {
      *to.second = value;
      return;
    }
  }
  to.first->Fail(name, "is not a known name");
}

JudgedCall ReadCall(const nlohmann::json& json, JsonFields* reader) {
  JudgedCall call;
  reader->Read(json, "position", &call.position);
  reader->Read(json, "byte_offset", &call.byte_offset);
  reader->Read(json, "opening_probability", &call.opening_probability);
  if (json.is_object() && json.contains("source")) {
    std::string source;
    reader->Read(json, "source", &source);
    ReadName(source, {CallSource::kSampled, CallSource::kWorkedOut}, CallSourceName, {reader, &call.source});
  }
  reader->Read(json, "tool", &call.call.tool);
  reader->Read(json, "input", &call.call.input);
  if (json.is_object() && json.contains("result") && !json["result"].is_null()) {
    reader->Read(json, "result", &call.result.emplace());
  }
  if (json.is_object() && json.contains("error")) reader->Read(json, "error", &call.error);
  if (json.is_object() && json.contains("loss_empty")) {
    CallLosses& losses = call.losses.emplace();
    reader->Read(json, "loss_empty", &losses.empty);
    if (json.contains("loss_call")) reader->Read(json, "loss_call", &losses.call.emplace());
    reader->Read(json, "loss_result", &losses.result);
  }
  std::string verdict;
  reader->Read(json, "verdict", &verdict);
  ReadName(verdict, {Verdict::kKept, Verdict::kToolError, Verdict::kBelowThreshold, Verdict::kSmallerGain}, VerdictName,
           {reader, &call.verdict});
  return call;
}

ToolOutcome ReadOutcome(const nlohmann::json& json, JsonFields* reader) {
  ToolOutcome outcome;
  reader->Read(json, "tool", &outcome.tool);
  reader->Read(json, "document_accepted", &outcome.document_accepted);
  reader->ReadEach(json, "positions", [&](const nlohmann::json& element) {
    Position& position = outcome.positions.emplace_back();
    reader->Read(element, "index", &position.index);
    reader->Read(element, "probability", &position.probability);
  });
  const nlohmann::json sampling = json.is_object() ? json.value("sampling", nlohmann::json()) : nlohmann::json();
  reader->Read(sampling, "samples", &outcome.sampling.samples);
  reader->Read(sampling, "not_a_call", &outcome.sampling.not_a_call);
  reader->Read(sampling, "other_tool", &outcome.sampling.other_tool);
  reader->Read(sampling, "not_closed", &outcome.sampling.not_closed);
  reader->Read(sampling, "duplicates", &outcome.sampling.duplicates);
  reader->Read(sampling, "candidates", &outcome.sampling.candidates);
  // Left out where nothing was dropped.
  if (sampling.is_object() && sampling.contains("dropped"))
    reader->Read(sampling, "dropped", &outcome.sampling.dropped);
  reader->ReadEach(json, "calls",
                   [&](const nlohmann::json& element) { outcome.calls.push_back(ReadCall(element, reader)); });
  return outcome;
}

}  // namespace

std::string FormatAnnotation(const AnnotatedDocument& annotated) {
  Json json;
  const Document& document = annotated.document;
  if (!document.id.empty()) json["id"] = document.id;
  if (!document.url.empty()) json["url"] = document.url;
  if (document.date) json["date"] = FormatIsoDate(*document.date);
  json["text"] = document.text;
  json["augmented_text"] = annotated.augmented_text;
  json["skip"] = SkipName(annotated.skip);
  json["tools"] = Json::array();
  for (const ToolOutcome& outcome : annotated.tools) json["tools"].push_back(ToJson(outcome));
  json["token_ids"] = annotated.token_ids;
  json["augmented_ids"] = annotated.augmented_ids;
  return PrintJson(json);
}

absl::StatusOr<AnnotatedDocument> ParseAnnotation(std::string_view json_line) {
  AnnotatedDocument annotated;
  TF_ASSIGN_OR_RETURN(annotated.document, ParseDocument(json_line));
  TF_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(json_line));
  JsonFields reader;
  reader.Read(json, "augmented_text", &annotated.augmented_text);
  std::string skip;
  reader.Read(json, "skip", &skip);
  ReadName(skip, {Skip::kNone, Skip::kEmpty, Skip::kTooLong, Skip::kContainsCalls}, SkipName,
           {&reader, &annotated.skip});
  reader.ReadEach(json, "tools",
                  [&](const nlohmann::json& element) { annotated.tools.push_back(ReadOutcome(element, &reader)); });
  reader.Read(json, "token_ids", &annotated.token_ids);
  reader.Read(json, "augmented_ids", &annotated.augmented_ids);
  TF_RETURN_IF_ERROR(reader.status());
  return annotated;
}

}  // namespace toolformer
