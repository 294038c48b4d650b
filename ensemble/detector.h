// Everything that finds the cells of an image: one model or several, looking at one view or
// several, joined as EnsembleConfig says. What predict, eval and validation call.
#pragma once
#include <vector>

#include "data/config.h"
#include "data/image.h"
#include "ensemble/config.h"
#include "ensemble/views.h"

namespace soma {

// The image through the models, before the masks are pasted.
struct SoftImage {
  SoftDetections detections;
  ImageFrame frame;  // from the detections' pixels to the file's
};

struct Member {
  MaskRcnn model;  // prepared for inference
  InputConfig input;
};

class Detector {
 public:
  // Members may differ in everything but the names of their classes; the first one's order counts.
  // Error: a class that only some know, classes in another order where they answer as one network,
  // not as many weights as members, a view that is none.
  Detector(std::vector<Member> members, const EnsembleConfig& rules, const TestConfig& test);
  // Whole, or window by window where the image is larger than test.tile.
  SoftImage detect(const Image& image) const;

 private:
  // A member that looks at a view; those of a group answer as one network.
  struct Look {
    size_t member = 0;
    View view;
  };
  using Group = std::vector<Look>;
  std::vector<Group> groups() const;
  using Inputs = std::vector<InputConfig>;  // of each member
  SoftImage detect_by(const Look& look, const Image& image, const Inputs& inputs) const;
  SoftDetections detect_by(const Group& group, const Image& image, const Inputs& inputs) const;
  SoftImage detect_whole(const Image& image, const Inputs& inputs) const;
  SoftImage detect_tiles(const Image& image, Inputs inputs) const;

  std::vector<Member> members_;
  std::vector<std::vector<int32_t>> classes_;  // of each member: its class -> the first one's
  std::vector<double> weights_;
  std::vector<View> views_;
  EnsembleConfig rules_;
  TestConfig test_;
};

}  // namespace soma
