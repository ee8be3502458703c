/*===- Runtime.h - Running compiled optimizer steps -------------*- C -*-===*\
|*                                                                            *|
|* Part of the muon-mlir Project, under the Apache License v2.0 with LLVM     *|
|* Exceptions. See LICENSE for license information.                           *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* The C interface of libmuon_runtime. The way through it:                    *|
|*                                                                            *|
|*   MuonArtifact *artifact;                                                  *|
|*   MuonStep *step;                                                          *|
|*   muonArtifactLoad("step.so", "cpu", &artifact);                           *|
|*   muonStepCreate(artifact, &step);                                         *|
|*   for each i < muonArtifactTensorCount(artifact):                          *|
|*     muonArtifactTensor(artifact, i, &info);                                *|
|*     muonStepBind(step, info.role, info.name, &buffer);                     *|
|*   muonStepSetScalar(step, MUON_ROLE_LR, NULL, 0.02);                       *|
|*   muonStepRun(step, NULL, &result);         once per training step         *|
|*   muonStepDestroy(step);                                                   *|
|*   muonArtifactRelease(artifact);                                           *|
|*                                                                            *|
|* Errors. Functions that can fail return a MuonStatus. Anything but MUON_OK  *|
|* left the state of the objects, and what the output pointers point to,      *|
|* unchanged; muonLastError() has the message. No function aborts, and no     *|
|* exception leaves one.                                                      *|
|*                                                                            *|
|* Devices. 'cpu' runs steps compiled for the CPU, 'cuda' those for a GPU on *|
|* one, and 'sim' the same artifacts on a simulated GPU, slowly, as           *|
|* docs/ptxsim.md describes; whatever that finds is MUON_ERROR_EXECUTION.     *|
|*                                                                            *|
|* Ownership. Strings and shapes in the info structs belong to the artifact   *|
|* and live as long as it or a step created from it does. Buffers stay the    *|
|* caller's: they are used in place, never copied, and must stay valid until  *|
|* they are rebound or the step is destroyed. Strings passed in are copied.   *|
|*                                                                            *|
|* Threads. An artifact does not change once loaded and can be used from any  *|
|* number of threads. Calls on one step must not overlap; different steps,    *|
|* also of one artifact, are independent and can run at the same time, as     *|
|* long as no buffer that a step updates is bound to another that runs.       *|
|*                                                                            *|
|* Trust. Loading an artifact runs code from it, as loading any shared        *|
|* library does. The checks here find mistakes, not attacks.                  *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#ifndef MUON_MLIR_RUNTIME_RUNTIME_H
#define MUON_MLIR_RUNTIME_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define MUON_RUNTIME_API __attribute__((visibility("default")))
#else
#define MUON_RUNTIME_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A loaded step, its code and its manifest. */
typedef struct MuonArtifact MuonArtifact;

/* One instance of a step: buffers, scalars, scratch memory and the reports of
 * the last run. */
typedef struct MuonStep MuonStep;

typedef enum MuonStatus {
  MUON_OK = 0,
  /* An argument is wrong: null, a name that the artifact does not know, a
   * buffer that does not fit, a scalar out of its range. */
  MUON_ERROR_INVALID_ARGUMENT = 1,
  /* The file is not there, cannot be loaded, is no artifact, or its manifest
   * is malformed. */
  MUON_ERROR_INVALID_ARTIFACT = 2,
  /* A valid artifact, but for another version, device, or processor. */
  MUON_ERROR_UNSUPPORTED = 3,
  /* The call comes too early: something is not bound or set, or the step did
   * not run yet. */
  MUON_ERROR_NOT_READY = 4,
  MUON_ERROR_OUT_OF_MEMORY = 5,
  /* The step or the device failed. What the step updates may be half done. */
  MUON_ERROR_EXECUTION = 6,
  MUON_ERROR_INTERNAL = 7,
  MUON_STATUS_MAX = 0x7fffffff /* fixes the size of the enum */
} MuonStatus;

