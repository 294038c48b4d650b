// A number that tells whether two runs saw the same data.
#pragma once
#include <string>

namespace soma {

// 16 hexadecimal digits over the names and sizes of the files in `path` (a file, or a folder and
// all below it, in sorted order) and over the contents of its .csv, .json and .txt files: what is
// read is small, and an image that changes in place with its size kept goes unnoticed.
// Error: it cannot be read.
std::string data_hash(const std::string& path);

}  // namespace soma
