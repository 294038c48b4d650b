#include "data/synth.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/atomic_file.h"
#include "base/check.h"
#include "base/parallel.h"
#include "data/image_io.h"
#include "data/synth_cells.h"

namespace soma {
namespace {

constexpr double kUsualPixels = 704.0 * 520.0;

// One image in the making.
class Painter {
 public:
  Painter(const SynthOptions& options, int64_t index)
      : type_(cell_type(index)),
        random_(options.seed, RandomUse::synth, static_cast<uint32_t>(index)),
        noise_(random_),
        thickness_(options.height, options.width),
        occupied_(thickness_.values.size()),
        share_(static_cast<double>(options.width * options.height) / kUsualPixels),
        strength_(random_.uniform(0.6, 1.4)) {}

  SynthImage paint() {
    const auto wanted =
        static_cast<int64_t>(std::lround(type_.count * share_ * random_.uniform(0.5, 1.5)));
    for (int64_t i = 0, tries = 0; i < wanted && tries < 40 * wanted + 40; ++tries) i += add_cell();
    add_debris();
    SynthImage result{{}, {}, type_.name};
    for (const CellShape& cell : cells_)
      result.cells.push_back(encode_window(cell.mask, {cell.x, cell.y, cell.width, cell.height},
                                           thickness_.height, thickness_.width));
    result.image = develop();
    return result;
  }

 private:
  struct Place {
    double y, x;
  };

  Place draw_place(double radius) {
    if (!cells_.empty() && random_.uniform() < type_.cluster) {
      const CellShape& other = cells_[random_.below(static_cast<uint32_t>(cells_.size()))];
      const double angle = random_.uniform(0, 6.283185307179586);
      const double away = (other.radius + radius) * random_.uniform(0.9, 1.5);
      return {other.centre_y + away * std::sin(angle), other.centre_x + away * std::cos(angle)};
    }
    return {random_.uniform(0, static_cast<double>(thickness_.height)),
            random_.uniform(0, static_cast<double>(thickness_.width))};
  }

  // Cuts the grid to the image; false when too little of the cell is in it.
  bool clip(CellShape& cell) {
    const int64_t before = cell.area();
    const int64_t top = std::max<int64_t>(0, cell.y), left = std::max<int64_t>(0, cell.x);
    const int64_t bottom = std::min(thickness_.height, cell.y + cell.height);
    const int64_t right = std::min(thickness_.width, cell.x + cell.width);
    if (bottom <= top || right <= left) return false;
    std::vector<uint8_t> mask;
    for (int64_t y = top; y < bottom; ++y) {
      const auto row = cell.mask.begin() + (y - cell.y) * cell.width - cell.x;
      mask.insert(mask.end(), row + left, row + right);
    }
    cell.mask = std::move(mask);
    cell.y = top, cell.x = left, cell.height = bottom - top, cell.width = right - left;
    return cell.area() * 3 >= before;
  }

  // Takes what other cells hold out of the mask, but for some that overlap a little.
  bool make_room(CellShape& cell) {
    const int64_t before = cell.area();
    int64_t taken = 0;
    for_each_pixel(cell, [&](uint8_t& mine, uint8_t& others) { taken += mine && others; });
    if (taken * (cell.round ? 16 : 4) > before) return false;
    const bool overlaps = taken * 12 < before && random_.uniform() < 0.25;
    if (taken > 0 && !overlaps) {
      for_each_pixel(cell, [](uint8_t& mine, uint8_t& others) { mine = mine && !others; });
      keep_largest_piece(cell);
    }
    return cell.area() >= 30 && cell.area() * 10 >= before * 7;
  }

  template <class Body>
  void for_each_pixel(CellShape& cell, Body&& body) {
    for (int64_t y = 0; y < cell.height; ++y)
      for (int64_t x = 0; x < cell.width; ++x)
        body(cell.mask[static_cast<size_t>(y * cell.width + x)],
             occupied_[static_cast<size_t>((cell.y + y) * thickness_.width + cell.x + x)]);
  }

