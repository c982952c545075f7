/* A table of open addressing, half full, and 60,000 questions to it, of which a quarter find nothing. */
#include "input.h"

enum { N = 1 << 15, Q = 60000 };
static uint64_t keys[N];
static uint32_t vals[N];

int main(void) {
    for (int i = 0; i < N / 2; i++) {
        uint64_t k = lcg() | 1;
        uint32_t h = (k * 0x9E3779B97F4A7C15ull) >> 49;
        while (keys[h] && keys[h] != k) h = (h + 1) & (N - 1);
        keys[h] = k;
        vals[h] = i;
    }
    lcg_state = 88172645463325252ull;
    uint64_t s = 0;
    for (int q = 0; q < Q; q++) {
        uint64_t k = (lcg() ^ (q & 3 ? 0 : 1 << 20)) | 1;
        uint32_t h = (k * 0x9E3779B97F4A7C15ull) >> 49;
        while (keys[h] && keys[h] != k) h = (h + 1) & (N - 1);
        if (keys[h]) s += vals[h];
    }
    printf("%lu\n", (unsigned long)s);
    return 0;
}
