/*===- CompilerCases.c - Uses of the C interface --------------------------===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include "CompilerCases.h"
#include "muon-mlir-c/Compiler.h"
#include "muon-mlir/Runtime/Runtime.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition); \
      return 0;                                                                \
    }                                                                          \
  } while (0)

/* That `call` gives `status`; otherwise its errors are told. */
#define CHECK_STATUS(context, status, call)                                    \
  do {                                                                         \
    MuonCompilerStatus found = (call);                                         \
    if (found != (status)) {                                                   \
      fprintf(stderr, "%s:%d: expected %s from %s, found %d\n%s", __FILE__,    \
              __LINE__, #status, #call, (int)found,                            \
              muonContextErrors(context));                                     \
      return 0;                                                                \
    }                                                                          \
  } while (0)

#define CHECK_OK(context, call) CHECK_STATUS(context, MUON_COMPILER_OK, call)

/* That the errors of the last call contain `text`. */
#define CHECK_ERRORS(context, text)                                            \
  do {                                                                         \
    if (!strstr(muonContextErrors(context), (text))) {                         \
      fprintf(stderr, "%s:%d: expected '%s' in\n%s\n", __FILE__, __LINE__,     \
              (text), muonContextErrors(context));                             \
      return 0;                                                                \
    }                                                                          \
  } while (0)

static const char *const kStep =
    "// A bias and a matrix.\n"
    "func.func @step(\n"
    "    %b: tensor<2xf32> {muon.role = #muon.role<weight>, muon.names = "
    "[\"b\"]},\n"
    "    %bg: tensor<2xf32> {muon.role = #muon.role<gradient>, muon.names = "
    "[\"b\"]},\n"
    "    %w: tensor<3x2xf32> {muon.role = #muon.role<weight>, muon.names = "
    "[\"w\"]},\n"
    "    %wg: tensor<3x2xf32> {muon.role = #muon.role<gradient>, muon.names = "
    "[\"w\"]})\n"
    "    -> (tensor<2xf32>, tensor<3x2xf32>) {\n"
    "  %0 = muon.optimize weight(%b) gradient(%bg) : tensor<2xf32>, "
    "tensor<2xf32>\n"
    "  %1 = muon.optimize weight(%w) gradient(%wg) : tensor<3x2xf32>, "
    "tensor<3x2xf32>\n"
    "  return %0, %1 : tensor<2xf32>, tensor<3x2xf32>\n"
    "}\n";

/* Parses and verifies, but has nothing to compile. */
static const char *const kNoStep = "func.func @stop() { return }\n";

static const int64_t kShapeB[] = {2}, kShapeW[] = {3, 2};
static const MuonTensorDescription kTensors[] = {{"b", "f32", kShapeB, 1},
                                                 {"w", "f32", kShapeW, 2}};

static MuonCompilerStatus parse(MuonContext *context, const char *text,
                                MuonModule **module) {
  return muonModuleParse(context, text, strlen(text), "test.mlir", module);
}

static void join(char *path, size_t size, const char *directory,
                 const char *name) {
  snprintf(path, size, "%s/%s", directory, name);
}

static int exists(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file)
    fclose(file);
  return file != NULL;
}

static int writeFile(const char *path, const void *data, size_t size) {
  FILE *file = fopen(path, "wb");
  if (!file)
    return 0;
  size_t written = fwrite(data, 1, size, file);
  return fclose(file) == 0 && written == size;
}

/* Whether the module prints as `text`. */
static int printsAs(MuonModule *module, const char *text) {
  MuonString printed = {NULL, 0};
  if (muonModulePrint(module, 0, &printed) != MUON_COMPILER_OK)
    return 0;
  int same = strcmp(printed.data, text) == 0;
  muonStringDestroy(printed);
  return same;
}

int caseVersion(const char *directory) {
  (void)directory;
  CHECK(muonCompilerApiVersion() ==
        ((uint32_t)MUON_COMPILER_API_MAJOR << 16 | MUON_COMPILER_API_MINOR));
  const char *build = muonCompilerBuild();
  CHECK(build == muonCompilerBuild());
  CHECK(strstr(build, "muon-mlir "));
  CHECK(strstr(build, ", LLVM 22.1"));
  const char *id = strstr(build, ", build ");
  CHECK(id);
  /* SHA-1. */
  CHECK(strspn(id + 8, "0123456789abcdef") == 40);
  CHECK(!strstr(build, "none"));
  muonStringDestroy((MuonString){NULL, 0});
  return 1;
}

/*===-- A step, by hand ---------------------------------------------------===*/

static const char *const kHandRules =
    "{\"muon\": {\"schedule\": [[2.0, -1.5, 0.5], [1.5, -0.5, 0.0]],"
    "            \"steps\": 3, \"scale\": {\"constant\": 0.75},"
    "            \"momentum\": 0.5, \"weight_decay\": 0.25,"
    "            \"nesterov\": true},"
    " \"adamw\": {\"betas\": [0.5, 0.75], \"eps\": 0.125,"
    "             \"weight_decay\": 0.5}}";

enum { kRows = 3, kCols = 2 };

typedef struct Model {
  float b[kCols], bGradient[kCols], expAvg[kCols], expAvgSq[kCols];
  float w[kRows * kCols], wGradient[kRows * kCols], momentum[kRows * kCols];
  int64_t count;
} Model;

