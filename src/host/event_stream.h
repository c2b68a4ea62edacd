// Server-sent events, as they come in.
#ifndef TOOLFORMER_SRC_HOST_EVENT_STREAM_H_
#define TOOLFORMER_SRC_HOST_EVENT_STREAM_H_

#include <functional>
#include <string>
#include <string_view>

namespace toolformer {

// Puts the pieces of a stream together. The sender bounds nothing; whoever feeds it must.
class EventStream {
 public:
  // `on_data` is given the data of each event that has any; false: it has heard enough.
  explicit EventStream(std::function<bool(const std::string& data)> on_data) : on_data_(std::move(on_data)) {}

  // False once on_data said so.
  bool Feed(std::string_view bytes);

  // The id of the last event that had one.
  const std::string& last_id() const { return last_id_; }

 private:
  bool EndLine();

  const std::function<bool(const std::string&)> on_data_;
  std::string line_, data_, last_id_;
  bool has_data_ = false, after_cr_ = false;
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_HOST_EVENT_STREAM_H_
