// Trained weights from a file of anybody's (weights/weights_file.h) into a model, and from one
// framework's names and layouts into another's.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "models/maskrcnn/mask_rcnn.h"
#include "models/maskrcnn/weight_layout.h"
#include "models/maskrcnn/weight_names.h"
#include "weights/weights_file.h"

namespace soma {

// The metadata of a safetensors file that says "rgb" or "bgr": the order of the stem's channels.
inline constexpr const char* kChannelsKey = "channels";

// What a file is recognised as.
struct WeightsKind {
  NameScheme scheme = NameScheme::soma;
  int64_t classes = 0;      // without the background; 0: no layer tells
  std::optional<bool> bgr;  // the order of the stem's channels, where it is known
};
std::optional<WeightsKind> kind_of(const WeightsTable& table);

// What load_weights did. Names are soma's but for `unused`, which are the file's.
struct LoadReport {
  WeightsKind kind;
  bool stem_reversed = false;
  std::vector<std::string> loaded;
  std::vector<std::string> replaced;  // of another number of classes: they keep their values
  std::vector<std::string> missing;   // not in the file: they keep their values
  std::vector<std::string> unused;
};

// Copies what fits into the model. Layers with a row per class keep their values where the file has
// another number of classes; running statistics that detectron2's files leave out are 0 and 1.
// `bgr`: the model's input is BGR (input.bgr). Error, one line: names of no known scheme, a shape
// that does not fit, integers, NaN or infinity.
LoadReport load_weights(MaskRcnn& model, const WeightsFile& file, bool bgr);

// The same, and nothing may be missing or replaced (for inference).
void load_all_weights(MaskRcnn& model, const WeightsFile& file, bool bgr);

// What to tell the user of a fine-tuning: loaded, replaced, missing, unused, and what of the model
// is frozen.
std::vector<std::string> lines_of(const LoadReport& report, const WeightsFile& file,
                                  MaskRcnn& model);

// The file's floating-point tensors in soma's names and layouts; `unused` gets the names of others.
NamedTensors soma_weights(const WeightsFile& file, std::vector<std::string>& unused);

// soma's tensors in torchvision's names and layouts (models.detection.maskrcnn_*), RGB: `bgr` says
// that soma's are BGR. Error naming a tensor that torchvision's model does not have.
NamedTensors torchvision_weights(const NamedTensors& ours, bool bgr);

// "backbone (265 tensors), rpn (6 tensors)": names by their first `depth` parts.
std::string grouped(const std::vector<std::string>& names, int depth);

}  // namespace soma
