#include "ops/filter_boxes.h"

#include "ops/dispatch.h"

namespace soma {

void filter_boxes(const Tensor& boxes, const Tensor& scores, const Tensor& image_size,
                  const FilterSpec& spec) {
  check(boxes.rank() == 3 && boxes.extent(2) == 4, "filter_boxes", "boxes must be [N,K,4], got ",
        boxes.shape());
  const int64_t images = boxes.extent(0);
  check(scores.shape() == Shape{images, boxes.extent(1)}, "filter_boxes", "scores ", scores.shape(),
        " for boxes ", boxes.shape());
  check(image_size.shape() == Shape{images, 2}, "filter_boxes", "image_size must be [", images,
        ",2], got ", image_size.shape());
  check(spec.together >= 1 && boxes.extent(1) % spec.together == 0, "filter_boxes", spec.together,
        " boxes together do not divide ", boxes.extent(1));
  run<cpu::filter_boxes, cuda::filter_boxes>("filter_boxes", boxes.device(), boxes, scores,
                                             image_size, spec);
}

Tensor class_scores(const Tensor& probabilities, const Tensor& count, double threshold) {
  const int64_t images = count.extent(0), columns = probabilities.extent(1);
  check(images > 0 && probabilities.extent(0) % images == 0, "class_scores", "probabilities ",
        probabilities.shape(), " for ", images, " images");
  const int64_t per_image = probabilities.extent(0) / images;
  const Tensor out =
      Tensor::empty({images, per_image * (columns - 1)}, DType::f32, probabilities.device());
  run<cpu::class_scores, cuda::class_scores>("class_scores", out.device(), probabilities, count,
                                             threshold, out);
  return out;
}

Tensor class_groups(int64_t images, int64_t per_image, int64_t classes, Device device) {
  const Tensor out = Tensor::empty({images, per_image * classes}, DType::i32, device);
  run<cpu::class_groups, cuda::class_groups>("class_groups", device, classes, out);
  return out;
}

}  // namespace soma