static const Model kModel = {{1, -2},
                             {0.5f, 3},
                             {0.25f, -1},
                             {0.5f, 2},
                             {1, 2, -3, 4, 0.5f, -6},
                             {2, -1, 0.5f, 3, 1, -4},
                             {1, 0, -1, 0.5f, 2, 1},
                             2};
static const double kLr = 0.125;

/* What docs/rules.md says of those rules, in doubles. */
static void stepByHand(Model *model) {
  double t = (double)++model->count;
  for (int i = 0; i < kCols; ++i) {
    double g = model->bGradient[i];
    double m = 0.5 * model->expAvg[i] + 0.5 * g;
    double v = 0.75 * model->expAvgSq[i] + 0.25 * g * g;
    double direction =
        m / (1 - pow(0.5, t)) / (sqrt(v / (1 - pow(0.75, t))) + 0.125);
    model->b[i] = (float)((1 - kLr * 0.5) * model->b[i] - kLr * direction);
    model->expAvg[i] = (float)m;
    model->expAvgSq[i] = (float)v;
  }

  double x[kRows][kCols], norm = 0;
  for (int i = 0; i < kRows * kCols; ++i) {
    double m = 0.5 * model->momentum[i] + model->wGradient[i];
    double u = model->wGradient[i] + 0.5 * m;
    model->momentum[i] = (float)m;
    x[i / kCols][i % kCols] = u;
    norm += u * u;
  }
  for (int i = 0; i < kRows * kCols; ++i)
    x[i / kCols][i % kCols] /= sqrt(norm);
  for (int k = 0; k < 3; ++k) {
    static const double schedule[2][3] = {{2, -1.5, 0.5}, {1.5, -0.5, 0}};
    const double *abc = schedule[k < 1 ? 0 : 1];
    /* On the long side, which gives the same: A = X X^T. */
    double a[kRows][kRows], p[kRows][kRows], next[kRows][kCols];
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kRows; ++j) {
        a[i][j] = 0;
        for (int l = 0; l < kCols; ++l)
          a[i][j] += x[i][l] * x[j][l];
      }
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kRows; ++j) {
        p[i][j] = abc[1] * a[i][j] + (i == j ? abc[0] : 0);
        for (int l = 0; l < kRows; ++l)
          p[i][j] += abc[2] * a[i][l] * a[l][j];
      }
    for (int i = 0; i < kRows; ++i)
      for (int j = 0; j < kCols; ++j) {
        next[i][j] = 0;
        for (int l = 0; l < kRows; ++l)
          next[i][j] += p[i][l] * x[l][j];
      }
    memcpy(x, next, sizeof(x));
  }
  for (int i = 0; i < kRows * kCols; ++i)
    model->w[i] = (float)((1 - kLr * 0.25) * model->w[i] -
                          kLr * 0.75 * x[i / kCols][i % kCols]);
}

static int isNear(const float *found, const float *expected, int count) {
  for (int i = 0; i < count; ++i)
    if (!(fabs((double)found[i] - expected[i]) <= 4e-6)) {
      fprintf(stderr, "element %d: expected %.9g, found %.9g\n", i,
              (double)expected[i], (double)found[i]);
      return 0;
    }
  return 1;
}

static int runArtifact(const char *path, Model *model) {
  MuonArtifact *artifact = NULL;
  MuonStep *step = NULL;
  MuonResult result;
  CHECK(muonArtifactLoad(path, "cpu", &artifact) == MUON_OK);
  CHECK(muonStepCreate(artifact, &step) == MUON_OK);
  CHECK(muonArtifactTensorCount(artifact) == 8);
  for (size_t i = 0; i < 8; ++i) {
    MuonTensorInfo info;
    CHECK(muonArtifactTensor(artifact, i, &info) == MUON_OK);
    int isW = strcmp(info.name, "w") == 0;
    void *data = info.role == MUON_ROLE_WEIGHT ? isW ? model->w : model->b
                 : info.role == MUON_ROLE_GRADIENT
                     ? isW ? model->wGradient : model->bGradient
                 : info.role == MUON_ROLE_MOMENTUM   ? model->momentum
                 : info.role == MUON_ROLE_EXP_AVG    ? model->expAvg
                 : info.role == MUON_ROLE_EXP_AVG_SQ ? model->expAvgSq
                                                     : (void *)&model->count;
    MuonBuffer buffer = {data, info.type, info.rank, info.shape, info.bytes};
    CHECK(muonStepBind(step, info.role, info.name, &buffer) == MUON_OK);
  }
  CHECK(muonStepSetScalar(step, MUON_ROLE_LR, NULL, kLr) == MUON_OK);
  CHECK(muonStepRun(step, NULL, &result) == MUON_OK);
  CHECK(result.taken == 1);
  muonStepDestroy(step);
  muonArtifactRelease(artifact);
  return 1;
}

int caseStepByHand(const char *directory) {
  MuonContext *context = NULL;
  MuonModule *module = NULL;
  char path[512];
  join(path, sizeof(path), directory, "step.so");
  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  CHECK_OK(context,
           muonModuleFromTensors(context, kTensors, 2, kHandRules, &module));
  CHECK_OK(context, muonModuleCompile(module, NULL, path, NULL));
  CHECK(strcmp(muonContextErrors(context), "") == 0);
  muonModuleDestroy(module);
  muonContextDestroy(context);

  Model model = kModel, expected = kModel;
  CHECK(runArtifact(path, &model));
  stepByHand(&expected);
  CHECK(isNear(model.b, expected.b, kCols));
  CHECK(isNear(model.expAvg, expected.expAvg, kCols));
  CHECK(isNear(model.expAvgSq, expected.expAvgSq, kCols));
  CHECK(isNear(model.w, expected.w, kRows * kCols));
  CHECK(isNear(model.momentum, expected.momentum, kRows * kCols));
  CHECK(model.count == 3);
  return 1;
}

