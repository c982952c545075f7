/* Shortest paths from SOURCES nodes by delta-stepping (Meyer, Sanders, J. Algorithms 49, 2003); weights 1..255.
 *
 * A node lies in the bucket of its distance, at most once, in a doubly linked list; the buckets are reused in a ring.
 * Light and heavy edges are not told apart.
 */
#include "graph.h"

enum { MAX_WEIGHT = 255, BUCKETS = MAX_WEIGHT / DELTA + 2, FAR = 1 << 30 };

static int32_t distance[NODES], weight[2 * EDGES];
static int32_t next[NODES], previous[NODES], first[BUCKETS];

static void take_out(int32_t v) {
    int32_t before = previous[v], after = next[v];
    if (before >= 0)
        next[before] = after;
    else
        first[distance[v] / DELTA % BUCKETS] = after;
    if (after >= 0) previous[after] = before;
    next[v] = -2;
}

static void put_in(int32_t v) {
    int32_t *head = &first[distance[v] / DELTA % BUCKETS];
    next[v] = *head;
    previous[v] = -1;
    if (*head >= 0) previous[*head] = v;
    *head = v;
}

static void find_paths(int32_t root) {
    for (long i = 0; i < NODES; i++) {
        distance[i] = FAR;
        next[i] = -2; /* in no bucket */
    }
    for (int b = 0; b < BUCKETS; b++) first[b] = -1;
    distance[root] = 0;
    put_in(root);
    for (int b = 0, empty = 0; empty < BUCKETS; b = (b + 1) % BUCKETS) {
        empty = first[b] < 0 ? empty + 1 : 0;
        while (first[b] >= 0) {
            int32_t u = first[b];
            take_out(u);
            for (int32_t e = row[u]; e < row[u + 1]; e++) {
                int32_t v = column[e], found = distance[u] + weight[e];
                if (found < distance[v]) {
                    if (next[v] != -2) take_out(v);
                    distance[v] = found;
                    put_in(v);
                }
            }
        }
    }
}

int main(void) {
    make_graph();
    for (int32_t u = 0; u < NODES; u++)
        for (int32_t e = row[u]; e < row[u + 1]; e++) { /* the same in both directions */
            int32_t v = column[e], low = u < v ? u : v, high = u < v ? v : u;
            weight[e] = (int32_t)(draw(STREAM_WEIGHTS, (uint64_t)low * NODES + (uint64_t)high) % MAX_WEIGHT) + 1;
        }
    int32_t roots[SOURCES];
    for (int k = 0; k < SOURCES; k++) roots[k] = source(k);
    hwmodel_trace_begin();
    for (int k = 0; k < SOURCES; k++) find_paths(roots[k]);
    hwmodel_trace_end();
    show_whole("edges", (uint64_t)row[NODES]);
    show_whole("distances", weighted(distance, NODES)); /* from the last source */
    return 0;
}
