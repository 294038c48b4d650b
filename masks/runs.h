// Reading and building run-length codes run by run: what the algebra of masks, the readers of
// strings and polygons, and whoever makes masks elsewhere have in common. Positions are row-major.
#pragma once
#include "masks/rle.h"

namespace soma {

// Throws unless height and width are >= 0 and a mask of that size can be coded (below 2^32 pixels).
void check_mask_size(int64_t height, int64_t width);

// Whether two windows share a pixel.
inline bool meet(const PixelBox& a, const PixelBox& b) {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

// Walks over the foreground runs of a mask: while (!done()) { [begin(), end()) ...; next(); }
// Runs of no pixels are passed over.
class RunCursor {
 public:
  explicit RunCursor(const Rle& mask) : at_(mask.counts.begin()), last_(mask.counts.end()) {
    next();
  }
  explicit RunCursor(Rle&&) = delete;  // the mask must outlive the walk
  bool done() const { return begin_ == end_; }
  int64_t begin() const { return begin_; }
  int64_t end() const { return end_; }
  void next() {
    begin_ = end_;
    while (begin_ == end_ && at_ != last_) {
      const uint32_t background = at_.take();
      if (at_ == last_) return;
      begin_ = end_ + background;
      end_ = begin_ + at_.take();
    }
  }

 private:
  RunCounts::Iterator at_, last_;
  int64_t begin_ = 0, end_ = 0;
};

// Makes the one canonical code of a mask: no run is empty but a first one, touching runs are one.
class RunBuilder {
 public:
  RunBuilder(int64_t height, int64_t width);
  // Adds [begin, end), not before what is there: end of the last <= begin < end <= pixels.
  void add(int64_t begin, int64_t end) {
    if (begin > end_) {
      close();
      begin_ = begin;
    }
    end_ = end;
  }
  Rle finish();

 private:
  // Writes the run that is open, and the background before it.
  void close() {
    if (begin_ == end_) return;
    mask_.counts.push_back(static_cast<uint32_t>(begin_ - written_));
    mask_.counts.push_back(static_cast<uint32_t>(end_ - begin_));
    written_ = end_;
  }

  Rle mask_;
  int64_t written_ = 0;          // pixels that counts hold
  int64_t begin_ = 0, end_ = 0;  // the last run
};

}  // namespace soma
