/* pattern - the models' regular expressions, compiled once each.
 *
 * The cache is keyed by the shape's address: tables are constant for the life of the program. It is
 * used on the loop's thread only. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "wire/pattern.h"
#include <pcre2.h>
#include "base/mem.h"

#define MATCH_LIMIT 200000
#define DEPTH_LIMIT 2000
#define HOT 8 /* uses after which translating to machine code pays */

struct compiled {
    const struct shape *shape;
    pcre2_code *code; /* NULL: PCRE2 does not understand it */
    unsigned uses;
};

static struct compiled *slots;
static size_t n_slots, n_used;
static pcre2_match_context *context;
static pcre2_match_data *match_data;

/* AWS's patterns are Java's: they must fit the whole text, and \uXXXX is a character. */
static pcre2_code *compile(const char *pattern)
{
    int error;
    PCRE2_SIZE offset;
    return pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                         PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY |
                             PCRE2_ALT_BSUX,
                         &error, &offset, NULL);
}

bool pattern_compiles(const char *pattern)
{
    pcre2_code *code = compile(pattern);
    pcre2_code_free(code);
    return code != NULL;
}

static struct compiled *place(struct compiled *table, size_t n, const struct shape *shape)
{
    size_t i = ((uintptr_t)shape >> 4) * 0x9e3779b97f4a7c15u & (n - 1);
    while (table[i].shape && table[i].shape != shape)
        i = (i + 1) & (n - 1);
    return &table[i];
}

static void grow(void)
{
    size_t n = n_slots ? n_slots * 2 : 64;
    struct compiled *table = mem_zalloc(n * sizeof(*table));
    for (size_t i = 0; i < n_slots; i++)
        if (slots[i].shape)
            *place(table, n, slots[i].shape) = slots[i];
    free(slots);
    slots = table;
    n_slots = n;
}

static struct compiled *find(const struct shape *shape)
{
    if (n_used * 2 >= n_slots)
        grow();
    struct compiled *c = place(slots, n_slots, shape);
    if (!c->shape) {
        *c = (struct compiled){.shape = shape, .code = compile(shape_pattern(shape))};
        n_used++;
    }
    if (++c->uses == HOT && c->code)
        pcre2_jit_compile(c->code,
                          PCRE2_JIT_COMPLETE); /* where it cannot, matching goes on as before */
    return c;
}

bool pattern_fits(const struct shape *shape, struct str s)
{
    struct compiled *c = find(shape);
    if (!c->code)
        return true;
    if (!context) {
        context = pcre2_match_context_create(NULL);
        pcre2_set_match_limit(context, MATCH_LIMIT);
        pcre2_set_depth_limit(context, DEPTH_LIMIT);
        match_data = pcre2_match_data_create(1, NULL);
    }
    int r = pcre2_match(c->code, (PCRE2_SPTR)(s.p ? s.p : ""), s.n, 0, 0, match_data, context);
    if (r == PCRE2_ERROR_NOMATCH || (r <= PCRE2_ERROR_UTF8_ERR1 && r >= PCRE2_ERROR_UTF8_ERR21))
        return false;
    return true;
}
