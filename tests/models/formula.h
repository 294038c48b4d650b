// The small model of tools/goldens/model.py: its weights, images and cells from their formulas, and
// torchvision's names and layouts for soma's parameters. The script explains every rule.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "models/maskrcnn/mask_rcnn.h"

namespace soma::test {

// u(name, i) in [-1, 1).
class Formula {
 public:
  explicit Formula(const std::string& name);
  double operator()(int64_t i) const;

 private:
  uint32_t seed_ = 2166136261u;
};

// A parameter or buffer of soma's as torchvision has it.
struct Counterpart {
  std::string name;
  std::vector<int64_t> shape;  // torchvision's
  std::vector<int64_t> place;  // of each of soma's elements in torchvision's layout; -1: none
};
Counterpart counterpart(const std::string& name, const Shape& shape);

ModelConfig formula_config();
TestConfig formula_test();
MaskRcnn formula_model(DType dtype, const std::string& backbone = "resnet18");

struct FormulaScene {
  Tensor images;
  GroundTruth truth;
};
FormulaScene formula_scene(DType dtype, const std::string& images = "image");

// Rows of a golden file by their first word; numbers behind it.
struct GoldenRow {
  std::string name;  // of gradient and weight rows
  std::vector<double> numbers;
};
std::map<std::string, std::vector<GoldenRow>> read_golden(const std::string& file);

// Sum of squares and the projection on u(name, i), element k standing at place[k].
struct Projection {
  double squares = 0, projection = 0;
};
Projection project(const std::string& name, const Tensor& values,
                   const std::vector<int64_t>& place);

}  // namespace soma::test
