/* report_html - parts of the pages that people look at. Internal to the report.
 *
 * Everything that comes from a project or from objects (names, sources, contexts, reasons) goes
 * through html_text() or html_code(), and into scripts through html_script_text(); nothing else may
 * be put between quotes or tags. */
#pragma once
#include "base/arena.h"
#include "coverage/report.h"

struct html_region {
    const struct analysis_region *what; /* NULL: what is in none */
    struct coverage_numbers numbers;
    uint32_t line; /* where it begins */
};

struct html_file {
    const struct report_file *file;
    struct str page; /* folder: "src_app.py-1a2b3c4d.html"; one file: "f12" */
    const struct html_region *functions, *classes;
    size_t n_functions, n_classes;
};

/* A report while it is written. */
struct html {
    struct buf *b;
    struct arena *arena;
    const struct coverage_report *r;
    const struct report_html_options *o;
    struct str title;
    struct str style_hash, script_hash; /* so that browsers do not take old ones */
    bool single;
    struct html_file *files; /* those that have pages, by name */
    size_t n_files, skipped;
};

/* A language's words; NULL: text. */
struct html_language;
struct html_syntax {
    const struct html_language *language;
    int state;   /* in which the last line ended */
    char quote;  /* of the text that goes on */
    bool format; /* that text has expressions in it */
};

/* report_html_text.c */
void html_text(struct buf *b, struct str text);        /* between tags and in quotes */
void html_script_text(struct buf *b, struct str text); /* quoted; for scripts and JSON in pages */
void html_syntax_begin(struct html_syntax *s, struct str name);
/* One line of a source with its words marked; without the line's end. */
void html_code(struct buf *b, struct html_syntax *s, struct str line);

/* report_html_parts.c */
const char *html_grade(double percent); /* class of a percentage */
void html_bar(struct buf *b, double percent);
void html_percent(struct html *h, const struct coverage_numbers *n); /* "67%" */
void html_name(struct buf *b, struct str name);                      /* its folder dimmed */
void html_label(struct html *h, struct str context); /* short: a request's first digits */
void html_context(struct buf *b, const struct report_context *x);
void html_time(struct buf *b, int64_t ms); /* nothing when it is not known */
void html_link(struct html *h, const struct html_file *f, uint32_t line); /* 0: its top */
void html_count(struct buf *b, uint64_t n, const char *one, const char *many);
void html_list(struct html *h, const char *title, const struct report_left_out *items, size_t n);
void html_regions(struct html *h, struct html_file *f);

/* One file's page, and the indices: what is between <body> tags. */
void html_page(struct html *h, size_t i);
enum html_index { HTML_FILES, HTML_FUNCTIONS, HTML_CLASSES, HTML_CONTEXTS };
extern const char *const html_index_pages[]; /* names of the pages, without ".html" */
void html_index(struct html *h, enum html_index which);
/* [[name, link, [[function, line], ...]], ...] for the search over all. */
void html_search(struct html *h);

/* The assets, embedded. */
struct str html_style(void);
struct str html_script(void);
