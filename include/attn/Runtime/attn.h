/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * The C ABI of a compiled attention kernel. A kernel object exports, for a kernel called NAME,
 *
 *   int    NAME(const attn_call *call);                  run it; returns an attn_status
 *   size_t NAME_workspace_bytes(const attn_call *call);  scratch memory that this call needs; 0 for a wrong call
 *   int    NAME_isa(const attn_call *call);              the instruction set (attn_isa) that this call would use, or 0
 *   int    NAME_requirement(const attn_call *call, int64_t numbers[2]);
 *                                                        what ATTN_ERROR_REQUIREMENT is about; see attn_kernel_info
 *   extern const attn_kernel_info NAME_info;             its arguments, for callers that were not compiled against it
 *
 * and, where NAME runs on a GPU,
 *
 *   int NAME_load(void **handle, int device);            make it ready on a GPU; returns an attn_status
 *   int NAME_unload(void *handle);                       give back what NAME_load took; returns an attn_status
 *
 * A generated header NAME.h names its tensors and scalars. This file is all that a caller includes besides it; it needs
 * nothing to be linked. Kernels allocate nothing, throw nothing, keep no state but what is found out once (the
 * processor's features, the CUDA driver's functions), and may be called from any number of threads at a time.
 *
 * Shapes. query [batch, heads, length, head_size], key [batch, kv_heads, kv_length, head_size],
 * value [batch, kv_heads, kv_length, value_head_size], output [batch, heads, length, value_head_size], lse
 * [batch, heads, length] in f32: the natural logarithm of the sum of exp over the row's admitted scores, or of linear
 * attention's normaliser. Query head h reads key head h / (heads / kv_heads). A query row that admits no key gives
 * output 0 and lse -inf (linear attention: the logarithm of its epsilon). Any strides are
 * taken, except that a head's row is contiguous (the last stride is 1); so [batch, row, head, column] works as well.
 *
 * Positions. Query row i stands at query_offset + i and key row j at key_offset + j; patterns speak of positions. By
 * default key_offset is 0 and the last query row stands beside the last key row:
 * query_offset = key_offset + kv_length - length.
 *
 * GPU kernels. NAME_load loads the code into the primary context of GPU `device` (a number of the CUDA driver) and may
 * take as long as a compilation; one handle serves any number of calls, threads and streams until NAME_unload, before
 * which the last of them has to have ended. A call puts its work on `stream` and returns: outputs, and the end of the
 * call's use of its memory, follow the stream's order. Between load and unload nothing is allocated, nothing waits and
 * nothing in the GPU's memory is read by the host, so a call can be captured in a CUDA graph; the graph then holds the
 * call's pointers, shapes and scalars. All memory is that of the handle's GPU: query, key, value, output, lse, run-time
 * data and the workspace. Concurrent calls need workspaces of their own, and run-time data that change while a call
 * runs may keep it from ending.
 *
 * Since the host does not read run-time data, it cannot refuse what is out of range in them: the GPU counts tokens and
 * blocks as absent, ends a length past the end there and one below 0 at 0, holds a per-head number at its minimum, and
 * dereferences none. It raises a status for them, an int32 at the start of the workspace: ATTN_OK, ATTN_ERROR_TOKEN,
 * ATTN_ERROR_LENGTH, ATTN_ERROR_PER_HEAD or ATTN_ERROR_BLOCKS, to be read after the stream has got there. Requirements
 * that depend on run-time data are not checked: a window that is wider than its grid ends at the grid's edge. A call
 * for which NAME_workspace_bytes is 0 needs no workspace and has no such word.
 */
#ifndef ATTN_RUNTIME_ATTN_H
#define ATTN_RUNTIME_ATTN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Goes up whenever a struct below or the meaning of a field changes. */
#define ATTN_ABI_VERSION 3u

#define ATTN_MAX_RANK 4

