#include "toolformer/language_identifier.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "src/base/random.h"
#include "src/base/status.h"
#include "src/text/fasttext_model.h"

namespace toolformer {
namespace {

// fastText's logarithm: never of zero.
double Log(double x) { return std::log(x + 1e-5); }

// fastText looks the logistic function up in a table; so do we, for the same numbers.
double TableSigmoid(float x) {
  constexpr float kMost = 8.0f;
  constexpr int kSteps = 512;
  if (!(x >= -kMost)) return 0.0;  // what is no number, too
  if (x > kMost) return 1.0;
  const auto step = static_cast<int>((x + kMost) * kSteps / kMost / 2);
  const float at = static_cast<float>(step * 2) * kMost / kSteps - kMost;
  return 1.0 / (1.0 + std::exp(-static_cast<double>(at)));
}

constexpr int64_t kMostCount = int64_t{1000000000000000000};  // sums stay far from overflow

// A node of the tree of labels: the first nodes are the labels themselves.
struct Node {
  int32_t left = -1, right = -1;
  int64_t count = int64_t{1000000000000000};
};

// Huffman's tree over counts, as fastText builds it from labels in descending order of their counts.
std::vector<Node> BuildTree(const std::vector<int64_t>& counts) {
  const auto labels = static_cast<int32_t>(counts.size());
  std::vector<Node> tree(static_cast<size_t>(2) * counts.size() - 1);
  for (int32_t i = 0; i < labels; ++i) tree[i].count = counts[i];
  int32_t leaf = labels - 1, node = labels;
  for (int32_t i = labels; i < 2 * labels - 1; ++i) {
    const auto least = [&] {
      return leaf >= 0 && (node >= i || tree[leaf].count < tree[node].count) ? leaf-- : node++;
    };
    tree[i].left = least();
    tree[i].right = least();
    tree[i].count = std::min(kMostCount, tree[tree[i].left].count + tree[tree[i].right].count);
  }
  return tree;
}

class Identifier : public LanguageIdentifier {
 public:
  Identifier(FastTextModel model, std::string fingerprint)
      : model_(std::move(model)), fingerprint_(std::move(fingerprint)) {
    if (model_.loss == FastTextModel::Loss::kHierarchical) tree_ = BuildTree(model_.label_counts);
  }

  const std::vector<std::string>& labels() const override { return model_.labels; }
  std::string fingerprint() const override { return fingerprint_; }

  std::vector<IdentifiedLanguage> Identify(std::string_view text, size_t most) const override {
    const std::vector<int32_t> rows = model_.Features(text);
    if (rows.empty()) return {};
    std::vector<float> hidden(static_cast<size_t>(model_.dim), 0.0f);
    for (const int32_t row : rows) model_.input.AddRow(row, hidden);
    for (float& value : hidden) value *= 1.0f / static_cast<float>(rows.size());
    std::vector<double> probabilities = Probabilities(hidden);
    for (double& probability : probabilities) {
      if (!(probability >= 0.0)) probability = 0.0;  // of a damaged file: not a number
    }
    std::vector<size_t> order(probabilities.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    const size_t count = std::min(most, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<int64_t>(count), order.end(), [&](size_t a, size_t b) {
      return probabilities[a] != probabilities[b] ? probabilities[a] > probabilities[b] : a < b;
    });
    std::vector<IdentifiedLanguage> languages;
    for (size_t i = 0; i < count; ++i) {
      languages.push_back({model_.labels[order[i]], std::min(1.0, probabilities[order[i]])});
    }
    return languages;
  }

 private:
  std::vector<double> Probabilities(std::span<const float> hidden) const {
    const size_t labels = model_.labels.size();
    std::vector<double> out(labels, 0.0);
    if (!tree_.empty()) {
      struct Reached {
        int32_t node;
        double score;
      };
      std::vector<Reached> open = {{static_cast<int32_t>(tree_.size()) - 1, 0.0}};
      while (!open.empty()) {
        const auto [node, score] = open.back();
        open.pop_back();
        if (node < static_cast<int32_t>(labels)) {
          out[node] = std::exp(score);
          continue;
        }
        const double x = model_.output.Dot(node - static_cast<int32_t>(labels), hidden);
        const double right = 1.0 / (1.0 + std::exp(-x));
        open.push_back({tree_[node].left, score + Log(1.0 - right)});
        open.push_back({tree_[node].right, score + Log(right)});
      }
      return out;
    }
    std::vector<float> scores(labels);
    for (size_t i = 0; i < labels; ++i) scores[i] = model_.output.Dot(static_cast<int64_t>(i), hidden);
    if (model_.loss != FastTextModel::Loss::kSoftmax) {
      for (size_t i = 0; i < labels; ++i) out[i] = TableSigmoid(scores[i]);
      return out;
    }
    const float largest = *std::max_element(scores.begin(), scores.end());
    double sum = 0.0;
    for (size_t i = 0; i < labels; ++i) sum += out[i] = std::exp(static_cast<double>(scores[i] - largest));
    for (double& value : out) value /= sum;
    return out;
  }

  const FastTextModel model_;
  const std::string fingerprint_;
  std::vector<Node> tree_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const LanguageIdentifier>> LanguageIdentifier::Load(const std::string& path) {
  TF_ASSIGN_OR_RETURN(FastTextModel model, FastTextModel::Load(path));
  const auto bytes = model.file->bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::string fingerprint = fmt::format("{:016x}", HashBytes(text.substr(0, size_t{1} << 24)));
  return std::make_shared<Identifier>(std::move(model), std::move(fingerprint));
}

}  // namespace toolformer
