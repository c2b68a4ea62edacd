// The decoder object of a tokenizer.json.
#ifndef TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_DECODER_H_
#define TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_DECODER_H_

#include <cstddef>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "src/text/tokenizer_regex.h"

namespace toolformer {

// What a piece adds to a text that it is neither the first nor the last of.
class Decoder {
 public:
  // Null is a decoder that puts a space before each piece. Errors begin with `where`, a file and a field.
  static absl::StatusOr<Decoder> Parse(const nlohmann::json& root, const std::string& where);
  bool byte_level() const { return byte_level_; }
  std::string Decode(std::string_view piece) const;

 private:
  struct Step {
    enum class Kind {
      kReplace,       // `from`, or what `pattern` matches, becomes `to`
      kByteFallback,  // <0xHH> becomes a byte
      kStrip,         // `from` goes, `at_start` times from the start and `at_end` times from the end
      kWordPiece,     // the prefix `from` goes, or a space comes before
      kCleanUp,       // English spaces before punctuation and contractions go
      kSpaceBefore,   //
    };
    Kind kind;
    std::string from = {}, to = {};
    size_t at_start = 0, at_end = 0;
    std::shared_ptr<const Regex> pattern = nullptr;
  };
  absl::Status AddStep(const nlohmann::json& object, const std::string& type, const std::string& where);
  absl::Status AddReplace(const nlohmann::json& object, const std::string& where);
  absl::Status AddStrip(const nlohmann::json& object, const std::string& where);
  absl::Status AddWordPiece(const nlohmann::json& object, const std::string& where);

  std::vector<Step> steps_;
  bool byte_level_ = false;
  bool fused_ = false;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_TEXT_TOKENIZER_JSON_DECODER_H_