typedef enum attn_status {
  ATTN_OK = 0,
  ATTN_ERROR_VERSION,      /* the call was built against another attn.h than the kernel */
  ATTN_ERROR_TENSOR_COUNT, /* a tensor of the kernel's enum is missing, or there are more than it names */
  ATTN_ERROR_SCALAR_COUNT, /* more scalars than the kernel has */
  ATTN_ERROR_NULL_DATA,    /* a tensor with elements has no data */
  ATTN_ERROR_ELEMENT,      /* a tensor's element type is not the one the kernel was compiled for */
  ATTN_ERROR_ALIGNMENT,    /* a pointer is no multiple of its element size */
  ATTN_ERROR_RANK,         /* a tensor's rank is wrong */
  ATTN_ERROR_SHAPE,        /* shapes disagree, or a size is negative or too large (offsets: 2^40, rows: 2^31 - 4096) */
  ATTN_ERROR_STRIDE,       /* the columns of a row are not contiguous, or a GPU kernel wants multiples of 16 bytes */
  ATTN_ERROR_HEAD_SIZE,    /* the head size is not the one the kernel was compiled for */
  ATTN_ERROR_HEADS,        /* kv_heads does not divide heads */
  ATTN_ERROR_SCALAR,       /* a scalar argument is below its minimum (a negative window, a block of 0) or past 2^40 */
  ATTN_ERROR_TOKEN,        /* a token stands outside the sequence */
  ATTN_ERROR_SEGMENTS,     /* fewer segment ids than positions */
  ATTN_ERROR_LENGTH,       /* a length is negative or past the last key position */
  ATTN_ERROR_WORKSPACE,    /* the workspace is missing, not 64-byte aligned, or smaller than NAME_workspace_bytes */
  ATTN_ERROR_ISA,          /* no version of the kernel runs on this processor within max_isa */
  ATTN_ERROR_KV_LENGTH,    /* a pattern over one sequence was called with kv_length other than length */
  ATTN_ERROR_REQUIREMENT,  /* a size breaks what the pattern requires; attn_kernel_info's `requirement` says which */
  ATTN_ERROR_PER_HEAD,     /* an entry of a per-head parameter is below its minimum */
  ATTN_ERROR_BLOCKS,       /* a table of blocks names a block past the last one */
  /* Of GPU kernels alone. */
  ATTN_ERROR_DRIVER,       /* the CUDA driver (libcuda.so.1) is missing, does not start, or is older than CUDA 12.0 */
  ATTN_ERROR_DEVICE,       /* no GPU has this number */
  ATTN_ERROR_ARCHITECTURE, /* the GPU is none that the kernel was compiled for */
  ATTN_ERROR_HANDLE,       /* the handle is missing or another kernel's */
  ATTN_ERROR_MEMORY,       /* a pointer leads to the host's memory or to another GPU's than the handle's */
  ATTN_ERROR_LAUNCH,       /* the driver refused to load or to launch; part of a call may be on the stream */
  ATTN_STATUS_COUNT
} attn_status;

typedef enum attn_element { ATTN_F32 = 0, ATTN_BF16 = 1, ATTN_F16 = 2, ATTN_I32 = 3 } attn_element;

/* Instruction sets in rising order; a kernel uses the best that it has, the processor has, and max_isa allows. Each
 * asks the processor and the operating system (which has to save the registers) for what stands beside it. */
typedef enum attn_isa {
  ATTN_ISA_BEST = 0,       /* as max_isa: no limit */
  ATTN_ISA_GENERIC = 1,    /* x86-64 with SSE2 */
  ATTN_ISA_AVX2 = 2,       /* avx2, fma, f16c; ymm registers */
  ATTN_ISA_AVX512 = 3,     /* AVX2's, avx512f, bw, dq, vl; zmm and mask registers */
  ATTN_ISA_AVX512BF16 = 4, /* AVX512's, avx512bf16 */
  ATTN_ISA_AVX512FP16 = 5, /* AVX512BF16's, avx512fp16 */
  ATTN_ISA_AMX = 6,        /* AVX512BF16's, amx-tile, amx-bf16, amx-int8; tile registers and permission to use them */
  ATTN_ISA_SM_90A = 90     /* GPUs of compute capability 9.0; what NAME_isa says of GPU kernels, max_isa or not */
} attn_isa;

