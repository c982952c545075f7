// Runs a Verilated design over a whole window in one call. The protocol is that of _layout.py: one
// int64 array of counters and tables, shared with Python, beside the rows of the kernel's buffers.
// design.h is generated: INPUTS, OUTPUTS, tables of the inputs, put(), get(), set_clock(), set_reset().
#include "Vm.h"
#include "verilated.h"
#include "verilated_save.h"

#ifdef RISES_ONLY
#include "Vm___024root.h"
#endif

#include "design.h"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

// Places in the control array; the same list stands in _layout.py.
enum : int {
    T1, HEAD, TAIL, SENT, OUT_CAP, RECORDED, REC_CAP,
    EDGE, T_EDGE, FRAC, NUM, DEN, PHASE, LAST,
    COMPUTED, DIGEST, ASLEEP, QUIET, CHECK_AT, SUM, BAD_ROW,
    TABLES = 32,
};
enum : int64_t { DONE, OUTBOX_SHORT, RECORDS_SHORT, BAD_VALUE, STOPPED };

constexpr int64_t NEVER = INT64_MAX;
constexpr int64_t FIRST_CHECK = 32;
constexpr int64_t LONGEST_CHECK = 1 << 14;
constexpr int FEW = 64;  // outputs that are looked at without branches

struct Stopped : std::runtime_error {
    using std::runtime_error::runtime_error;
};

std::string where(const char* file, int line, const char* hier, const char* what) {
    std::string text(what);
    if (file && *file) text += std::string(" at ") + file + ":" + std::to_string(line);
    if (hier && *hier) text += std::string(" in ") + hier;
    return text;
}

uint64_t mix(uint64_t z) {
    z += 0x9E3779B97F4A7C15ULL;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}

// Every bit of a value in its low half: factors are odd, so high bits alone would soon be lost.
uint64_t folded(int64_t v) {
    const uint64_t u = static_cast<uint64_t>(v);
    return WIDEST_INPUT > 32 ? u ^ (u >> 32) : u;
}

class Saver final : public VerilatedSerialize {
public:
    std::string data;
    Saver() {
        m_isOpen = true;
        header();
    }
    void flush() override {
        data.append(reinterpret_cast<char*>(m_bufp), m_cp - m_bufp);
        m_cp = m_bufp;
    }
    void finish() {
        trailer();
        flush();
    }
};

class Loader final : public VerilatedDeserialize {
    const uint8_t* m_from;
    const uint8_t* m_to;

public:
    Loader(const uint8_t* from, int64_t size) : m_from(from), m_to(from + size) {
        m_isOpen = true;
        m_endp = m_bufp;
        header();
    }
    void fill() override {
        const size_t rest = m_endp - m_cp;
        std::memmove(m_bufp, m_cp, rest);
        m_endp = m_bufp + rest;
        m_cp = m_bufp;
        const size_t room = bufferSize() - rest;
        const size_t left = m_to - m_from;
        const size_t size = left < room ? left : room;
        std::memcpy(m_endp, m_from, size);
        m_endp += size;
        m_from += size;
        std::memset(m_endp, 0, room - size);  // readers look ahead without asking for the end
        m_endp = m_bufp + bufferSize();
    }
    void finish() { trailer(); }
};

struct Model {
    VerilatedContext context;
    Vm top;
    std::string message;
    std::string saved;

    Model() : top(&context) {}

    void edge() {
        set_clock(&top, 0);
        top.eval();
        set_clock(&top, 1);
        top.eval();
    }

    // The same within a run, where nothing but the clock and the inputs moves between edges.
    void step() {
#ifdef RISES_ONLY
        // Nothing in this design looks at the fall (see rises_only in _verilator.py), so it is not
        // evaluated: the next evaluation is told that the clock was low.
        top.rootp->__Vtrigprevexpr___TOP__c__0 = 0;
        set_clock(&top, 1);
        top.eval();
#else
        edge();
#endif
    }

    const std::string& save() {
        Saver saver;
        saver << top;
        saver.finish();
        saved.swap(saver.data);
        return saved;
    }
};

// Time of edge n and the remainder of its division, exact for every n.
void place_edge(int64_t* c, int64_t n) {
    const __int128 ticks = static_cast<__int128>(n) * c[NUM];
    const __int128 t = ticks / c[DEN] + c[PHASE];
    c[EDGE] = n;
    c[FRAC] = static_cast<int64_t>(ticks % c[DEN]);
    c[T_EDGE] = t > c[LAST] ? NEVER : static_cast<int64_t>(t);
}

int64_t first_edge_at(const int64_t* c, int64_t t) {
    if (t <= c[PHASE]) return 0;
    const __int128 since = static_cast<__int128>(t - c[PHASE]) * c[DEN];
    return static_cast<int64_t>((since + c[NUM] - 1) / c[NUM]);
}

