#include "models/maskrcnn/weight_layout.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace soma {
namespace {

constexpr int64_t kColours = 3, kStemChannels = 4, kBoxNumbers = 4;

enum class Role { plain, convolution, stem, fc6, scores, deltas, masks };

// A cascade's later box heads, box_head2 and box_head3, are laid out as the first.
Role role_of(std::string name, int rank) {
  constexpr std::string_view kHead = "box_head";
  const size_t digits = name.find_first_not_of("0123456789", kHead.size());
  if (name.starts_with(kHead) && digits != name.npos)
    name.erase(kHead.size(), digits - kHead.size());
  if (name == "backbone.stem.weight" && rank == 4) return Role::stem;
  if (name == "box_head.fc6.weight" && rank == 2) return Role::fc6;
  if (name.starts_with("box_head.logits.")) return Role::scores;
  if (name.starts_with("box_head.deltas.")) return Role::deltas;
  if (name.starts_with("mask_head.logits.")) return Role::masks;
  return rank == 4 ? Role::convolution : Role::plain;
}

// Rows of the background that only the file has.
int64_t extra_rows(Role role, const FileLayout& file) {
  if (!file.background_first) return 0;
  return role == Role::deltas ? kBoxNumbers : role == Role::masks ? 1 : 0;
}

// Side of the pooled square whose cells fc6 sees, from its columns.
int64_t pooled_side(int64_t columns, int64_t channels) {
  const int64_t cells = channels > 0 ? columns / channels : 0;
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(cells))));
  check(side > 0 && side * side * channels == columns, "box_head.fc6.weight", "has ", columns,
        " columns, which are no square of cells with ", channels, " channels (those of the FPN)");
  return side;
}

}  // namespace

bool has_class_rows(const std::string& name) {
  const Role role = role_of(name, 0);
  return role == Role::scores || role == Role::deltas || role == Role::masks;
}

Shape our_shape(const std::string& name, const Shape& theirs, const FileLayout& file) {
  const Role role = role_of(name, theirs.rank());
  if (file.own || theirs.rank() == 0) return theirs;
  const int64_t rows = std::max<int64_t>(0, theirs[0] - extra_rows(role, file));
  if (theirs.rank() != 4) return theirs.with(0, rows);
  const int64_t in = role == Role::stem && theirs[1] == kColours ? kStemChannels : theirs[1];
  return {rows, theirs[2], theirs[3], in};
}

Shape their_shape(const std::string& name, const Shape& ours, const FileLayout& file) {
  const Role role = role_of(name, ours.rank());
  if (file.own || ours.rank() == 0) return ours;
  const int64_t rows = ours[0] + extra_rows(role, file);
  if (ours.rank() != 4) return ours.with(0, rows);
  return {rows, role == Role::stem ? kColours : ours[3], ours[1], ours[2]};
}

std::vector<Piece> pieces_of(const std::string& name, const Layout& theirs, const Shape& ours,
                             const FileLayout& file) {
  const Role role = role_of(name, ours.rank());
  const Layout to = Layout::dense(ours);
  if (file.own || ours.rank() == 0) return {{theirs, to}};
  const Layout from = ours.rank() == 4 ? theirs.permuted({0, 2, 3, 1}) : theirs;
  const int64_t rows = from.shape[0];
  switch (role) {
    case Role::stem:
      return {{file.stem_reversed ? from.reversed(3) : from, to.cut(3, 0, kColours)}};
    case Role::fc6: {
      const int64_t channels = file.fpn_channels, side = pooled_side(ours[1], channels);
      return {{theirs.split_last({channels, side, side}).permuted({0, 2, 3, 1}),
               to.split_last({side, side, channels})}};
    }
    case Role::scores:
      if (!file.background_first) return {{from, to}};
      return {{from.cut(0, 1, rows), to.cut(0, 0, rows - 1)},
              {from.cut(0, 0, 1), to.cut(0, rows - 1, rows)}};
    case Role::deltas:
    case Role::masks:
      return {{from.cut(0, extra_rows(role, file), rows), to}};
    case Role::convolution:
    case Role::plain:
      break;
  }
  return {{from, to}};
}

}  // namespace soma
