#include "apps/command_table.h"

#include "apps/command_options.h"
#include "apps/commands.h"

namespace soma {
namespace {

void declare_nothing(CLI::App&, Options&) {}

const std::vector<TableRow> kTable = {
    {{"synth", "draw cells of three types, in the competition's layout",
      "soma synth DATA --images 60 --seed 0", synth_command},
     declare_synth,
     false},
    {{"train", "train a model on DATA",
      "soma train --data DATA --out runs/first model.preset=cells train.minutes=20", train_command},
     declare_train,
     true},
    {{"predict", "find the cells in images",
      "soma predict --model runs/first --images DATA/test --out cells --format "
      "submission,overlay",
      predict_command},
     declare_predict,
     true},
    {{"eval", "score predictions on annotated DATA",
      "soma eval --data DATA/test.csv --images DATA/test --predictions cells/coco.json",
      eval_command},
     declare_eval,
     true},
    {{"stats", "sizes, counts, faults of the masks, suggested anchors",
      "soma stats --data DATA --json", stats_command},
     declare_stats,
     false},
    {{"clean", "find and mend duplicate, cut, holed and overlapping masks",
      "soma clean --data DATA --out clean.csv --show pictures", clean_command},
     declare_clean,
     false},
    {{"show", "draw the cells of DATA, and predictions beside them",
      "soma show --data DATA --out pictures --ids a,b", show_command},
     declare_show,
     true},
    {{"tune", "find thresholds on held-out DATA, and whether they are more than luck",
      "soma tune --data DATA/test.csv --images DATA/test --predictions cells/raw --out "
      "tuned.toml",
      tune_command},
     declare_tune,
     true},
    {{"ensemble", "compare the ways of joining models and views on DATA",
      "soma ensemble --data DATA/test.csv --images DATA/test --model runs/a --model runs/b --out "
      "joined",
      ensemble_command},
     declare_ensemble,
     true},
    {{"ablate", "train and test the rows of a table",
      "soma ablate --data DATA --val DATA/test.csv --val-images DATA/test --out table --config "
      "configs/small_ablation.toml",
      ablate_command},
     declare_ablate,
     true},
    {{"submit", "predictions to a submission without overlaps",
      "soma submit --predictions cells/coco.json --images DATA/test --out submission.csv "
      "test.min_pixels=75",
      submit_command},
     declare_submit,
     true},
    {{"convert", "annotations or weights from one form to another",
      "soma convert DATA rois --format imagej", convert_command},
     declare_convert,
     false},
    {{"report", "a training run as one page: losses, scores, best and worst images",
      "soma report runs/first --out report.html", report_command},
     declare_report,
     false},
    {{"explain", "every stage of the model on one image, as a page",
      "soma explain --model runs/first --image cells.png --out why", explain_command},
     declare_explain,
     true},
    {{"serve", "a page on this machine: drop an image, see its cells, download them",
      "soma serve --model runs/first --port 8080", serve_command},
     declare_serve,
     true},
    {{"pack", "this program and a model as one file", "soma pack runs/first cells", pack_command},
     declare_pack,
     true},
    {{"info", "the build and this machine; --model FILE: the tensors of a file",
      "soma info --model runs/first/weights/best.safetensors", info_command},
     declare_info,
     true},
    {{"selftest", "check this program's results on this CPU and GPU; takes seconds",
      "soma selftest --device cpu", selftest_command},
     declare_nothing,
     false},
    {{"bench", "measure this machine", "soma bench ops --only res2", bench_command},
     declare_bench,
     true},
};

}  // namespace

const std::vector<TableRow>& command_table() { return kTable; }

}  // namespace soma
