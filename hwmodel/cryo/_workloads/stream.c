/* Copy, scale, add and triad over three arrays of ELEMENTS numbers, PASSES times (after McCalpin's STREAM). */
#include "common.h"

static double a[ELEMENTS], b[ELEMENTS], c[ELEMENTS];

int main(void) {
    const double scalar = 0.5;
    for (long i = 0; i < ELEMENTS; i++) a[i] = (double)(i % 1000);
    hwmodel_trace_begin();
    for (int pass = 0; pass < PASSES; pass++) {
        for (long i = 0; i < ELEMENTS; i++) c[i] = a[i];
        __asm__ volatile("" ::: "memory"); /* the loops stay four */
        for (long i = 0; i < ELEMENTS; i++) b[i] = scalar * c[i];
        __asm__ volatile("" ::: "memory");
        for (long i = 0; i < ELEMENTS; i++) c[i] = a[i] + b[i];
        __asm__ volatile("" ::: "memory");
        for (long i = 0; i < ELEMENTS; i++) a[i] = b[i] + scalar * c[i];
        __asm__ volatile("" ::: "memory");
    }
    hwmodel_trace_end();
    show_real("a", weighted_real(a, ELEMENTS));
    show_real("b", weighted_real(b, ELEMENTS));
    show_real("c", weighted_real(c, ELEMENTS));
    return 0;
}
