// A host in C++ that knows nothing but the installed headers.
#include <toolformer/tool.h>

#include <iostream>

int main() {
  const absl::StatusOr<std::string> value = toolformer::Calculate("6 * 7");
  std::cout << (value.ok() ? *value : std::string(value.status().message())) << "\n";
  return value.ok() ? 0 : 1;
}
