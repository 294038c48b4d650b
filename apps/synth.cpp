// `soma synth`: drawn cells in the competition's layout.
#include "data/synth.h"
#include "apps/commands.h"
#include "apps/console.h"
#include "base/text.h"

namespace soma {

int synth_command(const Options& options) {
  const Console console(options);
  SynthOptions synth;
  synth.images = options.image_count;
  synth.width = options.image_width;
  synth.height = options.image_height;
  synth.seed = options.seed.value_or(0);
  write_synth(options.out, synth);
  const std::string csv = options.out + "/train.csv";
  if (console.json())
    console.result(text("{\"images\":", synth.images, ",\"width\":", synth.width,
                        ",\"height\":", synth.height, ",\"seed\":", synth.seed, "}\n"));
  else
    console.say(text(csv, ": ", synth.images, " images of ", synth.width, "x", synth.height,
                     ", and ", options.out, "/test.csv"));
  return 0;
}

}  // namespace soma
