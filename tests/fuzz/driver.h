/*
 * What a fuzz target is, by the convention of libFuzzer.
 */
#ifndef FUZZ_DRIVER_H
#define FUZZ_DRIVER_H

#include <stddef.h>
#include <stdint.h>

/* Handles one input; aborts, or a sanitizer does, when something is wrong.
 * Returns 0. The name is libFuzzer's. */
/* NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