/*===-- Modules from elsewhere --------------------------------------------===*/

int caseSafetensors(const char *directory) {
  MuonContext *context = NULL;
  MuonModule *module = NULL, *same = NULL;
  char path[512], bad[512], none[512];
  join(path, sizeof(path), directory, "model.safetensors");
  join(bad, sizeof(bad), directory, "bad.safetensors");
  join(none, sizeof(none), directory, "none.safetensors");
  static const char header[] =
      "{\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
      "\"w\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[8,32]}}";
  char file[8 + sizeof(header) - 1 + 32] = {(char)(sizeof(header) - 1)};
  memcpy(file + 8, header, sizeof(header) - 1);
  CHECK(writeFile(path, file, sizeof(file)));
  CHECK(writeFile(bad, file, sizeof(file) - 1));

  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  CHECK_OK(context, muonModuleFromSafetensors(context, path, NULL, &module));
  CHECK_OK(context, muonModuleFromTensors(context, kTensors, 2, "{}", &same));
  MuonString text;
  CHECK_OK(context, muonModulePrint(module, 0, &text));
  CHECK(strstr(text.data, "muon.update"));
  CHECK(strstr(text.data, "muon.adamw"));
  CHECK(printsAs(same, text.data));
  muonStringDestroy(text);
  muonModuleDestroy(module);
  muonModuleDestroy(same);

  module = NULL;
  CHECK_STATUS(context, MUON_COMPILER_IO,
               muonModuleFromSafetensors(context, none, NULL, &module));
  CHECK_ERRORS(context, "cannot read '");
  CHECK_ERRORS(context, "none.safetensors': No such file or directory");
  CHECK_STATUS(context, MUON_COMPILER_INVALID_INPUT,
               muonModuleFromSafetensors(context, bad, NULL, &module));
  CHECK_ERRORS(context, "bad.safetensors: ");
  CHECK_STATUS(context, MUON_COMPILER_INVALID_INPUT,
               muonModuleFromSafetensors(context, path, "[]", &module));
  CHECK_ERRORS(context, "error: rules: ");
  CHECK(!module);
  muonContextDestroy(context);
  return 1;
}

int caseTensorErrors(const char *directory) {
  (void)directory;
  static const int64_t negative[] = {2, -1};
  static const int64_t huge[] = {INT64_MAX, INT64_MAX};
  static const struct {
    MuonTensorDescription second;
    MuonCompilerStatus status;
    const char *message;
  } cases[] = {
      {{"w", "float32", kShapeW, 2},
       MUON_COMPILER_INVALID_ARGUMENT,
       "tensor #1: 'w': expected the type f32, bf16, f16, or one as "
       "safetensors calls it, found 'float32'"},
      {{"w", "f32", negative, 2},
       MUON_COMPILER_INVALID_ARGUMENT,
       "tensor #1: 'w': expected sizes from 0 on, found -1"},
      {{"w", "f32", huge, 2},
       MUON_COMPILER_INVALID_INPUT,
       "expected at most 72057594037927936 elements"},
      {{"w", "f32", kShapeW, 65},
       MUON_COMPILER_INVALID_ARGUMENT,
       "tensor #1: 'w': expected at most 64 dimensions, found 65"},
      {{"b", "f32", kShapeW, 2},
       MUON_COMPILER_INVALID_ARGUMENT,
       "tensor #1: 'b' is the name of two tensors"},
      {{"", "f32", kShapeW, 2},
       MUON_COMPILER_INVALID_ARGUMENT,
       "tensor #1: expected a name in UTF-8, not empty"},
      {{"\xff", "f32", kShapeW, 2},
       MUON_COMPILER_INVALID_ARGUMENT,
       "tensor #1: expected a name in UTF-8, not empty"},
      {{NULL, "f32", kShapeW, 2},
       MUON_COMPILER_INVALID_ARGUMENT,
       "tensor #1: expected a name, a type and a shape, found null"},
      {{"w", NULL, kShapeW, 2},
       MUON_COMPILER_INVALID_ARGUMENT,
       "tensor #1: expected a name, a type and a shape, found null"},
      {{"w", "f32", NULL, 2},
       MUON_COMPILER_INVALID_ARGUMENT,
       "tensor #1: expected a name, a type and a shape, found null"},
  };
  MuonContext *context = NULL;
  MuonModule *module = NULL;
  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    MuonTensorDescription tensors[2] = {kTensors[0], cases[i].second};
    CHECK_STATUS(context, cases[i].status,
                 muonModuleFromTensors(context, tensors, 2, NULL, &module));
    CHECK_ERRORS(context, cases[i].message);
    CHECK(!module);
  }
  CHECK_STATUS(context, MUON_COMPILER_INVALID_ARGUMENT,
               muonModuleFromTensors(context, kTensors, 0, NULL, &module));
  CHECK_ERRORS(context, "expected at least one tensor, found none");

  /* What is allowed: no dimensions at all, and types that are left alone. */
  MuonTensorDescription tensors[] = {
      {"scale", "f32", NULL, 0}, {"table", "I32", kShapeW, 2}, kTensors[1]};
  CHECK_OK(context, muonModuleFromTensors(context, tensors, 3, NULL, &module));
  MuonString text;
  CHECK_OK(context, muonModulePrint(module, 0, &text));
  CHECK(strstr(text.data, "muon.frozen = [\"table\"]"));
  CHECK(strstr(text.data, "tensor<f32>"));
  muonStringDestroy(text);
  muonModuleDestroy(module);
  muonContextDestroy(context);
  return 1;
}

