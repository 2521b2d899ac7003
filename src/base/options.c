/* options - command line options as rows of a table: values, parsing. */
#include "base/options.h"
#include <errno.h>

struct unit {
    const char *name;
    int64_t worth;
};

static const struct unit duration_units[] = {
    {"ms", 1},      {"s", 1000},     {"sec", 1000},    {"m", 60000}, {"min", 60000},
    {"h", 3600000}, {"d", 86400000}, {"w", 604800000}, {NULL, 0},
};
static const struct unit size_units[] = {
    {"", 1},          {"b", 1},        {"k", 1 << 10},   {"kb", 1 << 10},
    {"kib", 1 << 10}, {"m", 1 << 20},  {"mb", 1 << 20},  {"mib", 1 << 20},
    {"g", 1 << 30},   {"gb", 1 << 30}, {"gib", 1 << 30}, {"t", INT64_C(1) << 40},
    {NULL, 0},
};

static int quantity_parse(struct str s, const struct unit *units, const char *bare, int64_t *ret)
{
    size_t digits = 0;
    while (digits < s.n && s.p[digits] >= '0' && s.p[digits] <= '9')
        digits++;
    int64_t v, worth = 0;
    if (digits == 0)
        return -EINVAL;
    int r = str_to_int64(str_slice(s, 0, digits), &v);
    if (r < 0)
        return r;
    struct str unit = str_slice(s, digits, s.n);
    if (unit.n == 0)
        unit = str_from(bare ? bare : "");
    for (const struct unit *u = units; u->name; u++)
        if (str_eq_nocase(unit, str_from(u->name)))
            worth = u->worth;
    if (!worth)
        return -EINVAL;
    if (__builtin_mul_overflow(v, worth, &v))
        return -ERANGE;
    *ret = v;
    return 0;
}

int duration_parse(struct str s, const char *unit, int64_t *ret_ms)
{
    /* Several pieces may follow each other: 1h30m. */
    int64_t total = 0;
    do {
        size_t n = 0;
        while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
            n++;
        while (n < s.n && !(s.p[n] >= '0' && s.p[n] <= '9'))
            n++;
        int64_t piece;
        int r = quantity_parse(str_slice(s, 0, n), duration_units, unit ? unit : "s", &piece);
        if (r < 0)
            return r;
        if (__builtin_add_overflow(total, piece, &total))
            return -ERANGE;
        s = str_slice(s, n, s.n);
    } while (s.n);
    *ret_ms = total;
    return 0;
}

int size_parse(struct str s, int64_t *ret_bytes)
{
    return quantity_parse(s, size_units, NULL, ret_bytes);
}

static int bad(struct option_error *err, struct str message)
{
    if (err)
        err->message = message;
    return -EINVAL;
}

static size_t row_count(const struct option_row *rows)
{
    size_t n = 0;
    while (rows[n].name)
        n++;
    return n;
}

struct found {
    const struct option_row *row;
    void *value;
    size_t index; /* over all sets, for the bits of "given" */
};

static bool find_name(const struct option_set *sets, size_t n_sets, struct str name,
                      struct found *ret)
{
    size_t before = 0;
    for (size_t i = 0; i < n_sets; i++) {
        size_t n = row_count(sets[i].rows);
        for (size_t j = 0; j < n; j++) {
            const struct option_row *row = &sets[i].rows[j];
            if (!str_is(name, row->name))
                continue;
            *ret = (struct found){row, (char *)sets[i].values + row->offset, before + j};
            return true;
        }
        before += n;
    }
    return false;
}

static bool find_letter(const struct option_set *sets, size_t n_sets, char letter,
                        struct found *ret)
{
    for (size_t i = 0; i < n_sets; i++)
        for (const struct option_row *row = sets[i].rows; row->name; row++)
            if (row->letter == letter)
                return find_name(sets, n_sets, str_from(row->name), ret);
    return false;
}

static bool is_choice(const char *choices, struct str value)
{
    struct str rest = str_from(choices), head;
    bool more;
    do {
        more = str_cut(rest, '|', &head, &rest);
        if (str_eq(head, value))
            return true;
    } while (more);
    return false;
}

static int set_number(struct arena *a, const struct found *f, struct str text,
                      struct option_error *err)
{
    const struct option_row *row = f->row;
    static const char *const wanted[] = {
        [OPTION_INT] = "a whole number",
        [OPTION_DURATION] = "a duration such as 500ms, 30s, 10m, 2h",
        [OPTION_SIZE] = "a size such as 512, 10k, 64M",
    };
    int64_t v;
    int r = row->type == OPTION_INT        ? str_to_int64(text, &v)
            : row->type == OPTION_DURATION ? duration_parse(text, row->unit, &v)
                                           : size_parse(text, &v);
    if (r == -ERANGE)
        return bad(err, str_printf(a, "--%s: %.*s is out of range", row->name, STR(text)));
    if (r < 0)
        return bad(err, str_printf(a, "--%s: \"%.*s\" is not %s", row->name, STR(text),
                                   wanted[row->type]));
    if (row->max > row->min && (v < row->min || v > row->max))
        return bad(err, str_printf(a, "--%s: %.*s is not between %lld and %lld%s", row->name,
                                   STR(text), (long long)row->min, (long long)row->max,
                                   row->type == OPTION_DURATION ? " ms" : ""));
    *(int64_t *)f->value = v;
    return 0;
}

