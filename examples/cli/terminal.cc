#include "terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace toolformer::cli {
namespace {

// Bytes of the UTF-8 sequence that `lead` starts; 0 where it starts none.
size_t SequenceLength(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

struct Scalar {
  uint32_t value = 0;
  size_t length = 1;
  bool valid = false;
};

Scalar NextScalar(std::string_view text) {
  static constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  const auto lead = static_cast<uint8_t>(text[0]);
  const size_t length = SequenceLength(lead);
  if (length == 1) return {lead, 1, true};
  if (length == 0 || length > text.size()) return {};
  uint32_t value = lead & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    if ((byte & 0xC0) != 0x80) return {};
    value = (value << 6) | (byte & 0x3Fu);
  }
  const bool valid = value >= kLeast[length] && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
  return valid ? Scalar{value, length, true} : Scalar{};
}

// Characters that act on a terminal, or show text in another order than it has.
bool Acts(uint32_t value) {
  return value < 0x20 || (value >= 0x7F && value < 0xA0) || value == 0x61C || value == 0x200E || value == 0x200F ||
         value == 0x2028 || value == 0x2029 || (value >= 0x202A && value <= 0x202E) ||
         (value >= 0x2066 && value <= 0x2069);
}

enum class LineBreaks { kKeep, kEscape };

std::string Escape(std::string_view text, LineBreaks line_breaks) {
  std::string out;
  while (!text.empty()) {
    const Scalar scalar = NextScalar(text);
    const bool keep = line_breaks == LineBreaks::kKeep && (scalar.value == '\n' || scalar.value == '\t');
    if (!scalar.valid) {
      out += "\uFFFD";
    } else if (!Acts(scalar.value) || keep) {
      out += text.substr(0, scalar.length);
    } else if (scalar.value == '\n') {
      out += "\\n";
    } else if (scalar.value == '\t') {
      out += "\\t";
    } else {
      out += scalar.value < 0x100 ? fmt::format("\\x{:02x}", scalar.value) : fmt::format("\\u{:04x}", scalar.value);
    }
    text.remove_prefix(scalar.length);
  }
  return out;
}

// Bytes at the end of `text` that may be the start of a sequence whose rest is still to come.
size_t IncompleteTail(std::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<uint8_t>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    return SequenceLength(byte) > back ? back : 0;
  }
  return 0;
}

std::string Duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::min(seconds, 3.6e8));
  if (whole >= 3600) return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

}  // namespace

bool IsTerminal(FILE* file) { return isatty(fileno(file)) == 1; }

bool UseColour(FILE* file) {
  const char* no_colour = std::getenv("NO_COLOR");
  return IsTerminal(file) && (no_colour == nullptr || *no_colour == '\0');
}

std::string Printable(std::string_view text) { return Escape(text, LineBreaks::kKeep); }

std::string PrintableLine(std::string_view text) { return Escape(text, LineBreaks::kEscape); }

std::string PrintableStream::Add(std::string_view piece) {
  held_ += piece;
  const size_t whole = held_.size() - IncompleteTail(held_);
  std::string out = Printable(std::string_view(held_).substr(0, whole));
  held_.erase(0, whole);
  return out;
}

std::string PrintableStream::Finish() {
  std::string out = Printable(held_);
  held_.clear();
  return out;
}

std::string Shorten(std::string_view text, size_t width) {
  size_t bytes = 0, last = 0;
  for (size_t count = 0; bytes < text.size(); ++count) {
    if (count == width) return std::string(text.substr(0, last)) + "\u2026";
    last = bytes;
    bytes += NextScalar(text.substr(bytes)).length;
  }
  return std::string(text);
}

std::string Style::Paint(const char* code, std::string_view text) const {
  if (!colour_ || text.empty()) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

ProgressLine::ProgressLine(const State& start) : enabled_(IsTerminal(stderr)), start_(start.done) {}

void ProgressLine::Note(std::string_view text) {
  if (!enabled_) return;
  fmt::print(stderr, "\r\x1b[K{}", PrintableLine(text));
  std::fflush(stderr);
  shown_ = true;
}

void ProgressLine::Show(const State& state) {
  if (!enabled_) return;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  std::string line = fmt::format("{}/{} texts", state.done, state.total);
  if (const int64_t done_here = state.done - start_; done_here > 0 && seconds > 0.0) {
    const double rate = static_cast<double>(done_here) / seconds;
    line +=
        fmt::format(", {:.2f} texts/s, {} left", rate, Duration(static_cast<double>(state.total - state.done) / rate));
  }
  Note(line + fmt::format(", {} calls tried, {} kept", state.candidates, state.kept));
}

void ProgressLine::Clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace toolformer::cli