int caseRulesErrors(const char *directory) {
  (void)directory;
  MuonContext *context = NULL;
  MuonModule *module = NULL;
  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  CHECK_STATUS(
      context, MUON_COMPILER_INVALID_INPUT,
      muonModuleFromTensors(context, kTensors, 2, "{\"muon\": ", &module));
  CHECK_ERRORS(context, "error: rules: ");
  CHECK_STATUS(
      context, MUON_COMPILER_INVALID_INPUT,
      muonModuleFromTensors(context, kTensors, 2,
                            "{\"rules\": [{\"match\": \"w\", \"steps\": -3}]}",
                            &module));
  CHECK_ERRORS(context, "error: rules: rules[0].steps: expected an integer "
                        "from 1 to 100, found -3");
  /* Known only once rules meet tensors. */
  CHECK_STATUS(context, MUON_COMPILER_INVALID_INPUT,
               muonModuleFromTensors(
                   context, kTensors, 2,
                   "{\"rules\": [{\"match\": \"b\", \"optimizer\": \"muon\"}]}",
                   &module));
  CHECK(strncmp(muonContextErrors(context),
                "error: rules: tensor \"b\": ", 26) == 0);
  CHECK(!strstr(muonContextErrors(context), "/proc"));
  CHECK_STATUS(
      context, MUON_COMPILER_INVALID_INPUT,
      muonModuleFromTensors(
          context, kTensors, 2,
          "{\"rules\": [{\"match\": \".\", \"optimizer\": \"frozen\"}]}",
          &module));
  CHECK_ERRORS(context, "every parameter is frozen");
  CHECK(!module);
  muonContextDestroy(context);
  return 1;
}

int caseRoundTrip(const char *directory) {
  (void)directory;
  MuonContext *context = NULL;
  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  for (int isImported = 0; isImported < 2; ++isImported) {
    MuonModule *module = NULL;
    if (isImported)
      CHECK_OK(context,
               muonModuleFromTensors(context, kTensors, 2, NULL, &module));
    else
      CHECK_OK(context, parse(context, kStep, &module));
    for (int locations = 0; locations < 2; ++locations) {
      MuonString first, second;
      MuonModule *again = NULL;
      CHECK_OK(context, muonModulePrint(module, locations, &first));
      CHECK(first.data[first.size] == 0 && strlen(first.data) == first.size);
      CHECK(!strstr(first.data, "loc(") == !locations);
      /* Not terminated by a 0. */
      char *copy = malloc(first.size);
      CHECK(copy);
      memcpy(copy, first.data, first.size);
      CHECK_OK(context,
               muonModuleParse(context, copy, first.size, NULL, &again));
      free(copy);
      CHECK_OK(context, muonModuleVerify(again));
      CHECK_OK(context, muonModulePrint(again, locations, &second));
      CHECK(strcmp(first.data, second.data) == 0);
      muonModuleDestroy(again);
      muonStringDestroy(first);
      muonStringDestroy(second);
    }
    muonModuleDestroy(module);
  }
  muonContextDestroy(context);
  return 1;
}

/*===-- Diagnostics -------------------------------------------------------===*/

typedef struct Seen {
  size_t count;
  struct {
    MuonSeverity severity;
    char message[256], file[64];
    int hasFile;
    uint32_t line, column;
  } diagnostics[8];
} Seen;

static void see(void *user, const MuonDiagnostic *diagnostic) {
  Seen *seen = user;
  if (diagnostic->struct_size != sizeof(MuonDiagnostic) || seen->count == 8)
    abort();
  seen->diagnostics[seen->count].severity = diagnostic->severity;
  snprintf(seen->diagnostics[seen->count].message, 256, "%s",
           diagnostic->message);
  seen->diagnostics[seen->count].hasFile = diagnostic->file != NULL;
  snprintf(seen->diagnostics[seen->count].file, 64, "%s",
           diagnostic->file ? diagnostic->file : "");
  seen->diagnostics[seen->count].line = diagnostic->line;
  seen->diagnostics[seen->count].column = diagnostic->column;
  ++seen->count;
}