typedef struct attn_tensor {
  void *data;
  int32_t element; /* attn_element */
  int32_t rank;
  int64_t shape[ATTN_MAX_RANK];
  int64_t strides[ATTN_MAX_RANK]; /* in elements */
} attn_tensor;

/* A scalar argument: `index` for whole numbers (windows, strides), `number` for floating-point ones. The kernel's info
 * says which of the two it reads. */
typedef union attn_scalar {
  int64_t index;
  double number;
} attn_scalar;

/* Runs items [0, count) of a loop, in any order, at most one at a time for each worker id in [0, workers), and returns
 * when all are done. A call's bits do not depend on the number of workers. */
typedef struct attn_executor {
  void *context;
  int32_t workers;
  void (*parallel_for)(void *context, int64_t count, void (*body)(void *argument, int64_t item, int32_t worker),
                       void *argument);
} attn_executor;

enum {
  ATTN_HAS_QUERY_OFFSET = 1u << 0, /* query_offset replaces its default */
  ATTN_HAS_SCALE = 1u << 1         /* scale replaces 1 / sqrt(head_size); linear attention has none */
};

/* One call. Set it to ATTN_CALL_INIT (all fields zero but the first two), then fill in what differs. A status other
 * than ATTN_OK means that nothing was written, now or later; ATTN_ERROR_LAUNCH alone promises nothing. */
typedef struct attn_call {
  uint32_t size;    /* sizeof(attn_call) */
  uint32_t version; /* ATTN_ABI_VERSION */
  uint32_t flags;
  int32_t max_isa;            /* attn_isa */
  const attn_tensor *tensors; /* indexed by the generated enum; a missing lse has data NULL */
  const attn_scalar *scalars; /* indexed by the generated enum; those past scalar_count take their defaults */
  int32_t tensor_count;       /* at least the required ones; those past it, or of rank 0, take their defaults */
  int32_t scalar_count;
  int64_t query_offset;
  int64_t key_offset;
  double scale;
  void *workspace; /* 64-byte aligned, at least NAME_workspace_bytes(call); its content is lost */
  size_t workspace_bytes;
  const attn_executor *executor; /* CPU kernels; NULL runs in the calling thread */
  void *stream;                  /* GPU kernels; a CUstream, NULL for the default stream */
  void *handle;                  /* GPU kernels; from NAME_load */
} attn_call;

#define ATTN_CALL_INIT                                                                                                 \
  {sizeof(attn_call), ATTN_ABI_VERSION, 0, 0, NULL, NULL, 0, 0, 0, 0, 0.0, NULL, 0, NULL, NULL, NULL}

/* What a tensor argument is; the first five are also the places of those tensors in every kernel. The others are
 * run-time data. Tokens, segments, lengths, per-head numbers and blocks are int32, a row's columns contiguous (lengths:
 * any stride), and all but lengths may be shared by all batches: then the axis of batches is left out. -1 pads a ragged
 * row of tokens or blocks. In a call over a whole sequence (no query_offset given, key_offset 0) a token past the last
 * position, or a block past the last key block, is an error; otherwise the call is a shard and it counts as absent, as
 * do default tokens past the end. Fewer rows of blocks than there are query blocks list nothing for the others. Arrays
 * are f32 of any strides, of exactly their extents: a stride of 0, not a size of 1, shares an entry. */