typedef enum MuonType {
  MUON_TYPE_F32 = 0,
  MUON_TYPE_BF16 = 1,
  MUON_TYPE_F16 = 2,
  MUON_TYPE_F64 = 3,
  MUON_TYPE_I64 = 4,
  MUON_TYPE_I1 = 5, /* one byte, 0 or 1 */
  MUON_TYPE_MAX = 0x7fffffff
} MuonType;

typedef enum MuonRole {
  /* Tensors. All but the gradient are updated in place. */
  MUON_ROLE_WEIGHT = 0,
  MUON_ROLE_GRADIENT = 1,
  MUON_ROLE_MOMENTUM = 2,
  MUON_ROLE_EXP_AVG = 3,
  MUON_ROLE_EXP_AVG_SQ = 4,
  MUON_ROLE_MASTER = 5,
  MUON_ROLE_STEP = 6, /* the number of steps taken; named "step" */
  /* Scalars. */
  MUON_ROLE_LR = 7,
  MUON_ROLE_WEIGHT_DECAY = 8,
  MUON_ROLE_BETA = 9,
  MUON_ROLE_CLIP_LIMIT = 10,
  /* Reports. */
  MUON_ROLE_OK = 11,
  MUON_ROLE_CLIP = 12,
  MUON_ROLE_GRADIENT_SUMS = 13,
  MUON_ROLE_MOMENTUM_SUMS = 14,
  MUON_ROLE_UPDATE_SUMS = 15,
  MUON_ROLE_WEIGHT_SUMS = 16,
  MUON_ROLE_MAX = 0x7fffffff
} MuonRole;

/* The message of the last call that failed in this thread; "" if none did.
 * Valid until the next call that fails in this thread. */
MUON_RUNTIME_API const char *muonLastError(void);

/* "0.1.0". */
MUON_RUNTIME_API const char *muonRuntimeVersion(void);

/* As in manifests: "bf16", "exp_avg_sq". Null for values out of the enum. */
MUON_RUNTIME_API const char *muonTypeName(MuonType type);
MUON_RUNTIME_API const char *muonRoleName(MuonRole role);

/* Bytes of an element; 0 for values out of the enum. */
MUON_RUNTIME_API size_t muonTypeSize(MuonType type);

/*===-- Devices -----------------------------------------------------------===*/

/* The names of the devices that muonArtifactLoad knows, whether or not this
 * machine has them. muonDeviceName is null if `index` is out of range. */
MUON_RUNTIME_API size_t muonDeviceCount(void);
MUON_RUNTIME_API const char *muonDeviceName(size_t index);

/* Number of threads that steps on the CPU use, at least 1. This is a setting of
 * the BLAS library and so of the whole process, including other users of that
 * library. The default is what the library chooses (one per core, or its
 * environment variable). */
MUON_RUNTIME_API MuonStatus muonSetCpuThreads(int32_t threads);

/*===-- Artifacts ---------------------------------------------------------===*/

/* Loads an artifact from a file (there is no search: a path without a slash is
 * in the working directory) for a device. Checks the whole manifest, and that
 * this machine can execute the code, and loads the code onto the device.
 *
 * 'sim' takes options, as in "sim:seed=3,races=off":
 *
 *   seed=N         decides the order of threads and copies; default 0
 *   races=on|off   whether to look for data races; default on
 *   threads=N      threads of the host, 1 to 1024; default one for each core.
 *                  With one, a seed reproduces the order of blocks too
 *   undefined=arithmetic|effects
 *                  where values are reported that depend on bits that were
 *                  never written: in any arithmetic, the default, or only in
 *                  branches, addresses and stores to global memory
 *
 * The file must not be modified while it is
 * loaded. Another one may be renamed over it, but can be loaded under this name
 * only when all artifacts and steps of the earlier one are gone. */
MUON_RUNTIME_API MuonStatus muonArtifactLoad(const char *path,
                                             const char *device,
                                             MuonArtifact **artifact);

