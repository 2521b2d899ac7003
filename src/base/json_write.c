/* json_write - a tree to JSON text. */
#include "base/json.h"
#include "base/utf8.h"

void json_write_str(struct buf *b, struct str s)
{
    static const char hex[] = "0123456789abcdef";
    buf_byte(b, '"');
    const char *p = s.p, *end = s.p + s.n, *plain = p; /* [plain, p) goes out as it is */
    while (p < end) {
        uint8_t c = (uint8_t)*p;
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            p++;
            continue;
        }
        size_t n = c >= 0x80 ? utf8_length(p, end) : 0;
        if (n) {
            p += n;
            continue;
        }
        buf_add(b, plain, (size_t)(p - plain));
        plain = ++p;
        static const char letters[32] = {
            ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
        if (c >= 0x80) {
            buf_text(b, "\xef\xbf\xbd");
        } else if (c == '"' || c == '\\' || letters[c]) {
            buf_add(b, (char[2]){'\\', c < 0x20 ? letters[c] : (char)c}, 2);
        } else {
            buf_add(b, (char[6]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
        }
    }
    buf_add(b, plain, (size_t)(p - plain));
    buf_byte(b, '"');
}

static void new_line(struct buf *b, int blanks)
{
    buf_byte(b, '\n');
    while (blanks-- > 0)
        buf_byte(b, ' ');
}

static void write_value(struct buf *b, const struct json *v, int indent, int level)
{
    switch (v->type) {
    case JSON_NULL:
        buf_text(b, "null");
        return;
    case JSON_BOOL:
        buf_text(b, v->boolean ? "true" : "false");
        return;
    case JSON_NUMBER:
        buf_str(b, v->text);
        return;
    case JSON_STRING:
        json_write_str(b, v->text);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    bool object = v->type == JSON_OBJECT;
    buf_byte(b, object ? '{' : '[');
    JSON_EACH(v, child) {
        if (indent >= 0)
            new_line(b, indent * (level + 1));
        if (object) {
            json_write_str(b, child->key);
            buf_text(b, indent >= 0 ? ": " : ":");
        }
        write_value(b, child, indent, level + 1);
        if (child->next)
            buf_byte(b, ',');
    }
    if (indent >= 0 && v->first)
        new_line(b, indent * level);
    buf_byte(b, object ? '}' : ']');
}

void json_write(struct buf *b, const struct json *v, int indent)
{
    if (v)
        write_value(b, v, indent, 0);
    else
        buf_text(b, "null");
}

struct str json_text(struct arena *a, const struct json *v, int indent)
{
    auto_buf struct buf b;
    buf_init(&b, SIZE_MAX);
    json_write(&b, v, indent);
    return buf_copy(&b, a);
}
