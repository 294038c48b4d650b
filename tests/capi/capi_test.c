/* The C interface as C sees it. Usage: capi_test MODEL IMAGE. Prints a line per cell:
 * class, area, pixels counted from the runs. Exits 1 where the interface contradicts itself. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capi/soma.h"

#define REQUIRE(condition)                                                              \
  do {                                                                                  \
    if (!(condition)) {                                                                 \
      fprintf(stderr, "%d: %s is false; last error: %s\n", __LINE__, #condition,        \
              soma_last_error());                                                       \
      exit(1);                                                                          \
    }                                                                                   \
  } while (0)

static const char* other_thread_error;

/* An error here must not reach the thread that started this one. */
static void* fail_elsewhere(void* unused) {
  REQUIRE(strcmp(soma_last_error(), "") == 0);
  REQUIRE(soma_load("no such model", "cpu", NULL) == NULL);
  other_thread_error = strstr(soma_last_error(), "no such model") ? "found" : "missing";
  return unused;
}

static void check_failures(const soma_model* model) {
  const char* const bad[] = {"test.scroe=1", NULL};
  unsigned char gray[4] = {0};
  soma_pixels pixels = {gray, 2, 2, 1, 1, 8};
  soma_cell cell;
  pthread_t thread;
  REQUIRE(soma_load("/dev/null", "cpu", NULL) == NULL);
  REQUIRE(soma_load(NULL, "cpu", NULL) == NULL);
  REQUIRE(soma_load("x", "cpu", bad) == NULL);
  REQUIRE(soma_predict_file(NULL, "x") == NULL);
  REQUIRE(strstr(soma_last_error(), "NULL") != NULL);
  REQUIRE(soma_predict_file(model, "no such image") == NULL);
  REQUIRE(strstr(soma_last_error(), "no such image") != NULL);
  REQUIRE(strchr(soma_last_error(), '\n') == NULL);
  pthread_create(&thread, NULL, fail_elsewhere, NULL);
  pthread_join(thread, NULL);
  REQUIRE(strcmp(other_thread_error, "found") == 0);
  REQUIRE(strstr(soma_last_error(), "no such image") != NULL);
  REQUIRE(soma_predict_pixels(model, &pixels) == NULL); /* rows of 1 byte */
  REQUIRE(strstr(soma_last_error(), "row_bytes") || strstr(soma_last_error(), "bytes"));
  pixels.row_bytes = 2;
  pixels.channels = 2;
  REQUIRE(soma_predict_pixels(model, &pixels) == NULL);
  pixels.channels = 1;
  pixels.height = INT64_MAX;
  REQUIRE(soma_predict_pixels(model, &pixels) == NULL);
  REQUIRE(soma_get_cell(NULL, 0, &cell) == -1);
  REQUIRE(soma_class_name(model, 99) == NULL);
  REQUIRE(soma_set_threads(-1) == -1);
  soma_free_model(NULL);
  soma_free_result(NULL);
}

static void check_cell(const soma_model* model, const soma_result* result, int64_t index,
                       const uint32_t* labels) {
  soma_cell cell;
  const uint32_t* runs;
  int64_t count, i, pixels = 0, inside = 0, labelled = 0;
  REQUIRE(soma_get_cell(result, index, &cell) == 0);
  count = soma_get_runs(result, index, &runs);
  REQUIRE(count > 0);
  for (i = 0; i < count; ++i) {
    int64_t k;
    for (k = pixels; i % 2 == 1 && k < pixels + runs[i]; ++k) labelled += labels[k] == index + 1;
    inside += i % 2 == 1 ? runs[i] : 0;
    pixels += runs[i];
  }
  REQUIRE(pixels == soma_height(result) * soma_width(result));
  REQUIRE(inside == cell.area && labelled == cell.area && cell.area > 0);
  REQUIRE(cell.box[0] < cell.box[2] && cell.score > 0 && cell.score <= 1);
  printf("%s %lld\n", soma_class_name(model, cell.class_index), (long long)cell.area);
}

int main(int count, char** words) {
  const char* const settings[] = {"test.submission_score=0.01", "test.score=0.01", NULL};
  soma_model* model;
  soma_result* result;
  soma_cell cell;
  uint32_t* labels;
  int64_t i;
  REQUIRE(count == 3 && strlen(soma_version()) > 0);
  REQUIRE(soma_set_threads(1) == 0);
  model = soma_load(words[1], "cpu", settings);
  REQUIRE(model != NULL && soma_class_count(model) == 3);
  check_failures(model);
  result = soma_predict_file(model, words[2]);
  REQUIRE(result != NULL);
  labels = malloc(sizeof *labels * (size_t)(soma_height(result) * soma_width(result)));
  REQUIRE(soma_get_labels(result, labels) == 0);
  for (i = 0; i < soma_cell_count(result); ++i) check_cell(model, result, i, labels);
  REQUIRE(soma_get_cell(result, soma_cell_count(result), &cell) == -1);
  free(labels);
  soma_free_result(result);
  soma_free_model(model);
  return 0;
}
