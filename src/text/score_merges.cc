#include "src/text/score_merges.h"

#include <algorithm>
#include <unordered_set>

#include "src/base/status.h"
#include "src/base/utf8.h"
#include "src/text/tokenizer_messages.h"

namespace toolformer {
namespace {

// Bounds the time for one piece.
constexpr size_t kMaxPieceBytes = 1024;

struct Rule {
  std::string_view left, right;
  float score;
  size_t merged;  // which piece they make
};

bool IsMerged(TokenKind kind) { return kind == TokenKind::kNormal || kind == TokenKind::kUnused; }

class Finder {
 public:
  Finder(const std::vector<ScoredPiece>& pieces, const std::string& field) : pieces_(pieces), field_(field) {
    for (const ScoredPiece& piece : pieces) {
      if (IsMerged(piece.kind)) texts_.insert(piece.text);
    }
  }

  absl::StatusOr<std::vector<Rule>> Find() {
    for (size_t i = 0; i < pieces_.size(); ++i) {
      if (IsMerged(pieces_[i].kind)) TF_RETURN_IF_ERROR(AddRulesOf(i));
    }
    return std::move(rules_);
  }

 private:
  absl::Status AddRulesOf(size_t index);

  const std::vector<ScoredPiece>& pieces_;
  const std::string& field_;
  std::unordered_set<std::string_view> texts_;
  std::vector<Rule> rules_;
};

absl::Status Finder::AddRulesOf(size_t index) {
  const std::string_view text = pieces_[index].text;
  const auto refuse = [&](std::string_view why) {
    return Unimplemented("{}[{}] is {}, {}: merge rules cannot say what the scores do", field_, index, Quote(text),
                         why);
  };
  if (text.size() > kMaxPieceBytes) return refuse("which has more than 1024 bytes");
  for (size_t cut = NextCodePoint(text).length; cut < text.size(); cut += NextCodePoint(text.substr(cut)).length) {
    const std::string_view left = text.substr(0, cut), right = text.substr(cut);
    const bool has_left = texts_.contains(left), has_right = texts_.contains(right);
    // Merging starts from characters whether they are pieces or not.
    const bool is_left = has_left || NextCodePoint(left).length == left.size();
    const bool is_right = has_right || NextCodePoint(right).length == right.size();
    if (!is_left || !is_right) continue;
    if (!has_left || !has_right) return refuse("with a character that is no piece");
    if (pieces_[index].kind == TokenKind::kUnused) return refuse("which is unused but merged through");
    rules_.push_back({left, right, pieces_[index].score, index});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<std::pair<std::string_view, std::string_view>>> MergesOfScores(
    const std::vector<ScoredPiece>& pieces, const std::string& field) {
  TF_ASSIGN_OR_RETURN(std::vector<Rule> rules, Finder(pieces, field).Find());
  std::sort(rules.begin(), rules.end(), [](const Rule& a, const Rule& b) {
    if (a.score != b.score) return a.score > b.score;
    if (a.merged != b.merged) return a.merged < b.merged;
    return a.left.size() > b.left.size();
  });
  std::vector<std::pair<std::string_view, std::string_view>> merges;
  merges.reserve(rules.size());
  for (const Rule& rule : rules) merges.emplace_back(rule.left, rule.right);
  return merges;
}

}  // namespace toolformer
