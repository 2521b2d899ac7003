/* libzip - its functions, loaded by dlopen when the first zip is touched: it brings libcrypto and
 * libbz2 with it, which would cost every start of the program as much as all the rest together. */
#pragma once
#include <zip.h>

/* clang-format off */
#define LIBZIP_FUNCTIONS(F)                                                                        \
    F(close) F(compression_method_supported) F(discard) F(error_code_system) F(error_init)         \
    F(fclose) F(file_add) F(file_get_external_attributes) F(file_set_dostime)                      \
    F(file_set_external_attributes) F(file_set_mtime) F(fopen_index) F(fread) F(get_error)         \
    F(get_name) F(get_num_entries) F(open) F(open_from_source) F(set_file_compression)             \
    F(source_buffer) F(source_buffer_create) F(source_close) F(source_file) F(source_free)         \
    F(source_keep) F(source_open) F(source_read) F(source_seek) F(source_tell) F(stat_index)       \
    F(strerror)
/* clang-format on */

struct libzip {
#define F(name) __typeof__(zip_##name) *name;
    LIBZIP_FUNCTIONS(F)
#undef F
};

/* Usable once libzip_load() has given 0; -ELIBACC: it is not there. Any thread. */
extern struct libzip libzip;
int libzip_load(void);
