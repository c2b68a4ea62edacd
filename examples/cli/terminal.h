// Text for people: what may be sent to a terminal, colours, the progress line.
#ifndef TOOLFORMER_CLI_TERMINAL_H_
#define TOOLFORMER_CLI_TERMINAL_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace toolformer::cli {

bool IsTerminal(FILE* file);

// True where `file` is a terminal and NO_COLOR is not set.
bool UseColour(FILE* file);

// `text` with control characters and marks that reorder text written as \x1b or \u202e and invalid UTF-8 as U+FFFD.
// Line breaks and tabs stay.
std::string Printable(std::string_view text);

// The same on one line: line breaks and tabs are escaped too.
std::string PrintableLine(std::string_view text);

// Printable for text that arrives in pieces which may end inside a UTF-8 sequence.
class PrintableStream {
 public:
  std::string Add(std::string_view piece);
  std::string Finish();

 private:
  std::string held_;
};

// The first `width` code points; a longer text ends in an ellipsis.
std::string Shorten(std::string_view text, size_t width);

// Text in colour where it is wanted.
class Style {
 public:
  explicit Style(FILE* file) : colour_(UseColour(file)) {}
  std::string Good(std::string_view text) const { return Paint("32", text); }
  std::string Bad(std::string_view text) const { return Paint("31", text); }
  std::string Call(std::string_view text) const { return Paint("1;36", text); }
  std::string Result(std::string_view text) const { return Paint("1;32", text); }
  std::string Strong(std::string_view text) const { return Paint("1", text); }
  std::string Dim(std::string_view text) const { return Paint("2", text); }

 private:
  std::string Paint(const char* code, std::string_view text) const;
  const bool colour_;
};

// One line on stderr that is rewritten in place; nothing where stderr is no terminal.
class ProgressLine {
 public:
  struct State {
    int64_t done = 0;
    int64_t total = 0;
    int64_t candidates = 0;
    int64_t kept = 0;
  };

  // `start` counts towards the totals, not towards the speed.
  explicit ProgressLine(const State& start);
  ~ProgressLine() { Clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void Disable() { enabled_ = false; }
  void Note(std::string_view text);
  void Show(const State& state);
  // Removes the line, so that other output can follow.
  void Clear();

 private:
  bool enabled_;
  bool shown_ = false;
  const int64_t start_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace toolformer::cli

#endif  // TOOLFORMER_CLI_TERMINAL_H_