int caseParseErrors(const char *directory) {
  (void)directory;
  MuonContext *context = NULL;
  MuonModule *module = NULL;
  Seen seen = {0};
  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  muonContextSetHandler(context, see, &seen);
  CHECK_STATUS(
      context, MUON_COMPILER_INVALID_INPUT,
      parse(context, "func.func @f() {\n  return %x : i32\n}\n", &module));
  CHECK(!module);
  CHECK(seen.count == 1);
  CHECK(seen.diagnostics[0].severity == MUON_SEVERITY_ERROR);
  CHECK(strstr(seen.diagnostics[0].message, "undeclared SSA value"));
  CHECK(strcmp(seen.diagnostics[0].file, "test.mlir") == 0);
  CHECK(seen.diagnostics[0].line == 2 && seen.diagnostics[0].column == 10);
  CHECK_ERRORS(context, "test.mlir:2:10: error: ");

  /* Verifiers, in a text without a name. */
  const char *wrong = "module {\n"
                      "  func.func @f() {\n"
                      "    %0 = arith.constant 1 : i32\n"
                      "    return %0 : i32\n"
                      "  }\n"
                      "}\n";
  seen.count = 0;
  CHECK_STATUS(context, MUON_COMPILER_INVALID_INPUT,
               muonModuleParse(context, wrong, strlen(wrong), NULL, &module));
  CHECK(seen.count >= 1);
  CHECK(!seen.diagnostics[0].hasFile);
  CHECK(seen.diagnostics[0].line == 4 && seen.diagnostics[0].column == 5);
  CHECK(strncmp(muonContextErrors(context), "4:5: error: ", 12) == 0);

  /* Bytes that are none. */
  seen.count = 0;
  CHECK_STATUS(
      context, MUON_COMPILER_INVALID_INPUT,
      muonModuleParse(context, "ML\xefRxxxxxxxx", 12, "x.mlirbc", &module));
  CHECK(seen.count == 1);
  CHECK(strcmp(seen.diagnostics[0].file, "x.mlirbc") == 0);

  /* Without a handler errors are kept all the same, until the next call. */
  muonContextSetHandler(context, NULL, NULL);
  seen.count = 0;
  CHECK_STATUS(context, MUON_COMPILER_INVALID_INPUT,
               parse(context, "x", &module));
  CHECK(seen.count == 0);
  CHECK_ERRORS(context, "test.mlir:1:1: error: ");
  CHECK_OK(context, parse(context, kStep, &module));
  CHECK(strcmp(muonContextErrors(context), "") == 0);

  /* As deep as it takes to overflow a usual stack. */
  size_t depth = 100000;
  char *nested = malloc(depth);
  CHECK(nested);
  memset(nested, '[', depth);
  MuonModule *none = NULL;
  CHECK_STATUS(context, MUON_COMPILER_INVALID_INPUT,
               muonModuleParse(context, nested, depth, "deep", &none));
  CHECK_ERRORS(context, "expected at most 256 nested brackets");
  free(nested);
  muonModuleDestroy(module);
  muonContextDestroy(context);
  return 1;
}

int caseNotes(const char *directory) {
  (void)directory;
  MuonContext *context = NULL;
  MuonModule *module = NULL;
  Seen seen = {0};
  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  muonContextSetHandler(context, see, &seen);
  CHECK_STATUS(context, MUON_COMPILER_INVALID_INPUT,
               parse(context,
                     "func.func private @f()\n"
                     "func.func private @g()\n"
                     "  func.func private @f()\n",
                     &module));
  CHECK(seen.count == 2);
  CHECK(seen.diagnostics[0].severity == MUON_SEVERITY_ERROR);
  CHECK(strstr(seen.diagnostics[0].message, "redefinition of symbol"));
  CHECK(seen.diagnostics[0].line == 3 && seen.diagnostics[0].column == 3);
  CHECK(seen.diagnostics[1].severity == MUON_SEVERITY_NOTE);
  CHECK(seen.diagnostics[1].line == 1 && seen.diagnostics[1].column == 1);
  const char *error =
      strstr(muonContextErrors(context), "test.mlir:3:3: error: redefinition");
  CHECK(error == muonContextErrors(context));
  CHECK(strstr(error, "\ntest.mlir:1:1: note: "));

  /* A warning is no error, but is delivered: a rule without a match. */
  seen.count = 0;
  CHECK_OK(context,
           muonModuleFromTensors(
               context, kTensors, 2,
               "{\"muon\": {\"schedule\": \"polar_express\"}}", &module));
  CHECK(seen.count == 1);
  CHECK(seen.diagnostics[0].severity == MUON_SEVERITY_WARNING);
  CHECK(strcmp(muonContextErrors(context), "") == 0);
  muonModuleDestroy(module);
  muonContextDestroy(context);
  return 1;
}

/*===-- Passes ------------------------------------------------------------===*/

int casePasses(const char *directory) {
  (void)directory;
  MuonContext *context = NULL;
  MuonModule *module = NULL;
  MuonString text, before;
  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  CHECK_OK(context, parse(context, kStep, &module));
  CHECK_OK(context, muonModulePrint(module, 0, &before));

  static const struct {
    const char *pipeline, *message;
  } wrong[] = {
      {"builtin.module(no-such-pass)", "pipeline: "},
      {"builtin.module(no-such-pass)", "no-such-pass"},
      {"builtin.module(canonicalize", "pipeline: "},
      {"", "pipeline: "},
      {"func.func(canonicalize)", "expected passes of a builtin.module, found "
                                  "those of 'func.func'"},
      {"builtin.module(muon-cpu-pipeline{no-such-option=1})", "no-such-option"},
  };
  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); ++i) {
    CHECK_STATUS(context, MUON_COMPILER_INVALID_ARGUMENT,
                 muonModuleRunPasses(module, wrong[i].pipeline));
    CHECK_ERRORS(context, wrong[i].message);
  }
  CHECK(printsAs(module, before.data));
  muonStringDestroy(before);

  CHECK_OK(context, muonModuleRunPasses(
                        module, "builtin.module(muon-cpu-pipeline{to=math},"
                                "canonicalize,func.func(cse))"));
  CHECK_OK(context, muonModulePrint(module, 0, &text));
  CHECK(!strstr(text.data, "muon.optimize"));
  CHECK(strstr(text.data, "muon.symmetric_product"));
  muonStringDestroy(text);
  muonModuleDestroy(module);
  muonContextDestroy(context);
  return 1;
}