/* Null is allowed. Steps created from the artifact stay usable. */
MUON_RUNTIME_API void muonArtifactRelease(MuonArtifact *artifact);

typedef struct MuonArtifactInfo {
  const char *compiler;
  const char *target;
  const char *arch;
  const char *cpu;
  uint64_t arena_bytes; /* scratch memory of each step */
  uint64_t alignment;   /* what addresses of tensors are multiples of, beyond
                           the size of an element */
  const char *device;   /* 'sim' also if it was given with options */
  int32_t host_memory;  /* whether the device works in memory of the host */
  int32_t distributed;  /* whether it is the part of one rank; docs/ranks.md */
  int32_t rank, ranks;  /* 0 of 1 if it is not */
  const char *grid;     /* as "dp=4,tp=2", the last axis fastest; "" */
} MuonArtifactInfo;

MUON_RUNTIME_API MuonStatus muonArtifactInfo(const MuonArtifact *artifact,
                                             MuonArtifactInfo *info);

/* What is bound of a tensor on this rank. */
typedef enum MuonPart {
  MUON_PART_WHOLE = 0,
  MUON_PART_BLOCK = 1, /* from `offset` on, in each dimension */
  MUON_PART_RUN = 2,   /* consecutive elements, row-major, from number `from`
                          on, of such a block, which may be the whole tensor */
  MUON_PART_MAX = 0x7fffffff
} MuonPart;

/* A tensor to bind. Where the step treats row blocks of a tensor apart, this is
 * the whole tensor. In the artifact of one rank of several it may be a part of
 * one: then `shape`, `elements` and `bytes` are those of the part. Row blocks
 * and runs that continue each other are one part. */
typedef struct MuonTensorInfo {
  MuonRole role;
  MuonType type;
  const char *name; /* to bind it by: that of the parameter, "step" for the
                       number of steps. With the place of the part appended,
                       as in "w[48,0]" or "v[128]", if this rank has several
                       parts of the tensor */
  const char *key;  /* in the file it is kept in: `name` for weights and
                       gradients, "<name>.<role>" or "step" for state, with
                       the place at the end */
  size_t rank;
  const int64_t *shape;
  uint64_t elements;
  uint64_t bytes;

  MuonPart part;
  const char *tensor;      /* `name` without a place */
  const char *logical_key; /* `key` without a place */
  size_t logical_rank;     /* of the whole tensor */
  const int64_t *logical_shape;
  const int64_t *offset; /* of a block, or of the one that a run is of:
                            logical_rank entries; null of a whole tensor */
  int64_t from;          /* of a run; else 0 */
  const int64_t *block;  /* of a run: the shape of the block; else null */
} MuonTensorInfo;

MUON_RUNTIME_API size_t muonArtifactTensorCount(const MuonArtifact *artifact);
MUON_RUNTIME_API MuonStatus muonArtifactTensor(const MuonArtifact *artifact,
                                               size_t index,
                                               MuonTensorInfo *info);

/* A scalar (f32) to set. */
typedef struct MuonScalarInfo {
  MuonRole role;
  const char *group; /* rule group; null for the clip limit */
  int32_t has_default;
  float default_value; /* 0 without a default */
} MuonScalarInfo;

MUON_RUNTIME_API size_t muonArtifactScalarCount(const MuonArtifact *artifact);
MUON_RUNTIME_API MuonStatus muonArtifactScalar(const MuonArtifact *artifact,
                                               size_t index,
                                               MuonScalarInfo *info);

/* What the step reports. Read through MuonResult and MuonStatistics. */
typedef struct MuonReportInfo {
  MuonRole role;
  MuonType type;
  uint64_t elements; /* one per matrix for sums */
} MuonReportInfo;

MUON_RUNTIME_API size_t muonArtifactReportCount(const MuonArtifact *artifact);
MUON_RUNTIME_API MuonStatus muonArtifactReport(const MuonArtifact *artifact,
                                               size_t index,
                                               MuonReportInfo *info);

