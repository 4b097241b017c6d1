// Composes many NV12 pictures in one launch. Plain C++ apart from the CUDA keywords, so that the same
// text also compiles for the CPU and can be compared with the exact compositor there.
//
// One thread makes a quad: 2 x 2 luma samples and their chroma pair. One block makes BIN_W x BIN_H luma
// samples; the host has listed, per such bin, the operations that touch it, back to front, beginning
// with the last one that hides everything below it (see plan.py, which also fixes the struct layouts).

#if defined(__CUDACC__) || defined(__CUDACC_RTC__)
#define LOAD(pointer) __ldg(pointer)
#else
#define LOAD(pointer) (*(pointer))
#endif

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define FILL 0
#define PAINT 1
#define STAMP 2

struct Op {
    u64 y, u, v;            // top left sample of the crop (PAINT) or of the bitmap (STAMP)
    u64 alpha, alpha_c;     // STAMP: coverage of luma and of chroma samples
    int pitch, pitch_c;     // bytes from row to row
    int step_c;             // bytes from one chroma sample to the next: 1 planar, 2 NV12
    int pitch_alpha, pitch_alpha_c;
    int kind;
    int x, y0, w, h;        // box in luma samples of the output
    int crop_w, crop_h;     // source size in luma samples
    float step_x, step_y;   // crop / box, the same for luma and chroma
    float radius, opacity;
    float colour[3];        // FILL
    int ratio;              // 1 or 2: both steps are exactly that, and luma rows start on 4 bytes
};

struct Program {
    u64 out_y, out_uv;
    int pitch_y, pitch_uv;
    int width, height;
    int bins_x;             // bins per row
    int first_bin;          // index of this program's first entry in bin_start
    float background[3];
    int padding;
};

// One output sample's taps on one axis.
struct Taps {
    int first, last;
    float low, high;        // area: [low, high) of the source; linear: low is the centre
    bool area;
};

__device__ __forceinline__ float clamp01(float v) { return fminf(fmaxf(v, 0.0f), 1.0f); }

__device__ __forceinline__ Taps taps(int index, float step, int size) {
    Taps t;
    t.area = step > 1.0f;
    if (t.area) {
        t.low = index * step;
        t.high = t.low + step;
        t.first = (int)t.low;
        t.last = (int)ceilf(t.high) - 1;
    } else {
        t.low = fminf(fmaxf((index + 0.5f) * step - 0.5f, 0.0f), (float)(size - 1));
        t.high = 0.0f;
        t.first = (int)t.low;
        t.last = t.low > (float)t.first ? t.first + 1 : t.first;
    }
    t.first = t.first < size - 1 ? t.first : size - 1;
    t.last = t.last < size - 1 ? t.last : size - 1;
    return t;
}

__device__ __forceinline__ float weight(const Taps& t, int k) {
    float covered = fminf((float)(k + 1), t.high) - fmaxf((float)k, t.low);
    float linear = 1.0f - fabsf((float)k - t.low);
    return fmaxf(t.area ? covered : linear, 0.0f);
}

__device__ __forceinline__ float gain(const Taps& t) { return t.area ? 1.0f / (t.high - t.low) : 1.0f; }

__device__ __forceinline__ float sample(const u8* base, int pitch, int step, const Taps& tx, const Taps& ty) {
    float sum = 0.0f;
    for (int row = ty.first; row <= ty.last; ++row) {
        const u8* line = base + (long long)row * pitch;
        float part = 0.0f;
        for (int column = tx.first; column <= tx.last; ++column)
            part += weight(tx, column) * (float)LOAD(line + column * step);
        sum += weight(ty, row) * part;
    }
    return sum * gain(tx) * gain(ty);
}

// Signed distance from a point (relative to the box) to the outline of the rounded box.
__device__ __forceinline__ float distance(const Op& op, float x, float y) {
    float half_w = 0.5f * op.w, half_h = 0.5f * op.h;
    float dx = fabsf(x - half_w) - (half_w - op.radius);
    float dy = fabsf(y - half_h) - (half_h - op.radius);
    float ox = fmaxf(dx, 0.0f), oy = fmaxf(dy, 0.0f);
    return sqrtf(ox * ox + oy * oy) + fminf(fmaxf(dx, dy), 0.0f) - op.radius;
}

__device__ __forceinline__ float covered(const Op& op, float x, float y, float pixel) {
    if (op.radius <= 0.0f) return op.opacity;
    return clamp01(0.5f - distance(op, x, y) / pixel) * op.opacity;
}

__device__ __forceinline__ float over(float below, float above, float alpha) {
    return below + (above - below) * alpha;
}

__device__ __forceinline__ u8 rounded(float v) { return (u8)(fminf(fmaxf(v, 0.0f), 255.0f) + 0.5f); }

