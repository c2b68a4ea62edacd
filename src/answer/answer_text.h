// What is cut from words that a model wrote or chose, so that the answer is left.
#ifndef TOOLFORMER_SRC_ANSWER_ANSWER_TEXT_H_
#define TOOLFORMER_SRC_ANSWER_ANSWER_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace toolformer {

inline constexpr size_t kMaxQuestionBytes = 1024;

// A question as it is asked: without the quotes and blanks around it, line breaks as blanks, with a question mark.
// Empty where there is no word.
std::string AskedQuestion(std::string_view input);

// AskedQuestion, or why it cannot be asked: kResourceExhausted beyond kMaxQuestionBytes, kInvalidArgument without a
// word.
absl::StatusOr<std::string> CheckedQuestion(std::string_view input);

// One line without control characters, blanks as they are.
std::string OneLine(std::string_view text);

// The answer in what a model wrote: its first line that is not empty, without "Answer:", quotes around it and a full
// stop or other mark at the end; "U.S." and "6 p.m." keep theirs.
std::string WrittenAnswer(std::string_view text);

// `span` without blanks and marks around it; brackets and quotes that are closed within stay.
std::string_view TrimmedSpan(std::string_view span);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_ANSWER_ANSWER_TEXT_H_
