// Calls under way: which of them may run, what becomes of their attempts. The thread that owns a batch drives it.
#include <algorithm>
#include <cmath>
#include <deque>
#include <list>
#include <map>
#include <new>
#include <utility>
#include <vector>

#include "src/base/random.h"
#include "src/base/status.h"
#include "src/execute/call_engine.h"
#include "toolformer/tool_executor.h"

namespace toolformer {
namespace {

using std::chrono::steady_clock;
using TimePoint = steady_clock::time_point;

// How often a wait looks at the caller's cancel token and at the clock.
constexpr std::chrono::milliseconds kPoll{20};

// An attempt: shared by the batch and the tool's thread; whoever leaves last frees it.
struct Attempt {
  std::shared_ptr<const Tool> tool;
  std::string input;
  ToolContext context;
  CancelToken cancel;  // the tool's own: the caller's may be gone when the tool looks
  int depth = 0;
  std::shared_ptr<CallSync> sync;
  std::shared_ptr<int> abandoned;

  // Guarded by sync->mutex.
  std::optional<absl::StatusOr<std::string>> result;
  bool is_abandoned = false;
};

void RunAttempt(const std::shared_ptr<Attempt>& attempt) {
  absl::StatusOr<std::string> result = absl::Status(absl::StatusCode::kInternal, "");
  try {
    result = CallTool(*attempt->tool, attempt->input, attempt->context, attempt->depth);
  } catch (const std::bad_alloc&) {
    // There was not even memory for what to say.
  }
  // Before anyone sees the answer: whoever waits for it may let go of the tool, and expects what it holds to go too.
  attempt->tool.reset();
  const std::shared_ptr<CallSync> sync = attempt->sync;
  const std::lock_guard lock(sync->mutex);
  attempt->result = std::move(result);
  if (attempt->is_abandoned) --*attempt->abandoned;
  sync->changed.notify_all();
}

// A call from Add to Take.
struct PendingCall {
  size_t id = 0;
  std::shared_ptr<const Tool> tool;
  ToolRequest request;
  CallEngine::Key key;
  ToolState* state = nullptr;
  int attempts = 0;
  absl::Status failure;  // of the last attempt

  // Of the attempt under way.
  std::shared_ptr<Attempt> attempt;
  CircuitBreaker::Admission admission;
  TimePoint began;  // by the engine's clock
  TimePoint began_really;
  TimePoint deadline;  // real
  std::chrono::milliseconds allowed{0};
};
using PendingCallPtr = std::unique_ptr<PendingCall>;

// An admission of which nothing comes is taken back.
class HeldAdmission {
 public:
  HeldAdmission(CircuitBreaker* breaker, const CircuitBreaker::Admission& admission)
      : breaker_(breaker), admission_(admission) {}
  ~HeldAdmission() {
    if (breaker_ != nullptr) breaker_->Forget(admission_);
  }
  HeldAdmission(const HeldAdmission&) = delete;
  HeldAdmission& operator=(const HeldAdmission&) = delete;
  void Use() { breaker_ = nullptr; }

 private:
  CircuitBreaker* breaker_;
  const CircuitBreaker::Admission admission_;
};

}  // namespace

struct PendingCalls::Batch {
  Batch(CallEngine& e, const Interrupt& i) : engine(e), interrupt(i), depth(CallDepth()) {}

  // A call that has come to its end, and how.
  struct Outcome {
    PendingCallPtr call;
    absl::StatusOr<std::string> result;
    AnswerSource source = AnswerSource::kCalled;
  };
  using Outcomes = std::vector<Outcome>;

  // With the lock held.
  void Collect(Outcomes* ended);
  void EndAttempt(PendingCallPtr call, absl::StatusOr<std::string> result, Outcomes* ended);
  void Abandon(PendingCall* call) noexcept;
  void Release(PendingCall* call) noexcept;
  void LetGo() noexcept;
  void StartAll(Outcomes* ended);
  bool StartOne(std::deque<PendingCallPtr>* queue, Outcomes* ended);
  bool HasPlace(const PendingCall& call) const;
  void GiveUp(const absl::Status& status, Outcomes* ended);
  TimePoint NextEvent() const;
  std::chrono::nanoseconds RestOf(const PendingCall& call) const;

  // Without the lock.
  void RunAtOnce(PendingCallPtr call);
  void Settle(Outcomes outcomes);

  CallEngine& engine;
  const Interrupt interrupt;
  const int depth;

