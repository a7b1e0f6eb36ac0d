/* Every kernel, as one module: what clang makes PTX of, and nvcc a fatbin. */
#include "kernels/compare.cu"
#include "kernels/ladder.cu"
#include "kernels/score.cu"
#include "kernels/sprite.cu"
#include "kernels/tone.cu"
