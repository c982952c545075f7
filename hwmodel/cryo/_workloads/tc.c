/* Counts triangles: for every edge the common neighbours below both ends, by merging sorted lists; REPEATS times. */
#include "graph.h"

static uint64_t count(void) {
    uint64_t found = 0;
    for (int32_t u = 0; u < NODES; u++) {
        for (int32_t e = row[u]; e < row[u + 1]; e++) {
            int32_t v = column[e], k = row[u];
            if (v > u) break;
            for (int32_t f = row[v]; f < row[v + 1]; f++) {
                int32_t w = column[f];
                if (w > v) break;
                while (column[k] < w) k++;
                found += column[k] == w;
            }
        }
    }
    return found;
}

int main(void) {
    uint64_t found = 0;
    make_graph();
    hwmodel_trace_begin();
    for (int k = 0; k < REPEATS; k++) found += count();
    hwmodel_trace_end();
    show_whole("edges", (uint64_t)row[NODES]);
    show_whole("triangles", found / REPEATS);
    return 0;
}
