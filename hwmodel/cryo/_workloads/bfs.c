/* Breadth-first search from SOURCES nodes, one after the other, with a queue. */
#include "graph.h"

static int32_t depth[NODES], queue[NODES];

static long search(int32_t root) { /* returns how many nodes were reached */
    long head = 0, tail = 0;
    for (long i = 0; i < NODES; i++) depth[i] = -1;
    depth[root] = 0;
    queue[tail++] = root;
    while (head < tail) {
        int32_t u = queue[head++], next = depth[u] + 1;
        for (int32_t e = row[u]; e < row[u + 1]; e++) {
            int32_t v = column[e];
            if (depth[v] < 0) {
                depth[v] = next;
                queue[tail++] = v;
            }
        }
    }
    return tail;
}

int main(void) {
    make_graph();
    int32_t roots[SOURCES];
    long reached[SOURCES];
    for (int k = 0; k < SOURCES; k++) roots[k] = source(k);
    hwmodel_trace_begin();
    for (int k = 0; k < SOURCES; k++) reached[k] = search(roots[k]);
    hwmodel_trace_end();
    show_whole("edges", (uint64_t)row[NODES]);
    show_whole("columns", weighted(column, row[NODES]));
    for (int k = 0; k < SOURCES; k++) show_whole("reached", (uint64_t)reached[k]);
    show_whole("depths", weighted(depth, NODES)); /* from the last source */
    return 0;
}