int caseFailedPass(const char *directory) {
  MuonContext *context = NULL;
  MuonModule *module = NULL, *clone = NULL;
  MuonString text;
  char path[512];
  join(path, sizeof(path), directory, "failed.so");
  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  CHECK_OK(context, parse(context, kNoStep, &module));
  CHECK_STATUS(context, MUON_COMPILER_FAILED,
               muonModuleRunPasses(
                   module, "builtin.module(muon-cpu-pipeline{to=llvm})"));
  CHECK_ERRORS(context, "test.mlir: error: expected a function 'step'");
  CHECK_OK(context, muonModulePrint(module, 1, &text));
  CHECK(strstr(text.data, "@stop"));
  muonStringDestroy(text);
  CHECK_STATUS(context, MUON_COMPILER_INVALID_ARGUMENT,
               muonModuleRunPasses(module, "builtin.module(canonicalize)"));
  CHECK_ERRORS(context, "a pass failed on this module before");
  CHECK_STATUS(context, MUON_COMPILER_INVALID_ARGUMENT,
               muonModuleVerify(module));
  CHECK_STATUS(context, MUON_COMPILER_INVALID_ARGUMENT,
               muonModuleClone(module, &clone));
  CHECK_STATUS(context, MUON_COMPILER_INVALID_ARGUMENT,
               muonModuleCompile(module, NULL, path, NULL));
  CHECK(!clone && !exists(path));
  muonModuleDestroy(module);
  muonContextDestroy(context);
  return 1;
}

int caseClone(const char *directory) {
  char path[512];
  join(path, sizeof(path), directory, "step.so");
  MuonContext *context = NULL;
  MuonModule *module = NULL, *clone = NULL;
  MuonString text;
  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  CHECK_OK(context, parse(context, kStep, &module));
  CHECK_OK(context, muonModulePrint(module, 0, &text));
  CHECK_OK(context, muonModuleClone(module, &clone));
  CHECK(clone != module);
  CHECK(printsAs(clone, text.data));
  CHECK_OK(context, muonModuleRunPasses(
                        clone, "builtin.module(muon-cpu-pipeline{to=step})"));
  CHECK(!printsAs(clone, text.data));
  CHECK(printsAs(module, text.data));
  /* The clone outlives what it is a clone of. */
  muonModuleDestroy(module);
  CHECK_OK(context, muonModuleVerify(clone));
  CHECK_OK(context, muonModuleCompile(clone, NULL, path, NULL));
  muonModuleDestroy(clone);
  muonStringDestroy(text);
  muonContextDestroy(context);
  return 1;
}

/*===-- Compilation -------------------------------------------------------===*/

int caseCompileErrors(const char *directory) {
  static const struct {
    MuonCompileOptions options;
    MuonCompilerStatus status;
    const char *message;
  } cases[] = {
#define OPTIONS(target, cpu, ptxas, chip, limit, grid, rank, topology)         \
  {sizeof(MuonCompileOptions),                                                 \
   target,                                                                     \
   cpu,                                                                        \
   ptxas,                                                                      \
   chip,                                                                       \
   limit,                                                                      \
   grid,                                                                       \
   rank,                                                                       \
   topology}
      {OPTIONS("gpu", NULL, NULL, NULL, 0, NULL, -1, NULL),
       MUON_COMPILER_INVALID_ARGUMENT, "unknown target 'gpu', expected cpu"},
      {OPTIONS("", NULL, NULL, NULL, 0, NULL, -1, NULL),
       MUON_COMPILER_INVALID_ARGUMENT, "unknown target ''"},
      {OPTIONS("sm_70", NULL, NULL, NULL, 0, NULL, -1, NULL),
       MUON_COMPILER_INVALID_ARGUMENT, "unknown target 'sm_70'"},
      {OPTIONS(NULL, "z80", NULL, NULL, 0, NULL, -1, NULL),
       MUON_COMPILER_INVALID_ARGUMENT, "unknown processor 'z80'"},
      {OPTIONS(NULL, NULL, "auto", NULL, 0, NULL, -1, NULL),
       MUON_COMPILER_INVALID_ARGUMENT,
       "error: ptxas expected a GPU as target, found cpu"},
      {OPTIONS(NULL, NULL, NULL, "H200", 0, NULL, -1, NULL),
       MUON_COMPILER_INVALID_ARGUMENT, "error: chip expected "},
      {OPTIONS("sm_80", NULL, NULL, "H999", 0, NULL, -1, NULL),
       MUON_COMPILER_INVALID_ARGUMENT, "found 'H999'"},
      {OPTIONS(NULL, NULL, NULL, NULL, -1, NULL, -1, NULL),
       MUON_COMPILER_INVALID_ARGUMENT, "scratch-limit expected a number"},
      {OPTIONS(NULL, NULL, NULL, NULL, 0, "", -1, NULL),
       MUON_COMPILER_INVALID_ARGUMENT, "error: grid expected a value"},
      {OPTIONS(NULL, NULL, NULL, NULL, 0, "dp=x", -1, NULL),
       MUON_COMPILER_INVALID_ARGUMENT, "dp"},
      {OPTIONS(NULL, NULL, NULL, NULL, 0, NULL, 0, NULL),
       MUON_COMPILER_INVALID_ARGUMENT, "rank and topology expected a grid"},
      {OPTIONS(NULL, NULL, NULL, NULL, 0, "dp=2", 0, "/none/topology.json"),
       MUON_COMPILER_IO,
       "cannot read '/none/topology.json': No such file or directory"},
      {OPTIONS("sm_80", NULL, "/none/ptxas", NULL, 0, NULL, -1, NULL),
       MUON_COMPILER_FAILED, "/none/ptxas"},
      {{sizeof(MuonCompileOptions) - 8, NULL, NULL, NULL, NULL, 0, NULL, -1,
        NULL},
       MUON_COMPILER_INVALID_ARGUMENT,
       "options: expected struct_size "},
      {{0, NULL, NULL, NULL, NULL, 0, NULL, -1, NULL},
       MUON_COMPILER_INVALID_ARGUMENT,
       "found 0"},
#undef OPTIONS
  };
  char path[512];
  join(path, sizeof(path), directory, "step.so");
  MuonContext *context = NULL;
  MuonModule *module = NULL;
  MuonString report = {NULL, 7};
  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  CHECK_OK(context, parse(context, kStep, &module));
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    CHECK_STATUS(context, cases[i].status,
                 muonModuleCompile(module, &cases[i].options, path, &report));
    CHECK_ERRORS(context, cases[i].message);
    CHECK(!exists(path));
    CHECK(!report.data && report.size == 7);
  }
  muonModuleDestroy(module);
  muonContextDestroy(context);
  return 1;
}

