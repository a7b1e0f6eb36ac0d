#ifndef GM_KERNELS_DEVICE_H
#define GM_KERNELS_DEVICE_H

#include <stdint.h>

#include "kernels/args.h"

/* What a kernel's source needs of its surroundings: CUDA by clang or nvcc, or C for the CPU
 * (kernels/twin.h). The sources keep to what C and CUDA C++ both take.
 *
 * A kernel is a function of a struct gm_lane and its arguments, written with loops that step by
 * lane->threads, so that any number of threads gives the same result. Its barriers are numbered:
 * tests leave each out in turn and expect a difference.
 */
struct gm_lane {
    uint32_t tid, threads, block_x, block_y;
    uint8_t *shared; /* 16-byte aligned; the launch says how much */
#if !defined(__CUDA__) && !defined(__CUDACC__)
    void (*barrier)(void *arg, int number);
    void *arg;
#endif
};

#if defined(__CUDA__) || defined(__CUDACC__)

#if defined(__clang__)
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define GM_TID __nvvm_read_ptx_sreg_tid_x()
#define GM_THREADS __nvvm_read_ptx_sreg_ntid_x()
#define GM_BLOCK_X __nvvm_read_ptx_sreg_ctaid_x()
#define GM_BLOCK_Y __nvvm_read_ptx_sreg_ctaid_y()
#define GM_SYNC() __nvvm_bar_sync(0)
#define GM_ADD_32(to, n) ((void)__nvvm_atom_add_gen_i((int *)(to), (int)(n)))
#define GM_ADD_64(to, n) ((void)__nvvm_atom_add_gen_ll((long long *)(to), (long long)(n)))
#else
#define GM_TID threadIdx.x
#define GM_THREADS blockDim.x
#define GM_BLOCK_X blockIdx.x
#define GM_BLOCK_Y blockIdx.y
#define GM_SYNC() __syncthreads()
#define GM_ADD_32(to, n) ((void)atomicAdd((unsigned int *)(to), (unsigned int)(n)))
#define GM_ADD_64(to, n) ((void)atomicAdd((unsigned long long *)(to), (unsigned long long)(n)))
#endif

#define GM_DEVICE static __device__ __forceinline__
#if defined(__clang__)
#define __forceinline__ __inline__ __attribute__((always_inline))
#endif
#define GM_UNROLL _Pragma("unroll")
#define gm_barrier(lane, number) GM_SYNC()
#define GM_KERNEL(name, type, run)                                                                 \
    extern __shared__ __attribute__((aligned(16))) unsigned char name##_shared[];                  \
    extern "C" __global__ void name(const struct type args)                                        \
    {                                                                                              \
        struct gm_lane lane;                                                                       \
        lane.tid = GM_TID;                                                                         \
        lane.threads = GM_THREADS;                                                                 \
        lane.block_x = GM_BLOCK_X;                                                                 \
        lane.block_y = GM_BLOCK_Y;                                                                 \
        lane.shared = name##_shared;                                                               \
        run;                                                                                       \
    }

#else

#define GM_DEVICE static inline
#define GM_UNROLL
#define GM_ADD_32(to, n) ((void)(*(to) += (uint32_t)(n)))
#define GM_ADD_64(to, n) ((void)(*(to) += (uint64_t)(n)))
#define gm_barrier(lane, number) (lane)->barrier((lane)->arg, number)
#define GM_KERNEL(name, type, run)                                                                 \
    static void name(const struct gm_lane *lane_, const void *args_)                               \
    {                                                                                              \
        struct gm_lane lane = *lane_;                                                              \
        struct type args = *(const struct type *)args_;                                            \
        run;                                                                                       \
    }

#endif

GM_DEVICE int32_t gm_clamp(int32_t v, int32_t low, int32_t high)
{
    return v < low ? low : v > high ? high : v;
}

GM_DEVICE uint32_t gm_load_32(const uint8_t *p)
{
    return *(const uint32_t *)(const void *)p;
}

GM_DEVICE uint32_t gm_load_16(const uint8_t *p)
{
    return *(const uint16_t *)(const void *)p;
}

/* The sum of the products of two signed weights (low first) with two unsigned bytes of `bytes`: the
 * lower two, or the upper two. */
GM_DEVICE int32_t gm_dot_low(uint32_t weights, uint32_t bytes, int32_t sum)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 610
    asm("dp2a.lo.s32.u32 %0, %1, %2, %0;" : "+r"(sum) : "r"(weights), "r"(bytes));
    return sum;
#else
    return sum + (int16_t)weights * (int32_t)(bytes & 255) +
           ((int32_t)weights >> 16) * (int32_t)(bytes >> 8 & 255);
#endif
}

GM_DEVICE int32_t gm_dot_high(uint32_t weights, uint32_t bytes, int32_t sum)
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 610
    asm("dp2a.hi.s32.u32 %0, %1, %2, %0;" : "+r"(sum) : "r"(weights), "r"(bytes));
    return sum;
#else
    return sum + (int16_t)weights * (int32_t)(bytes >> 16 & 255) +
           ((int32_t)weights >> 16) * (int32_t)(bytes >> 24);
#endif
}

#endif
