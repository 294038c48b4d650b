// Data sets written in the forms that read_dataset() reads. Atomic; images themselves stay where
// they are.
#pragma once
#include <string>

#include "data/annotations.h"

namespace soma {

// id,annotation,width,height,cell_type and, where a sample has one, group; an image without cells
// has one row with an empty annotation. Crowds, which the form cannot mark, are left out.
void write_competition_csv(const std::string& path, const Dataset& dataset);
// COCO JSON: masks as compressed run lengths, area and box; ids are the data set's.
void write_coco(const std::string& path, const Dataset& dataset);

}  // namespace soma
