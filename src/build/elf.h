/* elf - what a 64-bit little-endian ELF file says that it needs. Pure; survives any bytes. May use
 * base. The format: System V ABI, chapters 4 and 5; versions: the LSB's "Symbol Versioning". */
#pragma once
#include "base/str.h"

struct elf_report {
    int machine;            /* EM_X86_64, EM_AARCH64, ... */
    struct str interpreter; /* /lib64/ld-linux-x86-64.so.2; absent: static, or a library */
    bool dynamic;
    int glibc_major, glibc_minor; /* the newest GLIBC_x.y wanted; 0.0: none */
};

/* -EBADMSG when it is no such file or is damaged. Texts point into data. */
int elf_look(struct str data, struct elf_report *ret);