static int set_flag(struct arena *a, const struct found *f, struct str text,
                    struct option_error *err)
{
    static const char *const yes[] = {"true", "1", "yes", "on"};
    static const char *const no[] = {"false", "0", "no", "off", ""};
    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
        if (str_eq_nocase(text, str_from(yes[i]))) {
            *(bool *)f->value = true;
            return 0;
        }
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
        if (str_eq_nocase(text, str_from(no[i]))) {
            *(bool *)f->value = false;
            return 0;
        }
    }
    return bad(err,
               str_printf(a, "--%s: \"%.*s\" is neither true nor false", f->row->name, STR(text)));
}

static int set_value(struct arena *a, const struct found *f, struct str text,
                     struct option_error *err)
{
    const struct option_row *row = f->row;
    switch (row->type) {
    case OPTION_FLAG:
        return set_flag(a, f, text, err);
    case OPTION_TEXT:
        if (row->choices && !is_choice(row->choices, text))
            return bad(err, str_printf(a, "--%s: \"%.*s\" is none of %s", row->name, STR(text),
                                       row->choices));
        *(struct str *)f->value = text;
        return 0;
    case OPTION_LIST: {
        struct option_list *list = f->value;
        struct str *item =
            arena_push(a, (void **)&list->items, &list->n, &list->cap, sizeof(struct str));
        *item = text;
        return 0;
    }
    default:
        return set_number(a, f, text, err);
    }
}

static void clear_value(const struct found *f)
{
    static const size_t sizes[] = {
        [OPTION_FLAG] = sizeof(bool),    [OPTION_TEXT] = sizeof(struct str),
        [OPTION_INT] = sizeof(int64_t),  [OPTION_DURATION] = sizeof(int64_t),
        [OPTION_SIZE] = sizeof(int64_t), [OPTION_LIST] = sizeof(struct option_list),
    };
    memset(f->value, 0, sizes[f->row->type]);
}

int options_defaults(struct arena *a, const struct option_set *sets, size_t n_sets,
                     struct option_error *err)
{
    for (size_t i = 0; i < n_sets; i++) {
        for (const struct option_row *row = sets[i].rows; row->name; row++) {
            struct found f = {row, (char *)sets[i].values + row->offset, 0};
            clear_value(&f);
            const char *text = row->environment ? getenv(row->environment) : NULL;
            bool from_environment = text && *text;
            if (!from_environment)
                text = row->default_value;
            if (!text)
                continue;
            int r = set_value(a, &f, str_from(text), err);
            if (r < 0 && from_environment && err)
                err->message = str_printf(a, "%s: %.*s", row->environment, STR(err->message));
            if (r < 0)
                return r;
        }
    }
    return 0;
}

int options_preset(struct arena *a, const struct option_set *sets, size_t n_sets, struct str name,
                   struct str value, struct option_error *err)
{
    struct found f;
    if (!find_name(sets, n_sets, name, &f))
        return -ENOENT;
    return set_value(a, &f, value, err);
}

/* Parsing. */

struct parse {
    struct arena *arena;
    const struct option_set *sets;
    size_t n_sets;
    int argc, i;
    char **argv;
    struct option_result *result;
    size_t operands_cap;
    struct option_error *err;
};

static int unknown(struct parse *p, struct str name)
{
    struct str *names = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < p->n_sets; i++)
        for (const struct option_row *row = p->sets[i].rows; row->name; row++)
            if (!row->hidden)
                *(struct str *)arena_push(p->arena, (void **)&names, &n, &cap, sizeof(struct str)) =
                    str_from(row->name);
    struct str near = options_nearest(name, names, n);
    if (str_has(near))
        return bad(p->err, str_printf(p->arena, "unknown option --%.*s (did you mean --%.*s?)",
                                      STR(name), STR(near)));
    return bad(p->err, str_printf(p->arena, "unknown option --%.*s", STR(name)));
}

/* A list begun on the command line replaces what files, environment and default put into it. */
static int give(struct parse *p, const struct found *f, struct str text)
{
    uint64_t bit = UINT64_C(1) << (f->index % 64), *word = &p->result->given[f->index / 64];
    if (!(*word & bit) && f->row->type == OPTION_LIST)
        clear_value(f);
    *word |= bit;
    return set_value(p->arena, f, text, p->err);
}

static bool is_option_word(const char *word)
{
    return word[0] == '-' && word[1];
}

