#include "data/synth_cells.h"

#include <algorithm>
#include <array>

namespace soma {
namespace {

constexpr double kTurn = 6.283185307179586;

// A tapering, bent process: two straight pieces from the centre outwards.
struct Process {
  std::array<double, 3> y, x, width;
};

// One piece of it: distance to the line less its width there.
double piece_distance(const Process& p, size_t piece, double y, double x) {
  const double dy = p.y[piece + 1] - p.y[piece], dx = p.x[piece + 1] - p.x[piece];
  const double length = std::max(1e-6, dy * dy + dx * dx);
  const double t = std::clamp(((y - p.y[piece]) * dy + (x - p.x[piece]) * dx) / length, 0.0, 1.0);
  const double ey = y - p.y[piece] - t * dy, ex = x - p.x[piece] - t * dx;
  return std::sqrt(ey * ey + ex * ex) -
         (p.width[piece] + t * (p.width[piece + 1] - p.width[piece]));
}

// Minimum with a fillet of radius k (polynomial smooth minimum).
double smooth_minimum(double a, double b, double k) {
  const double h = std::max(k - std::abs(a - b), 0.0) / k;
  return std::min(a, b) - h * h * k * 0.25;
}

struct Outline {
  double long_axis, short_axis, angle;
  std::vector<Process> processes;

