/* PageRank: ITERATIONS rounds in which every node pulls from its neighbours. */
#include "graph.h"

static double rank[NODES], share[NODES], inverse[NODES];

int main(void) {
    const double damping = 0.85, base = (1.0 - damping) / (double)NODES;
    make_graph();
    for (long i = 0; i < NODES; i++) {
        int32_t degree = row[i + 1] - row[i];
        rank[i] = 1.0 / (double)NODES;
        inverse[i] = degree ? 1.0 / degree : 0.0;
    }
    hwmodel_trace_begin();
    for (int k = 0; k < ITERATIONS; k++) {
        for (long i = 0; i < NODES; i++) share[i] = rank[i] * inverse[i];
        for (long u = 0; u < NODES; u++) {
            double sum = 0;
            for (int32_t e = row[u]; e < row[u + 1]; e++) sum += share[column[e]];
            rank[u] = base + damping * sum;
        }
    }
    hwmodel_trace_end();
    show_whole("edges", (uint64_t)row[NODES]);
    show_real("ranks", weighted_real(rank, NODES));
    return 0;
}
