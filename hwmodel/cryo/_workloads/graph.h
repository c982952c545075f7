/* An undirected graph in compressed rows, made in the program: neighbours sorted, no loops, no edge twice.
 *
 * GRAPH 0: both ends of an edge are uniform. GRAPH 1: a Kronecker graph by R-MAT (Chakrabarti, Zhan, Faloutsos, SDM
 * 2004) with the probabilities 0.57, 0.19, 0.19, 0.05 of Graph 500; its labels are scrambled by a bijection, because
 * otherwise low numbers would have most of the edges.
 */
#ifndef GRAPH_H
#define GRAPH_H

#include "common.h"

#define NODES (1L << SCALE)
#define EDGES (NODES * DEGREE)
#define MASK (NODES - 1)

enum { STREAM_EDGES = 1, STREAM_WEIGHTS = 2, STREAM_SOURCES = 3 };

static int32_t row[NODES + 1], column[2 * EDGES];
static int32_t ends[2][EDGES], fill[NODES + 1], other[2 * EDGES];

static inline int32_t scramble(uint64_t v) {
    v = (v * UINT64_C(0x9E3779B1) + 0x7F4A7C15) & MASK;
    v ^= v >> ((SCALE + 1) / 2);
    v = (v * UINT64_C(0x85EBCA6B)) & MASK;
    v ^= v >> ((SCALE + 1) / 2);
    return (int32_t)v;
}

static void make_edge(long e, int32_t *from, int32_t *to) {
#if GRAPH == 0
    uint64_t bits = draw(STREAM_EDGES, (uint64_t)e);
    *from = (int32_t)(bits & MASK);
    *to = (int32_t)(bits >> 32 & MASK);
#else
    uint64_t u = 0, v = 0;
    for (int level = 0; level < SCALE; level++) {
        uint64_t part = draw(STREAM_EDGES, (uint64_t)(e * SCALE + level)) >> 40; /* 24 bits */
        u = 2 * u + (part >= 12750684);                                          /* 0.76 * 2^24 */
        v = 2 * v + ((part >= 9563013 && part < 12750684) || part >= 15938355);  /* 0.57, 0.95 */
    }
    *from = scramble(u);
    *to = scramble(v);
#endif
}

/* Row starts from the counts that stand one place to the right. */
static void add_up(int32_t *start) {
    for (long i = 0; i < NODES; i++) start[i + 1] += start[i];
}

static void make_graph(void) {
    for (long e = 0; e < EDGES; e++) {
        make_edge(e, &ends[0][e], &ends[1][e]);
        row[ends[0][e] + 1]++;
        row[ends[1][e] + 1]++;
    }
    add_up(row);
    for (long i = 0; i < NODES; i++) fill[i] = row[i];
    for (long e = 0; e < EDGES; e++) {
        other[fill[ends[0][e]]++] = ends[1][e];
        other[fill[ends[1][e]]++] = ends[0][e];
    }
    /* Visiting the rows in order sorts the neighbours of all others. */
    for (long i = 0; i < NODES; i++) fill[i] = row[i];
    for (int32_t u = 0; u < NODES; u++)
        for (int32_t e = row[u]; e < row[u + 1]; e++) column[fill[other[e]]++] = u;
    int32_t kept = 0, begin = 0;
    for (int32_t u = 0; u < NODES; u++) {
        int32_t end = row[u + 1], last = -1;
        for (int32_t e = begin; e < end; e++) {
            if (column[e] != u && column[e] != last) column[kept++] = column[e];
            last = column[e];
        }
        begin = end;
        row[u + 1] = kept;
    }
}

/* The number k of the starting nodes: a node with neighbours. */
static inline int32_t source(int k) {
    int32_t u = (int32_t)(draw(STREAM_SOURCES, (uint64_t)k) & MASK);
    while (row[u] == row[u + 1]) u = (int32_t)((u + 1) & MASK);
    return u;
}

#endif
