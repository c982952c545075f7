/* Mean of four neighbours on a square of 192 x 192, there and back, six times. */
#include "input.h"

enum { N = 192 };
static double u[N][N], v[N][N];

int main(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) u[i][j] = (i * j) % 17;
    for (int t = 0; t < 6; t++) {
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                v[i][j] = 0.25 * (u[i - 1][j] + u[i + 1][j] + u[i][j - 1] + u[i][j + 1]);
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++) u[i][j] = v[i][j];
    }
    printf("%.5f\n", u[40][40]);
    return 0;
}
