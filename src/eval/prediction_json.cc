// A prediction as one line of JSON, and back.
#include "src/base/json.h"
#include "src/base/json_fields.h"
#include "src/base/status.h"
#include "toolformer/question_suite.h"

namespace toolformer {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const std::optional<Answer>& answer) {
  return answer ? std::visit([](const auto& value) { return Json(value); }, *answer) : Json();
}

Json ToJson(const DecodedCall& call) {
  Json json;
  json["tool"] = call.call.tool;
  json["input"] = call.call.input;
  json["result"] = call.result ? Json(*call.result) : Json();
  if (!call.error.empty()) json["error"] = call.error;
  json["byte_offset"] = call.byte_offset;
  json["opening_probability"] = call.opening_probability;
  return json;
}

bool Has(const nlohmann::json& json, const char* name) {
  return json.is_object() && json.contains(name) && !json[name].is_null();
}

DecodedCall ReadCall(const nlohmann::json& json, JsonFields* fields) {
  DecodedCall call;
  fields->Read(json, "tool", &call.call.tool);
  fields->Read(json, "input", &call.call.input);
  if (Has(json, "result")) fields->Read(json, "result", &call.result.emplace());
  if (Has(json, "error")) fields->Read(json, "error", &call.error);
  fields->Read(json, "byte_offset", &call.byte_offset);
  fields->Read(json, "opening_probability", &call.opening_probability);
  return call;
}

}  // namespace

std::string FormatPrediction(const Question& question, const Prediction& prediction) {
  Json json;
  json["id"] = question.id;
  json["problem"] = question.text;
  json["answer"] = ToJson(question.answer);
  json["text"] = prediction.text;
  json["predicted"] = ToJson(prediction.predicted);
  json["correct"] = prediction.correct;
  if (prediction.exact) json["exact"] = true;
  json["opening_probability"] = prediction.opening_probability;
  json["calls"] = Json::array();
  for (const DecodedCall& call : prediction.calls) json["calls"].push_back(ToJson(call));
  if (prediction.called()) json["result_correct"] = prediction.result_correct;
  if (!prediction.error.empty()) json["error"] = prediction.error;
  return PrintJson(json);
}

absl::StatusOr<Prediction> ParsePrediction(std::string_view json_line) {
  TF_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(json_line));
  JsonFields fields;
  Prediction prediction;
  fields.Read(json, "text", &prediction.text);
  if (Has(json, "predicted")) {
    if (json["predicted"].is_number()) {
      prediction.predicted = json["predicted"].get<double>();
    } else {
      std::string words;
      fields.Read(json, "predicted", &words);
      prediction.predicted = words;
    }
  }
  fields.Read(json, "correct", &prediction.correct);
  if (Has(json, "exact")) fields.Read(json, "exact", &prediction.exact);
  fields.Read(json, "opening_probability", &prediction.opening_probability);
  fields.ReadEach(json, "calls",
                  [&](const nlohmann::json& call) { prediction.calls.push_back(ReadCall(call, &fields)); });
  if (Has(json, "result_correct")) fields.Read(json, "result_correct", &prediction.result_correct);
  if (Has(json, "error")) fields.Read(json, "error", &prediction.error);
  TF_RETURN_IF_ERROR(fields.status());
  return prediction;
}

}  // namespace toolformer
