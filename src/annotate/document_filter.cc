#include "toolformer/document_filter.h"

#include <algorithm>

#include "src/base/random.h"
#include "toolformer/call_syntax.h"

namespace toolformer {

DocumentFilter::DocumentFilter(const ToolRegistry& registry, uint64_t seed) : registry_(registry), seed_(seed) {}

bool DocumentFilter::ContainsCalls(const Document& document) const {
  const std::vector<CallSpan> calls = FindCalls(document.text);
  return std::any_of(calls.begin(), calls.end(),
                     [&](const CallSpan& span) { return registry_.Find(span.call.tool) != nullptr; });
}

bool DocumentFilter::Accepts(const Tool& tool, const Document& document) const {
  return !tool.accepts || tool.accepts(document, CombineSeeds({seed_, HashBytes(document.text), HashBytes(tool.name)}));
}

}  // namespace toolformer
