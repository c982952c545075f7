/* C = A B of SIDE x SIDE numbers, REPEATS times: BLOCK 0 as three plain loops, else in blocks of BLOCK x BLOCK. */
#include "common.h"

enum { STREAM_A = 1, STREAM_B = 2 };

static double a[SIDE][SIDE], b[SIDE][SIDE], c[SIDE][SIDE];

#if BLOCK == 0
static void multiply(void) {
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            double sum = 0;
            for (int k = 0; k < SIDE; k++) sum += a[i][k] * b[k][j];
            c[i][j] = sum;
        }
}
#else
static int least(int x, int y) { return x < y ? x : y; }

static void multiply(void) {
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) c[i][j] = 0;
    for (int kk = 0; kk < SIDE; kk += BLOCK)
        for (int jj = 0; jj < SIDE; jj += BLOCK)
            for (int i = 0; i < SIDE; i++)
                for (int k = kk; k < least(kk + BLOCK, SIDE); k++) {
                    const double factor = a[i][k];
                    for (int j = jj; j < least(jj + BLOCK, SIDE); j++) c[i][j] += factor * b[k][j];
                }
}
#endif

int main(void) {
    for (long i = 0; i < SIDE; i++)
        for (long j = 0; j < SIDE; j++) {
            a[i][j] = draw_real(STREAM_A, (uint64_t)(i * SIDE + j)) - 0.5;
            b[i][j] = draw_real(STREAM_B, (uint64_t)(i * SIDE + j)) - 0.5;
        }
    hwmodel_trace_begin();
    for (int k = 0; k < REPEATS; k++) {
        multiply();
        __asm__ volatile("" ::: "memory"); /* none of them is left out */
    }
    hwmodel_trace_end();
    show_real("product", weighted_real(&c[0][0], (long)SIDE * SIDE));
    return 0;
}
