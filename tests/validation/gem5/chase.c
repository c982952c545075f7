/* One cycle through 131,072 entries of eight bytes (Sattolo), and 150,000 steps of it. */
#include "input.h"

enum { N = 1 << 17 };
static uint32_t next[N][2];

int main(void) {
    for (uint32_t i = 0; i < N; i++) next[i][0] = i;
    for (uint32_t i = N - 1; i > 0; i--) {
        uint32_t j = lcg() % i, t = next[i][0];
        next[i][0] = next[j][0];
        next[j][0] = t;
    }
    uint32_t p = 0;
    uint64_t s = 0;
    for (int i = 0; i < 150000; i++) {
        p = next[p][0];
        s += p;
    }
    printf("%lu\n", (unsigned long)s);
    return 0;
}
