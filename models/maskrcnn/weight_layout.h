// How the elements of a tensor of soma's and of the same tensor in another framework's file
// correspond. soma: NHWC, the background class last, a stem of four channels; the others: OIHW,
// fc6's columns in the order C, H, W; torchvision and Caffe2 have the background first, with rows
// of deltas and masks for it that nothing reads.
#pragma once
#include <string>
#include <vector>

#include "weights/layout.h"

namespace soma {

struct FileLayout {
  bool own = false;               // soma's: nothing to move
  bool background_first = false;  // torchvision and Caffe2; detectron2 has it last, as soma
  bool stem_reversed = false;     // the file's colours run RGB where the input's run BGR, or back
  int64_t fpn_channels = 0;       // of what fc6 sees
};

// The shape of soma's tensor `name` that a file has as `theirs`, and the other way round.
Shape our_shape(const std::string& name, const Shape& theirs, const FileLayout& file);
Shape their_shape(const std::string& name, const Shape& ours, const FileLayout& file);

// Views of the same elements on both sides. soma's places that no piece covers stay 0, and so do
// the file's (rows of the background). Error when the shapes do not belong together.
struct Piece {
  Layout theirs, ours;
};
std::vector<Piece> pieces_of(const std::string& name, const Layout& theirs, const Shape& ours,
                             const FileLayout& file);

// The layers whose rows are classes: box_head.logits, box_head.deltas and mask_head.logits.
bool has_class_rows(const std::string& name);

}  // namespace soma
