/*===- Compiler.h - Compiling optimizer steps -------------------*- C -*-===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* The C interface of libmuon_compiler. The way through it, with checks in    *|
|* docs/c-api.md:                                                             *|
|*                                                                            *|
|*   MuonContext *context;                                                    *|
|*   MuonModule *module;                                                      *|
|*   muonContextCreate(&context);                                             *|
|*   muonModuleFromTensors(context, tensors, count, "{}", &module);           *|
|*   muonModuleCompile(module, NULL, "step.so", NULL);                        *|
|*   muonModuleDestroy(module);                                               *|
|*   muonContextDestroy(context);                                             *|
|*                                                                            *|
|* Run what comes out with include/muon-mlir/Runtime/Runtime.h.               *|
|*                                                                            *|
|* Errors. Functions that can fail return MUON_COMPILER_OK or a status that   *|
|* says what kind of failure it is. What went wrong is said in diagnostics:   *|
|* see muonContextSetHandler, and muonContextErrors for all of the last call. *|
|* A call that fails leaves its output pointers alone, and a module as it     *|
|* was, but for muonModuleRunPasses. No function aborts on bad input, and no  *|
|* exception leaves one; but LLVM ends the process when it has no memory, and *|
|* for some of what only a step that is LLVM dialect already can ask of it.   *|
|*                                                                            *|
|* Ownership. Who creates an object destroys it: modules before their         *|
|* context. Strings passed in are copied. Strings that come out as MuonString *|
|* belong to the caller, who destroys them with muonStringDestroy.            *|
|*                                                                            *|
|* Threads. One thread at a time uses a context and its modules; contexts are *|
|* independent of each other. Work is done in a thread of the library's, with *|
|* a stack that deeply nested input does not overflow; handlers are called in *|
|* the caller's.                                                              *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef MUON_MLIR_C_COMPILER_H
#define MUON_MLIR_C_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MUON_COMPILER_API __attribute__((visibility("default")))
#else
#define MUON_COMPILER_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Of this header. A library with another major number is another interface. */
#define MUON_COMPILER_API_MAJOR 1
#define MUON_COMPILER_API_MINOR 0

typedef enum MuonCompilerStatus {
  MUON_COMPILER_OK = 0,
  /* A null pointer, an unknown option, a value out of its range. */
  MUON_COMPILER_INVALID_ARGUMENT = 1,
  /* Text that is no IR, IR that does not verify, rules that are wrong. */
  MUON_COMPILER_INVALID_INPUT = 2,
  /* A pass or code generation failed. */
  MUON_COMPILER_FAILED = 3,
  /* A file cannot be read or written. */
  MUON_COMPILER_IO = 4,
  MUON_COMPILER_OUT_OF_MEMORY = 5,
  MUON_COMPILER_INTERNAL = 6,
  MUON_COMPILER_STATUS_MAX = 0x7fffffff /* fixes the size of the enum */
} MuonCompilerStatus;

/* Major in the upper 16 bits, minor in the lower ones, of the library. */
MUON_COMPILER_API uint32_t muonCompilerApiVersion(void);

/* Names the build of the compiler, with those of MLIR and LLVM: artifacts of
 * two builds with different names may differ. Linker, ptxas and the processor
 * that 'native' stands for are no part of it. Lives as long as the library. */
MUON_COMPILER_API const char *muonCompilerBuild(void);

/* --- Strings ------------------------------------------------------------- */

/* `data` has `size` bytes and a 0 after them. */
typedef struct MuonString {
  char *data;
  size_t size;
} MuonString;

/* Null data is allowed. */
MUON_COMPILER_API void muonStringDestroy(MuonString string);

/* --- Contexts ------------------------------------------------------------ */

typedef struct MuonContext MuonContext;

typedef enum MuonSeverity {
  MUON_SEVERITY_NOTE = 0,
  MUON_SEVERITY_REMARK = 1,
  MUON_SEVERITY_WARNING = 2,
  MUON_SEVERITY_ERROR = 3,
  MUON_SEVERITY_MAX = 0x7fffffff
} MuonSeverity;

/* Notes come after what they belong to. Strings live until the handler
 * returns. */
typedef struct MuonDiagnostic {
  /* sizeof(MuonDiagnostic) of the library: later ones may have more. */
  size_t struct_size;
  MuonSeverity severity;
  const char *message;
  /* Null where it is not known, or has no name. Lines and columns begin with 1;
   * 0 where they are not known. */
  const char *file;
  uint32_t line, column;
} MuonDiagnostic;

