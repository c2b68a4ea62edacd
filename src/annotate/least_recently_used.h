// A few values by name; the least recently used one gives way to a new one.
#ifndef TOOLFORMER_SRC_ANNOTATE_LEAST_RECENTLY_USED_H_
#define TOOLFORMER_SRC_ANNOTATE_LEAST_RECENTLY_USED_H_

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <utility>

namespace toolformer {

// Not safe for concurrent use.
template <typename Value>
class LeastRecentlyUsed {
 public:
  explicit LeastRecentlyUsed(size_t capacity) : capacity_(capacity) {}

  // Null where there is none.
  std::shared_ptr<Value> Find(const std::string& name) {
    for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
      if (entry->first != name) continue;
      entries_.splice(entries_.begin(), entries_, entry);
      return entry->second;
    }
    return nullptr;
  }

  void Add(const std::string& name, std::shared_ptr<Value> value) {
    if (capacity_ == 0) return;
    if (entries_.size() >= capacity_) entries_.pop_back();
    entries_.emplace_front(name, std::move(value));
  }

 private:
  const size_t capacity_;
  std::list<std::pair<std::string, std::shared_ptr<Value>>> entries_;  // most recently used first
};

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_ANNOTATE_LEAST_RECENTLY_USED_H_
