/* Conjugate gradients, ITERATIONS of them, on a random symmetric matrix of ROWS rows that is diagonally dominant.
 *
 * As in NPB CG the matrix is sparse and its columns are random: PAIRS entries are drawn for each row and stand in
 * two rows. The right side is all ones.
 */
#include "common.h"

enum { STREAM_COLUMNS = 1, STREAM_VALUES = 2, ENTRIES = ROWS * (2 * PAIRS + 1) };

static int32_t row[ROWS + 1], fill[ROWS], column[ENTRIES];
static double value[ENTRIES], x[ROWS], r[ROWS], p[ROWS], q[ROWS];

static int32_t partner(long k) { return (int32_t)(draw(STREAM_COLUMNS, (uint64_t)k) >> 32) & 0x7FFFFFFF; }

static void enter(int32_t i, int32_t j, double entry) {
    column[fill[i]] = j;
    value[fill[i]++] = entry;
}

static void make_matrix(void) {
    for (long k = 0; k < (long)ROWS * PAIRS; k++) {
        row[k / PAIRS + 1]++;
        row[partner(k) % ROWS + 1]++;
    }
    for (long i = 0; i < ROWS; i++) row[i + 1] += row[i] + 1;
    for (long i = 0; i < ROWS; i++) fill[i] = row[i];
    for (int32_t i = 0; i < ROWS; i++) enter(i, i, 4.0 * PAIRS);
    for (long k = 0; k < (long)ROWS * PAIRS; k++) {
        int32_t i = (int32_t)(k / PAIRS), j = partner(k) % ROWS;
        double entry = draw_real(STREAM_VALUES, (uint64_t)k);
        enter(i, j, entry);
        enter(j, i, entry);
    }
}

static double product(void) { /* q = A p; returns p q */
    double sum = 0;
    for (long i = 0; i < ROWS; i++) {
        double s = 0;
        for (int32_t e = row[i]; e < row[i + 1]; e++) s += value[e] * p[column[e]];
        q[i] = s;
        sum += p[i] * s;
    }
    return sum;
}

int main(void) {
    double rho = ROWS;
    make_matrix();
    for (long i = 0; i < ROWS; i++) r[i] = p[i] = 1.0;
    hwmodel_trace_begin();
    for (int k = 0; k < ITERATIONS && rho > 1e-200; k++) { /* nothing is left: 0 / 0 */
        double alpha = rho / product(), fresh = 0;
        for (long i = 0; i < ROWS; i++) {
            x[i] += alpha * p[i];
            r[i] -= alpha * q[i];
            fresh += r[i] * r[i];
        }
        double beta = fresh / rho;
        rho = fresh;
        for (long i = 0; i < ROWS; i++) p[i] = r[i] + beta * p[i];
    }
    hwmodel_trace_end();
    show_real("solution", weighted_real(x, ROWS));
    show_real("residual", rho);
    return 0;
}