/* The value of an option is inline (has) or the words that follow. */
static int take_value(struct parse *p, const struct found *f, struct str value)
{
    if (f->row->type == OPTION_FLAG)
        return give(p, f, str_has(value) ? value : S("true"));
    if (!str_has(value) && f->row->optional_value) {
        value = S("");
    } else if (!str_has(value)) {
        if (p->i + 1 >= p->argc || strcmp(p->argv[p->i + 1], "--") == 0)
            return bad(p->err, str_printf(p->arena, "--%s needs %s", f->row->name,
                                          f->row->metavar   ? f->row->metavar
                                          : f->row->choices ? f->row->choices
                                                            : "a value"));
        value = str_from(p->argv[++p->i]);
    }
    int r = give(p, f, value);
    while (r == 0 && f->row->type == OPTION_LIST && f->row->many && p->i + 1 < p->argc &&
           !is_option_word(p->argv[p->i + 1]))
        r = give(p, f, str_from(p->argv[++p->i]));
    return r;
}

static int parse_long(struct parse *p, struct str word)
{
    struct str name, value, absent = {0};
    struct found f;
    bool inline_value = str_cut(word, '=', &name, &value);
    if (str_is(name, "help") && !inline_value) {
        p->result->help = true;
        return 0;
    }
    if (find_name(p->sets, p->n_sets, name, &f))
        return take_value(p, &f, inline_value ? value : absent);
    if (str_starts(name, S("no-")) && !inline_value &&
        find_name(p->sets, p->n_sets, str_slice(name, 3, name.n), &f) && f.row->type == OPTION_FLAG)
        return give(p, &f, S("false"));
    return unknown(p, name);
}

static int parse_letters(struct parse *p, struct str letters)
{
    while (letters.n) {
        struct found f;
        char letter = letters.p[0];
        struct str rest = str_slice(letters, 1, letters.n), absent = {0};
        if (!find_letter(p->sets, p->n_sets, letter, &f)) {
            if (letter != 'h')
                return bad(p->err, str_printf(p->arena, "unknown option -%c", letter));
            p->result->help = true;
            return 0;
        }
        if (f.row->type != OPTION_FLAG) {
            if (str_starts(rest, S("=")))
                rest = str_slice(rest, 1, rest.n);
            return take_value(p, &f, rest.n ? rest : absent);
        }
        int r = give(p, &f, S("true"));
        if (r < 0)
            return r;
        letters = rest;
    }
    return 0;
}

static void add_operand(struct parse *p, const char *word)
{
    struct option_result *res = p->result;
    struct str *at = arena_push(p->arena, (void **)&res->operands, &res->n_operands,
                                &p->operands_cap, sizeof(struct str));
    *at = str_from(word);
}

int options_parse(struct arena *a, const struct option_set *sets, size_t n_sets, int argc,
                  char **argv, bool stop_at_operand, struct option_result *ret,
                  struct option_error *err)
{
    struct option_result result = {0};
    size_t rows = 0;
    for (size_t i = 0; i < n_sets; i++)
        rows += row_count(sets[i].rows);
    result.given = ARENA_ARRAY(a, uint64_t, rows / 64 + 1);
    struct parse p = {a, sets, n_sets, argc, 0, argv, &result, 0, err};
    for (; p.i < argc && !result.help; p.i++) {
        const char *word = argv[p.i];
        int r = 0;
        if (strcmp(word, "--") == 0) {
            result.rest = argv + p.i + 1;
            break;
        }
        if (!is_option_word(word)) {
            if (stop_at_operand) {
                for (; p.i < argc; p.i++)
                    add_operand(&p, argv[p.i]);
                break;
            }
            add_operand(&p, word);
        } else if (word[1] == '-') {
            r = parse_long(&p, str_from(word + 2));
        } else {
            r = parse_letters(&p, str_from(word + 1));
        }
        if (r < 0)
            return r;
    }
    *ret = result;
    return 0;
}

bool options_given(const struct option_result *result, const struct option_set *sets, size_t n_sets,
                   const char *name)
{
    struct found f;
    if (!find_name(sets, n_sets, str_from(name), &f))
        return false;
    return result->given[f.index / 64] >> (f.index % 64) & 1;
}

/* Edit distance with transpositions, over names short enough for the stack. */
static size_t distance(struct str a, struct str b)
{
    enum { MAX = 48 };
    size_t rows[3][MAX + 1];
    if (a.n > MAX || b.n > MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.n; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t *now = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t best = up[j - 1] + (a.p[i - 1] != b.p[j - 1]);
            best = up[j] + 1 < best ? up[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
                up2[j - 2] + 1 < best)
                best = up2[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[a.n % 3][b.n];
}

struct str options_nearest(struct str word, const struct str *names, size_t n)
{
    struct str nearest = {0};
    size_t least = word.n / 3 + 1; /* more edits than that are another word */
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, names[i]);
        bool prefix = word.n >= 3 && str_starts(names[i], word);
        if (prefix)
            d = 1;
        if (d <= least && (!str_has(nearest) || d < least)) {
            least = d;
            nearest = names[i];
        }
    }
    return nearest;
}
