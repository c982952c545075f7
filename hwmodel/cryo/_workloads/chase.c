/* Follows pointers: CHAINS at a time around one random cycle through all of LINES cache lines, STEPS steps each.
 *
 * The cycle is Sattolo's (Inf. Process. Lett. 22, 1986). A chain starts where the one before it was started, and
 * LINES / CHAINS steps later.
 */
#include "common.h"

enum { STREAM_CYCLE = 1 };

typedef struct { uint64_t next, unused[7]; } line_t;

static line_t line[LINES] __attribute__((aligned(64)));

int main(void) {
    uint64_t at[CHAINS], sum = 0, start = 0;
    for (uint64_t i = 0; i < LINES; i++) line[i].next = i;
    for (uint64_t i = LINES - 1; i > 0; i--) {
        uint64_t j = draw(STREAM_CYCLE, i) % i, kept = line[i].next;
        line[i].next = line[j].next;
        line[j].next = kept;
    }
    for (int k = 0; k < CHAINS; k++) {
        at[k] = start;
        for (int step = 0; step < LINES / CHAINS; step++) start = line[start].next;
    }
    hwmodel_trace_begin();
    for (long step = 0; step < STEPS; step++)
        for (int k = 0; k < CHAINS; k++) at[k] = line[at[k]].next;
    hwmodel_trace_end();
    for (int k = 0; k < CHAINS; k++) sum += (uint64_t)(k + 1) * at[k];
    show_whole("ends", sum);
    return 0;
}
