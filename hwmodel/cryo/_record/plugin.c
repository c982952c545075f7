/* Records what one thread of a program does under QEMU, instruction by instruction.
 *
 * A block that QEMU has translated is finished when the next one begins: only then is it known how many of its
 * instructions ran to their end and which accesses each of them made. An instruction that faulted, and one of a block
 * that was left early, is not counted. Each instruction becomes the number of a *variant*: its address and bytes with
 * the number and size of its memory operands. The stream (read by _stream.py) consists of frames, each a header
 * of two 32-bit words {kind, bytes} and a body; every word is little endian:
 *
 *   1 statics   {u32 number of the first, u32 how many}, variants in the order of their numbers
 *   2 dynamic   {u32 frame, u32 instructions, u32 addresses}, u32 variant numbers (bit 31: branch taken),
 *               u64 addresses
 *   3 progress  {u64 instructions so far}
 *   4 threads   {u64 number of the thread that appeared though none was chosen}
 *   5 end       {u64 totals[8]}
 *
 * What is not yet written lies in `struct stage`, in memory that the reader shares: a program that is killed, or
 * replaces itself by another one, gives no other chance to write it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "instructions.h"
#include "qemu_api.h"

EXPORT int qemu_plugin_version = 1;

enum { STATICS = 1, DYNAMIC, PROGRESS, THREADS, END };
enum { UNTIL_EXIT, REACHED_LIMIT, LEFT_THREAD };        /* why the stream ended */
enum { MAX_BYTES = 16, MAX_OPERANDS = 8, WIDEST = 64 }; /* of an instruction; bytes of one operand */
enum { ROOM = 1 << 16, PENDING = 1 << 14, STATIC_ROOM = 1 << 10, BUCKETS = 1 << 16 };
enum { MAX_KEYS = 64, REPORT_EVERY = 1 << 24, HIGH_DESCRIPTOR = 512 };
#define TAKEN 0x80000000u
#define NOBODY (~0u)

struct variant {
    uint32_t shape, number; /* shape: loads, stores, bytes of a load, bytes of a store */
    struct variant *next;
};

struct insn {
    uint64_t pc;
    uint8_t size, transfer, traits, bytes[MAX_BYTES];
    struct variant *variants;
    struct insn *next;
};

struct slot {
    struct insn *insn;
    uint32_t place; /* in its block */
};

struct pattern { /* accesses of the last full run of a block, and the numbers they gave */
    uint32_t count, keys[MAX_KEYS];
    uint32_t *numbers;
};

struct block {
    uint64_t pc, end;
    uint32_t count;
    bool counted_inline, special;
    struct pattern *pattern;
    struct slot slots[];
};

struct variant_record {
    uint64_t pc;
    uint8_t size, loads, stores, load_size, store_size, traits, unused[2];
    uint8_t bytes[MAX_BYTES];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct insn *buckets[BUCKETS];
static bool riscv;

/* Wishes. */
static uint64_t start, limit = UINT64_MAX;
static long wanted = -1; /* number of the thread; -1 is the first one, and no other may appear */
static bool by_marker, finish;

/* The recorded thread. */
static unsigned recorded = NOBODY;
static uint64_t threads;
static volatile bool many_threads;
static uint64_t begun; /* instructions that began, counted by translated code while there is one thread */
static uint64_t begun_before;
static uint32_t begun_here; /* of this block, when there are many threads */
static struct block *current;
static struct insn *last;
static uint32_t keys[PENDING], pending; /* key of an access: place << 16 | store << 8 | log2 of its bytes */
static uint64_t addresses[PENDING];
static bool inside;
static uint64_t retired, written, dropped_operands, dropped_instructions, regions, reported;

/* The stream. */
static int stream = -1;
static qemu_plugin_id_t self;
static struct stage {
    uint32_t frame, fresh_count, variants, out_count, out_address_count, unused[11];
    struct variant_record fresh[STATIC_ROOM];
    uint32_t out_ids[ROOM];
    uint64_t out_addresses[ROOM];
} *stage;

static void put(const void *data, size_t size) {
    const char *at = data;
    while (size && stream >= 0) {
        ssize_t done = write(stream, at, size);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) { /* the reader has gone */
            stream = -1;
            return;
        }
        at += done;
        size -= done;
    }
}

static void put_frame(uint32_t kind, const void *body, uint32_t size) {
    uint32_t head[2] = {kind, size};
    put(head, sizeof head);
    put(body, size);
}

static void flush_statics(void) {
    uint32_t counts[2] = {stage->variants - stage->fresh_count, stage->fresh_count};
    uint32_t head[2] = {STATICS, sizeof counts + counts[1] * sizeof *stage->fresh};
    if (!counts[1]) return;
    put(head, sizeof head);
    put(counts, sizeof counts);
    put(stage->fresh, counts[1] * sizeof *stage->fresh);
    stage->fresh_count = 0;
}

