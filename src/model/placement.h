// Which stored tensor holds which rows of ours, for every layout of a family's files; loading and saving both follow
// it.
#ifndef TOOLFORMER_SRC_MODEL_PLACEMENT_H_
#define TOOLFORMER_SRC_MODEL_PLACEMENT_H_

#include <functional>
#include <string>
#include <vector>

#include "src/model/weights.h"

namespace toolformer {

// How the rows of a stored tensor are ordered, and where each stands with us.
struct RowOrder {
  enum class Kind {
    kAsStored,
    kNeighbours,  // rotary pairs are neighbours in the file and half the rotary dimensions apart with us
    kByHead,      // query, key and value of a head follow each other; with us all queries, all keys, all values
  };
  Kind kind = Kind::kAsStored;
  int64_t heads = 0, head_dim = 0, rotary_dims = 0;

  int64_t OurRow(int64_t stored) const;
};

struct Placement {
  Role role = Role::kEmbedding;
  int64_t layer = 0;
  int64_t first_row = 0;       // of the target within our tensor
  std::string name;            // in the file
  std::vector<int64_t> shape;  // in the file
  at::Tensor target;           // our rows: [rows, columns], or [rows] for biases and norms
  RowOrder order;
  bool transposed = false;
  double offset = 0.0;  // what we add to the stored values
};

// Names without ".weight" and ".bias". `file_name` turns a rule's name, with the layer filled in, into the file's;
// `has` tells whether the file holds it.
struct PlacementNames {
  std::function<std::string(const std::string& name)> file_name;
  std::function<bool(const std::string& name)> has;
};

// Of the family's own files, with nothing missing.
PlacementNames AllNames();

std::vector<Placement> PlaceTensors(const FamilyFile& file, const TransformerSpec& spec,
                                    const TransformerWeights& weights, const PlacementNames& names);

// The file's name of a role: by the first of its rules whose name the file holds, else by the first of them; empty
// where there is no rule.
std::string StoredName(std::span<const NameRule> rules, Role role, int64_t layer, const PlacementNames& names);

}  // namespace toolformer

#endif  // TOOLFORMER_SRC_MODEL_PLACEMENT_H_
