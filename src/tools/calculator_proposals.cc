#include "src/tools/calculator_proposals.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "src/tools/number_relations.h"

namespace toolformer {
namespace {

// Numbers looked back at for operations of two and of three.
constexpr size_t kPairWindow = 16;
constexpr size_t kTripleWindow = 6;

// A number as an operand.
struct Operand {
  double value = 0;
  std::string text;  // without the commas between thousands
};

Operand OperandOf(const TextNumber& number, std::string_view text) {
  Operand operand{number.value, std::string(text.substr(number.begin, number.end - number.begin))};
  std::erase(operand.text, ',');
  return operand;
}

// "a op b" with the value that it has. Nothing where the operation is trivial.
bool Combine(const Operand& a, char operation, const Operand& b, Operand* out) {
  if (a.value == 0 || b.value == 0) return false;
  const bool scales = operation == '*' || operation == '/';
  if (scales && (a.value == 1 || b.value == 1)) return false;
  switch (operation) {
    case '+':
      out->value = a.value + b.value;
      break;
    case '-':
      out->value = a.value - b.value;
      break;
    case '*':
      out->value = a.value * b.value;
      break;
    default:
      out->value = a.value / b.value;
      break;
  }
  out->text = a.text + ' ' + operation + ' ' + b.text;
  return std::isfinite(out->value) && out->value > 0;
}

constexpr std::array<char, 4> kOperations = {'+', '-', '*', '/'};

// The operations that give one number, without repetitions.
class Findings {
 public:
  explicit Findings(double wanted) : wanted_(wanted) {}

  bool full() const { return expressions_.size() >= kMostOfANumber; }
  int64_t tried() const { return tried_; }
  const std::vector<std::string>& expressions() const { return expressions_; }

  // Both orders, where they differ.
  void TryPair(const Operand& a, const Operand& b) {
    Operand result;
    for (const char operation : kOperations) {
      if (Combine(a, operation, b, &result)) Try(result);
      const bool ordered = operation == '-' || operation == '/';
      if (ordered && Combine(b, operation, a, &result)) Try(result);
    }
  }
  // (a op b) op c, with parentheses where they are needed.
  void TryTriple(const Operand& a, const Operand& b, const Operand& c) {
    for (const char first : kOperations) {
      Operand inner;
      if (!Combine(a, first, b, &inner)) continue;
      const Operand grouped{inner.value, '(' + inner.text + ')'};
      for (const char second : kOperations) {
        const bool needs_group = (first == '+' || first == '-') && (second == '*' || second == '/');
        Operand result;
        if (Combine(needs_group ? grouped : inner, second, c, &result)) Try(result);
      }
    }
  }

 private:
  void Try(const Operand& result) {
    ++tried_;
    if (full() || !States(wanted_, result.value)) return;
    if (std::find(expressions_.begin(), expressions_.end(), result.text) == expressions_.end()) {
      expressions_.push_back(result.text);
    }
  }

  const double wanted_;
  int64_t tried_ = 0;
  std::vector<std::string> expressions_;
};

// `earlier`, nearest last.
void FindExpressions(std::span<const Operand> earlier, Findings* findings) {
  const auto count = std::ssize(earlier);
  const auto pairs_from = std::max<ptrdiff_t>(0, count - static_cast<ptrdiff_t>(kPairWindow));
  for (ptrdiff_t j = count - 1; j > pairs_from && !findings->full(); --j) {
    for (ptrdiff_t i = j - 1; i >= pairs_from; --i) findings->TryPair(earlier[i], earlier[j]);
  }
  if (!findings->expressions().empty()) return;
  const auto triples_from = std::max<ptrdiff_t>(0, count - static_cast<ptrdiff_t>(kTripleWindow));
  for (ptrdiff_t k = count - 1; k > triples_from; --k) {
    for (ptrdiff_t j = k - 1; j > triples_from; --j) {
      for (ptrdiff_t i = j - 1; i >= triples_from; --i) {
        findings->TryTriple(earlier[i], earlier[j], earlier[k]);
        if (findings->full()) return;
      }
    }
  }
}

// How many values the number could have had as easily: those of as many significant digits, and no more than there are
// between it and the nearest earlier number.
double Alternatives(const Operand& stated, std::span<const Operand> earlier) {
  std::string digits = stated.text;
  if (digits.ends_with('%')) digits.pop_back();
  const size_t point = digits.find('.');
  const double decimals = point == std::string::npos ? 0.0 : static_cast<double>(digits.size() - point - 1);
  const double unit = std::pow(10.0, -decimals) * (stated.text.ends_with('%') ? 0.01 : 1.0);
  double nearest = stated.value;
  for (const Operand& operand : earlier) nearest = std::min(nearest, std::abs(operand.value - stated.value));
  std::erase(digits, '.');
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  digits.erase(digits.find_last_not_of('0') + 1);
  return std::min(std::pow(10.0, static_cast<double>(digits.size())), nearest / unit);
}

bool Holds(std::span<const Operand> operands, double value) {
  return std::any_of(operands.begin(), operands.end(), [&](const Operand& operand) { return operand.value == value; });
}

double Evidence(double alternatives, int64_t tried) {
  return std::log(std::max(1.0, alternatives / static_cast<double>(std::max<int64_t>(1, tried))));
}

// Where a call before the number stands: before a currency sign that belongs to it.
size_t PlaceBefore(const TextNumber& number, std::string_view text) {
  static constexpr std::array<std::string_view, 3> kCurrencies = {"$", "\u20ac", "\u00a3"};
  const std::string_view before = text.substr(0, number.begin);
  for (const std::string_view sign : kCurrencies) {
    if (before.ends_with(sign)) return number.begin - sign.size();
  }
  return number.begin;
}

}  // namespace

std::vector<WorkedOutCall> CalculatorProposals(const Document& document) {
  const std::string_view text = document.text;
  const std::vector<TextNumber> numbers = FindNumbers(text, kMaxNumbers);
  std::vector<Operand> operands;
  operands.reserve(numbers.size());
  for (const TextNumber& number : numbers) operands.push_back(OperandOf(number, text));
  std::vector<WorkedOutCall> proposals;
  size_t first = 0;  // of the window that ends with number `last`
  for (size_t last = 0; last < numbers.size(); ++last) {
    while (numbers[last].word - numbers[first].word >= kWindowWords) ++first;
    const std::span<const Operand> earlier(operands.data() + first, last - first);
    if (numbers[last].value == 0 || Holds(earlier, numbers[last].value)) continue;
    Findings findings(numbers[last].value);
    FindExpressions(earlier, &findings);
    const double evidence = Evidence(Alternatives(operands[last], earlier), findings.tried());
    for (const std::string& expression : findings.expressions()) {
      if (proposals.size() >= kMostOfAText) return proposals;
      proposals.push_back({PlaceBefore(numbers[last], text), {"Calculator", expression}, evidence});
    }
  }
  return proposals;
}

}  // namespace toolformer
