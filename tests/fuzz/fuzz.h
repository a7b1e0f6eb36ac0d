#ifndef GM_TESTS_FUZZ_H
#define GM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* libFuzzer's entry point: 0; any other end is a finding. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
