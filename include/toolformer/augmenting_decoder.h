// Inference (paper section 2, "Inference", and 4.2): decode until the arrow of a call, run the tool, splice the result
// in, go on.
#ifndef TOOLFORMER_AUGMENTING_DECODER_H_
#define TOOLFORMER_AUGMENTING_DECODER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "toolformer/call_syntax.h"
#include "toolformer/export.h"
#include "toolformer/interrupt.h"
#include "toolformer/model.h"
#include "toolformer/tool_executor.h"
#include "toolformer/tool_registry.h"

namespace toolformer {

enum class ToolUse {
  kEnabled,
  kDisabled,  // the opening has probability 0 (paper footnote 5)
  // Enabled, and every tool's examples stand before the prompt, one a line: tools without training. The generation ends
  // with the line where no other stop is given.
  kInContext,
};

// A piece of the output as it arrives.
enum class DecodeEventKind {
  kText,    // words of the model
  kCall,    // "Name(input)": the call has been read and is about to run
  kResult,  // its neutralized result
  kError,   // its tool error; the call is closed without a result
};
struct TOOLFORMER_API DecodeEvent {
  DecodeEventKind kind = DecodeEventKind::kText;
  std::string_view text;  // valid during the callback; kText may end inside a UTF-8 sequence
  size_t row = 0;         // index of the prompt in DecodeBatch
};

struct TOOLFORMER_API DecodeOptions {
  ToolUse tool_use = ToolUse::kEnabled;
  int64_t max_new_tokens = 128;  // of the model's own; results do not count
  // The opening is taken whenever it is among the k most likely tokens (paper section 4.2: 10). 1 is plain greedy.
  int64_t opening_top_k = 10;
  // N, at most 16; calls that fail count. Afterwards the opening has probability 0.
  int64_t max_calls = 1;
  // An opening that does not come to the arrow or bracket of a call by then is taken back: the text goes on as if it
  // had not been taken. At most 16 openings of a generation are taken back.
  int64_t max_call_tokens = 64;
  int64_t max_result_tokens = 256;                   // longer results are cut
  double temperature = 0.0;                          // 0: greedy
  uint64_t seed = 0;                                 // of sampling
  std::vector<std::string> stop;                     // texts that end the generation, themselves not part of it
  std::function<void(const DecodeEvent&)> on_event;  // null: none; called on the caller's thread
  Interrupt interrupt;

  // Of DecodeBatch: most prompts that are continued at once, and most tokens of prompts that are read at once (a longer
  // prompt is read alone). The results do not depend on them, but for the rounding of models whose numbers depend on
  // the batch.
  int64_t max_batch_rows = 32;
  int64_t max_read_tokens = 2048;
};

enum class StopReason { kEndToken, kStopText, kMaxTokens, kContextFull };
TOOLFORMER_API std::string_view StopReasonName(StopReason reason);

struct TOOLFORMER_API DecodedCall {
  Call call;
  std::optional<std::string> result;  // neutralized; absent on an error
  std::string error;
  int64_t byte_offset = 0;           // of the opening bracket in Decoded::text
  double opening_probability = 0.0;  // where it was opened, before any temperature: p_i
};

struct TOOLFORMER_API Decoded {
  std::string text;        // with calls and results in place; without the prompt
  std::string plain_text;  // without them
  std::vector<DecodedCall> calls;
  StopReason stop_reason = StopReason::kMaxTokens;
  int64_t tokens = 0;  // the model's own

  // The probability of calling, for calibration: p_i where the first call was opened; where there is no call, the
  // largest p_i of all places where one might have been opened. 0 where calls are disabled.
  double opening_probability = 0.0;
};

// Keeps references to its arguments. Decode may be called from several threads at once.
class TOOLFORMER_API AugmentingDecoder {
 public:
  AugmentingDecoder(const LanguageModel& model, const ToolRegistry& registry, ToolExecutor& executor);

  // Continues `prompt`. What the prompt or a result says never opens a call: only an opening that the model was given
  // or wrote itself does. kInvalidArgument (an option out of range), kOutOfRange (the prompt exceeds the context),
  // kCancelled, kDeadlineExceeded, the model's errors.
  absl::StatusOr<Decoded> Decode(std::string_view prompt, const DecodeOptions& options) const;

  // The same for several prompts, in their order: each comes out as if it were alone. They decode in one batch, which
  // those that wait for a tool leave until it has answered, and which others join as soon as one has ended. What is
  // wrong with a prompt is the status of its own element; the model's errors and the interrupt's status are the call's.
  absl::StatusOr<std::vector<absl::StatusOr<Decoded>>> DecodeBatch(std::span<const std::string> prompts,
                                                                   const DecodeOptions& options) const;

 private:
  const LanguageModel& model_;
  const ToolRegistry& registry_;
  ToolExecutor& executor_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_AUGMENTING_DECODER_H_
