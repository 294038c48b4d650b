// detectron2's model zoo and Caffe2's blobs: one pickle of a dict of numpy arrays, whose elements
// stand in the program itself.
#include "base/check.h"
#include "weights/readers.h"
#include "weights/state_dict.h"

namespace soma {

WeightsTable read_numpy_pickle(std::string_view file, const std::string& who) {
  PickleReader program(file, 0, who);
  StateDict found = find_state_dict(program, program.run(), who);
  check(program.position() == file.size(), who, file.size() - program.position(),
        " bytes follow the program");
  WeightsTable table;
  table.form = "pickle of numpy arrays";
  for (const auto& [tensor, place] : found.tensors) {
    check(program.tensors()[place].storage < 0, who, tensor,
          " is a torch tensor without its data; save it with torch.save");
    table.tensors.push_back({tensor, stored_elements(program, place, {}, who), -1});
  }
  table.extras = std::move(found.extras);
  table.author = std::move(found.author);
  table.decoded = program.take_owned();
  return table;
}

}  // namespace soma
