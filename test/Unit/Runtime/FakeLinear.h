/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 * Linear attention written by hand, in the form in which the compiler emits it, so that the walk over keys and rows can
 * be tested without a compiler. The feature map is f(x) = |x| + 1/4; there is one kernel for each form.
 */
#ifndef ATTN_TEST_UNIT_RUNTIME_FAKELINEAR_H
#define ATTN_TEST_UNIT_RUNTIME_FAKELINEAR_H

#include "FakeKernels.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { LINEAR_STATE_IN = ATTN_LSE + 1, LINEAR_STATE_OUT, LINEAR_TENSOR_COUNT };
enum { LINEAR_EPSILON, LINEAR_SCALAR_COUNT };
extern const attn_kernel fake_linear[3]; /* by attn_linear_form */

#ifdef __cplusplus
}
#endif
#endif /* ATTN_TEST_UNIT_RUNTIME_FAKELINEAR_H */
