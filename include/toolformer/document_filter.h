// The first box of annotation: is this text worth asking this tool about (paper App. A.1)?
#ifndef TOOLFORMER_DOCUMENT_FILTER_H_
#define TOOLFORMER_DOCUMENT_FILTER_H_

#include <cstdint>

#include "toolformer/document.h"
#include "toolformer/export.h"
#include "toolformer/tool_registry.h"

namespace toolformer {

// Keeps a reference to the registry. Const and concurrent. Cheap: no model is asked.
class TOOLFORMER_API DocumentFilter {
 public:
  // `seed` decides the random samples of heuristics, together with the text and the tool's name.
  DocumentFilter(const ToolRegistry& registry, uint64_t seed);

  // Whether the text already holds a well-formed call of a registered tool: such texts are counted and left out, never
  // executed (design decision 9).
  bool ContainsCalls(const Document& document) const;

  // The tool's own heuristic; true where it has none.
  bool Accepts(const Tool& tool, const Document& document) const;

 private:
  const ToolRegistry& registry_;
  const uint64_t seed_;
};

}  // namespace toolformer

#endif  // TOOLFORMER_DOCUMENT_FILTER_H_
