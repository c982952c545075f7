/* The part of QEMU's plugin interface, version 1, that the recorder calls.
 *
 * Distributions install QEMU without this header. The declarations state the binary interface that
 * QEMU documents for plugins of version 1 (QEMU 6.0 to 8.2); QEMU refuses a plugin of another version.
 */
#ifndef HWMODEL_QEMU_API_H
#define HWMODEL_QEMU_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

typedef struct {
    const char *target_name;
    struct {
        int min, cur;
    } version;
    bool system_emulation;
    union {
        struct {
            int smp_vcpus, max_vcpus;
        } system;
    };
} qemu_info_t;

enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_mem_rw { QEMU_PLUGIN_MEM_R = 1, QEMU_PLUGIN_MEM_W, QEMU_PLUGIN_MEM_RW };
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

typedef void (*plugin_call)(qemu_plugin_id_t id);
typedef void (*plugin_call_data)(qemu_plugin_id_t id, void *data);
typedef void (*vcpu_call)(qemu_plugin_id_t id, unsigned vcpu);
typedef void (*vcpu_call_data)(unsigned vcpu, void *data);
typedef void (*translation_call)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*memory_call)(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data);

void qemu_plugin_uninstall(qemu_plugin_id_t id, plugin_call done);

void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t id, vcpu_call call);
void qemu_plugin_register_vcpu_exit_cb(qemu_plugin_id_t id, vcpu_call call);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, translation_call call);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, plugin_call_data call, void *data);

void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, vcpu_call_data call,
                                          enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, vcpu_call_data call,
                                            enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, enum qemu_plugin_op op, void *counter,
                                                uint64_t value);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, memory_call call, enum qemu_plugin_cb_flags flags,
                                      enum qemu_plugin_mem_rw kind, void *data);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t place);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);
bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);

#endif
