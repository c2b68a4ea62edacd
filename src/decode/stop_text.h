// Text on its way out, held back while it may still turn into a text that ends the generation.
#ifndef TOOLFORMER_SRC_DECODE_STOP_TEXT_H_
#define TOOLFORMER_SRC_DECODE_STOP_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

namespace toolformer {

class StopText {
 public:
  explicit StopText(std::vector<std::string> stops);

  // Adds text and returns what may go out now. Once a stop has been read, stopped() holds and what stood before it is
  // the last that goes out.
  std::string Add(std::string_view text);

  // What is still held back, when no more text follows directly.
  std::string Flush();

  bool stopped() const { return stopped_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_DECODE_STOP_TEXT_H_
