/* What the plugin must know of an instruction from its bytes: how it may leave the sequence, and a few traits.
 *
 * All else is decoded later, from the bytes that the plugin passes on.
 */
#ifndef HWMODEL_INSTRUCTIONS_H
#define HWMODEL_INSTRUCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { NOT_A_TRANSFER, CONDITIONAL, ALWAYS, SYSTEM };         /* how an instruction may leave the sequence */
enum { IS_STRING = 1, IS_BEGIN = 2, IS_END = 4, IS_RMW = 8 }; /* traits of an instruction */

static int riscv_transfer(const uint8_t *b) {
    uint32_t half = b[0] | b[1] << 8, top = half >> 13;
    if ((half & 3) == 1) return top == 5 ? ALWAYS : top >= 6 ? CONDITIONAL : NOT_A_TRANSFER;
    if ((half & 3) == 2) return top == 4 && !(half & 0x7c) && half & 0xf80 ? ALWAYS : NOT_A_TRANSFER;
    if ((half & 3) == 0) return NOT_A_TRANSFER;
    switch (half & 0x7f) {
    case 0x63: return CONDITIONAL;
    case 0x67:
    case 0x6f: return ALWAYS;
    case 0x73: return !(half & 0xff80) && !b[2] && !b[3] ? SYSTEM : NOT_A_TRANSFER; /* ecall */
    }
    return NOT_A_TRANSFER;
}

/* Read-modify-write: an AMO other than load-reserved and store-conditional. */
static int riscv_rmw(const uint8_t *b) {
    uint32_t function = b[3] >> 3;
    return (b[0] & 0x7f) == 0x2f && function != 2 && function != 3 ? IS_RMW : 0;
}

static int riscv_marker(const uint8_t *b) {
    if (b[0] != 0x13 || b[1] != 0x20 || b[2] & 0x0f) return 0; /* slti x0, x0, immediate */
    uint32_t immediate = b[3] << 4 | b[2] >> 4;
    return immediate == 673 ? IS_BEGIN : immediate == 674 ? IS_END : 0;
}

static int x86_transfer(const uint8_t *b, size_t size, uint8_t *traits) {
    size_t at = 0;
    bool repeated = false;
    for (; at < size; at++) { /* prefixes */
        uint8_t p = b[at];
        if (p == 0xf0) *traits |= IS_RMW;
        if (p == 0xf2 || p == 0xf3) repeated = true;
        else if (p != 0x66 && p != 0x67 && p != 0x2e && p != 0x36 && p != 0x3e && p != 0x26 && p != 0x64 && p != 0x65 &&
                 p != 0xf0 && (p & 0xf0) != 0x40)
            break;
    }
    if (at >= size) return NOT_A_TRANSFER;
    uint8_t op = b[at], next = at + 1 < size ? b[at + 1] : 0;
    if (repeated && ((op >= 0xa4 && op <= 0xa7) || (op >= 0xaa && op <= 0xaf))) *traits |= IS_STRING;
    if ((op == 0x86 || op == 0x87) && next < 0xc0) *traits |= IS_RMW; /* an exchange with memory locks by itself */
    if ((op >= 0x70 && op <= 0x7f) || (op >= 0xe0 && op <= 0xe3)) return CONDITIONAL;
    if (op == 0xe8 || op == 0xe9 || op == 0xeb || op == 0xc2 || op == 0xc3 || op == 0xca || op == 0xcb || op == 0xcf)
        return ALWAYS;
    if (op == 0xff) return ((next >> 3) & 7) >= 2 && ((next >> 3) & 7) <= 5 ? ALWAYS : NOT_A_TRANSFER;
    if (op == 0x0f && next >= 0x80 && next <= 0x8f) return CONDITIONAL;
    if (op == 0xcd || (op == 0x0f && (next == 0x05 || next == 0x34))) return SYSTEM;
    return NOT_A_TRANSFER;
}

static int x86_marker(const uint8_t *b, size_t size) {
    static const uint8_t begin[7] = {0x0f, 0x1f, 0x80, 1, 0, 0x77, 0x68};
    if (size != 7 || memcmp(b, begin, 3) || memcmp(b + 4, begin + 4, 3)) return 0;
    return b[3] == 1 ? IS_BEGIN : b[3] == 2 ? IS_END : 0;
}

#endif
