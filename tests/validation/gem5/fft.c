/* Fourier transform of 4,096 numbers in place, four times. */
#include "input.h"
#include <math.h>

enum { L = 12, N = 1 << L };
static double re[N], im[N], wr[N / 2], wi[N / 2];

int main(void) {
    double c = 1, s = 0, dc = 0.99999882345170188, ds = 0.0015339801862847655;
    for (int i = 0; i < N / 2; i++) {
        wr[i] = c;
        wi[i] = -s;
        double t = c * dc - s * ds;
        s = s * dc + c * ds;
        c = t;
    }
    for (int i = 0; i < N; i++) {
        re[i] = (int)(lcg() & 255) - 128;
        im[i] = 0;
    }
    for (int r = 0; r < 4; r++) {
        for (int i = 0, j = 0; i < N; i++) {
            if (i < j) {
                double t = re[i];
                re[i] = re[j];
                re[j] = t;
                t = im[i];
                im[i] = im[j];
                im[j] = t;
            }
            int m = N >> 1;
            while (m && (j & m)) {
                j ^= m;
                m >>= 1;
            }
            j |= m;
        }
        for (int len = 2; len <= N; len <<= 1) {
            int h = len / 2, st = N / len;
            for (int i = 0; i < N; i += len)
                for (int k = 0; k < h; k++) {
                    double xr = re[i + k + h] * wr[k * st] - im[i + k + h] * wi[k * st],
                           xi = re[i + k + h] * wi[k * st] + im[i + k + h] * wr[k * st];
                    re[i + k + h] = re[i + k] - xr;
                    im[i + k + h] = im[i + k] - xi;
                    re[i + k] += xr;
                    im[i + k] += xi;
                }
        }
        for (int i = 0; i < N; i++) {
            re[i] /= 64;
            im[i] /= 64;
        }
    }
    printf("%.4f\n", re[7]);
    return 0;
}
