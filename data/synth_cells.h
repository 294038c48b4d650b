// Shapes of drawn cells: a body and tapering processes, joined smoothly, with a ragged edge.
#pragma once
#include <vector>

#include "base/random.h"
#include "data/synth_field.h"
#include "masks/rle.h"

namespace soma {

// What distinguishes the cell types; lengths in pixels.
struct CellType {
  const char* name;
  double count;        // mean per image of 704 x 520
  double area;         // mean before cells are cut at borders and neighbours
  double area_spread;  // of the logarithm
  double elongation;   // largest ratio of the body's axes
  int processes;       // at most
  double reach;        // of a process, in radii of a disc of the cell's area
  double raggedness;   // of the edge
  double flat, round;  // thickness of a flat and of a rounded cell, see phase_contrast()
  double rounded;      // part of the cells that are round and bright
  double cluster;      // chance that a cell is laid beside another
  double neurites;     // mean of thin processes per cell that are not part of its mask
  double neurite_length;
  double debris;  // mean of small things that are no cells per image of 704 x 520
};

// The type of an image's cells: half cort, a quarter astro and shsy5y each, which is nearly the
// competition's 320 : 131 : 155; the first three images have one each.
const CellType& cell_type(int64_t index);

// A cell on a grid of its own, whose first pixel is (y, x) of the image.
struct CellShape {
  int64_t y = 0, x = 0, height = 0, width = 0;
  double centre_y = 0, centre_x = 0, radius = 0;  // of the body, in the image
  bool round = false;
  std::vector<uint8_t> mask;

  int64_t area() const;
};

// A cell of this type about (0, 0), its mask of about a drawn area.
CellShape draw_shape(const CellType& type, const SmoothNoise& noise, Random& random);

// Keeps the mask's largest piece (4-connected).
void keep_largest_piece(CellShape& cell);

// Adds the cell's thickness: body, nucleus, granules. `strength` scales it.
void add_thickness(Field& thickness, const CellShape& cell, const CellType& type, double strength,
                   const SmoothNoise& noise, Random& random);

// Adds a thin curved process that starts at (y, x).
void add_neurite(Field& thickness, double y, double x, double length, double strength,
                 Random& random);

}  // namespace soma
