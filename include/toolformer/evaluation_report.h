// A picture of an evaluation: one self-contained HTML page, where mistakes can be looked at.
#ifndef TOOLFORMER_EVALUATION_REPORT_H_
#define TOOLFORMER_EVALUATION_REPORT_H_

#include <string>
#include <utility>
#include <vector>

#include "toolformer/export.h"
#include "toolformer/perplexity.h"
#include "toolformer/question_suite.h"

namespace toolformer {

struct TOOLFORMER_API EvaluatedSet {
  QuestionSet set;
  std::vector<Prediction> predictions;  // of the questions, in their order
};

struct TOOLFORMER_API EvaluatedText {
  std::string name;
  Perplexity perplexity;
};

struct TOOLFORMER_API Evaluation {
  std::vector<EvaluatedSet> sets;
  std::vector<EvaluatedText> texts;
  std::vector<std::pair<std::string, std::string>> parameters;  // what it was done with: name, value
};

// The page: a table of the sets and one of the texts, and for each set how the probability of calling goes with calls
// and right answers, and its questions with what the model wrote, calls highlighted, to be chosen among by right or
// wrong and by what became of calls. At most 2,000 questions of a set are shown, all are counted. No script, no
// network. Whatever questions, predictions and results contain is shown as text.
TOOLFORMER_API std::string RenderEvaluationReport(const Evaluation& evaluation);

}  // namespace toolformer

#endif  // TOOLFORMER_EVALUATION_REPORT_H_
