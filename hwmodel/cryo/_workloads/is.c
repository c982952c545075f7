/* Integer sort by counting, ITERATIONS times over KEYS keys below RANGE; two keys change each time, as in NPB IS.
 *
 * A key is the mean of four draws, so that the middle of the range is the most frequent.
 */
#include "common.h"

enum { STREAM_KEYS = 1 };

static int32_t key[KEYS], sorted[KEYS], count[RANGE + 1];

static void sort(int turn) {
    key[turn] = turn % RANGE;
    key[turn + ITERATIONS] = RANGE - 1 - turn % RANGE;
    for (long k = 0; k <= RANGE; k++) count[k] = 0;
    for (long i = 0; i < KEYS; i++) count[key[i] + 1]++;
    for (long k = 0; k < RANGE; k++) count[k + 1] += count[k];
    for (long i = 0; i < KEYS; i++) sorted[count[key[i]]++] = key[i];
}

int main(void) {
    for (long i = 0; i < KEYS; i++) {
        uint64_t sum = 0;
        for (int k = 0; k < 4; k++) sum += draw(STREAM_KEYS, (uint64_t)(4 * i + k)) >> 40; /* 24 bits */
        key[i] = (int32_t)(sum * RANGE >> 26);
    }
    hwmodel_trace_begin();
    for (int turn = 0; turn < ITERATIONS; turn++) sort(turn);
    hwmodel_trace_end();
    show_whole("keys", weighted(key, KEYS));
    show_whole("sorted", weighted(sorted, KEYS));
    return 0;
}
