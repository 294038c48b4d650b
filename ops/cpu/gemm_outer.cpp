// Splits multiply_outer into tasks (rows, channels, chunks of pixels). Each chunk of pixels adds up
// its own copy of the gradient; the copies are added in chunk order.
#include <algorithm>

#include "base/parallel.h"
#include "ops/cpu/gemm.h"
#include "ops/cpu/gemm_kernel.h"

namespace soma::cpu {
namespace {

constexpr int64_t kTasks = 16;             // wanted at least, so that threads share evenly
constexpr int64_t kBlockSteps = 384;       // of a packed block, at one or two pixels a step
constexpr int64_t kMostRows = 264;         // 264 x 384 floats of packed grad: 405 kB of L2
constexpr int64_t kFewestColumns = 256;    // of a task: packing grad once must pay
constexpr int64_t kMostCopies = 64 << 20;  // bytes

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

// Io: of grad and source; T: of their packed copies.
template <class T, class Io>
class OuterDriver {
 public:
  using Value = Sum<T>;
  OuterDriver(const OuterProduct& product, const Tensor& grad, const Tensor& source,
              const Tensor& grad_weight)
      : p_(product),
        tile_(tile_of(grad_weight.dtype())),
        merged_(p_.groups == 1 && p_.taps_x > 1 && p_.columns < tile_.columns),
        taps_x_(merged_ ? 1 : p_.taps_x),
        channels_(merged_ ? p_.taps_x * p_.columns : p_.columns),
        row_length_(p_.taps_y * p_.taps_x * p_.columns),
        grad_(static_cast<const Io*>(grad.raw())),
        source_(static_cast<const Io*>(source.raw())),
        out_(grad_weight) {
    constexpr int64_t pixels = kBlockSteps * kPixels<T>;
    block_width_ = std::min(p_.width, pixels);
    block_height_ = std::clamp<int64_t>(pixels / block_width_, 1, p_.height);
    block_images_ = std::clamp<int64_t>(pixels / (block_width_ * block_height_), 1, p_.images);
    blocks_x_ = ceil_div(p_.width, block_width_);
    blocks_y_ = ceil_div(p_.height, block_height_);
    blocks_ = blocks_x_ * blocks_y_ * ceil_div(p_.images, block_images_);
    split();
  }

  void run() const {
    const int64_t size = out_.numel();
    Tensor copies = chunks_ == 1 ? out_ : Tensor::empty({chunks_, size}, out_.dtype());
    const int64_t per_chunk = p_.groups * row_tasks_ * channel_tasks_;
    parallel_for(chunks_ * per_chunk, [&](int64_t task) {
      const int64_t chunk = task / per_chunk, channels = task % channel_tasks_;
      one_task(chunk, task / channel_tasks_ / row_tasks_ % p_.groups,
               task / channel_tasks_ % row_tasks_, channels,
               copies.data<Value>() + (chunks_ == 1 ? 0 : chunk * size));
    });
    if (chunks_ == 1) return;
    const Value* const from = copies.data<Value>();
    Value* const to = out_.data<Value>();
    parallel_chunks(size, 4096, [&](int64_t first, int64_t last) {
      std::copy(from + first, from + last, to + first);
      for (int64_t chunk = 1; chunk < chunks_; ++chunk) {
        for (int64_t i = first; i < last; ++i) to[i] += from[chunk * size + i];
      }
    });
  }

 private:
  void split() {
    const int64_t blocks = ceil_div(p_.rows, kMostRows);
    task_rows_ = round_up(ceil_div(p_.rows, blocks), tile_.rows);
    row_tasks_ = ceil_div(p_.rows, task_rows_);
    const int64_t panels = ceil_div(channels_, tile_.columns), taps = p_.taps_y * taps_x_;
    const int64_t fewest = std::max<int64_t>(1, kFewestColumns / (taps * tile_.columns));
    const int64_t parts = std::clamp<int64_t>(ceil_div(kTasks, p_.groups * row_tasks_), 1,
                                              std::max<int64_t>(1, panels / fewest));
    task_channels_ = ceil_div(panels, parts) * tile_.columns;
    channel_tasks_ = ceil_div(channels_, task_channels_);
    const int64_t bytes = std::max<int64_t>(1, out_.bytes());
    const int64_t wanted = ceil_div(kTasks, p_.groups * row_tasks_ * channel_tasks_);
    chunk_blocks_ = ceil_div(
        blocks_, std::clamp<int64_t>(std::min(wanted, blocks_), 1, 1 + kMostCopies / bytes));
    chunks_ = ceil_div(blocks_, chunk_blocks_);
  }