  std::map<std::string, std::deque<PendingCallPtr>> waiting;  // for a place, by tool, in order
  std::list<PendingCallPtr> running;
  std::multimap<TimePoint, PendingCallPtr> resting;  // until they are tried again
  std::vector<Ended> ended;
  size_t under_way = 0;  // in the three above
};

// Whether one more attempt may run. A batch that belongs to a tool may always run one: else tools that wait for the
// tools that they call would hold all places.
bool PendingCalls::Batch::HasPlace(const PendingCall& call) const {
  if (depth > 0 && running.empty()) return true;
  const int of_tool = call.tool->max_concurrent_calls;
  return engine.running < engine.options.max_concurrent_calls && (of_tool == 0 || call.state->running < of_tool);
}

// False where it has to wait: for a place, or for a tool that is left alone. Calls that will not run end at once.
bool PendingCalls::Batch::StartOne(std::deque<PendingCallPtr>* queue, Outcomes* ended_now) {
  PendingCall& call = *queue->front();
  const bool given_up = call.state->breaker.GivenUp(engine.Now());
  const bool too_many = *call.state->abandoned >= engine.options.max_abandoned;
  if (!given_up && !too_many) {
    if (!HasPlace(call)) return false;
    call.admission = call.state->breaker.Admit(engine.Now());
    if (!call.admission.admitted) return false;
  }
  PendingCallPtr owned = std::move(queue->front());
  queue->pop_front();
  // A call that was run before has failed with what it said then.
  const auto refuse = [&](const absl::Status& reason) {
    const bool was_run = call.attempts > 0;
    ended_now->push_back(
        {std::move(owned), was_run ? call.failure : reason, was_run ? AnswerSource::kCalled : AnswerSource::kRefused});
    return true;
  };
  if (given_up) {
    if (call.attempts == 0) ++call.state->counts.breaker_refused;
    return refuse(Unavailable("not called: the tool has failed too often in a row"));
  }
  if (too_many) {
    return refuse(ResourceExhausted("{} earlier calls of the tool have not returned yet", *call.state->abandoned));
  }
  HeldAdmission admission(&call.state->breaker, call.admission);
  auto attempt = std::make_shared<Attempt>();
  attempt->tool = call.tool;
  attempt->input = call.request.call.input;
  attempt->depth = depth;
  attempt->sync = engine.sync;
  attempt->abandoned = call.state->abandoned;
  call.allowed = call.tool->deadline.value_or(engine.options.deadline);
  call.began = engine.Now();
  call.began_really = steady_clock::now();
  call.deadline = std::min(call.began_really + call.allowed, interrupt.deadline);
  attempt->context = {call.request.document_date, {&attempt->cancel, call.deadline}};
  // Whatever needs memory comes before the thread starts: nothing may fail between that and its being known here.
  std::list<PendingCallPtr> started;
  started.push_back(std::move(owned));
  call.attempt = attempt;
  if (const absl::Status status = engine.workers.Run([attempt] { RunAttempt(attempt); }); !status.ok()) {
    call.attempt.reset();
    owned = std::move(started.front());
    return refuse(status);
  }
  admission.Use();
  ++call.attempts;
  ++call.state->counts.attempts;
  if (call.attempts > 1) ++call.state->counts.retries;
  ++call.state->running;
  ++engine.running;
  running.splice(running.end(), started);
  return true;
}

// One of each tool in turn, so that none takes all places.
void PendingCalls::Batch::StartAll(Outcomes* ended_now) {
  const TimePoint now = engine.Now();
  while (!resting.empty() && resting.begin()->first <= now) {
    PendingCallPtr call = std::move(resting.begin()->second);
    resting.erase(resting.begin());
    std::deque<PendingCallPtr>& queue = waiting[call->tool->name];
    queue.push_back(std::move(call));
  }
  for (bool any = true; any;) {
    any = false;
    for (auto& [tool_name, queue] : waiting) any = (!queue.empty() && StartOne(&queue, ended_now)) || any;
  }
}

void PendingCalls::Batch::Collect(Outcomes* ended_now) {
  for (auto next = running.begin(); next != running.end();) {
    const auto current = next++;
    PendingCall& call = **current;
    std::optional<absl::StatusOr<std::string>> result = std::move(call.attempt->result);
    if (!result) {
      if (steady_clock::now() < call.deadline || !interrupt.Check().ok()) continue;
      Abandon(&call);
      result = DeadlineExceeded("the tool did not answer within {} ms", call.allowed.count());
    }
    PendingCallPtr owned = std::move(*current);
    running.erase(current);
    EndAttempt(std::move(owned), *std::move(result), ended_now);
  }
}

void PendingCalls::Batch::Abandon(PendingCall* call) noexcept {
  if (call->attempt->is_abandoned) return;
  call->attempt->cancel.Cancel();
  call->attempt->is_abandoned = true;
  ++*call->state->abandoned;
  ++call->state->counts.abandoned;
}

std::chrono::nanoseconds PendingCalls::Batch::RestOf(const PendingCall& call) const {
  const RetryOptions& retry = engine.options.retry;
  const double doubled =
      std::chrono::duration<double>(retry.first_rest).count() * std::exp2(std::min(call.attempts, 60) - 1);
  const double most = std::min(doubled, std::chrono::duration<double>(retry.longest_rest).count());
  const auto& [name, input, date] = call.key;
  RandomStream draw(CombineSeeds(
      {retry.seed, HashBytes(name), HashBytes(input), HashBytes(date), static_cast<uint64_t>(call.attempts)}));
  return std::chrono::nanoseconds(static_cast<int64_t>(most * (0.5 + 0.5 * draw.Uniform()) * 1e9));
}

void PendingCalls::Batch::EndAttempt(PendingCallPtr call, absl::StatusOr<std::string> result, Outcomes* ended_now) {
  const TimePoint now = engine.Now();
  ToolState& state = *call->state;
  state.latency.Add(now - call->began);
  state.breaker.Record(call->admission, result.status(), now);
  --state.running;
  --engine.running;
  engine.sync->changed.notify_all();  // other batches may wait for the place
  call->attempt.reset();
  call->failure = result.status();
  const bool of_the_moment = absl::IsUnavailable(result.status()) || absl::IsDeadlineExceeded(result.status());
  if (of_the_moment && call->attempts <= call->tool->max_retries) {
    const TimePoint again = now + RestOf(*call);
    if (again < interrupt.deadline) {
      resting.emplace(again, std::move(call));
      return;
    }
  }
  ended_now->push_back({std::move(call), std::move(result), AnswerSource::kCalled});
}

// Lets go of the attempt under way.
void PendingCalls::Batch::Release(PendingCall* call) noexcept {
  if (!call->attempt->result) Abandon(call);
  call->state->latency.Add(steady_clock::now() - call->began_really);
  call->state->breaker.Forget(call->admission);
  --call->state->running;
  --engine.running;
  call->attempt.reset();
}

// Of everything, without any memory: it may be for want of some that the batch ends.
void PendingCalls::Batch::LetGo() noexcept {
  for (PendingCallPtr& call : running) Release(call.get());
  engine.sync->changed.notify_all();
  try {
    const absl::Status status = absl::CancelledError("nobody waits for the call any more");
    const auto count = [&](const PendingCallPtr& call) {
      engine.Count(status, call->attempts > 0 ? AnswerSource::kCalled : AnswerSource::kRefused, call->state);
    };
    for (const PendingCallPtr& call : running) count(call);
    for (const auto& [again, call] : resting) count(call);
    for (const auto& [tool_name, queue] : waiting) {
      for (const PendingCallPtr& call : queue) count(call);
    }
  } catch (const std::bad_alloc&) {
    // Then they are not counted.
  }
}

// Ends everything with the caller's status.
void PendingCalls::Batch::GiveUp(const absl::Status& status, Outcomes* ended_now) {
  const auto end = [&](PendingCallPtr call) {
    const AnswerSource source = call->attempts > 0 ? AnswerSource::kCalled : AnswerSource::kRefused;
    ended_now->push_back({std::move(call), status, source});
  };
  for (PendingCallPtr& call : running) {
    Release(call.get());
    end(std::move(call));
  }
  running.clear();
  for (auto& [tool_name, queue] : waiting) {
    for (PendingCallPtr& call : queue) end(std::move(call));
    queue.clear();
  }
  for (auto& [again, call] : resting) end(std::move(call));
  resting.clear();
  engine.sync->changed.notify_all();
}

TimePoint PendingCalls::Batch::NextEvent() const {
  TimePoint next = steady_clock::now() + kPoll;
  for (const PendingCallPtr& call : running) next = std::min(next, call->deadline);
  if (!resting.empty()) {
    const auto rest = std::max(resting.begin()->first - engine.Now(), steady_clock::duration::zero());
    next = std::min(next, steady_clock::now() + std::min<steady_clock::duration>(rest, kPoll));
  }
  return next;
}

void PendingCalls::Batch::RunAtOnce(PendingCallPtr call) {
  if (depth >= kMostCallDepth) {
    Outcomes outcomes;
    outcomes.push_back({std::move(call), TooDeep(), AnswerSource::kRefused});
    Settle(std::move(outcomes));
    return;
  }
  call->began = engine.Now();
  absl::StatusOr<std::string> result =
      CallTool(*call->tool, call->request.call.input, {call->request.document_date, interrupt}, depth);
  {
    const std::lock_guard lock(engine.sync->mutex);
    ++call->state->counts.attempts;
    call->state->latency.Add(engine.Now() - call->began);
  }
  Outcomes outcomes;
  outcomes.push_back({std::move(call), std::move(result), AnswerSource::kCalled});
  Settle(std::move(outcomes));
}

void PendingCalls::Batch::Settle(Outcomes outcomes) {
  for (Outcome& outcome : outcomes) {
    absl::StatusOr<std::string> result = Neutralized(std::move(outcome.result), engine.options.max_result_bytes);
    // What a tool says once nobody waits any more may be its way of stopping.
    if (outcome.source == AnswerSource::kCalled && interrupt.Check().ok()) {
      engine.Remember(*outcome.call->tool, outcome.call->key, result);
    }
    {
      const std::lock_guard lock(engine.sync->mutex);
      engine.Count(result.status(), outcome.source, outcome.call->state);
    }
    ended.push_back({outcome.call->id, std::move(result)});
    --under_way;
  }
}

PendingCalls::PendingCalls(ToolExecutor& executor, const Interrupt& interrupt)
    : batch_(std::make_unique<Batch>(*executor.engine_, interrupt)) {}

PendingCalls::~PendingCalls() {
  const std::lock_guard lock(batch_->engine.sync->mutex);
  batch_->LetGo();
}

void PendingCalls::Add(size_t id, const ToolRequest& request) {
  const std::shared_ptr<const Tool> tool = batch_->engine.registry.Find(request.call.tool);
  if (tool == nullptr) {
    batch_->ended.push_back(
        {id, NotFound("unknown tool '{}'; there are: {}", request.call.tool, batch_->engine.registry.Names())});
    return;
  }
  auto call = std::make_unique<PendingCall>();
  call->id = id;
  call->tool = tool;
  call->request = request;
  call->key = CallEngine::KeyOf(request);
  {
    const std::lock_guard lock(batch_->engine.sync->mutex);
    call->state = &batch_->engine.StateOf(tool->name);
  }
  ++batch_->under_way;
  Batch::Outcomes outcomes;
  if (auto known = batch_->engine.Recall(*tool, call->key)) {
    outcomes.push_back({std::move(call), std::move(known->first), known->second});
  } else if (tool->returns_at_once) {
    batch_->RunAtOnce(std::move(call));
  } else if (batch_->depth >= kMostCallDepth) {
    outcomes.push_back({std::move(call), TooDeep(), AnswerSource::kRefused});
  } else {
    const std::lock_guard lock(batch_->engine.sync->mutex);
    std::deque<PendingCallPtr>& queue = batch_->waiting[tool->name];
    queue.push_back(std::move(call));
    batch_->StartOne(&queue, &outcomes);
  }
  batch_->Settle(std::move(outcomes));
}

std::vector<PendingCalls::Ended> PendingCalls::Take(Wait wait) {
  while (true) {
    Batch::Outcomes outcomes;
    {
      std::unique_lock lock(batch_->engine.sync->mutex);
      batch_->Collect(&outcomes);
      const absl::Status interrupted = batch_->interrupt.Check();
      if (!interrupted.ok()) {
        batch_->GiveUp(interrupted, &outcomes);
      } else {
        batch_->StartAll(&outcomes);
      }
      if (outcomes.empty() && batch_->ended.empty() && batch_->under_way > 0 && wait == Wait::kForOne) {
        batch_->engine.sync->changed.wait_until(lock, batch_->NextEvent());
        continue;
      }
    }
    batch_->Settle(std::move(outcomes));
    if (!batch_->ended.empty() || batch_->under_way == 0 || wait == Wait::kNo) {
      return std::exchange(batch_->ended, {});
    }
  }
}

size_t PendingCalls::size() const { return batch_->under_way + batch_->ended.size(); }

}  // namespace toolformer
