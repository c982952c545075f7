/* Quicksort of 30,000 numbers: branches that nobody predicts. */
#include "input.h"

enum { N = 30000 };
static int a[N];

static void sort(int lo, int hi) {
    while (lo < hi) {
        int p = a[(lo + hi) / 2], i = lo, j = hi;
        while (i <= j) {
            while (a[i] < p) i++;
            while (a[j] > p) j--;
            if (i <= j) {
                int t = a[i];
                a[i] = a[j];
                a[j] = t;
                i++;
                j--;
            }
        }
        if (j - lo < hi - i) {
            sort(lo, j);
            lo = i;
        } else {
            sort(i, hi);
            hi = j;
        }
    }
}

int main(void) {
    for (int i = 0; i < N; i++) a[i] = lcg() & 0xffffff;
    sort(0, N - 1);
    printf("%d %d\n", a[0], a[N / 2]);
    return 0;
}