int caseRanks(const char *directory) {
  char path[512];
  join(path, sizeof(path), directory, "step.so");
  MuonContext *context = NULL;
  MuonModule *module = NULL;
  MuonCompileOptions options = MUON_COMPILE_OPTIONS_INIT;
  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  CHECK_OK(context, muonModuleFromTensors(context, kTensors, 2,
                                          "{\"grid\": {\"dp\": 2}}", &module));
  CHECK_STATUS(context, MUON_COMPILER_INVALID_ARGUMENT,
               muonModuleCompile(module, &options, path, NULL));
  CHECK_ERRORS(context, "error: rank expected 0 to 1, for a step of 2 ranks; "
                        "found none");
  options.rank = 2;
  CHECK_STATUS(context, MUON_COMPILER_INVALID_ARGUMENT,
               muonModuleCompile(module, &options, path, NULL));
  CHECK_ERRORS(context, "error: rank expected 0 to 1, found 2");
  options.rank = 1;
  CHECK_OK(context, muonModuleCompile(module, &options, path, NULL));
  MuonArtifact *artifact = NULL;
  MuonArtifactInfo info;
  CHECK(muonArtifactLoad(path, "cpu", &artifact) == MUON_OK);
  CHECK(muonArtifactInfo(artifact, &info) == MUON_OK);
  CHECK(info.distributed && info.rank == 1 && info.ranks == 2);
  CHECK(strcmp(info.grid, "dp=2") == 0);
  muonArtifactRelease(artifact);

  /* The grid of the options has other sizes; of one rank, there is no choice.
   */
  options.grid = "dp=1";
  options.rank = -1;
  join(path, sizeof(path), directory, "one.so");
  CHECK_OK(context, muonModuleCompile(module, &options, path, NULL));
  CHECK(muonArtifactLoad(path, "cpu", &artifact) == MUON_OK);
  CHECK(muonArtifactInfo(artifact, &info) == MUON_OK);
  CHECK(info.rank == 0 && info.ranks == 1);
  muonArtifactRelease(artifact);
  muonModuleDestroy(module);
  muonContextDestroy(context);
  return 1;
}

int casePaths(const char *directory) {
  char path[512];
  MuonContext *context = NULL;
  MuonModule *module = NULL;
  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  CHECK_OK(context, parse(context, kStep, &module));
  join(path, sizeof(path), directory, "none/step.so");
  CHECK_STATUS(context, MUON_COMPILER_IO,
               muonModuleCompile(module, NULL, path, NULL));
  CHECK_ERRORS(context, "error: cannot write '");
  CHECK_ERRORS(context, "none/step.so': No such file or directory");
  CHECK_STATUS(context, MUON_COMPILER_IO,
               muonModuleCompile(module, NULL, directory, NULL));
  CHECK_ERRORS(context, "': not a regular file");
  CHECK_STATUS(context, MUON_COMPILER_IO,
               muonModuleCompile(module, NULL, "", NULL));

  /* What is there stays if compilation fails, and is replaced otherwise. */
  join(path, sizeof(path), directory, "old %d.so");
  CHECK(writeFile(path, "old", 3));
  MuonModule *bad = NULL;
  CHECK_OK(context, parse(context, kNoStep, &bad));
  CHECK_STATUS(context, MUON_COMPILER_FAILED,
               muonModuleCompile(bad, NULL, path, NULL));
  CHECK_ERRORS(context, "test.mlir: error: expected a function 'step'");
  muonModuleDestroy(bad);
  CHECK_OK(context,
           parse(context,
                 "func.func @step(%t: tensor<i64> {muon.role = "
                 "#muon.role<step>}) -> tensor<i64> {\n"
                 "  %0 = muon.advance step(%t : tensor<i64>)\n"
                 "  llvm.inline_asm has_side_effects \"nop\", \"\" : () -> ()\n"
                 "  return %0 : tensor<i64>\n}\n",
                 &bad));
  CHECK_STATUS(context, MUON_COMPILER_FAILED,
               muonModuleCompile(bad, NULL, path, NULL));
  CHECK_ERRORS(context, "test.mlir:3:3: error: 'llvm.inline_asm' op is not "
                        "allowed in the host's code of a step");
  muonModuleDestroy(bad);
  char text[4] = {0};
  FILE *file = fopen(path, "rb");
  CHECK(file && fread(text, 1, 4, file) == 3 && fclose(file) == 0);
  CHECK(memcmp(text, "old", 3) == 0);
  CHECK_OK(context, muonModuleCompile(module, NULL, path, NULL));
  file = fopen(path, "rb");
  CHECK(file && fread(text, 1, 4, file) == 4 && fclose(file) == 0);
  CHECK(memcmp(text, "\177ELF", 4) == 0);
  muonModuleDestroy(module);
  muonContextDestroy(context);
  return 1;
}

