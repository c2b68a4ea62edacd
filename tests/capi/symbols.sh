#!/usr/bin/env bash
# symbols.sh LIBRARY ENGINE COMMITTED: the library exports the committed names, all of one version, and the engine one name.
set -euo pipefail
library="$1" engine="$2" committed="$3"
found=$(nm -D --defined-only "$library" | awk '{print $3}' | grep -v '^TOOLFORMER_1$' | sort)
if ! diff <(sed 's/$/@@TOOLFORMER_1/' "$committed") - <<<"$found"; then
  echo "symbols.sh: $library does not export what $committed lists (< committed, > exported)" >&2
  exit 1
fi
[[ "$(nm -D --defined-only "$engine" | awk '{print $3}')" == toolformer_engine ]] || {
  echo "symbols.sh: $engine exports more than toolformer_engine" >&2
  exit 1
}
# A thin library: only what every C++ program has.
needed=$(readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | grep -Ev '^(libstdc\+\+|libgcc_s|libc|libm|libasan|libubsan|libtsan)\.so' || true)
[[ -z "$needed" ]] || { echo "symbols.sh: $library needs $needed" >&2; exit 1; }
soname=$(readelf -d "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p')
[[ "$soname" == libtoolformer_c.so.1 ]] || { echo "symbols.sh: the SONAME is $soname" >&2; exit 1; }
echo "symbols.sh: $(wc -l <"$committed") names"
