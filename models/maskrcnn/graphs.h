// CUDA graphs of what depends on nothing but the shape of a batch: backbone, FPN and RPN head
// forward and, in training, FPN and backbone backward. The first passes of a shape run as they are,
// in which the libraries choose their algorithms; the next is captured (tensor/device_graph.h), and
// from then on launched. Same kernels, same arguments, same order: the same bits. A capture that
// fails is reported once, and everything goes on without graphs.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "models/maskrcnn/mask_rcnn.h"

namespace soma {

// What there is for each of a few shapes; the one not asked for for longest makes room for another.
template <class Slot>
class ByShape {
 public:
  static constexpr size_t kMost = 4;  // each keeps the activations of a batch
  Slot& at(const Shape& shape);
  void clear() { entries_.clear(); }

 private:
  struct Entry {
    Shape shape;
    std::unique_ptr<Slot> slot;
  };
  std::vector<Entry> entries_;  // the latest first
};

using Warn = std::function<void(const std::string& line)>;

// Of a prepared model, of which copies share them; threads take turns, for a whole pass. Images of
// one shape are in one place, and so are what becomes of them: a pass overwrites the outputs of the
// one before of its shape.
class DetectionGraphs {
 public:
  explicit DetectionGraphs(Warn warn);
  ~DetectionGraphs();
  // As model.forward(images), within a NoGradScope. Always of the same model.
  MaskRcnn::Forward forward(const MaskRcnn& model, const Tensor& images);
  // To hold until the outputs have been used.
  std::unique_lock<std::mutex> turn() { return std::unique_lock(mutex_); }

 private:
  struct Slot;
  std::mutex mutex_;
  Warn warn_;
  bool failed_ = false;
  ByShape<Slot> slots_;
};

// Of a model in training. The features of the static part are leaves to the heads; their gradients
// are what its backward pass begins with.
class TrainingGraphs {
 public:
  // Not `wanted`, or on the CPU: forward() and backward() are the plain ones.
  TrainingGraphs(MaskRcnn& model, bool wanted, Warn warn);
  ~TrainingGraphs();
  // As model.forward(images). One step at a time: the outputs hold until the next call.
  MaskRcnn::Forward forward(const Tensor& images);
  // As soma::backward(loss), of a loss of the last forward()'s outputs. Where there are gradients
  // already, those of all levels are summed before they are added.
  void backward(const Variable& loss);

 private:
  struct Slot;
  void capture(Slot& slot, const Tensor& images);
  bool parameters_moved();

  MaskRcnn& model_;
  Warn warn_;
  bool wanted_;
  std::vector<const void*> places_;  // of the parameters and buffers that graphs were made with
  ByShape<Slot> slots_;
  Slot* slot_ = nullptr;              // of the step; null: a plain one
  MaskRcnn::Forward passed_, given_;  // what the static part gave, and the leaves of it
};

}  // namespace soma
