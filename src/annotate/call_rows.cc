#include "src/annotate/call_rows.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "src/base/status.h"
#include "src/model/token_sampler.h"
#include "src/text/call_body.h"

namespace toolformer {
namespace {

// Samples that may be under way for every row of a step. More than one, because samples that have written the same are
// one row; not many, because they may part all at once.
constexpr int64_t kSamplesARow = 2;

// Where the tokens that may be drawn are a larger part of the vocabulary, picking them costs more than it saves.
constexpr int64_t kFewAllowed = 4;

std::vector<int32_t> EncodeForced(const LanguageModel& model, const std::string& forced) {
  return forced.empty() ? std::vector<int32_t>() : model.tokenizer().EncodeContinuation(forced);
}

}  // namespace

CallRows::CallRows(const LanguageModel& model, const CallRowSettings& settings)
    : model_(model), settings_(settings), forced_(EncodeForced(model, settings.forced)) {}

void CallRows::Add(CallStart start) {
  // More seeds than rows of a step: several starts.
  const auto most = static_cast<size_t>(settings_.max_rows);
  for (size_t first = 0; first < start.seeds.size(); first += most) {
    CallStart part = start;
    const size_t count = std::min(most, start.seeds.size() - first);
    part.seeds.assign(start.seeds.begin() + static_cast<int64_t>(first),
                      start.seeds.begin() + static_cast<int64_t>(first + count));
    part.results = start.results + first;
    starts_.push_back(std::move(part));
  }
}

bool CallRows::has_room() const { return starts_.empty() && std::ssize(rows_) < settings_.max_rows; }

// Moves the starts that fit, in their order, to the rows.
absl::Status CallRows::Join() {
  int64_t samples = 0;
  for (const Row& row : rows_) samples += std::ssize(row.samples);
  int64_t rows = std::ssize(rows_);
  while (!starts_.empty()) {
    CallStart& start = starts_.front();
    const int64_t more = std::ssize(start.seeds);
    if (rows > 0 && (rows + more > settings_.max_rows || samples + more > kSamplesARow * settings_.max_rows)) break;
    rows += more;
    samples += more;
    Row row;
    row.text = start.text;
    row.cache = start.cache->Fork();
    TF_RETURN_IF_ERROR(row.cache->Truncate(start.length));
    row.next = std::move(start.opening);
    row.next.insert(row.next.end(), forced_.begin(), forced_.end());
    row.written = settings_.forced;
    for (size_t s = 0; s < start.seeds.size(); ++s) {
      row.samples.push_back({start.results + s, RandomStream(start.seeds[s])});
    }
    rows_.push_back(std::move(row));
    starts_.pop_front();
  }
  return absl::OkStatus();
}

// Texts whose next step would exceed the context leave with all that they have.
void CallRows::DropTooLong(Ended* ended) {
  for (const Row& row : rows_) {
    if (row.cache->length() + std::ssize(row.next) > model_.context_length()) ended->too_long.push_back(row.text);
  }
  if (ended->too_long.empty()) return;
  const auto is_too_long = [&](const auto& of) {
    return std::find(ended->too_long.begin(), ended->too_long.end(), of.text) != ended->too_long.end();
  };
  std::erase_if(rows_, is_too_long);
  std::erase_if(starts_, is_too_long);
}

// One token for each sample of each row, by row. -1: none may be drawn.
absl::StatusOr<std::vector<int32_t>> CallRows::Draw(std::span<Row> rows) const {
  std::vector<std::vector<int64_t>> wanted;
  std::vector<ForwardRow> batch;
  std::vector<toolformer::Draw> draws;
  wanted.reserve(rows.size());
  for (Row& row : rows) {
    const auto index = std::ssize(batch);
    wanted.push_back({std::ssize(row.next) - 1});
    batch.push_back({row.next, row.cache.get(), wanted.back()});
    for (Sample& sample : row.samples) draws.push_back({index, sample.random.Uniform()});
  }
  if (settings_.allowed == nullptr) {
    TF_ASSIGN_OR_RETURN(const at::Tensor logits, model_.Forward(batch));
    return DrawColumns(logits, settings_.temperature, draws);
  }
  const std::vector<int32_t>& allowed = *settings_.allowed;
  if (allowed.empty()) return std::vector<int32_t>(draws.size(), -1);
  const bool few = std::ssize(allowed) * kFewAllowed <= model_.vocab_size();
  const auto forward = [&] {
    // The interface's own way computes all logits and picks.
    return few && settings_.project_allowed_only ? model_.ForwardOver(batch, allowed)
                                                 : model_.LanguageModel::ForwardOver(batch, allowed);
  };
  TF_ASSIGN_OR_RETURN(const at::Tensor logits, forward());
  TF_ASSIGN_OR_RETURN(std::vector<int32_t> tokens, DrawColumns(logits, settings_.temperature, draws));
  for (int32_t& token : tokens) token = token < 0 ? token : allowed[token];
  return tokens;
}

// Adds a token to a row. False where that ends it; its outcome is then in `result`.
bool CallRows::Write(int32_t token, Row* row, CallRow* result) const {
  const std::vector<int32_t>& ends = model_.tokenizer().end_ids();
  if (token < 0 || std::find(ends.begin(), ends.end(), token) != ends.end()) return false;
  row->written += model_.tokenizer().TokenBytes(token);
  row->next = {token};
  BodyReading reading = ReadCallBody(row->written);
  if (reading.state == BodyState::kGoOn) return ++row->tokens < settings_.max_tokens;
  result->outcome = reading.state == BodyState::kCall ? CallRowOutcome::kCall : CallRowOutcome::kNotACall;
  result->call = std::move(reading.call);
  return false;
}

// Continues each sample of a row with its token; adds the rows that go on to `rows`.
void CallRows::Advance(Row row, std::span<const int32_t> tokens, std::vector<Row>* rows, Ended* ended) const {
  std::vector<std::pair<int32_t, std::vector<Sample>>> parts;
  for (size_t s = 0; s < tokens.size(); ++s) {
    auto part = parts.end();
    if (settings_.share_equal_rows) {
      part = std::find_if(parts.begin(), parts.end(), [&](const auto& p) { return p.first == tokens[s]; });
    }
    if (part == parts.end()) part = parts.insert(part, {tokens[s], {}});
    part->second.push_back(row.samples[s]);
  }
  std::vector<Row> going_on;
  for (auto& [token, samples] : parts) {
    Row next;
    next.text = row.text;
    next.written = row.written;
    next.tokens = row.tokens;
    CallRow result;
    if (Write(token, &next, &result)) {
      next.samples = std::move(samples);
      going_on.push_back(std::move(next));
      continue;
    }
    for (const Sample& sample : samples) {
      *sample.result = result;
      ended->samples.push_back(row.text);
    }
  }
  if (going_on.empty()) return;
  for (size_t i = 1; i < going_on.size(); ++i) going_on[i].cache = row.cache->Fork();
  going_on[0].cache = std::move(row.cache);
  std::move(going_on.begin(), going_on.end(), std::back_inserter(*rows));
}

absl::StatusOr<CallRows::Ended> CallRows::Step() {
  Ended ended;
  TF_RETURN_IF_ERROR(Join());
  DropTooLong(&ended);
  const int64_t running = std::min(std::ssize(rows_), settings_.max_rows);
  if (running == 0) return ended;
  TF_ASSIGN_OR_RETURN(const std::vector<int32_t> tokens, Draw(std::span(rows_).subspan(0, running)));
  std::vector<Row> rows;
  size_t next = 0;
  for (int64_t r = 0; r < running; ++r) {
    const size_t samples = rows_[r].samples.size();
    Advance(std::move(rows_[r]), std::span(tokens).subspan(next, samples), &rows, &ended);
    next += samples;
  }
  // Rows that waited for room stay behind those that ran, so that calls end before others begin.
  std::move(rows_.begin() + running, rows_.end(), std::back_inserter(rows));
  rows_ = std::move(rows);
  return ended;
}

}  // namespace toolformer
