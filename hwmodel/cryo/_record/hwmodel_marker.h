/* Marks the region of a program that `hwmodel trace record --region marker` records.
 *
 *     #include "hwmodel_marker.h"
 *     hwmodel_trace_begin();
 *     work();
 *     hwmodel_trace_end();
 *
 * A marker is one instruction that changes nothing: on RISC-V the hint `slti x0, x0, 673` (begin) or 674 (end), on
 * x86-64 a long no-operation with the displacement 0x68770001 or 0x68770002. A program with markers runs everywhere
 * as it does without. On other processors the marks vanish. The compiler does not move memory accesses across them.
 */
#ifndef HWMODEL_MARKER_H
#define HWMODEL_MARKER_H

#if defined(__riscv)
#define hwmodel_trace_begin() __asm__ volatile("slti x0, x0, 673" ::: "memory")
#define hwmodel_trace_end() __asm__ volatile("slti x0, x0, 674" ::: "memory")
#elif defined(__x86_64__)
#define hwmodel_trace_begin() __asm__ volatile(".byte 0x0f, 0x1f, 0x80, 0x01, 0x00, 0x77, 0x68" ::: "memory")
#define hwmodel_trace_end() __asm__ volatile(".byte 0x0f, 0x1f, 0x80, 0x02, 0x00, 0x77, 0x68" ::: "memory")
#else
#define hwmodel_trace_begin() ((void)0)
#define hwmodel_trace_end() ((void)0)
#endif

#endif