static void flush(void) {
    flush_statics();
    if (stage->out_count) {
        uint32_t counts[3] = {stage->frame, stage->out_count, stage->out_address_count};
        uint32_t head[2] = {DYNAMIC, sizeof counts + 4 * counts[1] + 8 * counts[2]};
        put(head, sizeof head);
        put(counts, sizeof counts);
        put(stage->out_ids, 4 * (size_t)counts[1]);
        put(stage->out_addresses, 8 * (size_t)counts[2]);
    }
    stage->out_count = stage->out_address_count = 0;
    stage->frame++;
}

static void end(uint64_t why) {
    if (stream < 0) return;
    flush();
    uint64_t totals[8] = {why, retired, written, dropped_operands, dropped_instructions, threads, regions, 0};
    put_frame(END, totals, sizeof totals);
    if (stream >= 0) close(stream);
    stream = -1;
    recorded = NOBODY;
}

/* ---------------------------------------------------------------------------------------------- instructions */

static struct insn *find_insn(uint64_t pc, const uint8_t *bytes, size_t size) {
    struct insn **bucket = &buckets[(pc ^ pc >> 16) & (BUCKETS - 1)];
    for (struct insn *i = *bucket; i; i = i->next)
        if (i->pc == pc && i->size == size && !memcmp(i->bytes, bytes, size)) return i;
    struct insn *i = calloc(1, sizeof *i);
    if (!i) abort();
    i->pc = pc;
    i->size = size;
    memcpy(i->bytes, bytes, size);
    i->transfer = riscv ? riscv_transfer(i->bytes) : x86_transfer(bytes, size, &i->traits);
    i->traits |= riscv ? (size == 4 ? riscv_marker(bytes) | riscv_rmw(bytes) : 0) : x86_marker(bytes, size);
    i->next = *bucket;
    return *bucket = i;
}

static uint32_t number_of(struct insn *insn, uint32_t shape) {
    struct variant *v;
    for (v = insn->variants; v; v = v->next)
        if (v->shape == shape) return v->number;
    v = malloc(sizeof *v);
    if (!v) abort();
    v->shape = shape;
    if (stage->fresh_count == STATIC_ROOM) flush_statics(); /* ahead of the instructions, as it must be */
    v->number = stage->variants;
    v->next = insn->variants;
    insn->variants = v;
    struct variant_record *r = &stage->fresh[stage->fresh_count];
    memset(r, 0, sizeof *r);
    r->pc = insn->pc;
    r->size = insn->size;
    r->loads = shape, r->stores = shape >> 8, r->load_size = shape >> 16, r->store_size = shape >> 24;
    r->traits = insn->traits;
    memcpy(r->bytes, insn->bytes, MAX_BYTES);
    stage->fresh_count++;
    stage->variants++;
    return v->number;
}

/* ---------------------------------------------------------------------------------------------- a block's end */

struct operands {
    uint32_t count, bytes[MAX_OPERANDS];
    uint64_t at[MAX_OPERANDS];
};

/* QEMU splits wide accesses: what follows on without a gap is one operand again. */
static void add_operand(struct operands *o, uint64_t address, uint32_t bytes) {
    if (o->count) {
        uint32_t k = o->count - 1;
        if (o->at[k] + o->bytes[k] == address && o->bytes[k] + bytes <= WIDEST) {
            o->bytes[k] += bytes;
            return;
        }
    }
    if (o->count == MAX_OPERANDS) {
        dropped_operands++;
        return;
    }
    o->at[o->count] = address;
    o->bytes[o->count++] = bytes;
}

static uint32_t widest(const struct operands *o) {
    uint32_t bytes = 0;
    for (uint32_t k = 0; k < o->count; k++)
        if (o->bytes[k] > bytes) bytes = o->bytes[k];
    return bytes;
}

static void put_addresses(const struct operands *o) {
    for (uint32_t k = 0; k < o->count; k++) stage->out_addresses[stage->out_address_count++] = o->at[k];
}