  bool add_cell() {
    CellShape cell = draw_shape(type_, noise_, random_);
    const Place place = draw_place(cell.radius);
    cell.y += std::lround(place.y), cell.x += std::lround(place.x);
    cell.centre_y = place.y, cell.centre_x = place.x;
    if (!clip(cell) || !make_room(cell)) return false;
    for_each_pixel(cell, [](uint8_t& mine, uint8_t& others) { others |= mine; });
    const double strength = strength_ * random_.uniform(0.6, 1.25);
    add_thickness(thickness_, cell, type_, strength, noise_, random_);
    for (double n = random_.uniform(0, 2 * type_.neurites); n >= 1; --n)
      add_neurite(thickness_, place.y, place.x, type_.neurite_length * random_.uniform(0.4, 1.6),
                  strength, random_);
    cells_.push_back(std::move(cell));
    return true;
  }

  Place anywhere() {
    return {random_.uniform(0, static_cast<double>(thickness_.height)),
            random_.uniform(0, static_cast<double>(thickness_.width))};
  }

  // What is no cell: specks, clumps of them, dust with rings, loose neurites.
  void add_debris() {
    for (double n = type_.debris * share_ * random_.uniform(0.5, 1.5); n >= 1; --n) {
      const Place p = anywhere();
      const double kind = random_.uniform(), strength = strength_ * random_.uniform(0.4, 1.2);
      if (kind < 0.45) {
        add_spot(thickness_, p.y, p.x, random_.uniform(0.7, 1.8), strength);
      } else if (kind < 0.75) {
        for (uint32_t i = 0; i < 5 + random_.below(14); ++i)
          add_spot(thickness_, p.y + 4 * random_.normal(), p.x + 4 * random_.normal(),
                   random_.uniform(0.6, 1.6), 0.4 * strength);
      } else if (kind < 0.85) {
        add_ring(thickness_, p.y, p.x, random_.uniform(2, 5), 0.8, 0.7 * strength);
      } else {
        add_neurite(thickness_, p.y, p.x, random_.uniform(20, 120), strength, random_);
      }
    }
  }

  // Uneven light, texture and what lies out of focus.
  Field background() {
    Field field(thickness_.height, thickness_.width);
    add_noise(field, noise_, 190, random_.uniform(0.05, 0.25), random_);
    add_noise(field, noise_, 45, random_.uniform(0.03, 0.12), random_);
    add_noise(field, noise_, 9, random_.uniform(0.03, 0.1), random_);
    for (double n = 12 * share_ * random_.uniform(0.3, 1.5); n >= 1; --n) {
      const Place p = anywhere();
      const double radius = random_.uniform(6, 30);
      add_ring(field, p.y, p.x, radius, radius * random_.uniform(0.1, 0.3),
               0.15 * random_.normal());
    }
    const double slope = random_.uniform(0, 0.25), angle = random_.uniform(0, 6.283185307179586);
    for (int64_t y = 0; y < field.height; ++y)
      for (int64_t x = 0; x < field.width; ++x) {
        const double v = static_cast<double>(y) / static_cast<double>(field.height) - 0.5;
        const double u = static_cast<double>(x) / static_cast<double>(field.width) - 0.5;
        field.row(y)[x] += static_cast<float>(slope * (u * std::cos(angle) + v * std::sin(angle)) -
                                              0.5 * slope * (u * u + v * v));
      }
    return field;
  }

