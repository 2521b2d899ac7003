/* elf - headers of programs and libraries: see elf.h. */
#include "build/elf.h"
#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#define VERSIONS_MAX 4096 /* so that lists that bite their tail come to an end */

static bool take(struct str data, uint64_t at, void *ret, size_t n)
{
    if (at > data.n || data.n - at < n)
        return false;
    memcpy(ret, data.p + at, n);
    return true;
}

static struct str text_at(struct str data, uint64_t at)
{
    if (at >= data.n)
        return (struct str){0};
    const char *end = memchr(data.p + at, 0, data.n - at);
    return end ? str_of(data.p + at, (size_t)(end - data.p) - at) : (struct str){0};
}

/* Where an address of the running program stands in the file. */
static bool offset_of(struct str data, const Elf64_Ehdr *e, uint64_t address, uint64_t *ret)
{
    for (unsigned i = 0; i < e->e_phnum; i++) {
        Elf64_Phdr p;
        if (!take(data, e->e_phoff + (uint64_t)i * sizeof p, &p, sizeof p))
            return false;
        if (p.p_type == PT_LOAD && address >= p.p_vaddr && address - p.p_vaddr < p.p_filesz) {
            *ret = p.p_offset + (address - p.p_vaddr);
            return true;
        }
    }
    return false;
}

static void note_version(struct str name, struct elf_report *ret)
{
    struct str major, minor;
    int64_t x, y;
    if (!str_starts(name, S("GLIBC_")))
        return;
    str_cut(str_slice(name, 6, name.n), '.', &major, &minor);
    str_cut(minor, '.', &minor, &name); /* GLIBC_2.2.5 is 2.2 */
    if (str_to_int64(major, &x) < 0 || str_to_int64(minor, &y) < 0 || x > 999 || y > 999)
        return;
    if (x > ret->glibc_major || (x == ret->glibc_major && y > ret->glibc_minor)) {
        ret->glibc_major = (int)x;
        ret->glibc_minor = (int)y;
    }
}

static int read_versions(struct str data, uint64_t at, uint64_t strings, struct elf_report *ret)
{
    for (int left = VERSIONS_MAX;;) {
        Elf64_Verneed need;
        if (!take(data, at, &need, sizeof need))
            return -EBADMSG;
        uint64_t aux_at = at + need.vn_aux;
        for (unsigned i = 0; i < need.vn_cnt; i++) {
            Elf64_Vernaux aux;
            if (left-- == 0 || !take(data, aux_at, &aux, sizeof aux))
                return -EBADMSG;
            note_version(text_at(data, strings + aux.vna_name), ret);
            aux_at += aux.vna_next;
        }
        if (!need.vn_next)
            return 0;
        if (left-- == 0)
            return -EBADMSG;
        at += need.vn_next;
    }
}

static int read_dynamic(struct str data, const Elf64_Ehdr *e, const Elf64_Phdr *p,
                        struct elf_report *ret)
{
    uint64_t strings = 0, versions = 0;
    ret->dynamic = true;
    for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= p->p_filesz; at += sizeof(Elf64_Dyn)) {
        Elf64_Dyn d;
        if (p->p_offset > data.n || !take(data, p->p_offset + at, &d, sizeof d))
            return -EBADMSG;
        if (d.d_tag == DT_NULL)
            break;
        if (d.d_tag == DT_STRTAB)
            strings = d.d_un.d_ptr;
        if (d.d_tag == DT_VERNEED)
            versions = d.d_un.d_ptr;
    }
    if (!versions)
        return 0;
    if (!offset_of(data, e, strings, &strings) || !offset_of(data, e, versions, &versions))
        return -EBADMSG;
    return read_versions(data, versions, strings, ret);
}

int elf_look(struct str data, struct elf_report *ret)
{
    Elf64_Ehdr e;
    *ret = (struct elf_report){0};
    if (!take(data, 0, &e, sizeof e) || memcmp(e.e_ident, ELFMAG, SELFMAG) ||
        e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_ident[EI_DATA] != ELFDATA2LSB ||
        (e.e_phnum && e.e_phentsize != sizeof(Elf64_Phdr)) || e.e_phoff > data.n)
        return -EBADMSG;
    ret->machine = e.e_machine;
    for (unsigned i = 0; i < e.e_phnum; i++) {
        Elf64_Phdr p;
        if (!take(data, e.e_phoff + (uint64_t)i * sizeof p, &p, sizeof p))
            return -EBADMSG;
        if (p.p_type == PT_INTERP)
            ret->interpreter = text_at(data, p.p_offset);
        int r = p.p_type == PT_DYNAMIC ? read_dynamic(data, &e, &p, ret) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}
