// What `soma predict` leaves in --out, in the formats asked for.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "apps/options.h"
#include "data/annotations.h"
#include "data/cell_forms.h"
#include "data/image.h"
#include "run/inference.h"

namespace soma {

// What --format chooses from. `files` are a format's names in --out; a star stands for the image's
// id, and such formats have a folder of their own.
struct OutputFormat {
  const char* name;
  std::vector<std::string> files;
  bool by_default;
  std::optional<CellForm> cells = {};
};
// The formats asked for, or the default ones. UsageError: there is no such format.
std::vector<const OutputFormat*> output_formats(const Options& options);

class PredictOutputs {
 public:
  // Makes the folders and claims the files of `samples`. Error: a file in the way that no earlier
  // `soma predict` wrote. config must outlive this.
  PredictOutputs(const Options& options, const RunConfig& config,
                 const std::vector<Sample>& samples);
  // Writes what stands alone and keeps what goes into the joint files.
  void add(const SoftImage& soft, ImagePredictions detections, ImagePredictions cells,
           const Image& image, const Sample& sample);
  void finish() const;  // writes the joint files

 private:
  void write_cells(const OutputFormat& format, const Sample& sample, const ImagePredictions& cells);
  Dataset as_dataset() const;
  bool wanted(const std::string& name) const;
  std::string path(const std::string& name) const;
  std::vector<std::string> file_names(const std::vector<Sample>& samples) const;

  std::string folder_;
  const RunConfig& config_;
  std::vector<const OutputFormat*> formats_;
  std::string measurements_;
  std::vector<ImagePredictions> detections_, cells_;
};

}  // namespace soma
