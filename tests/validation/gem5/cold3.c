/* a = b + s c over three arrays of 512 kB that nobody touched before, three times: their rows lie in one bank. */
#include "input.h"

enum { N = 65536 };
double a[N], b[N], c[N];

__attribute__((noinline)) static void triad(double s) {
    for (int i = 0; i < N; i++) a[i] = b[i] + s * c[i];
}

int main(int n, char **v) {
    (void)v;
    for (int t = 0; t < 3; t++) triad(n + t);
    printf("%.3f\n", a[100] + a[N - 1]);
    return 0;
}
