/* A chain of loads from 32 MB that nobody touched before, beside two streams: what of it runs side by side? */
#include "input.h"

enum { T = 1 << 22, S = 1 << 17 };
uint64_t tab[T], str[S];

__attribute__((noinline)) static uint64_t run(int n) {
    uint64_t p = 12345, s = 0;
    for (int i = 0; i < n; i++) {
        p = (p * 6364136223846793005ull + 1442695040888963407ull + tab[(p >> 33) & (T - 1)]);
        s += str[(i * 4) & (S - 1)] ^ str[(i * 4 + S / 2) & (S - 1)];
    }
    return p + s;
}

int main(void) {
    printf("%lu\n", (unsigned long)run(30000));
    return 0;
}