struct Run {
    Model& m;
    int64_t* const c;
    const int64_t* const inbox;   // rows t, link, seq, port, value
    int64_t* const outbox;        // rows t, port, value
    int64_t* const records;       // three arrays: t, signal, value
    int64_t* const held;          // inputs as the messages set them
    int64_t* const sampled;       // inputs as the last edge saw them
    const int64_t* const in_signal;
    int64_t* const value;         // outputs as last sent
    const int64_t* const linked;
    const int64_t* const out_signal;
    const int64_t step;
    const int64_t rest;
    int64_t moved;                // not 0: an input was set to another value since the last edge
    bool watched = false;         // whether any input is recorded

    Run(Model& model, int64_t* ctl, const int64_t* in, int64_t* out, int64_t* rec)
        : m(model), c(ctl), inbox(in), outbox(out), records(rec), held(ctl + TABLES),
          sampled(held + INPUTS), in_signal(sampled + INPUTS), value(ctl + TABLES + 4 * INPUTS),
          linked(value + OUTPUTS), out_signal(linked + OUTPUTS), step(ctl[NUM] / ctl[DEN]),
          rest(ctl[NUM] % ctl[DEN]), moved(std::memcmp(held, sampled, INPUTS * sizeof(int64_t))) {
        for (int k = 0; k < INPUTS; ++k) watched |= in_signal[k] >= 0;
    }

    void record(int64_t t, int64_t signal, int64_t v) {
        const int64_t n = c[RECORDED]++;
        records[n] = t;
        records[n + c[REC_CAP]] = signal;
        records[n + 2 * c[REC_CAP]] = v;
    }

    // Set one input; false where the value does not fit. `news` gathers what bits differ.
    bool take(const int64_t* row, int64_t& news) {
        const int64_t port = row[3];
        const uint64_t given = static_cast<uint64_t>(row[4]);
        // One comparison for both ends: of numbers of random sign, two branches would guess wrong.
        if (given + IN_OFFSET[port] > IN_SPAN[port]) return false;
        const int64_t v = static_cast<int64_t>(given & IN_MASK[port]);
        news |= held[port] ^ v;
        held[port] = v;
        return true;
    }

    // Messages up to `limit` where nothing else has to be done with them; returns the first one left.
    int64_t take_plain(int64_t head, int64_t tail, int64_t limit) {
        const int64_t* row = inbox + 5 * head;
        const int64_t* const end = inbox + 5 * tail;
        int64_t news = 0;  // a local, because through a member each message would wait for the last
        while (row != end && row[0] <= limit && take(row, news)) row += 5;
        moved |= news;
        return (row - inbox) / 5;
    }

    void wake(int64_t t) {
        const int64_t n = first_edge_at(c, t);
        if (n > c[EDGE]) place_edge(c, n);
        c[ASLEEP] = 0;
        c[QUIET] = 0;
    }

    // Put the inputs on the pins; false where they are what the last edge saw.
    bool sample() {
        moved = 0;
        uint64_t sum = static_cast<uint64_t>(c[SUM]);
        int64_t changed = 0;
        for (int k = 0; k < INPUTS; ++k) {
            const int64_t now = held[k], before = sampled[k];
            changed |= now ^ before;
            sum += (folded(now) - folded(before)) * IN_FACTOR[k];
            sampled[k] = now;
        }
        if (!changed) return false;
        c[SUM] = static_cast<int64_t>(sum);
        const uint64_t seen = mix(static_cast<uint64_t>(c[EDGE]) * 0x8CB92BA72F3D8DD7ULL + sum);
        c[DIGEST] = static_cast<int64_t>(static_cast<uint64_t>(c[DIGEST]) + seen);
        put(&m.top, sampled);
        return true;
    }

    // Where an edge leaves everything as it was, every further one does the same.
    __attribute__((noinline)) void step_and_look() {
        const std::string before = m.save();
        m.step();
        ++c[COMPUTED];
        c[QUIET] = 0;
        if (speak()) {
            c[CHECK_AT] = FIRST_CHECK;
        } else {
            if (m.save() == before) c[ASLEEP] = 1;
            if (c[CHECK_AT] < LONGEST_CHECK) c[CHECK_AT] *= 2;
        }
    }

    void compute() {
        const bool news = moved && sample();
        if (!news && c[QUIET] >= c[CHECK_AT]) {
            step_and_look();
        } else {
            m.step();
            ++c[COMPUTED];
            if (speak() || news) {
                c[QUIET] = 0;
                c[CHECK_AT] = FIRST_CHECK;
            } else {
                ++c[QUIET];
            }
        }
        ++c[EDGE];
        if (c[T_EDGE] > c[LAST] - step - 1) {
            c[T_EDGE] = NEVER;
            return;
        }
        c[T_EDGE] += step;
        c[FRAC] += rest;
        if (c[FRAC] >= c[DEN]) {
            c[FRAC] -= c[DEN];
            ++c[T_EDGE];
        }
    }

