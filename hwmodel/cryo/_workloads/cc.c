/* Connected components after Shiloach and Vishkin (J. Algorithms 3, 1982), REPEATS times from the start. */
#include "graph.h"

static int32_t label[NODES];

static void find_components(void) {
    int changed = 1;
    for (int32_t i = 0; i < NODES; i++) label[i] = i;
    while (changed) {
        changed = 0;
        for (int32_t u = 0; u < NODES; u++) {
            for (int32_t e = row[u]; e < row[u + 1]; e++) {
                int32_t a = label[u], b = label[column[e]];
                if (a < b && b == label[b]) {
                    label[b] = a;
                    changed = 1;
                }
            }
        }
        for (int32_t u = 0; u < NODES; u++)
            while (label[u] != label[label[u]]) label[u] = label[label[u]];
    }
}

int main(void) {
    make_graph();
    hwmodel_trace_begin();
    for (int k = 0; k < REPEATS; k++) find_components();
    hwmodel_trace_end();
    show_whole("edges", (uint64_t)row[NODES]);
    show_whole("labels", weighted(label, NODES));
    return 0;
}
