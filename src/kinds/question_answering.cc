// The kind "question_answering".
#include "toolformer/question_answering.h"

#include "src/base/status.h"
#include "src/kinds/kinds.h"

namespace toolformer {

absl::StatusOr<std::vector<Tool>> MakeQuestionAnsweringKind(ToolFields& fields, const KindContext& context) {
  QuestionAnsweringOptions options;
  const std::string model = fields.Required("model");
  std::string index, weights = "int8";
  fields.Read("index", &index);
  fields.Read("weights", &weights);
  fields.Read("passages", &options.passages);
  fields.Read("least_confidence", &options.least_confidence);
  if (weights != "int8" && weights != "float32") fields.Fail("weights", "is none of: int8, float32");
  if (options.passages < 1 || options.passages > 100) fields.Fail("passages", "is not within 1 to 100");
  if (!(options.least_confidence >= 0.0 && options.least_confidence <= 1.0)) {
    fields.Fail("least_confidence", "is not within 0 to 1");
  }
  TF_RETURN_IF_ERROR(fields.status());
  std::shared_ptr<const SearchSource> source;
  if (!index.empty()) {
    TF_ASSIGN_OR_RETURN(std::shared_ptr<const SearchIndex> opened, SearchIndex::Open(context.Resolve(index)));
    source = MakeIndexSource(std::move(opened));
  }
  TF_ASSIGN_OR_RETURN(
      std::shared_ptr<const AnswerReader> reader,
      LoadAnswerReader(context.Resolve(model), weights == "int8" ? WeightType::kInt8 : WeightType::kFloat32));
  std::vector<Tool> tools;
  tools.push_back(MakeQuestionAnswering(std::move(reader), std::move(source), options));
  ReadCommonFields(fields, &tools.back());
  return tools;
}

}  // namespace toolformer