/* Called in the thread of the call that the diagnostic is about, at its end and
 * in the order of the diagnostics. Must not call into the context. */
typedef void (*MuonDiagnosticHandler)(void *user,
                                      const MuonDiagnostic *diagnostic);

MUON_COMPILER_API MuonCompilerStatus muonContextCreate(MuonContext **context);
/* Null is allowed. Its modules are destroyed already. */
MUON_COMPILER_API void muonContextDestroy(MuonContext *context);

/* Diagnostics go to `handler` from now on; with null, they are kept for
 * muonContextErrors alone. */
MUON_COMPILER_API void muonContextSetHandler(MuonContext *context,
                                             MuonDiagnosticHandler handler,
                                             void *user);

/* The errors of the last call on this context or a module of it, with their
 * notes, one after the other as `file:line:column: error: message` lines, less
 * what is not known of the place; empty if there was none. Lives until the next
 * call. Calls that got no context or module leave nothing here. */
MUON_COMPILER_API const char *muonContextErrors(const MuonContext *context);

/* --- Modules ------------------------------------------------------------- */

typedef struct MuonModule MuonModule;

/* From textual IR or bytecode; `name` is for diagnostics, null for none. The
 * module has been verified. Limits on size and nesting are those of
 * docs/limits.md. */
MUON_COMPILER_API MuonCompilerStatus muonModuleParse(MuonContext *context,
                                                     const char *data,
                                                     size_t size,
                                                     const char *name,
                                                     MuonModule **module);

typedef struct MuonTensorDescription {
  const char *name;
  /* f32, bf16 or f16, or whatever safetensors calls other types: F64, I32, … */
  const char *type;
  const int64_t *shape;
  size_t rank;
} MuonTensorDescription;

/* The step of these tensors, in their order. Names differ from each other and
 * are UTF-8. `rules` is the text of a rules file (docs/rules.md), null for
 * none; the grid is that of the rules. */
MUON_COMPILER_API MuonCompilerStatus
muonModuleFromTensors(MuonContext *context,
                      const MuonTensorDescription *tensors, size_t count,
                      const char *rules, MuonModule **module);

/* The step of the tensors of a safetensors file, of which the header is
 * read. */
MUON_COMPILER_API MuonCompilerStatus
muonModuleFromSafetensors(MuonContext *context, const char *path,
                          const char *rules, MuonModule **module);

MUON_COMPILER_API MuonCompilerStatus muonModuleClone(MuonModule *module,
                                                     MuonModule **clone);
/* Null is allowed. */
MUON_COMPILER_API void muonModuleDestroy(MuonModule *module);

MUON_COMPILER_API MuonCompilerStatus muonModuleVerify(MuonModule *module);

/* `locations` is not 0: with locations. */
MUON_COMPILER_API MuonCompilerStatus muonModulePrint(MuonModule *module,
                                                     int locations,
                                                     MuonString *text);

/* Runs passes, in the syntax of muon-opt --pass-pipeline, as in
 * `builtin.module(canonicalize,muon-cpu-pipeline{to=math})`. If a pass fails,
 * which is MUON_COMPILER_FAILED, the module is good for printing and destroying
 * only. */
MUON_COMPILER_API MuonCompilerStatus muonModuleRunPasses(MuonModule *module,
                                                         const char *pipeline);

/* As the options of muon-compile with these names; null and 0 are its
 * defaults, but for the rank. Initialize it with MUON_COMPILE_OPTIONS_INIT. */
typedef struct MuonCompileOptions {
  size_t struct_size;
  const char *target;
  const char *cpu;
  const char *ptxas;
  const char *chip;
  int64_t scratch_limit;
  /* The grid, null for that of the module; the rank to compile for, -1 where
   * there is only one; and the path of a topology file. */
  const char *grid;
  int64_t rank;
  const char *topology;
} MuonCompileOptions;

#define MUON_COMPILE_OPTIONS_INIT                                              \
  { sizeof(MuonCompileOptions), NULL, NULL, NULL, NULL, 0, NULL, -1, NULL }

/* Compiles the module, which stays as it is, to the artifact `path`: a file
 * that is there is replaced once the new one is complete. `options` may be
 * null. `report`, if it is not, becomes what --report=file.json writes. Finds
 * the linker ld.lld or ld in PATH. */
MUON_COMPILER_API MuonCompilerStatus
muonModuleCompile(MuonModule *module, const MuonCompileOptions *options,
                  const char *path, MuonString *report);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* MUON_MLIR_C_COMPILER_H */
