// Runs a Verilated design over a whole window in one call. The protocol is that of _layout.py: one
// int64 array of counters and tables, shared with Python, beside the rows of the kernel's buffers.
// design.h is generated: INPUTS, OUTPUTS, put(), get(), set_clock(), set_reset().
#include "Vm.h"
#include "verilated.h"
#include "verilated_save.h"

#include "design.h"

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace {

// Places in the control array; the same list stands in _layout.py.
enum : int {
    T1, HEAD, TAIL, SENT, OUT_CAP, RECORDED, REC_CAP,
    EDGE, T_EDGE, FRAC, NUM, DEN, PHASE, LAST,
    COMPUTED, DIGEST, ASLEEP, QUIET, CHECK_AT, BAD_PORT, BAD_ROW,
    TABLES = 32,
};
enum : int64_t { DONE, OUTBOX_SHORT, RECORDS_SHORT, BAD_VALUE, STOPPED };

constexpr int64_t NEVER = INT64_MAX;
constexpr int64_t LONGEST_CHECK = 1 << 14;

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
    const int64_t* const in_width;
    int64_t* const value;         // outputs as last sent
    const int64_t* const linked;
    const int64_t* const out_signal;
    const int64_t step;
    const int64_t rest;
    bool dirty;

    Run(Model& model, int64_t* ctl, const int64_t* in, int64_t* out, int64_t* rec)
        : m(model), c(ctl), inbox(in), outbox(out), records(rec), held(ctl + TABLES),
          sampled(held + INPUTS), in_signal(sampled + INPUTS), in_width(in_signal + INPUTS),
          value(ctl + TABLES + 4 * INPUTS), linked(value + OUTPUTS), out_signal(linked + OUTPUTS),
          step(ctl[NUM] / ctl[DEN]), rest(ctl[NUM] % ctl[DEN]),
          dirty(std::memcmp(held, sampled, INPUTS * sizeof(int64_t)) != 0) {}

    void record(int64_t t, int64_t signal, int64_t v) {
        const int64_t n = c[RECORDED]++;
        records[n] = t;
        records[n + c[REC_CAP]] = signal;
        records[n + 2 * c[REC_CAP]] = v;
    }

    // Take one message; false where its value does not fit.
    bool deliver(const int64_t* row) {
        const int64_t port = row[3];
        int64_t v = row[4];
        if (in_width[port] < 64) {
            const uint64_t span = UINT64_C(1) << in_width[port];
            if (v < -static_cast<int64_t>(span >> 1) || (v >= 0 && static_cast<uint64_t>(v) >= span)) return false;
            v &= span - 1;
        }
        if (in_signal[port] >= 0) record(row[0], in_signal[port], v);
        if (held[port] != v) {
            held[port] = v;
            dirty = true;
            if (c[ASLEEP]) {
                const int64_t n = first_edge_at(c, row[0]);
                if (n > c[EDGE]) place_edge(c, n);
                c[ASLEEP] = 0;
                c[QUIET] = 0;
            }
        }
        return true;
    }

    bool sample() {
        bool changed = false;
        uint64_t digest = 0;
        const uint64_t place = static_cast<uint64_t>(c[EDGE]) * 0x8CB92BA72F3D8DD7ULL;
        for (int k = 0; k < INPUTS; ++k) {
            if (held[k] == sampled[k]) continue;
            sampled[k] = held[k];
            digest += mix(place + k * 0x9E6C63D0876A9A47ULL + held[k] * 0xD1B54A32D192ED03ULL);
            changed = true;
        }
        dirty = false;
        if (changed) {
            c[DIGEST] = static_cast<int64_t>(static_cast<uint64_t>(c[DIGEST]) + digest);
            put(&m.top, sampled);
        }
        return changed;
    }

    void compute() {
        const bool moved = dirty && sample();
        const bool check = !moved && c[QUIET] >= c[CHECK_AT];
        std::string before;
        if (check) before = m.save();
        m.edge();
        ++c[COMPUTED];
        const bool spoke = speak();
        if (moved || spoke) {
            c[QUIET] = 0;
            c[CHECK_AT] = 32;
        } else {
            ++c[QUIET];
        }
        if (check) {
            // Where an edge leaves everything as it was, every further one does the same.
            if (!spoke && m.save() == before) c[ASLEEP] = 1;
            if (c[CHECK_AT] < LONGEST_CHECK) c[CHECK_AT] *= 2;
            c[QUIET] = 0;
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
        if (std::memcmp(now, value, OUTPUTS * sizeof(int64_t)) == 0) return false;
        const int64_t t = c[T_EDGE];
        for (int k = 0; k < OUTPUTS; ++k) {
            if (now[k] == value[k]) continue;
            value[k] = now[k];
            if (linked[k]) {
                int64_t* row = outbox + 3 * c[SENT]++;
                row[0] = t;
                row[1] = k;
                row[2] = now[k];
            }
            if (out_signal[k] >= 0) record(t, out_signal[k], now[k]);
        }
        return true;
    }

    int64_t go() {
        const int64_t t1 = c[T1], tail = c[TAIL], rec_cap = c[REC_CAP];
        while (true) {
            // In locals, because the compiler must take every table for a part of the counters.
            int64_t head = c[HEAD];
            int64_t limit = c[ASLEEP] ? t1 - 1 : (c[T_EDGE] < t1 ? c[T_EDGE] : t1 - 1);
            for (const int64_t* row = inbox + 5 * head; head < tail && row[0] <= limit; row += 5, ++head) {
                if (c[RECORDED] >= rec_cap) {
                    c[HEAD] = head;
                    return RECORDS_SHORT;
                }
                if (!deliver(row)) {
                    c[HEAD] = c[BAD_ROW] = head;
                    return BAD_VALUE;
                }
                if (dirty && c[T_EDGE] < limit) limit = c[T_EDGE];  // it woke the design
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

#define HW_API extern "C" __attribute__((visibility("default")))

// A design after power-up: initial blocks run, `cycles` edges under reset, inputs 0.
HW_API Model* hw_new(int64_t cycles, char* message, int64_t size) {
    try {
        auto* m = new Model();
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
        return m;
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