/* Names of tensors of the checkpoint that the step does not touch. Null if
 * `index` is out of range. */
MUON_RUNTIME_API size_t muonArtifactFrozenCount(const MuonArtifact *artifact);
MUON_RUNTIME_API const char *muonArtifactFrozen(const MuonArtifact *artifact,
                                                size_t index);

/* What the launches of all steps of the artifact did so far, on a device that
 * counts ('sim'), as JSON: {"kernels": {"<name>": {"launches": n, ...}, ...},
 * "total": {...}}. The counters are those of docs/ptxsim.md. The text is valid
 * until the next call in this thread. */
MUON_RUNTIME_API MuonStatus muonArtifactCounters(const MuonArtifact *artifact,
                                                 const char **json);

/*===-- Memory of the device ----------------------------------------------===*/

/* For callers that have no other way to the memory of the device; whoever has
 * one, as a framework on a GPU does, binds its own. On 'sim' memory belongs to
 * the artifact it was allocated for and is gone with it and its steps. It is
 * undefined until written: to download bytes that were not is an error there.
 * Addresses are multiples of 256. */
MUON_RUNTIME_API MuonStatus muonDeviceAllocate(const MuonArtifact *artifact,
                                               uint64_t bytes, void **memory);

/* Null is allowed. No step that has it bound may run after that. */
MUON_RUNTIME_API void muonDeviceFree(const MuonArtifact *artifact,
                                     void *memory);

/* Copy after all that was put on the stream before. `host` may be reused, or
 * holds the bytes, when the call returns. */
MUON_RUNTIME_API MuonStatus muonDeviceUpload(const MuonArtifact *artifact,
                                             void *memory, const void *host,
                                             uint64_t bytes, void *stream);
MUON_RUNTIME_API MuonStatus muonDeviceDownload(const MuonArtifact *artifact,
                                               void *host, const void *memory,
                                               uint64_t bytes, void *stream);

/*===-- Ranks -------------------------------------------------------------===*/

/* How one rank exchanges data with the others. A step compiled for one rank of
 * several needs one to run; docs/ranks.md. Calls with one communicator must not
 * overlap, but for muonCommunicatorAbort: steps that share one run one after
 * the other, in the same order on all ranks. After an error, also a time-out, a
 * communicator cannot be used again, on any rank. */
typedef struct MuonCommunicator MuonCommunicator;

/* Ranks that are threads of this process. Sets communicators[i] for each
 * i < ranks; each is to be used by a thread of its own, for what waits in one
 * waits for the others. */
MUON_RUNTIME_API MuonStatus
muonCommunicatorCreateThreads(int32_t ranks, MuonCommunicator **communicators);

/* This process as a rank of MPI_COMM_WORLD, by libmuon_mpi.so, which has to be
 * beside this library. Initializes MPI if nobody did. All processes call it, and
 * as often: each call waits for theirs, without a time-out. */
MUON_RUNTIME_API MuonStatus
muonCommunicatorCreateMpi(MuonCommunicator **communicator);

/* What a launcher of processes says about this one, in its environment. */
typedef struct MuonLaunch {
  const char *launcher; /* "torchrun", "mpirun", "srun"; null for none */
  int32_t rank, ranks;
  int32_t local_rank; /* on this machine; 0 if it does not say */
} MuonLaunch;

/* An error if it says a part of what it has to. */
MUON_RUNTIME_API MuonStatus muonFindLaunch(MuonLaunch *launch);

/* How the ranks of muonCommunicatorCreateNccl find NCCL and each other. All
 * zeros but `size` is a good beginning. */
