// The emulated tensor cores (emulator/wmma.h). The lanes of a warp meet for each call and bring the
// address of their part in it; when all have come the parts are compared, and for a product the
// shares are put together, multiplied and dealt again. What a lane loads and stores it moves itself
// after the meeting, so that what a warp reads or writes too early shows as with any other access.
#include "emulator/wmma.h"

#include <cstring>

#include "base/text.h"
#include "emulator/block.h"

namespace soma::emulator {
namespace {

constexpr int kSide = 16, kElements = kSide * kSide;
constexpr size_t kTileAlignment = 32, kRowAlignment = 16;  // bytes

// Element `i` of a lane's share, counted by rows: the elements are dealt like cards.
int element_of(int of_lane, int i) { return i * kWarp + of_lane; }

template <class Part>
Part& part_of(const uint64_t* words, int of_lane) {
  return *reinterpret_cast<Part*>(words[of_lane]);
}

// All lanes of the warp meet at `place`.
template <class Part>
void meet(Part& part, void (*together)(const uint64_t*), Place place) {
  collect({0xFFFFFFFF, reinterpret_cast<uintptr_t>(&part), lane(), together}, place);
}

// Fault: lanes bring different fragments as `name`, or one that was never filled.
void check_same(const Fragment& first, const Fragment& other, int of_lane, const char* name,
                Place place) {
  if (first.filled == Fragment::kNever) {
    throw Fault{text("the ", name, " at ", name_of(place), " was never filled")};
  }
  if (first.filled != other.filled) {
    throw Fault{
        text("lane ", of_lane, " brings another ", name, " than lane 0 at ", name_of(place))};
  }
}

// A load or a store.
struct Move {
  Place place;
  FragmentTile tile;
  size_t element_bytes;
  const Fragment* stored;  // null: a load
  uint64_t number = 0;     // of a load
};

std::atomic<uint64_t> last_number = Fragment::kByLane;

void begin_move(const uint64_t* words) {
  const Move& first = part_of<Move>(words, 0);
  const FragmentTile& tile = first.tile;
  if (reinterpret_cast<uintptr_t>(tile.first) % kTileAlignment != 0 ||
      tile.stride * first.element_bytes % kRowAlignment != 0 || tile.stride < kSide) {
    throw Fault{text("the fragment's tile at ", name_of(first.place),
                     " must begin at a multiple of ", kTileAlignment,
                     " bytes and have its rows a multiple of ", kRowAlignment, " bytes apart")};
  }
  const uint64_t number = ++last_number;
  for (int i = 0; i < kWarp; ++i) {
    Move& move = part_of<Move>(words, i);
    if (move.tile.first != tile.first || move.tile.stride != tile.stride) {
      throw Fault{text("lane ", i, " brings another tile than lane 0 at ", name_of(first.place))};
    }
    if (move.stored != nullptr) check_same(*first.stored, *move.stored, i, "sum", first.place);
    move.number = number;
  }
}

// Where an element lies from the tile's first.
size_t offset_of(const FragmentTile& tile, int element) {
  const auto row = static_cast<size_t>(element / kSide),
             column = static_cast<size_t>(element % kSide);
  return tile.by_columns ? row + column * tile.stride : row * tile.stride + column;
}

struct Product {
  Place place;
  FragmentProduct fragments;
};

// One of the factors, put together of the lanes' shares.
struct Whole {
  float elements[kElements];
  Whole(const uint64_t* words, const Fragment* FragmentProduct::*which, const char* name) {
    const Product& first = part_of<Product>(words, 0);
    for (int lane = 0; lane < kWarp; ++lane) {
      const Fragment& fragment = *(part_of<Product>(words, lane).fragments.*which);
      check_same(*(first.fragments.*which), fragment, lane, name, first.place);
      for (int i = 0; i < 8; ++i) elements[element_of(lane, i)] = fragment.share[i];
    }
  }
};

void multiply_together(const uint64_t* words) {
  const Whole a(words, &FragmentProduct::a, "left factor");
  const Whole b(words, &FragmentProduct::b, "right factor");
  Whole sum(words, &FragmentProduct::addend, "addend");
  for (int row = 0; row < kSide; ++row) {
    for (int k = 0; k < kSide; ++k) {
      const float left = a.elements[row * kSide + k];
      for (int column = 0; column < kSide; ++column) {
        sum.elements[row * kSide + column] += left * b.elements[k * kSide + column];
      }
    }
  }
  const uint64_t number = ++last_number;
  for (int lane = 0; lane < kWarp; ++lane) {
    Fragment& result = *part_of<Product>(words, lane).fragments.sum;
    for (int i = 0; i < 8; ++i) result.share[i] = sum.elements[element_of(lane, i)];
    result.filled = number;
  }
}

}  // namespace

void load_fragment(Fragment& fragment, const FragmentTile& tile, Place place) {
  Move move = {place, tile, sizeof(f16), nullptr};
  meet(move, begin_move, place);
  const auto* values = static_cast<const f16*>(tile.first);
  for (int i = 0; i < 8; ++i) {
    fragment.share[i] = static_cast<float>(values[offset_of(tile, element_of(lane(), i))]);
  }
  fragment.filled = move.number;
}

void store_fragment(const Fragment& fragment, const FragmentTile& tile, float* out, Place place) {
  Move move = {place, tile, sizeof(float), &fragment};
  meet(move, begin_move, place);
  for (int i = 0; i < 8; ++i) out[offset_of(tile, element_of(lane(), i))] = fragment.share[i];
}

void multiply_fragments(const FragmentProduct& product, Place place) {
  Product part = {place, product};
  meet(part, multiply_together, place);
}

}  // namespace soma::emulator