/* Write one instruction whose accesses are those from `from` on; give the number of the first that is not its own. */
static uint32_t put_insn(const struct slot *slot, uint32_t from, bool taken) {
    struct operands loads = {0}, stores = {0};
    uint32_t k = from;
    for (; k < pending && keys[k] >> 16 == slot->place; k++)
        add_operand(keys[k] >> 8 & 1 ? &stores : &loads, addresses[k], 1u << (keys[k] & 0xff));
    struct insn *insn = slot->insn;
    if (insn->traits & IS_RMW && !loads.count) loads = stores; /* among threads QEMU reports it once, as a store */
    if (insn->traits & IS_STRING && k == from && last == insn) return k; /* the look at the counter that ends it */
    last = insn;
    if (by_marker && insn->traits & (IS_BEGIN | IS_END)) {
        bool in = insn->traits & IS_BEGIN;
        regions += in && !inside;
        inside = in;
        retired++;
        return k;
    }
    bool in_window = by_marker ? inside : retired >= start;
    retired++;
    if (!in_window || written >= limit) return k;
    uint32_t shape = loads.count | stores.count << 8 | widest(&loads) << 16 | widest(&stores) << 24;
    uint32_t number = number_of(insn, shape); /* may write statics, so it comes before the id */
    stage->out_ids[stage->out_count++] = number | (taken ? TAKEN : 0);
    put_addresses(&loads);
    put_addresses(&stores);
    written++;
    return k;
}

static void keep_pattern(struct block *b, uint32_t first_id, uint64_t first_address) {
    if (pending > MAX_KEYS || stage->out_count - first_id != b->count) return;
    if (stage->out_address_count - first_address != pending) return;
    for (uint32_t k = 0; k < pending; k++) {
        if (stage->out_addresses[first_address + k] != addresses[k]) return; /* stores were put behind loads */
        if (k && keys[k] >> 8 == keys[k - 1] >> 8) return; /* may be one operand another time */
    }
    if (!b->pattern) {
        b->pattern = malloc(sizeof *b->pattern);
        if (!b->pattern || !(b->pattern->numbers = malloc(4 * (size_t)b->count))) abort();
    }
    b->pattern->count = pending;
    memcpy(b->pattern->keys, keys, 4 * (size_t)pending);
    for (uint32_t k = 0; k < b->count; k++) b->pattern->numbers[k] = stage->out_ids[first_id + k] & ~TAKEN;
}

/* How many instructions of a block ran to their end, when `next` is where the thread goes on. */
static uint32_t completed(struct block *b, uint64_t next, bool at_exit) {
    uint32_t started = b->counted_inline ? (uint32_t)(begun - begun_before) : begun_here;
    if (started && started < b->count && b->slots[started].insn->pc == next) {
        b->count = started; /* QEMU gave up the block's last instruction, which crosses a page */
        b->end = next;
    }
    if (started < b->count) { /* the last one that began did not end */
        dropped_instructions += started > 0;
        return started ? started - 1 : 0;
    }
    const struct insn *insn = b->slots[b->count - 1].insn;
    if (next == b->end || at_exit || insn->transfer == SYSTEM) return b->count;
    bool accessed = pending && keys[pending - 1] >> 16 == b->count - 1;
    if (accessed) return b->count;
    bool faulted = insn->transfer == NOT_A_TRANSFER && !(insn->traits & IS_STRING);
    for (const struct variant *v = insn->variants; v; v = v->next) /* a return or call that could not reach its stack */
        faulted |= insn->transfer == ALWAYS && v->shape & 0xffff;
    dropped_instructions += faulted;
    return b->count - faulted;
}

static void leave_block(uint64_t next, bool at_exit) {
    struct block *b = current;
    if (!b) return;
    uint32_t done = completed(b, next, at_exit);
    const struct insn *final = b->slots[b->count - 1].insn;
    bool taken = final->transfer == ALWAYS || (final->transfer == CONDITIONAL && next != b->end && !at_exit);
    bool plain = done == b->count && !b->special;
    bool full = stage->out_count + b->count > ROOM;
    if (full || stage->out_address_count + 2 * MAX_OPERANDS * (uint64_t)b->count > ROOM) flush();
    if (plain && (by_marker ? !inside : retired + done <= start)) { /* outside of the region */
        retired += done;
    } else if (plain && retired >= start && b->pattern && b->pattern->count == pending &&
               !memcmp(b->pattern->keys, keys, 4 * (size_t)pending) && limit - written >= done) {
        memcpy(stage->out_ids + stage->out_count, b->pattern->numbers, 4 * (size_t)done);
        memcpy(stage->out_addresses + stage->out_address_count, addresses, 8 * (size_t)pending);
        stage->out_count += done;
        stage->out_address_count += pending;
        if (taken) stage->out_ids[stage->out_count - 1] |= TAKEN;
        retired += done;
        written += done;
    } else {
        uint32_t first_id = stage->out_count, k = 0;
        uint64_t first_address = stage->out_address_count;
        for (uint32_t i = 0; i < done; i++) k = put_insn(&b->slots[i], k, taken && i + 1 == b->count);
        if (plain) keep_pattern(b, first_id, first_address);
    }
    if (plain) last = b->slots[b->count - 1].insn;
    if (retired - reported >= REPORT_EVERY) {
        reported = retired;
        put_frame(PROGRESS, &retired, sizeof retired);
    }
    if (written >= limit) {
        end(REACHED_LIMIT);
        if (!finish) _exit(0); /* here and now, before the program does more */
        qemu_plugin_uninstall(self, NULL);
    }
}

