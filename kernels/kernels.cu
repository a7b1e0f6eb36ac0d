/* Every kernel, as one module: what clang makes PTX of, and nvcc a fatbin. */
#include "kernels/ladder.cu"
#include "kernels/score.cu"
