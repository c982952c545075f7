/* Updates and loads all over 32 MB, none waiting for another. */
#include "input.h"

enum { T = 1 << 22 };
uint64_t tab[T];

__attribute__((noinline)) static uint64_t run(int n) {
    uint64_t s = 0;
    for (int i = 0; i < n; i++) {
        uint32_t a = lcg() & (T - 1);
        tab[a] += i;
        s += tab[(a * 77) & (T - 1)];
    }
    return s;
}

int main(void) {
    printf("%lu\n", (unsigned long)run(30000));
    return 0;
}