    bool speak() {
        int64_t now[OUTPUTS + 1];
        get(&m.top, now);
        int64_t differs = 0;
        for (int k = 0; k < OUTPUTS; ++k) differs |= now[k] ^ value[k];
        if (!differs) return false;
        const int64_t t = c[T_EDGE];
        int64_t sent = c[SENT];
        for (int k = 0; k < OUTPUTS; ++k) {
            const bool changed = now[k] != value[k];
            if (OUTPUTS > FEW && !changed) continue;
            // Written in any case, and counted where it is meant: a branch would guess wrong.
            int64_t* row = outbox + 3 * sent;
            row[0] = t;
            row[1] = k;
            row[2] = now[k];
            sent += changed && linked[k];
            value[k] = now[k];
            if (out_signal[k] >= 0 && changed) record(t, out_signal[k], now[k]);
        }
        c[SENT] = sent;
        return true;
    }

    int64_t go() {
        const int64_t t1 = c[T1], tail = c[TAIL], rec_cap = c[REC_CAP];
        while (true) {
            // In locals, because the compiler must take every table for a part of the counters.
            int64_t head = c[HEAD];
            int64_t limit = c[ASLEEP] ? t1 - 1 : (c[T_EDGE] < t1 ? c[T_EDGE] : t1 - 1);
            if (!watched && !c[ASLEEP]) head = take_plain(head, tail, limit);
            for (const int64_t* row = inbox + 5 * head; head < tail && row[0] <= limit; row += 5, ++head) {
                if (c[RECORDED] >= rec_cap) {
                    c[HEAD] = head;
                    return RECORDS_SHORT;
                }
                const int64_t signal = in_signal[row[3]];
                if (!take(row, moved)) {
                    c[HEAD] = c[BAD_ROW] = head;
                    return BAD_VALUE;
                }
                if (signal >= 0) record(row[0], signal, held[row[3]]);
                if (moved && c[ASLEEP]) {
                    wake(row[0]);
                    if (c[T_EDGE] < limit) limit = c[T_EDGE];
                }
            }
            c[HEAD] = head;
            if (c[ASLEEP] || c[T_EDGE] >= t1) return DONE;
            if (c[SENT] + OUTPUTS > c[OUT_CAP]) return OUTBOX_SHORT;
            if (c[RECORDED] + OUTPUTS > c[REC_CAP]) return RECORDS_SHORT;
            compute();
        }
    }
};

}  // namespace

void vl_finish(const char* file, int line, const char* hier) {
    throw Stopped(where(file, line, hier, "$finish was called"));
}
void vl_stop(const char* file, int line, const char* hier) {
    throw Stopped(where(file, line, hier, "$stop was called or an assertion failed"));
}
void vl_fatal(const char* file, int line, const char* hier, const char* message) {
    throw Stopped(where(file, line, hier, message));
}

void vl_warn(const char* file, int line, const char* hier, const char* message) {
    // A memory without its contents is no warning: it would be all zeros.
    if (std::strstr(message, "$readmem file not found")) throw Stopped(where(file, 0, hier, message));
    std::fprintf(stderr, "%%Warning: %s:%d: %s\n", file, line, message);
}

#define HW_API extern "C" __attribute__((visibility("default")))

// A design after power-up: initial blocks run, `cycles` edges under reset, inputs 0.
HW_API Model* hw_new(int64_t cycles, char* message, int64_t size) {
    try {
        auto m = std::make_unique<Model>();
        int64_t zeros[INPUTS + 1] = {};
        set_reset(&m->top, 0);
        put(&m->top, zeros);
        set_clock(&m->top, 0);
        m->top.eval();
        if (cycles > 0) {
            set_reset(&m->top, 1);
            for (int64_t k = 0; k < cycles; ++k) m->edge();
            set_clock(&m->top, 0);
            m->top.eval();
            set_reset(&m->top, 0);
            m->top.eval();
        }
        return m.release();
    } catch (const std::exception& error) {
        std::strncpy(message, error.what(), size - 1);
        return nullptr;
    }
}

HW_API void hw_free(Model* m) { delete m; }

HW_API int64_t hw_run(Model* m, int64_t* control, const int64_t* inbox, int64_t* outbox, int64_t* records) {
    try {
        return Run(*m, control, inbox, outbox, records).go();
    } catch (const std::exception& error) {
        m->message = error.what();
        return STOPPED;
    }
}

HW_API const char* hw_message(const Model* m) { return m->message.c_str(); }

// Serialise the design and return the size; hw_copy then copies what was serialised.
HW_API int64_t hw_save(Model* m) { return static_cast<int64_t>(m->save().size()); }

HW_API void hw_copy(const Model* m, uint8_t* to) { std::memcpy(to, m->saved.data(), m->saved.size()); }

HW_API int64_t hw_load(Model* m, const uint8_t* from, int64_t size) {
    try {
        Loader loader(from, size);
        loader >> m->top;
        loader.finish();
        return DONE;
    } catch (const std::exception& error) {
        m->message = error.what();
        return STOPPED;
    }
}
