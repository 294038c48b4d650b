// Views of an image for test-time augmentation: turned, mirrored, scaled; and the exact way back
// for boxes and for the masks that span them. A view transposes, then flips left to right, then top
// to bottom; it never resamples: its scale only asks the network for another input size.
#pragma once
#include <algorithm>
#include <array>
#include <compare>
#include <string>

#include "data/config.h"
#include "data/image.h"
#include "models/maskrcnn/mask_rcnn.h"

namespace soma {

struct View {
  bool transpose = false, flip_x = false, flip_y = false;
  double scale = 1;
  auto operator<=>(const View&) const = default;
};

// "plain", or some of the letters t h v in this order, each perhaps with @SCALE (0.1 to 10): h,
// thv, plain@1.5. Error: what is none.
View parse_view(const std::string& name);

Image look(const Image& image, const View& view);
// The input's rules at the view's scale.
InputConfig at_scale(const InputConfig& input, double scale);

// Boxes in the pixels of a height x width image, and in those of its view.
std::array<float, 4> into_view(std::array<float, 4> box, const View& view, int64_t height,
                               int64_t width);
std::array<float, 4> out_of_view(std::array<float, 4> box, const View& view, int64_t height,
                                 int64_t width);
// Masks f32 [S, S] on such boxes; `out` is another place.
void mask_into_view(const float* mask, int64_t size, const View& view, float* out);
void mask_out_of_view(const float* mask, int64_t size, const View& view, float* out);

// Puts change(box) in the place of every box of f32 [..., 4], on the host.
template <class Change>
void change_boxes(const Tensor& boxes, Change change) {
  for (int64_t i = 0; i < boxes.numel(); i += 4) {
    float* corners = boxes.data<float>() + i;
    const std::array<float, 4> changed =
        change(std::array<float, 4>{corners[0], corners[1], corners[2], corners[3]});
    std::copy(changed.begin(), changed.end(), corners);
  }
}

// A view's detections (boxes in its pixels) as they stand in the image.
SoftDetections out_of_view(const SoftDetections& found, const View& view, int64_t height,
                           int64_t width);

}  // namespace soma
