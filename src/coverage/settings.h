/* settings - what a project says about its reports: .coveragerc, setup.cfg, tox.ini,
 * pyproject.toml.
 *
 * Files and meaning are coverage.py's: the first of .coveragerc, setup.cfg, tox.ini, pyproject.toml
 * that has a section for coverage is the one, alone. In the ini files that are not .coveragerc
 * sections are called [coverage:report], in pyproject.toml [tool.coverage.report]. $NAME, ${NAME},
 * ${NAME-else} and ${NAME?} are variables of the environment.
 *
 * Read are, of [report]: exclude_lines, exclude_also, partial_branches, partial_branches_always,
 * partial_also, omit, include, fail_under, precision, show_missing, skip_covered, skip_empty, sort,
 * ignore_errors, include_namespace_packages; of [run]: omit, include; all of [paths]; of [html]:
 * directory, title, skip_covered, skip_empty; of [json]: output, pretty_print; of [xml] and [lcov]:
 * output. All others that would change a report are told by name. May use base. */
#pragma once
#include "base/arena.h"
#include "base/str.h"

/* One pattern of [paths]: what it matches at the beginning of a path is `to`, below here. */
struct settings_path {
    struct str pattern, to;
};

struct coverage_settings {
    struct str file; /* that these are from; absent: there is none */
    /* For analysis_options: NULL where the file leaves the defaults. */
    const struct str *exclude, *partial;
    size_t n_exclude, n_partial;
    /* Globs, relative to the file's folder. */
    const struct str *omit, *include;
    size_t n_omit, n_include;
    const struct settings_path *paths; /* in their order */
    size_t n_paths;
    bool has_fail_under;
    double fail_under; /* 0 to 100 */
    int precision;     /* -1: not said */
    bool show_missing, skip_covered, skip_empty, namespaces;
    bool strict;     /* ignore_errors = false is there: sources that are left out are an error */
    struct str sort; /* absent: not said */
    /* Of one format each; absent: not said. */
    struct str html_directory, html_title, json_output, xml_output, lcov_output;
    bool html_skip_covered, html_skip_empty, json_pretty; /* without a word: as [report] has it */
    /* "report:format": settings that are there and not used here. */
    const struct str *unused;
    size_t n_unused;
};

struct settings_error {
    struct str file;
    int line; /* 0: not one line's fault */
    struct str reason;
};

/* Looks in dir; or reads `file` alone, when that is given, which must exist. No file at all is no
 * error. -EBADMSG with *err; -errno of reading with err->file. */
int settings_read(struct arena *a, struct str dir, struct str file, struct coverage_settings *ret,
                  struct settings_error *err);

/* Pure: the text of a file of that name. `ours`: it is a .coveragerc, whose sections need no
 * prefix. *ret_found: it says something about coverage. */
int settings_parse(struct arena *a, struct str name, struct str text, bool ours,
                   struct coverage_settings *ret, bool *ret_found, struct settings_error *err);

struct json;
/* settings_ini.c: an object of sections, each an object of texts, as Python's configparser has it:
 * lower case names, values over several lines joined by line ends. -EBADMSG. */
int ini_parse(struct arena *a, struct str text, struct json **ret, struct settings_error *err);