  // The photograph: optics, light, grain, blur, and a set mean and deviation.
  Image develop() {
    Field light = phase_contrast(thickness_, random_.uniform(2, 6), random_.uniform(0.9, 1.3));
    const Field behind = background();
    const auto grain = static_cast<float>(random_.uniform(0.03, 0.13));
    for (size_t i = 0; i < light.values.size(); ++i)
      light.values[i] += behind.values[i] + grain * camera_noise();
    const Field soft = blurred(light, 1);
    const auto sharp = static_cast<float>(random_.uniform(0.2, 0.6));
    double sum = 0, squares = 0;
    for (size_t i = 0; i < light.values.size(); ++i) {
      const float value = soft.values[i] + sharp * (light.values[i] - soft.values[i]);
      light.values[i] = value;
      sum += value, squares += static_cast<double>(value) * value;
    }
    const auto count = static_cast<double>(light.values.size());
    const double mean = sum / count, deviation = std::sqrt(squares / count - mean * mean);
    const double scale = random_.uniform(12.5, 18.5) / deviation, level = random_.uniform(125, 129);
    Image image{light.height, light.width, 1, {}};
    image.pixels.reserve(light.values.size());
    for (const float value : light.values)
      image.pixels.push_back(static_cast<uint8_t>(
          std::clamp(level + (static_cast<double>(value) - mean) * scale + 0.5, 0.0, 255.0)));
    return image;
  }

  // Near enough to a normal: the sum of four bytes.
  float camera_noise() {
    const uint32_t word = random_.bits();
    const auto total =
        static_cast<int>((word & 255) + (word >> 8 & 255) + (word >> 16 & 255) + (word >> 24));
    return static_cast<float>(total - 510) * (1 / 147.8f);
  }

  const CellType& type_;
  Random random_;
  SmoothNoise noise_;
  Field thickness_;
  std::vector<uint8_t> occupied_;
  std::vector<CellShape> cells_;
  double share_, strength_;
};

void check_options(const SynthOptions& options) {
  check(options.images >= 1 && options.images <= 100000, "synth",
        "--images: expected 1 to 100000, got ", options.images);
  for (const int64_t side : {options.width, options.height})
    check(side >= 64 && side <= 4096, "synth", "--size: expected sides of 64 to 4096, got ",
          options.width, "x", options.height);
}

std::string name_of(int64_t index) {
  std::string digits = std::to_string(index);
  return "synth_" + std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
}

// Makes the folder, without the images of an earlier run.
void clear_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  check(!error, folder.string(), "cannot make the folder: ", error.message());
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("synth_", 0) == 0 && entry.path().extension() == ".png")
      std::filesystem::remove(entry.path(), error);
  }
  check(!error, folder.string(), "cannot clear the folder: ", error.message());
}

// Draws the images [first, last) into a folder; returns the table of their cells.
std::string write_part(const std::string& folder, const SynthOptions& options, int64_t first,
                       int64_t last) {
  std::vector<std::string> rows(static_cast<size_t>(last - first));
  parallel_for(last - first, [&](int64_t i) {
    const std::string id = name_of(first + i);
    SynthImage drawn = draw_synth(options, first + i);
    write_png(folder + "/" + id + ".png", drawn.image);
    const std::string tail = text(",", options.width, ",", options.height, ",", drawn.type, "\n");
    std::string& table = rows[static_cast<size_t>(i)];
    for (const Rle& cell : drawn.cells) table += id + "," + format_competition_runs(cell) + tail;
    if (drawn.cells.empty()) table = id + "," + tail;
  });
  std::string table = "id,annotation,width,height,cell_type\n";
  for (const std::string& row : rows) table += row;
  return table;
}

}  // namespace

SynthImage draw_synth(const SynthOptions& options, int64_t index) {
  check_options(options);
  check(index >= 0, "synth", "no such image: ", index);
  return Painter(options, index).paint();
}

void write_synth(const std::string& out, const SynthOptions& options) {
  check_options(options);
  const int64_t tests = std::max<int64_t>(2, options.images / 4);
  std::error_code ignored;
  std::filesystem::remove(out + "/train.csv", ignored);
  clear_folder(out + "/train");
  clear_folder(out + "/test");
  const std::string train = write_part(out + "/train", options, 0, options.images);
  const std::string test =
      write_part(out + "/test", options, options.images, options.images + tests);
  write_file_atomically(out + "/test.csv", test);
  write_file_atomically(out + "/train.csv", train);
}

}  // namespace soma
