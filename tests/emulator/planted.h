// The planted bugs of planted.cu; true or full arguments give the twin without the bug.
#pragma once
#include <cstddef>
#include <cstdint>

namespace soma::test {

void mirror(bool barrier, const float* x, float* out);  // 64 of each: out is x backwards
void reuse(bool barrier, float* out);                   // [2]: 64 and 128
void divergent(unsigned reach);                         // of 64 threads
void two_barriers(bool same);                           // half the threads at each, or all at one
void partial_warp(unsigned lanes, int* out);            // out[1]: whether the mask is exact
void write_at(int64_t place, float* out);
void write_shared(int place);  // of 64
void too_much_shared();
void count_threads(bool atomic, int* out);  // 64 threads add 1
// What is wrong with a product by tensor cores.
enum class FragmentBug {
  none,
  no_barrier,    // the tiles are read before they are written
  missing_lane,  // one lane does not come
  two_places,    // half of the warp calls it elsewhere
  two_tiles,     // half of the warp brings another tile
  two_factors,   // half of the warp brings another fragment
  not_loaded,    // a factor
  not_aligned    // a tile
};
void multiply_ones(FragmentBug bug, float* out);  // 16 x 16 of 16
void launch_empty(unsigned blocks, unsigned threads, size_t bytes);

}  // namespace soma::test
