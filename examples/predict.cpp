// Counts the cells of images by class: predict MODEL IMAGE...
// g++ -std=c++20 predict.cpp $(pkg-config --cflags --libs --static soma) -o predict
#include <cstdio>
#include <map>

#include "data/image_io.h"
#include "run/inference.h"

int main(int count, char** words) try {
  if (count < 3) throw soma::Error("usage: predict MODEL IMAGE...");
  const soma::LoadedModels model = soma::load_models({words[1]}, {}, {}, soma::Device::cpu);
  for (int i = 2; i < count; ++i) {
    const soma::ImagePredictions found = soma::find_cells(model, soma::read_image(words[i]));
    std::map<std::string, int> cells;
    for (const soma::Prediction& cell : found.predictions) {
      ++cells[model.config.model.classes[static_cast<size_t>(cell.class_index)]];
    }
    std::printf("%s: %zu cells\n", words[i], found.predictions.size());
    for (const auto& [name, number] : cells) std::printf("  %s: %d\n", name.c_str(), number);
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
