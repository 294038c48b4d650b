// Everything that finds the cells of an image: one model or several, looking at one view or
// several, joined as EnsembleConfig says. What predict, eval and validation call.
#pragma once
#include <span>
#include <vector>

#include "data/config.h"
#include "data/image.h"
#include "ensemble/config.h"
#include "ensemble/views.h"

namespace soma {

// The image through the models, before the masks are pasted; boxes in the file's pixels.
struct SoftImage {
  SoftDetections detections;
  ImageFrame frame;
};

struct Member {
  MaskRcnn model;  // prepared for inference
  InputConfig input;
};

// Who answers, and how the answers become one.
struct Way {
  std::vector<size_t> members;  // places among the detector's members
  EnsembleConfig rules;
};

class Detector {
 public:
  // Members may differ in everything but the names of their classes; the first one's order counts.
  // Its own way is that of all members by `rules`. Error: a class that only some know; and those of
  // check_way().
  Detector(std::vector<Member> members, const EnsembleConfig& rules, const TestConfig& test);
  // Whole, or window by window where the image is larger than test.tile.
  SoftImage detect(const Image& image) const;
  size_t members() const { return members_.size(); }
  // What a window of an image goes through: every member at every view, in its input's rules.
  struct Pass {
    const MaskRcnn* model;
    View view;
    InputConfig input;
  };
  std::vector<Pass> passes() const;

  // Error: members cannot answer as one network, for the reason that it gives; not as many weights
  // as members; a view that is none.
  void check_way(const Way& way) const;
  // What each of several ways finds; members are asked once for all of them. The windows are those
  // of the first way. Each way as check_way() wants it.
  std::vector<SoftImage> detect(const Image& image, std::span<const Way> ways) const;

 private:
  // A member that looks at a view; those of a group answer as one network.
  struct Look {
    size_t member = 0;
    View view;
    auto operator<=>(const Look&) const = default;
  };
  using Group = std::vector<Look>;
  static std::vector<Group> groups(const Way& way);
  using Inputs = std::vector<InputConfig>;  // of each member
  SoftDetections detect_by(const Look& look, const Image& image, const Inputs& inputs) const;
  SoftDetections detect_by(const Group& group, const Image& image, const Inputs& inputs) const;
  std::vector<SoftDetections> detect_whole(const Image& image, std::span<const Way> ways,
                                           const Inputs& inputs) const;
  std::vector<SoftDetections> detect_tiles(const Image& image, std::span<const Way> ways,
                                           Inputs inputs) const;

  std::vector<Member> members_;
  std::vector<std::vector<int32_t>> classes_;  // of each member: its class -> the first one's
  Way way_;
  TestConfig test_;
};

}  // namespace soma
