// The C interface over run/inference.h: every function turns what is thrown into a message of the
// calling thread.
#include "capi/soma.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/parallel.h"
#include "data/image_io.h"
#include "data/measurements.h"
#include "run/inference.h"

struct soma_model {
  soma::LoadedModels loaded;
};

struct soma_result {
  soma::ImagePredictions image;             // the cells that are submitted
  std::vector<std::vector<uint32_t>> runs;  // of each cell, as soma_get_runs() gives them
};

namespace {

// Plain bytes, so that telling of a failure cannot fail.
thread_local char last_error[1024] = "";

void remember(const char* message) {
  const size_t length = std::min(std::strlen(message), sizeof last_error - 1);
  std::memcpy(last_error, message, length);
  last_error[length] = '\0';
}

// What body() returns, or `failed` with the message kept.
template <class Result, class Body>
Result guarded(Result failed, Body body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    remember("soma: out of memory; use smaller images or windows (test.tile)");
  } catch (const std::exception& error) {
    remember(error.what());
  } catch (...) {
    remember("soma: failed for no reason that is known");
  }
  return failed;
}

soma_result* predict(const soma_model& model, const soma::Image& image) {
  soma::ImagePredictions cells = soma::find_cells(model.loaded, image);
  std::vector<std::vector<uint32_t>> runs;
  for (const soma::Prediction& cell : cells.predictions)
    runs.push_back(cell.mask.counts.unpacked());
  return new soma_result{std::move(cells), std::move(runs)};
}

const soma::Prediction& cell_of(const soma_result* result, int64_t index) {
  soma::check(result != nullptr, "soma", "the result is NULL");
  const auto& cells = result->image.predictions;
  soma::check(index >= 0 && index < std::ssize(cells), "soma", "no cell ", index, "; there are ",
              cells.size());
  return cells[static_cast<size_t>(index)];
}

void check_model(const soma_model* model) {
  soma::check(model != nullptr, "soma", "the model is NULL; soma_load() failed");
}

}  // namespace

const char* soma_version(void) { return SOMA_VERSION; }
const char* soma_last_error(void) { return last_error; }

int soma_set_threads(int count) {
  return guarded(-1, [&] {
    soma::set_thread_count(count);
    return 0;
  });
}

soma_model* soma_load(const char* model, const char* device, const char* const* settings) {
  return guarded<soma_model*>(nullptr, [&] {
    soma::check(model != nullptr && device != nullptr, "soma_load", "model or device is NULL");
    std::vector<std::string> overrides;
    for (; settings != nullptr && *settings != nullptr; ++settings) overrides.push_back(*settings);
    return new soma_model{soma::load_models({model}, {}, overrides, soma::device_named(device))};
  });
}

void soma_free_model(soma_model* model) { delete model; }

int soma_class_count(const soma_model* model) {
  return guarded(-1, [&] {
    check_model(model);
    return static_cast<int>(model->loaded.config.model.classes.size());
  });
}

const char* soma_class_name(const soma_model* model, int index) {
  return guarded<const char*>(nullptr, [&] {
    check_model(model);
    const auto& classes = model->loaded.config.model.classes;
    soma::check(index >= 0 && index < std::ssize(classes), "soma_class_name", "no class ", index,
                "; there are ", classes.size());
    return classes[static_cast<size_t>(index)].c_str();
  });
}

soma_result* soma_predict_file(const soma_model* model, const char* path) {
  return guarded<soma_result*>(nullptr, [&] {
    check_model(model);
    soma::check(path != nullptr, "soma_predict_file", "path is NULL");
    return predict(*model, soma::read_image(path));
  });
}

soma_result* soma_predict_pixels(const soma_model* model, const soma_pixels* pixels) {
  return guarded<soma_result*>(nullptr, [&] {
    check_model(model);
    soma::check(pixels != nullptr, "soma_predict_pixels", "pixels is NULL");
    const auto& [data, height, width, row_bytes, channels, bits] = *pixels;
    return predict(*model, soma::copy_pixels({data, height, width, row_bytes, channels, bits},
                                             "soma_predict_pixels"));
  });
}

void soma_free_result(soma_result* result) { delete result; }

int64_t soma_height(const soma_result* result) {
  return result == nullptr ? -1 : result->image.height;
}
int64_t soma_width(const soma_result* result) {
  return result == nullptr ? -1 : result->image.width;
}
int64_t soma_cell_count(const soma_result* result) {
  return result == nullptr ? -1 : std::ssize(result->image.predictions);
}

int soma_get_cell(const soma_result* result, int64_t index, soma_cell* cell) {
  return guarded(-1, [&] {
    const soma::Prediction& found = cell_of(result, index);
    soma::check(cell != nullptr, "soma_get_cell", "cell is NULL");
    std::copy(found.box.begin(), found.box.end(), cell->box);
    cell->score = found.score;
    cell->class_index = found.class_index;
    cell->area = soma::area(found.mask);
    return 0;
  });
}

int64_t soma_get_runs(const soma_result* result, int64_t index, const uint32_t** runs) {
  return guarded<int64_t>(-1, [&] {
    cell_of(result, index);
    soma::check(runs != nullptr, "soma_get_runs", "runs is NULL");
    const std::vector<uint32_t>& found = result->runs[static_cast<size_t>(index)];
    *runs = found.data();
    return std::ssize(found);
  });
}

int soma_get_labels(const soma_result* result, uint32_t* labels) {
  return guarded(-1, [&] {
    soma::check(result != nullptr && labels != nullptr, "soma_get_labels",
                "the result or labels is NULL");
    const soma::LabelImage image = soma::label_cells(result->image);
    std::copy(image.labels.begin(), image.labels.end(), labels);
    return 0;
  });
}
