#include "toolformer/annotation_report.h"

#include <cmath>
#include <limits>
#include <utility>

#include "tests/check.h"

namespace toolformer::annotation_report_test {
namespace {

JudgedCall MakeCall(int64_t position, double gain, Verdict verdict) {
  JudgedCall call;
  call.position = position;
  call.byte_offset = 4 * position;
  call.opening_probability = 0.125;
  call.call = {"Calculator", "1 + 1"};
  call.result = "2";
  call.losses = CallLosses{.empty = 3.0, .call = 3.5, .result = 3.0 - gain};
  call.verdict = verdict;
  return call;
}

JudgedCall FailedCall() {
  JudgedCall call;
  call.call = {"Calculator", "1 /"};
  call.error = "not an expression";
  return call;
}

AnnotatedDocument MakeDocument(const std::string& text, std::vector<JudgedCall> calls) {
  AnnotatedDocument annotated;
  annotated.document.text = text;
  annotated.document.id = "doc";
  ToolOutcome& outcome = annotated.tools.emplace_back();
  outcome.tool = "Calculator";
  outcome.document_accepted = true;
  outcome.positions = {{.index = 0, .probability = 0.1}, {.index = 1, .probability = 0.2}};
  outcome.sampling = {
      .samples = 10, .not_a_call = 1, .other_tool = 2, .not_closed = 3, .duplicates = 1, .candidates = 3};
  outcome.calls = std::move(calls);
  return annotated;
}

std::vector<AnnotatedDocument> Sample() {
  std::vector<AnnotatedDocument> documents;
  documents.push_back(MakeDocument("One and one is two.", {MakeCall(1, 1.0, Verdict::kKept), FailedCall(),
                                                           MakeCall(1, 0.5, Verdict::kSmallerGain)}));
  documents.push_back(MakeDocument("Nothing here.", {MakeCall(0, -0.25, Verdict::kBelowThreshold)}));
  AnnotatedDocument& skipped = documents.emplace_back();
  skipped.document.text = "";
  skipped.skip = Skip::kEmpty;
  AnnotatedDocument& calendar = documents.emplace_back(MakeDocument("A date.", {}));
  calendar.tools[0].document_accepted = false;
  calendar.tools[0].tool = "Calendar";
  calendar.tools[0].positions.clear();
  calendar.tools[0].sampling = {};
  return documents;
}

bool Contains(const std::string& page, const std::string& part) { return page.find(part) != std::string::npos; }

int64_t Count(const std::string& page, const std::string& part) {
  int64_t count = 0;
  for (size_t at = page.find(part); at != std::string::npos; at = page.find(part, at + 1)) ++count;
  return count;
}

TEST_CASE("counts by tool and by reason") {
  const AnnotationCounts counts = CountAnnotations(Sample());
  CHECK(counts.documents == 4);
  CHECK(counts.documents_with_calls == 1);
  const bool skipped = counts.skipped == std::map<Skip, int64_t>{{Skip::kEmpty, 1}};
  CHECK(skipped);
  REQUIRE(counts.tools.size() == 2);
  const ToolCounts& calculator = counts.tools.at("Calculator");
  CHECK(calculator.documents_accepted == 2);
  CHECK(calculator.positions == 4);
  CHECK(calculator.sampling.samples == 20);
  CHECK(calculator.sampling.not_a_call == 2);
  CHECK(calculator.sampling.other_tool == 4);
  CHECK(calculator.sampling.not_closed == 6);
  CHECK(calculator.sampling.duplicates == 2);
  CHECK(calculator.sampling.candidates == 6);
  // c10 has a printer of maps, which cannot print these.
  const bool verdicts =
      calculator.verdicts ==
      std::map<Verdict, int64_t>{
          {Verdict::kKept, 1}, {Verdict::kToolError, 1}, {Verdict::kBelowThreshold, 1}, {Verdict::kSmallerGain, 1}};
  CHECK(verdicts);
  CHECK(calculator.gains == std::vector<double>{1.0, 0.5, -0.25});
  // A gain that equals the threshold reaches it.
  CHECK(calculator.yields.at(CallSource::kSampled).at ==
        std::map<double, int64_t>{{0.25, 2}, {0.5, 2}, {1.0, 1}, {2.0, 0}});
  CHECK(counts.tools.at("Calendar").documents_accepted == 0);
  CHECK(counts.tools.at("Calendar").yields.empty());
}

TEST_CASE("what each source gave, for a million tokens that were read") {
  std::vector<AnnotatedDocument> documents = Sample();
  for (AnnotatedDocument& annotated : documents) annotated.token_ids.assign(10, 1);
  documents[0].tools[0].calls[2].source = CallSource::kWorkedOut;
  const AnnotationCounts counts = CountAnnotations(documents);
  CHECK(counts.tokens == 30);  // the skipped text was not read
  const std::map<CallSource, CallYield>& yields = counts.tools.at("Calculator").yields;
  REQUIRE(yields.size() == 2);
  const CallYield& sampled = yields.at(CallSource::kSampled);
  const CallYield& worked_out = yields.at(CallSource::kWorkedOut);
  CHECK(sampled.candidates == 3);
  CHECK(sampled.kept == 1);
  CHECK(sampled.at == std::map<double, int64_t>{{0.25, 1}, {0.5, 1}, {1.0, 1}, {2.0, 0}});
  CHECK(worked_out.candidates == 1);
  CHECK(worked_out.kept == 0);
  CHECK(worked_out.at == std::map<double, int64_t>{{0.25, 1}, {0.5, 1}, {1.0, 0}, {2.0, 0}});
  CHECK(KeptPerMillionTokens(sampled, counts) == doctest::Approx(1e6 / 30));
  CHECK(KeptPerMillionTokens(sampled, {}) == 0.0);
  CHECK(Contains(RenderAnnotationReport(documents, {}), "<td>sampled</td><td>3</td><td>1</td><td>33333</td>"));
}

TEST_CASE("nothing annotated is a page, too") {
  CHECK(CountAnnotations({}).documents == 0);
  const std::string page = RenderAnnotationReport({}, {});
  CHECK(Contains(page, "<b>0</b><span class=\"note\">texts</span>"));
  CHECK(page.ends_with("</html>\n"));
}

TEST_CASE("the page says how calls ran, of tools that may take their time only") {
  ToolStatistics slow;
  slow.tool = "Slow<b>";
  slow.requests = 1234;
  slow.answered = 1000;
  slow.errors = {{absl::StatusCode::kDeadlineExceeded, 200}, {absl::StatusCode::kUnavailable, 34}};
  slow.from_disk = 77;
  slow.retries = 55;
  slow.breaker_opened = 2;
  slow.breaker_refused = 33;
  slow.latency_p99_ms = 1234.5;
  ToolStatistics fast;
  fast.tool = "Fast";
  fast.returns_at_once = true;
  const std::string page = RenderAnnotationReport(Sample(), {}, {slow, fast});
  CHECK(Contains(page, "How the calls ran"));
  CHECK(Contains(page, "error: deadline exceeded</th><td>200</td>"));
  CHECK(Contains(page, "known from the tool cache</span></th><td>77</td>"));
  CHECK(Contains(page, "1.2 s"));
  CHECK(Contains(page, "<b>Slow&lt;b&gt;</b> failed too often in a row, 2 times: 33 calls were not made"));
  CHECK_FALSE(Contains(page, "Fast"));
  CHECK_FALSE(Contains(page, "Slow<b>"));
  CHECK(RenderAnnotationReport(Sample(), {}, {fast}) == RenderAnnotationReport(Sample(), {}));
}

TEST_CASE("the page shows calls in place, rejected ones, reasons and parameters") {
  const std::string page = RenderAnnotationReport(Sample(), {{"seed", "7"}, {"Calculator.tau_f", "0.75"}});
  CHECK(Contains(page, "One  <mark"));
  CHECK(Contains(page, "[Calculator(1 + 1) &#8594; <b>2</b>]<sup>+1.00</sup></mark>and one is two."));
  CHECK(Contains(page, "L(empty) = 3.0000\nL(call) = 3.5000\nL+ = 2.0000\ngain = +1.0000 nats"));
  CHECK(Contains(page, "p_i = 0.1250"));
  CHECK(Count(page, "<mark ") == 1);  // rejected calls stay out of the text
  CHECK(Contains(page, "not an expression"));
  CHECK(Contains(page, "smaller gain</td>"));
  CHECK(Contains(page, "below threshold</td>"));
  CHECK(Contains(page, "skipped: empty"));
  CHECK(Contains(page, "not a text for this tool"));
  CHECK(Contains(page, "<th scope=\"row\">seed</th><td>7</td>"));
  CHECK(Contains(page, "<td>2</td><td>2</td><td>1</td><td>0</td>"));
  CHECK(Contains(page, "class=\"tau\""));
  CHECK(Contains(page, " = 0.75</tspan>"));
}

// What the bars of a page say: gains below the threshold and those that reach it.
std::pair<int64_t, int64_t> BarSums(const std::string& page) {
  int64_t below = 0, reached = 0;
  for (size_t at = page.find("<rect "); at != std::string::npos; at = page.find("<rect ", at + 1)) {
    const size_t title = page.find("<title>", at);
    REQUIRE(title != std::string::npos);
    (Contains(page.substr(at, 30), "reached") ? reached : below) += std::stoll(page.substr(title + 7));
  }
  return {below, reached};
}

TEST_CASE("the histogram has every finite gain, on its side of the threshold") {
  std::vector<JudgedCall> calls;
  const std::vector<double> gains = {
      0.5, 0.4999, 0.51, -0.2, -1000.0, 1000.0, std::nan(""), std::numeric_limits<double>::infinity(), 0.75, 0.0};
  for (const double gain : gains) calls.push_back(MakeCall(0, gain, Verdict::kBelowThreshold));
  const std::vector<AnnotatedDocument> documents = {MakeDocument("x", calls)};
  const auto sums = [&](const char* tau_f) {
    return BarSums(RenderAnnotationReport(documents, {{"Calculator.tau_f", tau_f}}));
  };
  CHECK(Contains(RenderAnnotationReport(documents, {{"Calculator.tau_f", "0.5"}}), "Calculator: 8 calls scored"));
  CHECK(sums("0.5") == std::pair<int64_t, int64_t>{4, 4});
  // Far off the axis.
  CHECK(sums("1e300") == std::pair<int64_t, int64_t>{8, 0});
  CHECK(sums("-1e300") == std::pair<int64_t, int64_t>{0, 8});
}

TEST_CASE("gains that are only bounded are counted and drawn apart") {
  std::vector<JudgedCall> calls = {MakeCall(0, 1.0, Verdict::kKept), MakeCall(1, -0.25, Verdict::kBelowThreshold)};
  for (int i = 0; i < 3; ++i) {
    calls.push_back(MakeCall(2, 0.125, Verdict::kBelowThreshold));
    calls.back().losses->call.reset();
  }
  const std::vector<AnnotatedDocument> documents = {MakeDocument("One and one is two.", calls)};
  const AnnotationCounts counts = CountAnnotations(documents);
  CHECK(counts.tools.at("Calculator").gains == std::vector<double>{1.0, -0.25});
  CHECK(counts.tools.at("Calculator").gain_bounds == std::vector<double>{0.125, 0.125, 0.125});
  CHECK(counts.tools.at("Calculator").yields.at(CallSource::kSampled).at.at(0.25) == 1);
  const std::string page = RenderAnnotationReport(documents, {});
  CHECK(Contains(page, "5 calls scored, of 3 an upper bound of the gain"));
  CHECK(Contains(page, "Dashed bars"));
  CHECK(Count(page, "<rect class=\"bar bound\"") == 1);
  CHECK(Contains(page, "<title>3 calls, gain at most 0.125 to "));
  CHECK(Contains(page, "<td>3.0000</td><td>&#8211;</td><td>2.8750</td><td>&#8804; +0.1250</td>"));
  CHECK(Contains(page, "<td>3.0000</td><td>3.5000</td><td>2.0000</td><td>+1.0000</td>"));
  CHECK_FALSE(Contains(RenderAnnotationReport(Sample(), {}), "Dashed bars"));
}

TEST_CASE("a threshold that is no number is not drawn") {
  for (const char* value : {"", "x", "0.5x", "nan", "inf"}) {
    CAPTURE(value);
    CHECK_FALSE(Contains(RenderAnnotationReport(Sample(), {{"Calculator.tau_f", value}}), "class=\"tau\""));
  }
}

TEST_CASE("whatever texts hold is shown as text") {
  const std::string hostile =
      "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;\x01\x1b[31m\x7f\xc2\x9b\xff\xed\xa0\x80";
  AnnotatedDocument annotated = MakeDocument(hostile, {MakeCall(1, 1.0, Verdict::kKept), FailedCall()});
  annotated.document.id = annotated.document.url = hostile;
  annotated.tools[0].tool = hostile;
  for (JudgedCall& call : annotated.tools[0].calls) {
    call.call = {hostile, hostile};
    call.error = hostile;
  }
  annotated.tools[0].calls[0].result = hostile;
  AnnotatedDocument skipped = annotated;
  skipped.skip = Skip::kContainsCalls;
  const std::string page =
      RenderAnnotationReport({annotated, skipped}, {{hostile, hostile}, {hostile + ".tau_f", "1"}});
  CHECK_FALSE(Contains(page, "<script"));
  CHECK_FALSE(Contains(page, "<img"));
  CHECK_FALSE(Contains(page, "onerror=alert(1)>"));
  CHECK(Contains(page,
                 "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&gt;&lt;img src=x "
                 "onerror=alert(1)&gt;&amp;amp;&#x2401;&#x241b;[31m&#x2421;"));
  for (const char c : page) {
    const auto byte = static_cast<uint8_t>(c);
    REQUIRE((byte >= 0x20 || c == '\n' || c == '\t'));
    REQUIRE(byte != 0x7F);
    REQUIRE(byte != 0xFF);
  }
  // Nothing is fetched from anywhere, and what would be is forbidden.
  CHECK_FALSE(Contains(page, "http:"));
  CHECK_FALSE(Contains(page, "https:"));
  CHECK_FALSE(Contains(page, "url("));
  CHECK(Contains(page, "default-src 'none'"));
}

TEST_CASE("offsets outside the text and huge texts do no harm") {
  std::vector<JudgedCall> calls = {MakeCall(0, 1, Verdict::kKept), MakeCall(1, 1, Verdict::kKept),
                                   MakeCall(2, 1, Verdict::kKept)};
  calls[0].byte_offset = 1000;
  calls[1].byte_offset = -5;
  calls[2].byte_offset = std::numeric_limits<int64_t>::max();
  CHECK(Count(RenderAnnotationReport({MakeDocument("short", calls)}, {}), "<mark ") == 3);
  const std::string page = RenderAnnotationReport({MakeDocument(std::string(1000000, 'x'), {})}, {});
  CHECK(page.size() < 300000);
  CHECK(Contains(page, "800000 more bytes"));
}

TEST_CASE("a page shows at most 2000 texts and counts all") {
  std::vector<AnnotatedDocument> documents(2100, MakeDocument("text", {}));
  const std::string page = RenderAnnotationReport(documents, {});
  CHECK(Count(page, "class=\"doc\"") == 2000);
  CHECK(Contains(page, "... and 100 more, not shown"));
  CHECK(Contains(page, "<b>2100</b>"));
}

}  // namespace
}  // namespace toolformer::annotation_report_test