typedef enum attn_role {
  ATTN_QUERY = 0,
  ATTN_KEY = 1,
  ATTN_VALUE = 2,
  ATTN_OUTPUT = 3,
  ATTN_LSE = 4,
  ATTN_TOKENS = 5,   /* [batch, size]: positions of tokens, in any order */
  ATTN_SEGMENTS = 6, /* [batch, positions]: a segment id for each position from 0 */
  ATTN_LENGTHS = 7,  /* [batch]: how many positions hold keys; a default of one value is shared */
  ATTN_PER_HEAD = 8, /* [batch, heads]: a number for each query head; a default of one value is shared by all heads */
  ATTN_BLOCKS = 9,   /* [batch, heads, query blocks, size]: key blocks for each block of queries */
  ATTN_ARRAY = 10,   /* of attn_tensor_info's extents: what a score reads */
  /* The state of linear attention, f32 [batch, kv_heads, head_size, value_head_size + 1] of any strides: sum over keys
   * of f(key) value^T, and of f(key) as its last column. Both may be left out (rank 0), and may be the same memory. */
  ATTN_STATE_IN = 11, /* what keys before the first one left; 0 if it is left out */
  ATTN_STATE_OUT = 12 /* written: the state after the last key */
} attn_role;

/* Extents of arrays that no number says. */
enum {
  ATTN_EXTENT_ANY = -1, /* at least 1 */
  ATTN_EXTENT_BATCH = -2,
  ATTN_EXTENT_HEADS = -3,
  ATTN_EXTENT_KV_HEADS = -4,
  ATTN_EXTENT_QUERIES = -5, /* length */
  ATTN_EXTENT_KEYS = -6,    /* kv_length */
  ATTN_EXTENT_HEAD_SIZE = -7
};

typedef struct attn_tensor_info {
  const char *name;
  int32_t role;                   /* attn_role */
  int32_t rank;                   /* of arrays and states; 0 for other roles */
  int64_t extents[ATTN_MAX_RANK]; /* of arrays and states: a number, or one of ATTN_EXTENT_* */
  int64_t minimum;                /* of per-head numbers */
  int64_t block;                 /* of blocks: how many positions one has; -1 - s: scalar s says it; 0: the call does */
  int32_t default_count;         /* -1: the caller has to give it */
  const int32_t *default_values; /* [default_count], used when the call's tensor has rank 0 */
} attn_tensor_info;

typedef struct attn_scalar_info {
  const char *name;
  int32_t is_number; /* 0: attn_scalar.index, 1: attn_scalar.number */
  int64_t minimum;   /* of an index */
  attn_scalar default_value;
} attn_scalar_info;

/* What a pattern requires of a call's sizes: one number is at least another. */
typedef struct attn_requirement_info {
  const char *name;       /* "rows of the grid" */
  const char *least_name; /* "rows of the neighborhood" */
} attn_requirement_info;

typedef struct attn_kernel_info {
  uint32_t version; /* ATTN_ABI_VERSION */
  int32_t element;  /* attn_element of query, key, value and output */
  int32_t head_size;
  int32_t value_head_size;
  int32_t same_length; /* 1: kv_length has to equal length */
  int32_t tensor_count;
  int32_t scalar_count;
  int32_t requirement_count;
  const char *name;
  const char *target;
  const attn_tensor_info *tensors;
  const attn_scalar_info *scalars;
  const attn_requirement_info *requirements;
  int (*run)(const attn_call *call);
  size_t (*workspace_bytes)(const attn_call *call);
  int (*isa)(const attn_call *call);
  /* The first requirement that a call breaks, with its two numbers (value, least); -1: it breaks none, or is wrong in
   * another way. GPU kernels look only at requirements that depend on no run-time data. */
  int (*requirement)(const attn_call *call, int64_t numbers[2]);
  int (*load)(void **handle, int device); /* of GPU kernels; NULL for those of the CPU */
  int (*unload)(void *handle);
} attn_kernel_info;