typedef struct MuonNcclOptions {
  size_t size; /* sizeof(MuonNcclOptions) */
  /* Name or path of the library; null for what MUON_NCCL_LIBRARY names, or else
   * libnccl.so.2. */
  const char *library;
  /* An ncclComm_t of these ranks, in this order, which stays the caller's and
   * lives longer than what is made here; null to make one. With one that is
   * blocking a time-out cannot end a call of NCCL, and after an error the caller
   * has to abort his. */
  void *communicator;
  /* Any other communicator of the same ranks. NCCL moves the data of steps; what
   * ranks have to tell each other besides, such as that one has failed, goes
   * through this one, which is not used for anything else any more, but may be
   * destroyed. Null to meet the other processes as docs/cluster.md says, by what
   * follows and by the environment. */
  MuonCommunicator *control;
  /* A file that rank 0 writes and the others read; null for none. */
  const char *rendezvous;
  /* Which rank of how many this is, for a rendezvous file; ranks = 0 for what
   * muonFindLaunch says. */
  int32_t rank, ranks;
  /* Seconds for the others to come; 0 for 600. */
  double timeout;
} MuonNcclOptions;

/* This rank, with data moved by NCCL from GPU to GPU, on the stream of the step:
 * for steps that run on device 'cuda', each rank on a GPU of its own. NCCL is
 * loaded now, and set up by the first run of a step, which all ranks begin at
 * the same time. docs/cluster.md. */
MUON_RUNTIME_API MuonStatus muonCommunicatorCreateNccl(
    const MuonNcclOptions *options, MuonCommunicator **communicator);

/* -1 for null. */
MUON_RUNTIME_API int32_t
muonCommunicatorRank(const MuonCommunicator *communicator);
MUON_RUNTIME_API int32_t
muonCommunicatorSize(const MuonCommunicator *communicator);

/* How long to wait for other ranks before it is an error: finite, and at least
 * 0, which stands for no limit. The default is 600. */
MUON_RUNTIME_API MuonStatus
muonCommunicatorSetTimeout(MuonCommunicator *communicator, double seconds);

/* Returns when all ranks have called it. */
MUON_RUNTIME_API MuonStatus
muonCommunicatorBarrier(MuonCommunicator *communicator);

/* Ends what the other ranks wait for, and whatever they start later, with an
 * error that has the reason in it. For ranks that cannot go on; a step that
 * fails does this by itself. From any thread. */
MUON_RUNTIME_API MuonStatus
muonCommunicatorAbort(MuonCommunicator *communicator, const char *reason);

/* Null is allowed. Steps that have it stay usable. */
MUON_RUNTIME_API void muonCommunicatorDestroy(MuonCommunicator *communicator);

/*===-- Steps -------------------------------------------------------------===*/

MUON_RUNTIME_API MuonStatus muonStepCreate(const MuonArtifact *artifact,
                                           MuonStep **step);

/* Null is allowed. */
MUON_RUNTIME_API void muonStepDestroy(MuonStep *step);

/* Row-major and contiguous memory of the device, aligned to the size of an
 * element and to MuonArtifactInfo::alignment. `bytes` is its size, to be
 * compared with what type and shape need. Gradients are only read. */
typedef struct MuonBuffer {
  void *data;
  MuonType type;
  size_t rank;
  const int64_t *shape;
  uint64_t bytes;
} MuonBuffer;

/* Binds, or rebinds, a tensor. Fails if the artifact has no such tensor, if
 * type, shape or size differ, or if the address is null, misaligned or not in
 * memory of the device. That no
 * two buffers overlap is checked when the step runs. */
MUON_RUNTIME_API MuonStatus muonStepBind(MuonStep *step, MuonRole role,
                                         const char *name,
                                         const MuonBuffer *buffer);

/* Sets a scalar of a rule group, or of all groups that have it if `group` is
 * null. It stays set until set again. The value is rounded to f32 and must then
 * be finite and in its range: lr >= 0, weight_decay >= 0, 0 <= beta < 1,
 * clip_limit > 0. */
MUON_RUNTIME_API MuonStatus muonStepSetScalar(MuonStep *step, MuonRole role,
                                              const char *group, double value);

