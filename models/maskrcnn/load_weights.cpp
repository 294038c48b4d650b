#include "models/maskrcnn/load_weights.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/check.h"

namespace soma {
namespace {

// The file's tensors under soma's names.
struct Renamed {
  std::map<std::string, const StoredTensor*> tensors;
  std::vector<std::string> unused;
};

Renamed renamed(const WeightsFile& file, NameScheme scheme) {
  Renamed result;
  for (const StoredTensor& tensor : file.table().tensors) {
    const auto name = soma_name(scheme, tensor.name);
    if (!name) {
      // Counters of batches, which nothing needs, are not worth telling.
      if (!tensor.name.ends_with("num_batches_tracked")) result.unused.push_back(tensor.name);
      continue;
    }
    const auto [there, added] = result.tensors.emplace(*name, &tensor);
    check(added, file.path(), there->second->name, " and ", tensor.name, " are both ", *name);
  }
  return result;
}

FileLayout layout_of(NameScheme scheme) {
  FileLayout layout;
  layout.own = scheme == NameScheme::soma;
  layout.background_first = scheme == NameScheme::torchvision || scheme == NameScheme::caffe2;
  return layout;
}

void check_finite(const Tensor& tensor, const std::string& path, const std::string& name) {
  with_float(tensor.dtype(), "weights", [&](auto type) {
    const auto* values = tensor.data<decltype(type)>();
    const bool finite =
        std::all_of(values, values + tensor.numel(), [](auto v) { return std::isfinite(v); });
    check(finite, path, name, " holds NaN or infinity; the training that wrote it had failed");
  });
}

void copy_into(const Tensor& tensor, const std::string& name, const StoredTensor& stored,
               const FileLayout& layout, const WeightsFile& file) {
  const StoredElements& elements = file.elements(stored);
  const std::string who = text(file.path(), ": ", stored.name);
  for (const auto& [theirs, ours] : pieces_of(name, elements.layout, tensor.shape(), layout)) {
    copy_elements({elements.base, elements.dtype, theirs}, tensor, ours, who);
  }
}

// Norms without running statistics: detectron2's and Caffe2's files hold scale and bias alone.
bool left_out(const std::string& name, NameScheme scheme) {
  const bool may = scheme == NameScheme::caffe2 || scheme == NameScheme::detectron2 ||
                   scheme == NameScheme::detectron2_backbone;
  return may && (name.ends_with(".running_mean") || name.ends_with(".running_var"));
}

WeightsKind known_kind(const WeightsFile& file) {
  const auto kind = kind_of(file.table());
  check(kind.has_value(), file.path(),
        "holds names of no known model; known are soma's, torchvision's (detection and resnet), "
        "detectron2's and Caffe2's");
  return *kind;
}

std::string channels_text(bool bgr) { return bgr ? "BGR" : "RGB"; }

}  // namespace

std::optional<WeightsKind> kind_of(const WeightsTable& table) {
  std::vector<std::string> names;
  for (const StoredTensor& tensor : table.tensors) names.push_back(tensor.name);
  const auto scheme = recognise(names);
  if (!scheme) return std::nullopt;
  WeightsKind kind{*scheme, 0, std::nullopt};
  for (const StoredTensor& tensor : table.tensors) {
    const Shape& shape = tensor.elements.layout.shape;
    if (soma_name(*scheme, tensor.name) == "box_head.logits.bias" && shape.rank() == 1) {
      kind.classes = shape[0] - 1;
    }
  }
  const auto channels = table.metadata.find(kChannelsKey);
  if (channels != table.metadata.end()) {
    kind.bgr = channels->second == "bgr";
  } else if (*scheme == NameScheme::torchvision || *scheme == NameScheme::torchvision_backbone) {
    kind.bgr = false;
  } else if (*scheme != NameScheme::soma) {
    kind.bgr = table.author != "torchvision";  // detectron2's converted torchvision backbones
  }
  return kind;
}

LoadReport load_weights(MaskRcnn& model, const WeightsFile& file, bool bgr) {
  LoadReport report;
  report.kind = known_kind(file);
  report.stem_reversed = report.kind.bgr.value_or(bgr) != bgr;
  FileLayout layout = layout_of(report.kind.scheme);
  layout.stem_reversed = report.stem_reversed;
  layout.fpn_channels = model.config().fpn_channels;
  Renamed theirs = renamed(file, report.kind.scheme);
  for (const auto& [name, tensor] : state_of(model)) {
    const auto found = theirs.tensors.find(name);
    if (found == theirs.tensors.end()) {
      if (!left_out(name, report.kind.scheme)) report.missing.push_back(name);
      continue;
    }
    const StoredTensor& stored = *found->second;
    const Shape shape = our_shape(name, stored.elements.layout.shape, layout);
    if (shape == tensor.shape()) {
      copy_into(tensor, name, stored, layout, file);
      check_finite(tensor, file.path(), stored.name);
      tensor.touch();
      report.loaded.push_back(name);
    } else {
      check(has_class_rows(name) && shape.rank() == tensor.rank() &&
                shape.without_first() == tensor.shape().without_first(),
            file.path(), stored.name, " has the shape ", stored.elements.layout.shape,
            ", this model needs ", their_shape(name, tensor.shape(), layout),
            "; does model.backbone fit?");
      report.replaced.push_back(name);
    }
    theirs.tensors.erase(found);
  }
  report.unused = std::move(theirs.unused);
  for (const auto& [name, tensor] : theirs.tensors) report.unused.push_back(tensor->name);
  return report;
}

void load_all_weights(MaskRcnn& model, const WeightsFile& file, bool bgr) {
  const LoadReport report = load_weights(model, file, bgr);
  check(report.replaced.empty(), file.path(), "has ", report.kind.classes,
        " classes, model.classes names ", model.config().classes.size());
  check(report.missing.empty(), file.path(), "lacks ", grouped(report.missing, 2), "; it is ",
        title_of(report.kind.scheme));
  check(report.kind.scheme != NameScheme::soma || report.unused.empty(), file.path(), "holds ",
        grouped(report.unused, 2), ", which this model lacks");
}

std::vector<std::string> lines_of(const LoadReport& report, const WeightsFile& file,
                                  MaskRcnn& model) {
  const size_t classes = model.config().classes.size();
  std::vector<std::string> lines = {
      text("weights ", file.path(), ": ", title_of(report.kind.scheme), ", ", file.table().form,
           report.kind.classes > 0 ? text(", ", report.kind.classes, " classes") : "")};
  const auto add = [&](const std::string& what, const std::vector<std::string>& names, int depth) {
    if (!names.empty()) lines.push_back(text("  ", what, ": ", grouped(names, depth)));
  };
  add("loaded", report.loaded, 1);
  add(text("replaced, ", report.kind.classes, " classes by ", classes), report.replaced, 2);
  add("not in the file, at initial values", report.missing, 2);
  add("in the file, without use", report.unused, 2);
  if (report.stem_reversed) {
    lines.push_back(text("  stem: ", channels_text(*report.kind.bgr), " turned into ",
                         channels_text(!*report.kind.bgr), ", as input.bgr says"));
  }
  std::vector<std::string> frozen;
  const Members members = members_of(model);
  for (const auto& [name, variable] : members.parameters()) {
    if (!variable->requires_grad() && !name.ends_with(".norm.weight") &&
        !name.ends_with(".norm.bias")) {
      frozen.push_back(name);
    }
  }
  add("frozen", frozen, 2);
  return lines;
}

NamedTensors soma_weights(const WeightsFile& file, std::vector<std::string>& unused) {
  const WeightsKind kind = known_kind(file);
  FileLayout layout = layout_of(kind.scheme);
  const Renamed theirs = renamed(file, kind.scheme);
  unused = theirs.unused;
  const auto lateral = theirs.tensors.find("fpn.output2.weight");
  if (lateral != theirs.tensors.end()) {
    layout.fpn_channels = lateral->second->elements.layout.shape[0];
  }
  NamedTensors result;
  for (const auto& [name, stored] : theirs.tensors) {
    const StoredElements& elements = stored->elements;
    const Shape shape = our_shape(name, elements.layout.shape, layout);
    const Tensor tensor = Tensor::zeros(shape, elements.dtype);
    copy_into(tensor, name, *stored, layout, file);
    result[name] = tensor;
  }
  return result;
}

NamedTensors torchvision_weights(const NamedTensors& ours, bool bgr) {
  FileLayout layout = layout_of(NameScheme::torchvision);
  layout.stem_reversed = bgr;
  const auto output = ours.find("fpn.output2.weight");
  if (output != ours.end()) layout.fpn_channels = output->second.extent(0);
  NamedTensors result;
  for (const auto& [name, tensor] : ours) {
    const auto theirs = torchvision_name(name);
    check(theirs.has_value(), name, "torchvision's model has no such tensor");
    const Tensor out = Tensor::zeros(their_shape(name, tensor.shape(), layout), tensor.dtype());
    const auto* base = static_cast<const std::byte*>(tensor.raw());
    for (const Piece& piece : pieces_of(name, Layout::dense(out.shape()), tensor.shape(), layout)) {
      copy_elements({base, tensor.dtype(), piece.ours}, out, piece.theirs, name);
    }
    result[*theirs] = out;
  }
  return result;
}

std::string grouped(const std::vector<std::string>& names, int depth) {
  constexpr size_t kMostGroups = 12;
  std::map<std::string, int64_t> groups;
  for (const std::string& name : names) {
    size_t end = name.find('.');
    for (int i = 1; i < depth && end != std::string::npos; ++i) {
      const size_t next = name.find('.', end + 1);
      if (next == std::string::npos) break;
      end = next;
    }
    ++groups[name.substr(0, end)];
  }
  std::string out;
  size_t told = 0;
  for (const auto& [group, count] : groups) {
    if (told++ == kMostGroups) {
      return text(out, " and ", groups.size() - kMostGroups, " more");
    }
    out += text(out.empty() ? "" : ", ", group, " (", count, count == 1 ? " tensor)" : " tensors)");
  }
  return out;
}

}  // namespace soma
