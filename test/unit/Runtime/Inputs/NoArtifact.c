/*===- NoArtifact.c - A shared library that is not an artifact ------------===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

int step(void) { return 0; }
