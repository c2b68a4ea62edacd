// The calculator: operator precedence with two explicit stacks. A byte of input makes at most one push on each, so the
// limit on the length of an expression bounds time and memory.
#include <charconv>
#include <cmath>
#include <string>
#include <vector>

#include "src/base/status.h"
#include "src/tools/decimal.h"
#include "toolformer/tool.h"

namespace toolformer {
namespace {

constexpr size_t kMaxExpressionBytes = 1024;
constexpr int kMaxParentheses = 64;

// '(' and the operators; a unary minus stands on the stack as kNegate.
constexpr char kNegate = 'n';

int Precedence(char op) {
  switch (op) {
    case '+':
    case '-':
      return 1;
    case '*':
    case '/':
      return 2;
    case kNegate:
      return 3;
    default:
      return 0;  // '('
  }
}

class Evaluator {
 public:
  explicit Evaluator(std::string_view expression) : text_(expression) {}

  absl::StatusOr<double> Evaluate() {
    while (true) {
      while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
      if (at_ == text_.size()) break;
      TF_RETURN_IF_ERROR(operand_next_ ? ReadOperand() : ReadOperator());
    }
    if (operand_next_) return InvalidArgument("calculator: the expression ends where a number is expected");
    TF_RETURN_IF_ERROR(ApplyDownTo(1));
    if (!operators_.empty()) return InvalidArgument("calculator: a '(' is not closed");
    return values_.back();
  }

 private:
  // A sign, an opening parenthesis, or a number.
  absl::Status ReadOperand() {
    const char c = text_[at_];
    if (c == '+' || c == '-') {
      if (c == '-') operators_.push_back(kNegate);
      ++at_;
      return absl::OkStatus();
    }
    if (c == '(') {
      if (++open_ > kMaxParentheses) {
        return ResourceExhausted("calculator: more than {} levels of parentheses at byte {}", kMaxParentheses, at_);
      }
      operators_.push_back('(');
      ++at_;
      return absl::OkStatus();
    }
    const std::optional<Decimal> number = ReadDecimal(text_.substr(at_));
    if (!number) {
      if (at_ > 0 && (c == '*' || c == '/') && text_[at_ - 1] == c) {
        return InvalidArgument("calculator: '{}{}' at byte {} is not one of the operators + - * /", c, c, at_ - 1);
      }
      return InvalidArgument("calculator: expected a number at byte {}", at_);
    }
    if (!std::isfinite(number->value)) return OutOfRange("calculator: the number at byte {} is not finite", at_);
    at_ += number->length;
    values_.push_back(number->value);
    operand_next_ = false;
    percent_allowed_ = true;
    return absl::OkStatus();
  }

  // A binary operator, a closing parenthesis, or a percent sign.
  absl::Status ReadOperator() {
    const char c = text_[at_];
    switch (c) {
      case '+':
      case '-':
      case '*':
      case '/':
        TF_RETURN_IF_ERROR(ApplyDownTo(Precedence(c)));
        operators_.push_back(c);
        operand_next_ = true;
        break;
      case ')':
        TF_RETURN_IF_ERROR(ApplyDownTo(1));
        if (operators_.empty()) return InvalidArgument("calculator: no '(' for the ')' at byte {}", at_);
        operators_.pop_back();
        --open_;
        percent_allowed_ = true;
        break;
      case '%':
        if (!percent_allowed_) return InvalidArgument("calculator: a second '%' at byte {}", at_);
        values_.back() /= 100;
        percent_allowed_ = false;
        break;
      case ',':
        return InvalidArgument("calculator: the ',' at byte {} does not part groups of three digits", at_);
      default:
        return InvalidArgument("calculator: expected + - * / ) or % at byte {}; numbers are written as in 1,234.5",
                               at_);
    }
    ++at_;
    return absl::OkStatus();
  }

  // Applies the operators above the innermost '(' that bind at least as tightly as `precedence`.
  absl::Status ApplyDownTo(int precedence) {
    while (!operators_.empty() && Precedence(operators_.back()) >= precedence) {
      TF_RETURN_IF_ERROR(Apply(operators_.back()));
      operators_.pop_back();
    }
    return absl::OkStatus();
  }

  absl::Status Apply(char op) {
    const double right = values_.back();
    if (op == kNegate) {
      values_.back() = -right;
      return absl::OkStatus();
    }
    values_.pop_back();
    double& left = values_.back();
    switch (op) {
      case '+':
        left += right;
        break;
      case '-':
        left -= right;
        break;
      case '*':
        left *= right;
        break;
      default:
        if (right == 0) return OutOfRange("calculator: division by zero");
        left /= right;
    }
    if (!std::isfinite(left)) return OutOfRange("calculator: the result of a '{}' is not finite", op);
    return absl::OkStatus();
  }

  std::string_view text_;
  size_t at_ = 0;
  int open_ = 0;
  bool operand_next_ = true;
  bool percent_allowed_ = false;
  std::vector<double> values_;
  std::vector<char> operators_;
};

// Integers bare, all else with two decimals: to_chars rounds the double's exact value, ties to even.
std::string FormatResult(double value) {
  const bool integral = value == std::trunc(value);
  // The longest double has 309 digits before the point.
  char buffer[320];
  const std::to_chars_result end =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed, integral ? 0 : 2);
  std::string text(buffer, end.ptr);
  if (text == "-0" || text == "-0.00") text.erase(0, 1);
  return text;
}

}  // namespace

absl::StatusOr<std::string> Calculate(std::string_view expression) {
  if (expression.size() > kMaxExpressionBytes) {
    return ResourceExhausted("calculator: an expression of {} bytes; at most {} are read", expression.size(),
                             kMaxExpressionBytes);
  }
  TF_ASSIGN_OR_RETURN(const double value, Evaluator(expression).Evaluate());
  return FormatResult(value);
}

}  // namespace toolformer
