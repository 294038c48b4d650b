/* soma's C interface: load a model, find the cells of an image, free both. For C, and whatever
 * calls C: Python's ctypes, Julia's ccall, C#'s P/Invoke, Java's foreign functions. No call lets an
 * exception out or ends the program: a function that fails returns NULL or -1 and soma_last_error()
 * says why, in one line. A model may be used by several threads at once; a result belongs to its
 * caller. Text is UTF-8 and ends with a zero. */
#ifndef SOMA_H
#define SOMA_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOMA_API __attribute__((visibility("default")))

typedef struct soma_model soma_model;
typedef struct soma_result soma_result;

SOMA_API const char* soma_version(void);
/* Why the last call of this thread that failed did; "" when none has. Valid until the next one. */
SOMA_API const char* soma_last_error(void);
/* Threads that a prediction uses; 0: every core. Not while one is under way. 0, or -1. */
SOMA_API int soma_set_threads(int count);

/* model: a run folder, a weights file or a packed program, as for `soma predict --model`.
 * device: "auto", "cpu", "cuda" or "emulator". settings: "key=value" words that end with a NULL, or
 * NULL for none. To be freed; NULL on failure. */
SOMA_API soma_model* soma_load(const char* model, const char* device, const char* const* settings);
SOMA_API void soma_free_model(soma_model* model); /* NULL is fine */
SOMA_API int soma_class_count(const soma_model* model);
SOMA_API const char* soma_class_name(const soma_model* model, int index); /* NULL: no such class */

/* Pixels in memory: rows from the top, `row_bytes` from one to the next, `channels` interleaved
 * samples a pixel, 1 (gray) or 3 (RGB), of 8 or 16 bits in the machine's order. 16 bits are scaled
 * by the 0.1 and 99.9 percentiles, as they are in files. */
typedef struct soma_pixels {
  const void* data;
  int64_t height, width, row_bytes;
  int32_t channels, bits;
} soma_pixels;

/* The cells of an image, no two of which share a pixel, best first. To be freed; NULL on failure.
 */
SOMA_API soma_result* soma_predict_file(const soma_model* model, const char* path);
SOMA_API soma_result* soma_predict_pixels(const soma_model* model, const soma_pixels* pixels);
SOMA_API void soma_free_result(soma_result* result); /* NULL is fine */

SOMA_API int64_t soma_height(const soma_result* result);
SOMA_API int64_t soma_width(const soma_result* result);
SOMA_API int64_t soma_cell_count(const soma_result* result);

typedef struct soma_cell {
  float box[4];        /* x0, y0, x1, y1 in pixels, of the network */
  float score;         /* 0 to 1 */
  int32_t class_index; /* for soma_class_name() */
  int64_t area;        /* pixels */
} soma_cell;

/* Cell `index`, from 0. 0, or -1: there is no such cell. */
SOMA_API int soma_get_cell(const soma_result* result, int64_t index, soma_cell* cell);
/* The cell's mask as run lengths: rows from the top, background first (perhaps 0), then foreground,
 * and so on; they sum up to height * width. Valid until the result is freed. How many, or -1. */
SOMA_API int64_t soma_get_runs(const soma_result* result, int64_t index, const uint32_t** runs);
/* Fills height * width labels, rows from the top: 0 is background, cell i is i + 1. 0, or -1. */
SOMA_API int soma_get_labels(const soma_result* result, uint32_t* labels);

#ifdef __cplusplus
}
#endif
#endif
