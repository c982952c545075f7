/* Ten queens on a board of ten: recursion, and next to no memory. */
#include "input.h"

static int count(unsigned all, unsigned c, unsigned l, unsigned r) {
    if (c == all) return 1;
    int n = 0;
    unsigned p = all & ~(c | l | r);
    while (p) {
        unsigned b = p & -p;
        p -= b;
        n += count(all, c | b, (l | b) << 1, (r | b) >> 1);
    }
    return n;
}

int main(void) {
    printf("%d\n", count((1u << 10) - 1, 0, 0, 0));
    return 0;
}
