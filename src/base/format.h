/* format - vsnprintf, quicker for the formats that most texts here are made of. Uses libc only. */
#pragma once
#include <stdarg.h>
#include <stddef.h>

/* As vsnprintf: at most `room` bytes, a NUL behind them included; returns how many bytes there are
 * without the NUL, or a negative number. Text, %%, %c, %s, %.*s and integers (d, u, x, with zeros in
 * front up to a width of one digit) are written here, which takes a fifth of the time; libc does the
 * rest. */
int format_text(char *to, size_t room, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
