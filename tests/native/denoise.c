/* Denoises one tile: denoise MODEL.tflite NOISY.raw DENOISED.raw

   The model takes and gives one image of one size, float32 in [0, 1] or uint8. The others are
   files of 8-bit pixels, row by row, of that size. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "litert.h"

#define CHECK(call) check((call), #call)

static void fail(const char* subject, const char* cause) {
  fprintf(stderr, "%s: %s\n", subject, cause);
  exit(1);
}

static void check(LiteRtStatus status, const char* call) {
  if (status != 0) {
    fprintf(stderr, "status %d of %s\n", status, call);
    exit(1);
  }
}

static size_t count_values(const LiteRtRankedTensorType* type) {
  size_t count = 1;
  for (uint32_t axis = 0; axis < (type->rank & 0x7f); ++axis) {
    if (type->dimensions[axis] < 1) fail("model", "is not of one size");
    count *= (size_t)type->dimensions[axis];
  }
  if (type->element_type != kLiteRtElementTypeFloat32 &&
      type->element_type != kLiteRtElementTypeUInt8) {
    fail("model", "has neither float32 nor uint8 pixels");
  }
  return count;
}

static void read_pixels(const char* path, uint8_t* pixels, size_t count) {
  FILE* file = fopen(path, "rb");
  if (!file) fail(path, "cannot be read");
  if (fread(pixels, 1, count, file) != count || fgetc(file) != EOF) {
    fail(path, "is not as large as the model's image");
  }
  fclose(file);
}

static void write_pixels(const char* path, const uint8_t* pixels, size_t count) {
  FILE* file = fopen(path, "wb");
  if (!file || fwrite(pixels, 1, count, file) != count || fclose(file)) {
    fail(path, "cannot be written");
  }
}

static void give(void* values, int type, const uint8_t* pixels, size_t count) {
  if (type == kLiteRtElementTypeUInt8) {
    memcpy(values, pixels, count);
    return;
  }
  for (size_t i = 0; i < count; ++i) ((float*)values)[i] = (float)pixels[i] / 255.0f;
}

static void take(const void* values, int type, uint8_t* pixels, size_t count) {
  if (type == kLiteRtElementTypeUInt8) {
    memcpy(pixels, values, count);
    return;
  }
  for (size_t i = 0; i < count; ++i) {
    float value = fminf(fmaxf(((const float*)values)[i], 0.0f), 1.0f);
    pixels[i] = (uint8_t)lrintf(255.0f * value);
  }
}

int main(int argc, char** argv) {
  if (argc != 4) fail(argv[0], "give MODEL.tflite NOISY.raw DENOISED.raw");

  LiteRtEnvironment environment = NULL;
  LiteRtModel model = NULL;
  LiteRtOptions options = NULL;
  LiteRtCompiledModel compiled = NULL;
  CHECK(LiteRtCreateEnvironment(0, NULL, &environment));
  CHECK(LiteRtCreateModelFromFile(environment, argv[1], &model));
  CHECK(LiteRtCreateOptions(&options));
  CHECK(LiteRtSetOptionsHardwareAccelerators(options, kLiteRtHwAcceleratorCpu));
  CHECK(LiteRtCreateCompiledModel(environment, model, options, &compiled));

  LiteRtSignature signature = NULL;
  LiteRtTensor given = NULL, made = NULL;
  LiteRtRankedTensorType given_type, made_type;
  CHECK(LiteRtGetModelSignature(model, 0, &signature));
  CHECK(LiteRtGetSignatureInputTensorByIndex(signature, 0, &given));
  CHECK(LiteRtGetSignatureOutputTensorByIndex(signature, 0, &made));
  CHECK(LiteRtGetRankedTensorType(given, &given_type));
  CHECK(LiteRtGetRankedTensorType(made, &made_type));
  size_t count = count_values(&given_type);
  if (count_values(&made_type) != count) fail(argv[1], "gives another size than it takes");

  LiteRtTensorBufferRequirements required = NULL;
  LiteRtTensorBuffer input = NULL, output = NULL;
  CHECK(LiteRtGetCompiledModelInputBufferRequirements(compiled, 0, 0, &required));
  CHECK(LiteRtCreateManagedTensorBufferFromRequirements(environment, &given_type, required,
                                                        &input));
  CHECK(LiteRtGetCompiledModelOutputBufferRequirements(compiled, 0, 0, &required));
  CHECK(LiteRtCreateManagedTensorBufferFromRequirements(environment, &made_type, required,
                                                        &output));

  uint8_t* pixels = malloc(count);
  if (!pixels) fail(argv[1], "needs more memory than there is");
  read_pixels(argv[2], pixels, count);
  void* values = NULL;
  CHECK(LiteRtLockTensorBuffer(input, &values, kLiteRtTensorBufferLockModeWrite));
  give(values, given_type.element_type, pixels, count);
  CHECK(LiteRtUnlockTensorBuffer(input));
  CHECK(LiteRtRunCompiledModel(compiled, 0, 1, &input, 1, &output));
  CHECK(LiteRtLockTensorBuffer(output, &values, kLiteRtTensorBufferLockModeRead));
  take(values, made_type.element_type, pixels, count);
  CHECK(LiteRtUnlockTensorBuffer(output));
  write_pixels(argv[3], pixels, count);

  free(pixels);
  LiteRtDestroyTensorBuffer(output);
  LiteRtDestroyTensorBuffer(input);
  LiteRtDestroyCompiledModel(compiled);
  LiteRtDestroyOptions(options);
  LiteRtDestroyModel(model);
  LiteRtDestroyEnvironment(environment);
  return 0;
}