/* A status in words: one line, lower case, that names the cure. */
static inline const char *attn_error_string(int status) {
  switch (status) {
  case ATTN_OK:
    return "success";
  case ATTN_ERROR_VERSION:
    return "call and kernel were built against different versions of attn.h; rebuild both with one version";
  case ATTN_ERROR_TENSOR_COUNT:
    return "a required tensor is missing or there are more than the kernel has; fill in those of its enum";
  case ATTN_ERROR_SCALAR_COUNT:
    return "more scalars than the kernel has; pass at most those of the kernel's enum";
  case ATTN_ERROR_NULL_DATA:
    return "a tensor has elements but no data; set attn_tensor.data";
  case ATTN_ERROR_ELEMENT:
    return "a tensor's element type is not the kernel's; convert it or compile the kernel for it";
  case ATTN_ERROR_ALIGNMENT:
    return "a tensor's pointer is no multiple of its element size; align it";
  case ATTN_ERROR_RANK:
    return "a tensor has the wrong rank; query, key, value and output have 4 axes, lse 3, the others those of their "
           "role";
  case ATTN_ERROR_SHAPE:
    return "tensor shapes disagree, or a size or offset is out of range; see the shapes at the top of attn.h";
  case ATTN_ERROR_STRIDE:
    return "strides do not fit; the last one has to be 1, and some GPU kernels want rows at multiples of 16 bytes";
  case ATTN_ERROR_HEAD_SIZE:
    return "the head size is not the one the kernel was compiled for; compile it with --head-size";
  case ATTN_ERROR_HEADS:
    return "kv_heads does not divide heads; every key head serves equally many query heads";
  case ATTN_ERROR_SCALAR:
    return "a scalar argument is out of range; windows are at least 0, blocks and strides at least 1, all at most 2^40";
  case ATTN_ERROR_TOKEN:
    return "a token stands outside the sequence; tokens lie in [0, number of positions), -1 pads";
  case ATTN_ERROR_SEGMENTS:
    return "fewer segment ids than positions; give one id for each position from 0";
  case ATTN_ERROR_LENGTH:
    return "a length is negative or past the last key position; lengths lie in [0, number of positions]";
  case ATTN_ERROR_WORKSPACE:
    return "the workspace is missing, not 64-byte aligned or too small; see NAME_workspace_bytes";
  case ATTN_ERROR_ISA:
    return "no version of the kernel runs on this processor within max_isa; raise max_isa";
  case ATTN_ERROR_KV_LENGTH:
    return "this pattern is over one sequence: kv_length has to equal length";
  case ATTN_ERROR_REQUIREMENT:
    return "a size does not fit the pattern, as a grid that is narrower than its window; see its requirements";
  case ATTN_ERROR_PER_HEAD:
    return "an entry of a per-head parameter is out of range; windows are at least 0, dilations and blocks at least 1";
  case ATTN_ERROR_BLOCKS:
    return "a table of blocks names a block outside the sequence; blocks lie in [0, number of blocks), -1 pads";
  case ATTN_ERROR_DRIVER:
    return "no CUDA driver (libcuda.so.1) of CUDA 12.0 or newer starts on this machine; install or update it";
  case ATTN_ERROR_DEVICE:
    return "there is no GPU of this number; devices count from 0, see nvidia-smi and CUDA_VISIBLE_DEVICES";
  case ATTN_ERROR_ARCHITECTURE:
    return "the kernel was compiled for sm_90a and this GPU is another; use one of compute capability 9.0 (H100, H200)";
  case ATTN_ERROR_HANDLE:
    return "the handle is missing or another kernel's; set attn_call.handle to what NAME_load gave";
  case ATTN_ERROR_MEMORY:
    return "a pointer does not lead to memory of the handle's GPU; copy tensors, run-time data and workspace there";
  case ATTN_ERROR_LAUNCH:
    return "the CUDA driver refused to load or launch the kernel; look for an earlier CUDA error or a full GPU";
  default:
    return "unknown status";
  }
}

#ifdef __cplusplus
}
#endif
#endif /* ATTN_RUNTIME_ATTN_H */
