/* Rounds in the manner of SHA-256 with constants of its own, 500 blocks: integer work without misses. */
#include "input.h"

static uint32_t K[64], h[8], w[64];

static uint32_t ror(uint32_t x, int n) { return x >> n | x << (32 - n); }

int main(void) {
    for (int i = 0; i < 64; i++) K[i] = lcg();
    for (int i = 0; i < 8; i++) h[i] = lcg();
    for (int b = 0; b < 500; b++) {
        for (int i = 0; i < 16; i++) w[i] = b * 16 + i;
        for (int i = 16; i < 64; i++)
            w[i] = w[i - 16] + (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
                   (ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10);
        uint32_t s[8];
        for (int i = 0; i < 8; i++) s[i] = h[i];
        for (int i = 0; i < 64; i++) {
            uint32_t t1 = s[7] + (ror(s[4], 6) ^ ror(s[4], 11) ^ ror(s[4], 25)) +
                          ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[i] + w[i],
                     t2 = (ror(s[0], 2) ^ ror(s[0], 13) ^ ror(s[0], 22)) +
                          ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
            for (int j = 7; j > 0; j--) s[j] = s[j - 1];
            s[4] += t1;
            s[0] = t1 + t2;
        }
        for (int i = 0; i < 8; i++) h[i] += s[i];
    }
    printf("%08x\n", h[0]);
    return 0;
}