// Colour of a quad of a PAINT operation; (x, y) is its place in the box, both even.
__device__ __forceinline__ void paint(const Op& op, int x, int y, float luma[4], float chroma[2]) {
    const u8* py = (const u8*)op.y;
    const u8* pu = (const u8*)op.u;
    const u8* pv = (const u8*)op.v;
    if (op.ratio == 1) {
        const u8* line = py + (long long)y * op.pitch + x;
        luma[0] = LOAD(line);
        luma[1] = LOAD(line + 1);
        luma[2] = LOAD(line + op.pitch);
        luma[3] = LOAD(line + op.pitch + 1);
        long long at = (long long)(y / 2) * op.pitch_c + (x / 2) * op.step_c;
        chroma[0] = LOAD(pu + at);
        chroma[1] = LOAD(pv + at);
        return;
    }
    if (op.ratio == 2) {
        // Four rows of four samples, one aligned 32-bit load each (little endian).
        const u8* line = py + (long long)(2 * y) * op.pitch + 2 * x;
        for (int row = 0; row < 2; ++row) {
            u32 a = LOAD((const u32*)(line + (2 * row) * (long long)op.pitch));
            u32 b = LOAD((const u32*)(line + (2 * row + 1) * (long long)op.pitch));
            luma[2 * row] = 0.25f * (float)((a & 255) + ((a >> 8) & 255) + (b & 255) + ((b >> 8) & 255));
            luma[2 * row + 1] = 0.25f * (float)(((a >> 16) & 255) + (a >> 24) + ((b >> 16) & 255) + (b >> 24));
        }
        long long at = (long long)y * op.pitch_c + x * op.step_c;
        const u8* cu = pu + at;
        const u8* cv = pv + at;
        chroma[0] = 0.25f * ((float)LOAD(cu) + LOAD(cu + op.step_c) + LOAD(cu + op.pitch_c)
                             + LOAD(cu + op.pitch_c + op.step_c));
        chroma[1] = 0.25f * ((float)LOAD(cv) + LOAD(cv + op.step_c) + LOAD(cv + op.pitch_c)
                             + LOAD(cv + op.pitch_c + op.step_c));
        return;
    }
    Taps x0 = taps(x, op.step_x, op.crop_w), x1 = taps(x + 1, op.step_x, op.crop_w);
    Taps y0 = taps(y, op.step_y, op.crop_h), y1 = taps(y + 1, op.step_y, op.crop_h);
    luma[0] = sample(py, op.pitch, 1, x0, y0);
    luma[1] = sample(py, op.pitch, 1, x1, y0);
    luma[2] = sample(py, op.pitch, 1, x0, y1);
    luma[3] = sample(py, op.pitch, 1, x1, y1);
    Taps cx = taps(x / 2, op.step_x, op.crop_w / 2), cy = taps(y / 2, op.step_y, op.crop_h / 2);
    chroma[0] = sample(pu, op.pitch_c, op.step_c, cx, cy);
    chroma[1] = sample(pv, op.pitch_c, op.step_c, cx, cy);
}

extern "C" __global__ void compose(const Program* programs, const Op* ops, const int* bin_start,
                                   const int* bin_ops) {
    const Program& program = programs[blockIdx.z];
    int x = 2 * (int)(blockIdx.x * blockDim.x + threadIdx.x);
    int y = 2 * (int)(blockIdx.y * blockDim.y + threadIdx.y);
    if (x >= program.width || y >= program.height) return;

    float luma[4], u = program.background[1], v = program.background[2];
    for (int i = 0; i < 4; ++i) luma[i] = program.background[0];

    int bin = program.first_bin + (int)blockIdx.y * program.bins_x + (int)blockIdx.x;
    for (int entry = bin_start[bin]; entry < bin_start[bin + 1]; ++entry) {
        const Op& op = ops[bin_ops[entry]];
        int px = x - op.x, py = y - op.y0;
        // Boxes are even, so a quad lies inside or outside as a whole.
        if (px < 0 || py < 0 || px >= op.w || py >= op.h) continue;
        float above[4], above_c[2], alpha[4], alpha_c;
        if (op.kind == STAMP) {
            const u8* line = (const u8*)op.y + (long long)py * op.pitch + px;
            const u8* mask = (const u8*)op.alpha + (long long)py * op.pitch_alpha + px;
            for (int i = 0; i < 4; ++i) {
                above[i] = LOAD(line + (i / 2) * op.pitch + (i & 1));
                alpha[i] = LOAD(mask + (i / 2) * op.pitch_alpha + (i & 1)) * (op.opacity / 255.0f);
            }
            long long at = (long long)(py / 2) * op.pitch_c + (px / 2) * op.step_c;
            above_c[0] = LOAD((const u8*)op.u + at);
            above_c[1] = LOAD((const u8*)op.v + at);
            alpha_c = LOAD((const u8*)op.alpha_c + (long long)(py / 2) * op.pitch_alpha_c + px / 2)
                      * (op.opacity / 255.0f);
        } else {
            if (op.kind == PAINT) {
                paint(op, px, py, above, above_c);
            } else {
                for (int i = 0; i < 4; ++i) above[i] = op.colour[0];
                above_c[0] = op.colour[1];
                above_c[1] = op.colour[2];
            }
            for (int i = 0; i < 4; ++i) alpha[i] = covered(op, px + (i & 1) + 0.5f, py + i / 2 + 0.5f, 1.0f);
            alpha_c = covered(op, px + 1.0f, py + 1.0f, 2.0f);
        }
        for (int i = 0; i < 4; ++i) luma[i] = over(luma[i], above[i], alpha[i]);
        u = over(u, above_c[0], alpha_c);
        v = over(v, above_c[1], alpha_c);
    }

    u8* out = (u8*)program.out_y + (long long)y * program.pitch_y + x;
    out[0] = rounded(luma[0]);
    out[1] = rounded(luma[1]);
    out[program.pitch_y] = rounded(luma[2]);
    out[program.pitch_y + 1] = rounded(luma[3]);
    u8* out_c = (u8*)program.out_uv + (long long)(y / 2) * program.pitch_uv + x;
    out_c[0] = rounded(u);
    out_c[1] = rounded(v);
}
