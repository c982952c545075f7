/* Heat flow in Fourier space on a cube of SIDE = 2^LOG_SIDE points a side, as NPB FT: transform once, then in each of
 * ITERATIONS steps damp every wave and transform back. Lines are copied into a buffer, transformed there, and back.
 */
#include <math.h>

#include "common.h"

enum { STREAM_FIELD = 1, SIDE = 1 << LOG_SIDE };
#define POINTS ((long)SIDE * SIDE * SIDE)
#define ALPHA 1e-4
#define PI 3.14159265358979323846

typedef struct { double re, im; } complex_t;

static complex_t field[POINTS], work[POINTS], root[SIDE], line[SIDE];
static double damp[POINTS];
static int reversed[SIDE];

static void prepare(void) {
    for (int k = 0; k < SIDE; k++) {
        root[k].re = cos(2 * PI * k / SIDE);
        root[k].im = sin(2 * PI * k / SIDE);
        for (int bit = 0; bit < LOG_SIDE; bit++) reversed[k] |= (k >> bit & 1) << (LOG_SIDE - 1 - bit);
    }
    for (long k = 0; k < POINTS; k++) {
        long wave[3] = {k / SIDE / SIDE, k / SIDE % SIDE, k % SIDE}, square = 0;
        for (int d = 0; d < 3; d++) {
            long w = wave[d] < SIDE / 2 ? wave[d] : wave[d] - SIDE;
            square += w * w;
        }
        damp[k] = exp(-4 * PI * PI * ALPHA * (double)square);
        field[k].re = draw_real(STREAM_FIELD, (uint64_t)(2 * k));
        field[k].im = draw_real(STREAM_FIELD, (uint64_t)(2 * k + 1));
    }
}

static void transform_line(complex_t *at, long stride, double sign) {
    for (int k = 0; k < SIDE; k++) line[reversed[k]] = at[k * stride];
    for (int half = 1; half < SIDE; half *= 2) {
        for (int start = 0; start < SIDE; start += 2 * half) {
            for (int k = 0; k < half; k++) {
                complex_t w = root[k * (SIDE / 2 / half)], *low = &line[start + k], *high = low + half;
                double re = w.re * high->re - sign * w.im * high->im;
                double im = w.re * high->im + sign * w.im * high->re;
                high->re = low->re - re;
                high->im = low->im - im;
                low->re += re;
                low->im += im;
            }
        }
    }
    for (int k = 0; k < SIDE; k++) at[k * stride] = line[k];
}

static void transform(complex_t *cube, double sign) {
    const long plane = (long)SIDE * SIDE;
    for (long k = 0; k < plane; k++) transform_line(cube + k * SIDE, 1, sign);
    for (long i = 0; i < SIDE; i++)
        for (long k = 0; k < SIDE; k++) transform_line(cube + i * plane + k, SIDE, sign);
    for (long k = 0; k < plane; k++) transform_line(cube + k, plane, sign);
}

int main(void) {
    double re[ITERATIONS], im[ITERATIONS];
    prepare();
    hwmodel_trace_begin();
    transform(field, -1.0);
    for (int step = 0; step < ITERATIONS; step++) {
        for (long k = 0; k < POINTS; k++) {
            field[k].re *= damp[k];
            field[k].im *= damp[k];
            work[k] = field[k];
        }
        transform(work, 1.0);
        re[step] = im[step] = 0;
        for (long k = 0; k < POINTS; k++) {
            re[step] += (double)(k + 1) * work[k].re;
            im[step] += (double)(k + 1) * work[k].im;
        }
    }
    hwmodel_trace_end();
    for (int step = 0; step < ITERATIONS; step++) {
        show_real("re", re[step] / (double)POINTS);
        show_real("im", im[step] / (double)POINTS);
    }
    return 0;
}
