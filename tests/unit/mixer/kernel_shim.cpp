// Runs kernel.cu on the CPU: the CUDA keywords become nothing, a launch becomes loops.
#include <cmath>

struct Index {
    unsigned x, y, z;
};
static Index blockIdx, threadIdx, blockDim;

#define __global__
#define __device__
#define __forceinline__ static inline
#include "kernel.cu"

extern "C" int size_of_op() { return sizeof(Op); }
extern "C" int size_of_program() { return sizeof(Program); }

extern "C" void launch(const unsigned* grid, const unsigned* block, const Program* programs, const Op* ops,
                       const int* bin_start, const int* bin_ops) {
    blockDim = {block[0], block[1], 1};
    for (blockIdx.z = 0; blockIdx.z < grid[2]; ++blockIdx.z)
        for (blockIdx.y = 0; blockIdx.y < grid[1]; ++blockIdx.y)
            for (blockIdx.x = 0; blockIdx.x < grid[0]; ++blockIdx.x)
                for (threadIdx.y = 0; threadIdx.y < block[1]; ++threadIdx.y)
                    for (threadIdx.x = 0; threadIdx.x < block[0]; ++threadIdx.x)
                        compose(programs, ops, bin_start, bin_ops);
}
