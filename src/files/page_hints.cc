#include "src/files/page_hints.h"

#include <sys/mman.h>
#include <unistd.h>

namespace toolformer {

void ReleasePages(std::span<const uint8_t> part) {
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t address = reinterpret_cast<uintptr_t>(part.data());
  const uintptr_t begin = (address + page - 1) / page * page;
  const uintptr_t end = (address + part.size()) / page * page;
  // What the neighbours share stays.
  if (begin < end) madvise(const_cast<uint8_t*>(part.data()) + (begin - address), end - begin, MADV_DONTNEED);
}

}  // namespace toolformer
