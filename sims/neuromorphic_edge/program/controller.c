/* The program of the core: read the estimate, keep a history, look for oscillation, log, ring the doorbell.
 *
 * It is recorded once on an emulator, where the mapped page is plain memory; in the simulation loads from ESTIMATE wait
 * for a message, loads from TARGET look at the latest one, and stores to STEP send one. What is read changes neither
 * branches nor addresses. Built and recorded as the README says. */
#define _GNU_SOURCE
#include <stdint.h>
#include <sys/mman.h>

#include "hwmodel_marker.h"

#define PORTS ((uintptr_t)0x10000000)
#define ESTIMATE (*(volatile int64_t *)(PORTS + 0x00))
#define TARGET (*(volatile int64_t *)(PORTS + 0x40))
#define STEP (*(volatile int64_t *)(PORTS + 0x80))

enum { STEPS = 16, HISTORY = 128, LAGS = 16, LOG = 4096 };

static int32_t history[HISTORY];        /* differences from the target, the newest at `head` */
static volatile int64_t logged[LOG][2]; /* 64 kB: larger than the first level of the cache */
static int32_t gains[1024];             /* gain by the strength of the oscillation */
static unsigned head, entry;

/* Largest magnitude of the autocorrelation of the history over the lags, in units of its power. */
static int32_t oscillation(void)
{
    int64_t power = 1, strongest = 0;
    for (int i = 0; i < HISTORY; i++)
        power += (int64_t)history[i] * history[i];
    for (int lag = 1; lag <= LAGS; lag++) {
        int64_t sum = 0;
        for (int i = 0; i < HISTORY; i++)
            sum += (int64_t)history[i] * history[(i + lag) & (HISTORY - 1)];
        sum = sum < 0 ? -sum : sum;
        strongest = sum > strongest ? sum : strongest;
    }
    return (int32_t)((strongest << 10) / power) & 1023;
}

__attribute__((noinline)) static void step(void) /* inlined, GCC 12 stores once more after the loop */
{
    int64_t estimate = ESTIMATE, target = TARGET;
    head = (head + 1) & (HISTORY - 1);
    history[head] = (int32_t)(target - estimate);
    int64_t change = (int64_t)history[head] * gains[oscillation()];
    for (int i = 0; i < 64; i++) { /* a snapshot of the newest 64 differences into the log */
        logged[entry][0] = history[(head - (unsigned)i) & (HISTORY - 1)];
        logged[entry][1] = change;
        entry = (entry + 1) & (LOG - 1);
    }
    STEP = change;
}

int main(void)
{
    void *ports = mmap((void *)PORTS, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (ports == MAP_FAILED)
        return 1;
    for (int i = 0; i < 1024; i++)
        gains[i] = 1024 - i / 2;
    hwmodel_trace_begin();
    for (int i = 0; i < STEPS; i++)
        step();
    hwmodel_trace_end();
    return 0;
}
