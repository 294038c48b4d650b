#include "ops/mask_targets.h"

#include "ops/dispatch.h"

namespace soma {
namespace {

void check_pool(const MaskPool& pool) {
  check(pool.bits.dtype() == DType::u8 && pool.bits.rank() == 1, "mask_targets",
        "bits must be u8[total], got ", name_of(pool.bits.dtype()), pool.bits.shape());
  check(pool.crop.dtype() == DType::i32 && pool.crop.rank() == 2 && pool.crop.extent(1) == 4,
        "mask_targets", "crop must be i32[G, 4], got ", name_of(pool.crop.dtype()),
        pool.crop.shape());
  check(pool.offset.dtype() == DType::i64 && pool.offset.shape() == Shape{pool.crop.extent(0)},
        "mask_targets", "offset must be i64[", pool.crop.extent(0), "], got ",
        name_of(pool.offset.dtype()), pool.offset.shape());
}

// On the CPU only: a device's values are not read back.
void check_windows(const MaskPool& pool) {
  const int64_t* offset = pool.offset.data<int64_t>();
  const int32_t* crop = pool.crop.data<int32_t>();
  for (int64_t g = 0; g < pool.crop.extent(0); ++g, crop += 4) {
    const int64_t width = crop[2], height = crop[3];
    check(width >= 0 && height >= 0 && offset[g] >= 0 &&
              offset[g] <= pool.bits.numel() - width * height,
          "mask_targets", "mask ", g, " of ", height, " x ", width, " at ", offset[g],
          " leaves the pool of ", pool.bits.numel());
  }
}

void check_rows(const Tensor& rois, const Tensor& matched, int64_t images, int64_t masks) {
  const float* roi = rois.data<float>();
  const int32_t* mask = matched.data<int32_t>();
  for (int64_t k = 0; k < rois.extent(0); ++k) {
    if (!(roi[5 * k] >= 0) || mask[k] < 0) continue;
    check(roi[5 * k] < static_cast<float>(images) && mask[k] < masks, "mask_targets", "RoI ", k,
          " is on image ", roi[5 * k], " of ", images, " and mask ", mask[k], " of ", masks);
  }
}

}  // namespace

Tensor mask_targets(const MaskPool& pool, const Tensor& rois, const Tensor& matched,
                    const Tensor& image_size, const MaskTargetSpec& spec) {
  check_pool(pool);
  check(rois.dtype() == DType::f32 && rois.rank() == 2 && rois.extent(1) == 5, "mask_targets",
        "rois must be f32[K, 5], got ", name_of(rois.dtype()), rois.shape());
  check(matched.dtype() == DType::i32 && matched.shape() == Shape{rois.extent(0)}, "mask_targets",
        "matched must be i32[", rois.extent(0), "], got ", name_of(matched.dtype()),
        matched.shape());
  check(image_size.dtype() == DType::i32 && image_size.rank() == 2 && image_size.extent(1) == 2,
        "mask_targets", "image_size must be i32[N, 2], got ", name_of(image_size.dtype()),
        image_size.shape());
  check(spec.size >= 1 && spec.size <= 1024, "mask_targets", "size must be 1 to 1024, got ",
        spec.size);
  if (rois.device() == Device::cpu) {
    check_windows(pool);
    check_rows(rois, matched, image_size.extent(0), pool.crop.extent(0));
  }
  const Tensor out =
      Tensor::empty({rois.extent(0), spec.size, spec.size}, DType::f32, rois.device());
  run<cpu::mask_targets, cuda::mask_targets>("mask_targets", rois.device(), pool, rois, matched,
                                             image_size, spec, out);
  return out;
}

}  // namespace soma
