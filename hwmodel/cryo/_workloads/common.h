/* What the workloads share: draws that depend on a stream and a number only, and sums for checking.
 *
 * Draw n of stream s is SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) with the seed s * 2^32 + SEED, so that a test
 * can make the same input with NumPy.
 */
#ifndef COMMON_H
#define COMMON_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include "hwmodel_marker.h"

#ifndef SEED
#define SEED 1
#endif

static inline uint64_t draw(uint64_t stream, uint64_t number) {
    uint64_t z = ((stream << 32) + SEED) + (number + 1) * UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* In [0, 1), with 53 bits. */
static inline double draw_real(uint64_t stream, uint64_t number) {
    return (double)(draw(stream, number) >> 11) * 0x1p-53;
}

/* Sum of (i + 1) * value[i] modulo 2^64: it changes where two values change places. */
static inline uint64_t weighted(const int32_t *value, long count) {
    uint64_t sum = 0;
    for (long i = 0; i < count; i++) sum += (uint64_t)(i + 1) * (uint64_t)(int64_t)value[i];
    return sum;
}

static inline double weighted_real(const double *value, long count) {
    double sum = 0;
    for (long i = 0; i < count; i++) sum += (double)(i + 1) * value[i];
    return sum;
}

static inline void show_whole(const char *name, uint64_t value) { printf("%s %" PRIu64 "\n", name, value); }
static inline void show_real(const char *name, double value) { printf("%s %.17g\n", name, value); }

#endif