/* The communicator of the runs that follow; null for none. Fails if the step
 * was compiled for one rank alone, or for another rank or number of ranks. In
 * the first run with a communicator the ranks compare the plans that their
 * artifacts were compiled by, and stop where these differ. */
MUON_RUNTIME_API MuonStatus
muonStepSetCommunicator(MuonStep *step, MuonCommunicator *communicator);

typedef struct MuonResult {
  /* 0 if the step was skipped because of a value that is not finite; then it
   * changed nothing. */
  int32_t taken;
  /* Clip coefficient; 1 if the step does not clip. */
  float clip;
  /* How many tensors muonStepNonFinite lists, parameters muonStepStatistics. */
  size_t non_finite;
  size_t statistics;
} MuonResult;

/* Runs the step. Fails, before anything is changed, if a tensor is not bound, a
 * scalar without a default is not set, buffers overlap, or there is no memory
 * for the scratch memory, which the first run allocates. Rebinding, and nothing
 * else, makes a run check and prepare its arguments again.
 *
 * On a GPU the step runs on `stream`, after all that was put there before; on
 * other devices it must be null. Runs of one step follow each other, whatever
 * their streams; what else the caller puts on several streams, as gradients,
 * the caller has to order. Scalars are those of the time of the call. With a
 * `result` the call waits for the end of the step. Without one, it does not on
 * a GPU: muonStepWait does, as do muonStepNonFinite and muonStepStatistics, and
 * errors that a GPU finds late come out of those. The stream has to exist until
 * then.
 *
 * On several ranks all of them run their steps at the same time. A rank whose
 * run fails, in whatever way, ends the runs of the others with an error that
 * names it. Nothing stops code that runs already, on data that never came, so
 * that after MUON_ERROR_EXECUTION what the step updates is undefined on all
 * ranks. */
MUON_RUNTIME_API MuonStatus muonStepRun(MuonStep *step, void *stream,
                                        MuonResult *result);

/* Waits for the last run and sets `result`, which may be null. */
MUON_RUNTIME_API MuonStatus muonStepWait(MuonStep *step, MuonResult *result);

/* Payload that this rank exchanged with others in the last run, and in how many
 * collectives; docs/artifact.md says what counts. */
typedef struct MuonTraffic {
  uint64_t bytes_sent;
  uint64_t bytes_received;
  uint64_t collectives;
} MuonTraffic;

/* Fails if the step has no communicator, or has not run with it. */
MUON_RUNTIME_API MuonStatus muonStepTraffic(MuonStep *step,
                                            MuonTraffic *traffic);

/* Says in one line how the last run was put on the stream of its device, and
 * why: as one graph, or call by call. Valid until the next call with this step.
 * Empty where the collectives are not work of a stream. Fails as
 * muonStepTraffic does. */
MUON_RUNTIME_API MuonStatus muonStepRunText(MuonStep *step, const char **text);

/* A tensor that was not finite before the last run: gradients first, then
 * momenta. Known where the step reports sums. */
typedef struct MuonNonFinite {
  MuonRole role; /* MUON_ROLE_GRADIENT or MUON_ROLE_MOMENTUM */
  const char *name;
} MuonNonFinite;

MUON_RUNTIME_API MuonStatus muonStepNonFinite(MuonStep *step, size_t index,
                                              MuonNonFinite *info);

/* Of the last run, for one parameter. NaN for what the step does not report;
 * also for update and weight if the step was not taken. Norms are Frobenius
 * norms over the whole tensor. */
typedef struct MuonStatistics {
  const char *name;
  double gradient_norm; /* before clipping */
  double momentum_norm; /* before the step */
  double update_rms;    /* of the scaled update, without learning rate */
  double weight_norm;   /* after the step */
} MuonStatistics;

MUON_RUNTIME_API MuonStatus muonStepStatistics(MuonStep *step, size_t index,
                                               MuonStatistics *statistics);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* MUON_MLIR_RUNTIME_RUNTIME_H */
