/* Poisson's equation on a periodic cube of SIDE = 2^LOG_SIDE points a side, by ITERATIONS V-cycles of multigrid.
 *
 * Differences to the six neighbours, damped Jacobi steps, full weighting down and linear interpolation up. As in NPB
 * MG the source is ten points of +1 and ten of -1.
 */
#include <math.h>

#include "common.h"

enum { STREAM_CHARGES = 1, SIDE = 1 << LOG_SIDE, CHARGES = 10, COARSE_STEPS = 4 };
#define POINTS ((long)SIDE * SIDE * SIDE)
#define ROOM (POINTS + POINTS / 4) /* all levels: 1 + 1/8 + 1/64 + ... */
#define OMEGA 0.8

static double solution[ROOM], force[ROOM], rest[ROOM];

#define AT(x, y, z) ((((long)(x)&m) << (2 * log)) + (((long)(y)&m) << log) + ((long)(z)&m))

static void find_rest(const double *u, const double *f, double *r, int log) {
    const long n = 1L << log, m = n - 1;
    for (long x = 0; x < n; x++)
        for (long y = 0; y < n; y++) {
            const double *here = u + AT(x, y, 0), *east = u + AT(x + 1, y, 0), *west = u + AT(x - 1, y, 0);
            const double *north = u + AT(x, y + 1, 0), *south = u + AT(x, y - 1, 0);
            for (long z = 0; z < n; z++)
                r[AT(x, y, z)] = f[AT(x, y, z)] - 6.0 * here[z] + east[z] + west[z] + north[z] + south[z]
                                 + here[(z + 1) & m] + here[(z - 1) & m];
        }
}

static void smooth(double *u, const double *f, double *r, int log) {
    find_rest(u, f, r, log);
    for (long k = 0; k < 1L << (3 * log); k++) u[k] += OMEGA / 6.0 * r[k];
}

/* Weights 1/8, 1/16, 1/32, 1/64 by distance; times four, because the coarse points are twice as far apart. */
static void restrict_rest(const double *r, double *coarse, int log) {
    const long n = 1L << log, m = n - 1;
    for (long x = 0; x < n; x += 2)
        for (long y = 0; y < n; y += 2)
            for (long z = 0; z < n; z += 2) {
                double sum = 0;
                for (long i = -1; i <= 1; i++)
                    for (long j = -1; j <= 1; j++) {
                        const double *line = r + AT(x + i, y + j, 0);
                        double part = 2 * line[z] + line[z + 1] + line[(z - 1) & m];
                        sum += (double)((2 - i * i) * (2 - j * j)) * part;
                    }
                *coarse++ = sum / 16.0;
            }
}

static void add_coarse(const double *coarse, double *u, int log) {
    const long n = 1L << log, h = n / 2 - 1;
    for (long x = 0; x < n; x++)
        for (long y = 0; y < n; y++) {
            const long x0 = x / 2, x1 = (x + 1) / 2 & h, y0 = y / 2, y1 = (y + 1) / 2 & h, k = log - 1;
            const double *a = coarse + (((x0 << k) + y0) << k), *b = coarse + (((x0 << k) + y1) << k);
            const double *c = coarse + (((x1 << k) + y0) << k), *d = coarse + (((x1 << k) + y1) << k);
            for (long z = 0; z < n / 2; z++) {
                const long after = (z + 1) & h;
                double even = a[z] + b[z] + c[z] + d[z], odd = a[after] + b[after] + c[after] + d[after];
                *u++ += 0.25 * even;
                *u++ += 0.125 * (even + odd);
            }
        }
}

static void cycle(double *u, double *f, double *r, int log) {
    const long points = 1L << (3 * log), coarse = points / 8;
    if (log == 1) {
        for (int step = 0; step < COARSE_STEPS; step++) smooth(u, f, r, log);
        return;
    }
    smooth(u, f, r, log);
    find_rest(u, f, r, log);
    restrict_rest(r, f + points, log);
    for (long k = 0; k < coarse; k++) u[points + k] = 0;
    cycle(u + points, f + points, r + points, log - 1);
    add_coarse(u + points, u, log);
    smooth(u, f, r, log);
}

int main(void) {
    for (int k = 0; k < 2 * CHARGES; k++)
        force[draw(STREAM_CHARGES, (uint64_t)k) % (uint64_t)POINTS] += k < CHARGES ? 1.0 : -1.0;
    hwmodel_trace_begin();
    for (int k = 0; k < ITERATIONS; k++) cycle(solution, force, rest, LOG_SIDE);
    hwmodel_trace_end();
    double square = 0, mean = 0;
    find_rest(solution, force, rest, LOG_SIDE);
    for (long k = 0; k < POINTS; k++) {
        square += rest[k] * rest[k];
        mean += solution[k] / (double)POINTS;
    }
    for (long k = 0; k < POINTS; k++) solution[k] -= mean; /* it is free up to a constant */
    show_real("residual", sqrt(square));
    show_real("solution", weighted_real(solution, POINTS));
    return 0;
}