  void one_task(int64_t chunk, int64_t group, int64_t row_task, int64_t channel_task,
                Value* out) const {
    const int64_t channels = p_.groups * p_.rows, row = row_task * task_rows_;
    OuterTask<T, Io> task = {};
    task.grad_pixel = channels;
    task.grad_row = p_.width * channels;
    task.grad_image = p_.height * task.grad_row;
    task.rows = std::min(task_rows_, p_.rows - row);
    const int64_t source_channels = p_.groups * p_.columns;
    task.source_line = p_.source_width * source_channels - group * p_.columns;
    task.source_row = p_.source_width * source_channels;
    task.source_image = p_.source_height * task.source_row;
    task.source_height = p_.source_height;
    // An axis with one tap packs only the positions that its windows see.
    task.row_pick = p_.taps_y == 1 ? p_.stride : 1;
    task.step_y = p_.taps_y == 1 ? 1 : p_.stride;
    const int64_t step_x = p_.stride * kPixels<T>;
    task.source_column = source_channels * (taps_x_ == 1 ? step_x : 1);
    task.source_pair = source_channels * p_.stride;
    task.step_x = taps_x_ == 1 ? 1 : step_x;
    task.taps_y = p_.taps_y, task.taps_x = taps_x_, task.channels = channels_;
    task.first_channel = channel_task * task_channels_;
    task.last_channel = std::min(channels_, task.first_channel + task_channels_);
    task.out = out + (group * p_.rows + row) * row_length_;
    task.out_stride = row_length_;
    task.images = block_images_, task.height = block_height_, task.width = block_width_;
    static_assert(sizeof(T) == sizeof(Value));
    const Tensor scratch = Tensor::empty({outer_scratch(task, tile_)}, dtype_of<Value>);
    task.scratch = static_cast<T*>(scratch.raw());
    const int64_t end = std::min(blocks_, (chunk + 1) * chunk_blocks_);
    for (int64_t block = chunk * chunk_blocks_; block < end; ++block) {
      place(block, group, row, task);
      task.add = block > chunk * chunk_blocks_;
      with_isa([&](auto isa) { outer_product<isa>(task); });
    }
  }

  // Sets what depends on the block of pixels.
  void place(int64_t block, int64_t group, int64_t row, OuterTask<T, Io>& task) const {
    const int64_t x = block % blocks_x_ * block_width_;
    const int64_t y = block / blocks_x_ % blocks_y_ * block_height_;
    const int64_t n = block / blocks_x_ / blocks_y_ * block_images_;
    task.images = std::min(block_images_, p_.images - n);
    task.height = std::min(block_height_, p_.height - y);
    task.width = std::min(block_width_, p_.width - x);
    task.grad = grad_ + n * task.grad_image + y * task.grad_row + x * task.grad_pixel +
                group * p_.rows + row;
    task.source = source_ + n * task.source_image + group * p_.columns;
    task.y = y * p_.stride - p_.pad;
    task.x = (x * p_.stride - p_.pad) * p_.groups * p_.columns;
  }

  const OuterProduct& p_;
  const TileSize tile_;
  const bool merged_;
  const int64_t taps_x_, channels_, row_length_;
  const Io *grad_, *source_;
  Tensor out_;
  int64_t block_width_, block_height_, block_images_, blocks_x_, blocks_y_, blocks_;
  int64_t task_rows_, row_tasks_, task_channels_, channel_tasks_, chunk_blocks_, chunks_;
};

}  // namespace

void multiply_outer(const OuterProduct& product, const Tensor& grad, const Tensor& source,
                    const Tensor& grad_weight) {
  if (grad_weight.numel() == 0) return;
  if (grad.numel() == 0) return grad_weight.fill(0);
  if (grad.dtype() == DType::bf16) {
    return OuterDriver<Bf16Pair, Bf16>(product, grad, source, grad_weight).run();
  }
  with_float(grad.dtype(), "multiply_outer", [&](auto type) {
    using T = decltype(type);
    OuterDriver<T, T>(product, grad, source, grad_weight).run();
  });
}

}  // namespace soma::cpu
