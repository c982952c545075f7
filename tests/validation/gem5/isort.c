/* 65,536 numbers sorted by their digits of eleven bits. */
#include "input.h"

enum { N = 1 << 16, B = 1 << 11 };
static uint32_t key[N], out[N], count[B + 1];

int main(void) {
    for (int i = 0; i < N; i++) key[i] = lcg();
    for (int pass = 0; pass < 3; pass++) {
        int sh = pass * 11;
        for (int i = 0; i <= B; i++) count[i] = 0;
        for (int i = 0; i < N; i++) count[((key[i] >> sh) & (B - 1)) + 1]++;
        for (int i = 0; i < B; i++) count[i + 1] += count[i];
        for (int i = 0; i < N; i++) out[count[(key[i] >> sh) & (B - 1)]++] = key[i];
        for (int i = 0; i < N; i++) key[i] = out[i];
    }
    printf("%u %u\n", key[5], key[N - 1]);
    return 0;
}
