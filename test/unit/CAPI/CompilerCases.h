/*===- CompilerCases.h - Uses of the C interface ----------------*- C -*-===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* Each case uses files of `directory` alone. It returns 1 if all is as it    *|
|* should be; if not, 0, after a line on stderr. A case that fails leaks.     *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef MUON_MLIR_TEST_UNIT_CAPI_COMPILERCASES_H
#define MUON_MLIR_TEST_UNIT_CAPI_COMPILERCASES_H

#ifdef __cplusplus
extern "C" {
#endif

int caseVersion(const char *directory);
int caseStepByHand(const char *directory);
int caseSafetensors(const char *directory);
int caseTensorErrors(const char *directory);
int caseRulesErrors(const char *directory);
int caseRoundTrip(const char *directory);
int caseParseErrors(const char *directory);
int caseNotes(const char *directory);
int casePasses(const char *directory);
int caseFailedPass(const char *directory);
int caseClone(const char *directory);
int caseCompileErrors(const char *directory);
int caseRanks(const char *directory);
int casePaths(const char *directory);
int caseUnchanged(const char *directory);
int caseNull(const char *directory);
/* Leaves reports in cpu.json and gpu.json. */
int caseReports(const char *directory);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* MUON_MLIR_TEST_UNIT_CAPI_COMPILERCASES_H */