int caseUnchanged(const char *directory) {
  char path[512];
  join(path, sizeof(path), directory, "step.so");
  const char *const texts[] = {kStep, kNoStep};
  MuonContext *context = NULL;
  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  for (int i = 0; i < 2; ++i) {
    MuonModule *module = NULL;
    MuonString before, after;
    CHECK_OK(context, parse(context, texts[i], &module));
    CHECK_OK(context, muonModulePrint(module, 1, &before));
    /* Twice the same, so that the first time left nothing behind. */
    for (int k = 0; k < 2; ++k)
      CHECK_STATUS(context, i == 0 ? MUON_COMPILER_OK : MUON_COMPILER_FAILED,
                   muonModuleCompile(module, NULL, path, NULL));
    CHECK_OK(context, muonModuleVerify(module));
    CHECK_OK(context, muonModulePrint(module, 1, &after));
    CHECK(strcmp(before.data, after.data) == 0);
    muonStringDestroy(before);
    muonStringDestroy(after);
    muonModuleDestroy(module);
  }
  muonContextDestroy(context);
  return 1;
}

int caseNull(const char *directory) {
  char path[512];
  join(path, sizeof(path), directory, "step.so");
  const MuonCompilerStatus invalid = MUON_COMPILER_INVALID_ARGUMENT;
  MuonContext *context = NULL;
  MuonModule *module = NULL;
  MuonString text;
  CHECK(muonContextCreate(NULL) == invalid);
  muonContextDestroy(NULL);
  muonModuleDestroy(NULL);
  muonContextSetHandler(NULL, NULL, NULL);
  CHECK(strcmp(muonContextErrors(NULL), "") == 0);
  CHECK(parse(NULL, kStep, &module) == invalid);
  CHECK(muonModuleFromTensors(NULL, kTensors, 2, NULL, &module) == invalid);
  CHECK(muonModuleFromSafetensors(NULL, path, NULL, &module) == invalid);
  CHECK(muonModuleClone(NULL, &module) == invalid);
  CHECK(muonModuleVerify(NULL) == invalid);
  CHECK(muonModulePrint(NULL, 0, &text) == invalid);
  CHECK(muonModuleRunPasses(NULL, "builtin.module()") == invalid);
  CHECK(muonModuleCompile(NULL, NULL, path, NULL) == invalid);
  CHECK(!module && !exists(path));

  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  CHECK(parse(context, kStep, NULL) == invalid);
  CHECK_ERRORS(context, "error: module: expected a pointer, found null\n");
  CHECK(muonModuleParse(context, NULL, 0, NULL, &module) == invalid);
  CHECK_ERRORS(context, "error: data: expected a pointer, found null\n");
  CHECK(muonModuleFromTensors(context, NULL, 2, NULL, &module) == invalid);
  CHECK(muonModuleFromTensors(context, kTensors, 2, NULL, NULL) == invalid);
  CHECK(muonModuleFromSafetensors(context, NULL, NULL, &module) == invalid);
  CHECK(muonModuleFromSafetensors(context, path, NULL, NULL) == invalid);
  CHECK(!module);
  CHECK_OK(context, parse(context, kStep, &module));
  CHECK(muonModuleClone(module, NULL) == invalid);
  CHECK(muonModulePrint(module, 0, NULL) == invalid);
  CHECK(muonModuleRunPasses(module, NULL) == invalid);
  CHECK_ERRORS(context, "pipeline: expected a pointer, found null");
  CHECK(muonModuleCompile(module, NULL, NULL, NULL) == invalid);
  muonModuleDestroy(module);
  muonContextDestroy(context);
  return 1;
}

int caseReports(const char *directory) {
  MuonContext *context = NULL;
  MuonModule *module = NULL;
  MuonCompileOptions options = MUON_COMPILE_OPTIONS_INIT;
  CHECK(muonContextCreate(&context) == MUON_COMPILER_OK);
  CHECK_OK(context, parse(context, kStep, &module));
  for (int isGpu = 0; isGpu < 2; ++isGpu) {
    char path[512];
    MuonString report = {NULL, 0};
    if (isGpu) {
      options.target = "sm_80";
      options.ptxas = "none";
      options.chip = "A100";
    }
    join(path, sizeof(path), directory, "step.so");
    CHECK_OK(context, muonModuleCompile(module, &options, path, &report));
    CHECK(report.size > 0 && strlen(report.data) == report.size);
    join(path, sizeof(path), directory, isGpu ? "gpu.json" : "cpu.json");
    CHECK(writeFile(path, report.data, report.size));
    muonStringDestroy(report);
  }
  muonModuleDestroy(module);
  muonContextDestroy(context);
  return 1;
}
