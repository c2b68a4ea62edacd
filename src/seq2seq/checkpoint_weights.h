// The tensors of an encoder-decoder folder, whoever wrote it.
#ifndef TOOLFORMER_SRC_SEQ2SEQ_CHECKPOINT_WEIGHTS_H_
#define TOOLFORMER_SRC_SEQ2SEQ_CHECKPOINT_WEIGHTS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "toolformer/weight_file.h"

namespace toolformer {

inline constexpr char kAtlasFileName[] = "model.pth.tar";

// The weight file of a folder, its tensors called as transformers calls them:
//   a folder of Hugging Face    as WeightFile::Open has it
//   a folder of FiD             the same, with the encoder's wrappers ("encoder.encoder.block.0.module.") taken off
//   a checkpoint of Atlas       model.pth.tar, of which the reader's tensors are left ("reader." or "reader.module.")
// Errors of WeightFile::Open; kInvalidArgument where a checkpoint has no reader.
absl::StatusOr<std::unique_ptr<WeightFile>> OpenSeq2SeqWeights(const std::string& folder);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_SEQ2SEQ_CHECKPOINT_WEIGHTS_H_
