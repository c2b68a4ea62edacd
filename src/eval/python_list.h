// Lists of strings as Python writes them, in which TriviaQA's answers are published.
#ifndef TOOLFORMER_SRC_EVAL_PYTHON_LIST_H_
#define TOOLFORMER_SRC_EVAL_PYTHON_LIST_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace toolformer {

// The strings of "['one', \"two's\", 'three\\n']"; escapes of Python are read, nothing is run. kInvalidArgument, with
// the byte offset: anything but a list of strings.
absl::StatusOr<std::vector<std::string>> ReadPythonList(std::string_view text);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_EVAL_PYTHON_LIST_H_