/* ---------------------------------------------------------------------------------------------- calls from QEMU */

static void on_block(unsigned vcpu, void *data) {
    if (vcpu != recorded) return;
    struct block *b = data;
    leave_block(b->pc, false);
    current = b;
    begun_before = begun;
    begun_here = 0;
    pending = 0;
}

static void on_insn(unsigned vcpu, void *data) {
    if (vcpu == recorded) begun_here = ((struct slot *)data)->place + 1;
}

static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data) {
    if (vcpu != recorded) return;
    if (pending == PENDING) {
        dropped_operands++;
        return;
    }
    uint32_t store = qemu_plugin_mem_is_store(info);
    keys[pending] = ((struct slot *)data)->place << 16 | store << 8 | qemu_plugin_mem_size_shift(info);
    addresses[pending++] = address;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    if (stream < 0) return;
    size_t count = qemu_plugin_tb_n_insns(tb);
    struct block *b = calloc(1, sizeof *b + count * sizeof(struct slot));
    if (!b || !count) abort();
    b->count = count;
    b->counted_inline = !many_threads; /* QEMU translates everything anew when the second thread begins */
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        size_t size = qemu_plugin_insn_size(insn);
        struct slot *slot = &b->slots[i];
        slot->insn = find_insn(qemu_plugin_insn_vaddr(insn), qemu_plugin_insn_data(insn), size < 16 ? size : 16);
        slot->place = i;
        b->special |= slot->insn->traits != 0;
        if (b->counted_inline)
            qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &begun, 1);
        else
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_insn, QEMU_PLUGIN_CB_NO_REGS, slot);
        /* Not one call for loads and one for stores: QEMU 7.2 mixes them up. */
        qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, slot);
    }
    pthread_mutex_unlock(&lock);
    b->pc = b->slots[0].insn->pc;
    b->end = b->slots[count - 1].insn->pc + b->slots[count - 1].insn->size;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, b);
}

static void on_thread(qemu_plugin_id_t id, unsigned vcpu) {
    (void)id;
    uint64_t number = threads++;
    if (number) many_threads = true;
    if (vcpu == recorded) recorded = NOBODY; /* the thread is over, and its place is used again */
    if (number && wanted < 0) {
        flush();
        put_frame(THREADS, &number, sizeof number);
    } else if (number == (uint64_t)(wanted < 0 ? 0 : wanted)) {
        recorded = vcpu;
    }
}

static void on_thread_end(qemu_plugin_id_t id, unsigned vcpu) {
    (void)id;
    if (vcpu != recorded) return;
    leave_block(0, true);
    current = NULL;
    end(LEFT_THREAD);
}

static void on_exit_of_program(qemu_plugin_id_t id, void *data) {
    (void)id, (void)data;
    if (recorded != NOBODY) leave_block(0, true);
    end(UNTIL_EXIT);
}

static void in_child(void) { /* a child process is not recorded */
    if (stream >= 0) close(stream);
    stream = -1;
    recorded = NOBODY; /* which also keeps it from the stage that it shares */
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    int shared = -1;
    self = id;
    riscv = !strcmp(info->target_name, "riscv64");
    if (info->system_emulation || (!riscv && strcmp(info->target_name, "x86_64"))) return -1;
    for (int i = 0; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (!value) return -1;
        *value++ = 0;
        if (!strcmp(argv[i], "stream")) stream = atoi(value);
        else if (!strcmp(argv[i], "stage")) shared = atoi(value);
        else if (!strcmp(argv[i], "start")) start = strtoull(value, NULL, 10);
        else if (!strcmp(argv[i], "limit")) limit = strtoull(value, NULL, 10);
        else if (!strcmp(argv[i], "thread")) wanted = atol(value);
        else if (!strcmp(argv[i], "marker")) by_marker = atoi(value);
        else if (!strcmp(argv[i], "finish")) finish = atoi(value);
        else return -1;
    }
    stage = mmap(NULL, sizeof *stage, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
    if (stage == MAP_FAILED) return -1;
    close(shared);
    /* Low numbers belong to the program, which may close or count them. */
    int high = fcntl(stream, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
    if (high < 0) high = fcntl(stream, F_DUPFD_CLOEXEC, 64);
    if (high < 0) return -1;
    close(stream);
    stream = high;
    pthread_atfork(NULL, NULL, in_child);
    qemu_plugin_register_vcpu_init_cb(id, on_thread);
    qemu_plugin_register_vcpu_exit_cb(id, on_thread_end);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit_of_program, NULL);
    return 0;
}