  double distance(double y, double x) const {
    const double c = std::cos(angle), s = std::sin(angle);
    const double u = (c * x + s * y) / long_axis, v = (c * y - s * x) / short_axis;
    const double k = std::sqrt(u * u + v * v);
    const double slope =
        std::sqrt(u * u / (long_axis * long_axis) + v * v / (short_axis * short_axis));
    double result = slope > 1e-9 ? k * (k - 1) / slope : -short_axis;
    for (const Process& process : processes) {
      const double near =
          std::min(piece_distance(process, 0, y, x), piece_distance(process, 1, y, x));
      result = smooth_minimum(result, near, 0.8 * short_axis + 1);
    }
    return result;
  }
};

Process draw_process(double angle, double radius, double length, Random& random) {
  Process p{};
  const double bend = random.uniform(-0.5, 0.5);
  const double half = radius + length * 0.5;
  p.y[1] = half * std::sin(angle), p.x[1] = half * std::cos(angle);
  p.y[2] = p.y[1] + length * 0.6 * std::sin(angle + bend);
  p.x[2] = p.x[1] + length * 0.6 * std::cos(angle + bend);
  p.width = {radius * random.uniform(0.4, 0.7), random.uniform(1.2, 2.2), random.uniform(0.5, 1.3)};
  if (random.uniform() < 0.3) p.width[2] += random.uniform(0.5, 1.5);  // a growth cone
  return p;
}

Outline draw_outline(const CellType& type, double area, bool round, Random& random) {
  Outline outline{};
  const double ratio = round ? random.uniform(1, 1.25) : random.uniform(1, type.elongation);
  const int count =
      round ? 0 : static_cast<int>(random.below(static_cast<uint32_t>(type.processes + 1)));
  const double body = area * (1 - 0.13 * count);
  outline.short_axis = std::sqrt(body / (0.5 * kTurn) / ratio);
  outline.long_axis = outline.short_axis * ratio;
  outline.angle = random.uniform(0, kTurn);
  for (int i = 0; i < count; ++i) {
    // The first two leave along the axis: most cells are bipolar.
    const double angle =
        i < 2 ? outline.angle + i * kTurn / 2 + 0.3 * random.normal() : random.uniform(0, kTurn);
    const double radius = i < 2 ? outline.long_axis * 0.8 : outline.short_axis;
    outline.processes.push_back(draw_process(
        angle, radius, std::sqrt(area / kTurn * 2) * type.reach * random.uniform(0.3, 1), random));
  }
  return outline;
}

// The level at which the mask has the wanted area, within what leaves the shape recognisable.
float level_of(const std::vector<float>& distance, double area) {
  std::vector<float> sorted = distance;
  const auto place =
      sorted.begin() + static_cast<int64_t>(std::min(area, static_cast<double>(sorted.size() - 1)));
  std::nth_element(sorted.begin(), place, sorted.end());
  return std::clamp(*place, -4.0f, 4.0f);
}

// Distance of each mask pixel to the outside, 4-neighbours 1, diagonals 1.4, in two sweeps.
std::vector<float> depth_of(const CellShape& cell) {
  const int64_t width = cell.width;
  std::vector<float> depth(cell.mask.size());
  const auto relax = [&](int64_t y, int64_t x, int64_t sign) {
    float& d = depth[static_cast<size_t>(y * width + x)];
    if (!cell.mask[static_cast<size_t>(y * width + x)]) return;
    const auto other = [&](int64_t dy, int64_t dx, float add) {
      const int64_t oy = y + dy * sign, ox = x + dx * sign;
      const bool inside = oy >= 0 && ox >= 0 && oy < cell.height && ox < width;
      d = std::min(d, (inside ? depth[static_cast<size_t>(oy * width + ox)] : 0) + add);
    };
    other(-1, 0, 1), other(0, -1, 1), other(-1, -1, 1.4f), other(-1, 1, 1.4f);
  };
  for (size_t i = 0; i < depth.size(); ++i) depth[i] = cell.mask[i] ? 1e6f : 0;
  for (int64_t y = 0; y < cell.height; ++y)
    for (int64_t x = 0; x < width; ++x) relax(y, x, 1);
  for (int64_t y = cell.height - 1; y >= 0; --y)
    for (int64_t x = width - 1; x >= 0; --x) relax(y, x, -1);
  return depth;
}

// Dark granules, fewer bright vacuoles, mostly near the nucleus.
void add_granules(Field& thickness, const CellShape& cell, double strength, Random& random) {
  const auto count =
      static_cast<int>(static_cast<double>(cell.area()) * random.uniform(0.003, 0.02));
  for (int i = 0; i < count; ++i) {
    const double far = cell.radius * 0.55;
    const double y = cell.centre_y + far * random.normal(),
                 x = cell.centre_x + far * random.normal();
    const int64_t py = std::lround(y) - cell.y, px = std::lround(x) - cell.x;
    if (py < 0 || px < 0 || py >= cell.height || px >= cell.width) continue;
    if (!cell.mask[static_cast<size_t>(py * cell.width + px)]) continue;
    const double sign = random.uniform() < 0.15 ? -0.8 : 0.6;
    add_spot(thickness, y, x, random.uniform(0.6, 1.3), strength * sign * random.uniform(0.3, 1));
  }
}

// A pale oval with a darker rim and one to three dark nucleoli.
void add_nucleus(Field& thickness, const CellShape& cell, double strength, Random& random) {
  const double y = cell.centre_y + 0.1 * cell.radius * random.normal();
  const double x = cell.centre_x + 0.1 * cell.radius * random.normal();
  const double radius = cell.radius * random.uniform(0.32, 0.5);
  add_spot(thickness, y, x, radius * 0.6, -0.25 * strength);
  add_ring(thickness, y, x, radius, 0.9, 0.25 * strength);
  for (uint32_t i = 0; i <= random.below(3); ++i)
    add_spot(thickness, y + 0.35 * radius * random.normal(), x + 0.35 * radius * random.normal(),
             random.uniform(0.7, 1.4), 0.6 * strength);
}

}  // namespace

int64_t CellShape::area() const { return std::count(mask.begin(), mask.end(), uint8_t{1}); }

CellShape draw_shape(const CellType& type, const SmoothNoise& noise, Random& random) {
  const double spread = type.area_spread;
  CellShape cell;
  cell.round = random.uniform() < type.rounded;
  double area = std::clamp(type.area * std::exp(spread * random.normal() - 0.5 * spread * spread),
                           40.0, 6 * type.area);
  if (cell.round) area = std::min(0.8 * area, 350.0);  // it has drawn itself together
  const Outline outline = draw_outline(type, area, cell.round, random);
  double reach = outline.long_axis;
  for (const Process& p : outline.processes)
    reach = std::max(reach, std::hypot(p.y[2], p.x[2]) + p.width[2]);
  const auto side = static_cast<int64_t>(std::ceil(reach)) + 6;
  cell.y = cell.x = -side;
  cell.height = cell.width = 2 * side + 1;
  cell.radius = std::sqrt(outline.short_axis * outline.long_axis);
  const double grain = std::clamp(cell.radius * 0.5, 3.0, 9.0);
  const double raggedness = cell.round ? 0.4 : type.raggedness;
  const double y0 = random.uniform(0, 64), x0 = random.uniform(0, 64);
  std::vector<float> distance;  // negative inside, roughly in pixels
  for (int64_t y = -side; y <= side; ++y)
    for (int64_t x = -side; x <= side; ++x) {
      const auto py = static_cast<double>(y), px = static_cast<double>(x);
      const double warp = noise.at(y0 + py / grain, x0 + px / grain) +
                          0.5 * noise.at(x0 + py * 2.7 / grain, y0 + px * 2.7 / grain);
      distance.push_back(static_cast<float>(outline.distance(py, px) + raggedness * warp));
    }
  const float level = level_of(distance, area);
  for (const float d : distance) cell.mask.push_back(d < level);
  keep_largest_piece(cell);
  return cell;
}

void keep_largest_piece(CellShape& cell) {
  std::vector<int32_t> piece(cell.mask.size());
  std::vector<int64_t> stack;
  int32_t pieces = 0, largest = 0;
  size_t most = 0;
  for (size_t start = 0; start < cell.mask.size(); ++start) {
    if (!cell.mask[start] || piece[start]) continue;
    ++pieces;
    size_t size = 0;
    stack.assign(1, static_cast<int64_t>(start));
    piece[start] = pieces;
    while (!stack.empty()) {
      const int64_t at = stack.back(), x = at % cell.width;
      stack.pop_back();
      ++size;
      const int64_t next[] = {at - cell.width, at + cell.width, x > 0 ? at - 1 : -1,
                              x + 1 < cell.width ? at + 1 : -1};
      for (const int64_t n : next) {
        if (n < 0 || n >= cell.height * cell.width) continue;
        const auto i = static_cast<size_t>(n);
        if (cell.mask[i] && !piece[i]) piece[i] = pieces, stack.push_back(n);
      }
    }
    if (size > most) most = size, largest = pieces;
  }
  for (size_t i = 0; i < cell.mask.size(); ++i) cell.mask[i] = piece[i] == largest && piece[i] != 0;
}

void add_thickness(Field& thickness, const CellShape& cell, const CellType& type, double strength,
                   const SmoothNoise& noise, Random& random) {
  const std::vector<float> depth = depth_of(cell);
  const float deepest = std::max(1.0f, *std::max_element(depth.begin(), depth.end()));
  const double thick = cell.round ? type.round * random.uniform(0.8, 1.15)
                                  : type.flat * strength * random.uniform(0.75, 1.2);
  const auto top = static_cast<float>(thick);
  const float rise = cell.round ? 0 : static_cast<float>(random.uniform(1.5, 3));
  const double y0 = random.uniform(0, 64), x0 = random.uniform(0, 64);
  for (int64_t y = 0; y < cell.height; ++y)
    for (int64_t x = 0; x < cell.width; ++x) {
      const auto i = static_cast<size_t>(y * cell.width + x);
      if (!cell.mask[i] || !thickness.holds(cell.y + y, cell.x + x)) continue;
      const float inside = depth[i] / deepest, below = 1 - inside;
      const float profile = cell.round
                                ? std::sqrt(std::max(0.0f, 1 - below * below))
                                : (1 - std::exp(-depth[i] / rise)) * (0.65f + 0.35f * inside);
      const float grain =
          noise.at(y0 + static_cast<double>(y) / 2.2, x0 + static_cast<double>(x) / 2.2);
      thickness.row(cell.y + y)[cell.x + x] += top * profile * (1 + 0.25f * grain);
    }
  if (cell.round) return;
  if (cell.radius > 7) add_nucleus(thickness, cell, top, random);
  add_granules(thickness, cell, top, random);
}

void add_neurite(Field& thickness, double y, double x, double length, double strength,
                 Random& random) {
  double angle = random.uniform(0, kTurn);
  double bend = 0;
  const double width = random.uniform(0.5, 0.8), weight = strength * random.uniform(0.08, 0.25);
  for (double gone = 0; gone < length; gone += 1) {
    bend = 0.9 * bend + 0.02 * random.normal();
    angle += bend;
    y += std::sin(angle), x += std::cos(angle);
    if (!thickness.holds(std::lround(y), std::lround(x))) return;
    const double bead = random.uniform() < 0.03 ? 2 : 1;  // varicosities
    add_spot(thickness, y, x, width * std::sqrt(bead), weight * bead);
  }
}

}  // namespace soma
