// The page of an evaluation.
#include "toolformer/evaluation_report.h"

#include <string>

#include "tests/check.h"

namespace toolformer::evaluation_report_test {
namespace {

bool Contains(const std::string& page, const std::string& part) { return page.find(part) != std::string::npos; }

int64_t Count(const std::string& page, const std::string& part) {
  int64_t count = 0;
  for (size_t at = page.find(part); at != std::string::npos; at = page.find(part, at + 1)) ++count;
  return count;
}

Evaluation Sample() {
  EvaluatedSet evaluated;
  evaluated.set = {"SVAMP", {{"a", "Two and two?", 4.0}, {"b", "Three & three?", 6.0}, {"c", "Why <b>?", 1.0}}, 5};
  Prediction called, failed, silent;
  called.text = " So [Tool(2 + \"]\") -> 4] 4.";
  called.calls = {{{"Tool", "2 + \"]\""}, "4", "", 4, 0.75}};
  called.opening_probability = 0.75;
  called.predicted = 4.0;
  called.correct = called.result_correct = true;
  failed.text = "[Tool(x) ->] <script>7</script>";
  failed.calls = {{{"Tool", "x"}, std::nullopt, "not <an> expression", 0, 0.2}};
  failed.opening_probability = 0.2;
  failed.predicted = 7.0;
  silent.text = " nothing";
  silent.opening_probability = 0.0005;
  evaluated.predictions = {called, failed, silent};
  Evaluation evaluation;
  evaluation.sets = {evaluated};
  evaluation.parameters = {{"suite", "math"}};
  return evaluation;
}

TEST_CASE("every question with what was written, predicted and right") {
  const std::string page = RenderEvaluationReport(Sample());
  CHECK(Contains(page,
                 "<th scope=\"row\">SVAMP</th><td>3</td><td>1</td><td><b>33.3</b></td><td>66.7%</td><td>1</td>"
                 "<td>5</td>"));
  CHECK(Count(page, "<article ") == 3);
  CHECK(Count(page, "<article class=\"doc right called\">") == 1);
  CHECK(Count(page, "<article class=\"doc wrong failed\">") == 1);
  CHECK(Count(page, "<article class=\"doc wrong uncalled\">") == 1);
  // The bracket in the quoted input does not end the call.
  CHECK(Contains(
      page, "So <mark class=\"t0\" tabindex=\"0\" title=\"p = 0.75\">[Tool(2 + &quot;]&quot;) -&gt; 4]</mark> 4."));
  CHECK(Contains(page, "<dt>predicted</dt><dd><code>7</code></dd>\n<dt>right is</dt><dd><code>6</code></dd>"));
  CHECK(Contains(page, "not &lt;an&gt; expression"));
  CHECK(Contains(page, "<i>nothing</i>"));
  CHECK(Contains(page, "<th scope=\"row\">suite</th><td>math</td>"));
}

TEST_CASE("boxes choose among the questions without a script") {
  const std::string page = RenderEvaluationReport(Sample());
  CHECK(Contains(page, "<label for=\"set0-right\">right: 1</label>"));
  CHECK(Contains(page, "<label for=\"set0-wrong\">wrong: 2</label>"));
  CHECK(Contains(page, "<label for=\"set0-called\">call with result: 1</label>"));
  CHECK(Contains(page, "<label for=\"set0-uncalled\">no call: 1</label>"));
  CHECK(Contains(page, "<label for=\"set0-failed\">call failed: 1</label>"));
  // Each box is before the questions, beside them, and the style names both.
  for (const std::string name : {"right", "wrong", "called", "uncalled", "failed"}) {
    CAPTURE(name);
    CHECK(page.find("id=\"set0-" + name + "\" checked>") < page.find("<article "));
    CHECK(Contains(page, ".f-" + name + ":not(:checked) ~ ." + name));
  }
  CHECK(Contains(page, "default-src 'none'"));
  CHECK(!Contains(page, "<script"));
  CHECK(!Contains(page, "http://"));
  CHECK(!Contains(page, "https://"));
}

TEST_CASE("calibration has a row for each bin and is left out where calls are disabled") {
  Evaluation evaluation = Sample();
  std::string page = RenderEvaluationReport(evaluation);
  CHECK(Contains(page,
                 "<th scope=\"row\">0.7 to 0.9</th><td>1</td><td>1 (100%)</td><td>1 (100%)</td><td>1 (100%)</td>"
                 "<td>&#8211;</td><td>1 (100%)</td>"));
  CHECK(Contains(page,
                 "<th scope=\"row\">0.1 to 0.3</th><td>1</td><td>1 (100%)</td><td>0 (0%)</td><td>0 (0%)</td>"
                 "<td>&#8211;</td><td>0 (0%)</td>"));
  CHECK(Count(page, "<svg ") == 1);
  for (Prediction& prediction : evaluation.sets[0].predictions) {
    prediction.calls.clear();
    prediction.opening_probability = 0.0;
  }
  page = RenderEvaluationReport(evaluation);
  CHECK(Count(page, "<svg ") == 0);
}

TEST_CASE("2,000 questions of a set are shown, all are counted, and long texts are cut") {
  Evaluation evaluation = Sample();
  EvaluatedSet& evaluated = evaluation.sets[0];
  evaluated.set.questions.resize(2500, {"d", std::string(100000, 'q'), 1.0});
  Prediction wordy;
  wordy.text = std::string(100000, 'w');
  evaluated.predictions.resize(2500, wordy);
  const std::string page = RenderEvaluationReport(evaluation);
  CHECK(Count(page, "<article ") == 2000);
  CHECK(Contains(page, "... and 500 more, not shown"));
  CHECK(Contains(page, "<th scope=\"row\">SVAMP</th><td>2500</td>"));
  CHECK(page.size() < 2000 * 10000);
}

TEST_CASE("texts have a table; nothing evaluated is a page, too") {
  Evaluation evaluation;
  evaluation.texts = {{"wiki<pedia>.txt", {}}};
  evaluation.texts[0].perplexity.total = {{10, 20.0}, {8, 8.0}};
  const std::string page = RenderEvaluationReport(evaluation);
  CHECK(Contains(page,
                 "<th scope=\"row\">wiki&lt;pedia&gt;.txt</th><td>10</td><td><b>2.718</b></td><td>7.389</td>"
                 "<td>2.00000</td>"));
  CHECK(RenderEvaluationReport({}).ends_with("</html>\n"));
}

}  // namespace
}  // namespace toolformer::evaluation_report_test
