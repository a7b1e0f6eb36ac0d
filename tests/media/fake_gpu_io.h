#ifndef GM_TESTS_MEDIA_FAKE_GPU_IO_H
#define GM_TESTS_MEDIA_FAKE_GPU_IO_H

#include <stdint.h>

#include <libavutil/buffer.h>

/* Tests over the fake drivers of tests/drivers, which prove nothing about real ones. Each case runs
 * in a process of its own: a driver keeps what it saw first. */

/* The test program runs again with the fake drivers' libraries found, once. Call first in main.
 * Does not return where it has to run again. */
void fake_gpu_start(char **argv);
/* The profile `base` of tests/drivers/profiles with lines put at its end, for this process from now
 * on: before the first use of a driver, or changed in mid-stream. */
void fake_gpu_profile(const char *base, const char *lines);
/* fn(arg) in a child, whose exit status this is: 0 when fn returned; -1: it ended by a signal. Say
 * what is wrong with CHECK there: cmocka's asserts know nothing of children. */
int fake_gpu_run(void (*fn)(const void *arg), const void *arg);
/* This program with that argument, with no driver library to be found; its exit status. */
int fake_gpu_run_bare(const char *argument);
/* The same with libcuda.so.1 and no other one. */
int fake_gpu_run_cuda(const char *argument);
/* The first GPU's free memory, told to a later check that it is the same, a device that was lost
 * excepted: the fake's memory is no sanitizer's. The device stays open in between. */
struct fake_gpu_memory {
    AVBufferRef *device;
    uint64_t bytes;
};
void fake_gpu_memory_hold(struct fake_gpu_memory *memory);
void fake_gpu_memory_check(struct fake_gpu_memory *memory);
#define CHECK(x) ((x) ? (void)0 : fake_gpu_fail(#x, __FILE__, __LINE__))
_Noreturn void fake_gpu_fail(const char *what, const char *file, int line);

#endif
