// What the system is told about the pages of mapped files. A hint only: nothing that is read depends on it.
#ifndef TOOLFORMER_SRC_FILES_PAGE_HINTS_H_
#define TOOLFORMER_SRC_FILES_PAGE_HINTS_H_

#include <cstdint>
#include <span>

namespace toolformer {

// Takes the whole pages within `part` of a mapped file out of the process's resident memory; reading them fetches them
// anew.
void ReleasePages(std::span<const uint8_t> part);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_FILES_PAGE_HINTS_H_
