// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exists to build the precompiled header once.
