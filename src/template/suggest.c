/* template/suggest - the known word that is nearest to a mistyped one. */
#include "template/validate.h"

#define MAX_WORD 64

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static int distance(struct str a, struct str b)
{
    int row[MAX_WORD + 1];
    for (size_t j = 0; j <= b.n; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= a.n; i++) {
        int corner = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= b.n; j++) {
            int change = corner + (lower(a.p[i - 1]) != lower(b.p[j - 1]));
            int least = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            corner = row[j];
            row[j] = change < least ? change : least;
        }
    }
    return row[b.n];
}

const char *template_suggest(struct str word, const char *const *candidates)
{
    const char *best = NULL;
    int best_distance = 0;
    if (!word.n || word.n > MAX_WORD)
        return NULL;
    for (; *candidates; candidates++) {
        struct str candidate = str_from(*candidates);
        if (candidate.n > MAX_WORD)
            continue;
        int d = distance(word, candidate);
        if (!best || d < best_distance) {
            best = *candidates;
            best_distance = d;
        }
    }
    int limit = word.n < 6 ? 1 : (int)word.n / 4 + 1;
    return best && best_distance <= limit ? best : NULL;
}
