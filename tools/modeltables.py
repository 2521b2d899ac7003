"""The tables of all service models that tools/modelgen writes (see src/wire/shape.h)."""
import sys

PLACES = 1 << 16  # what a uint16_t tells apart


def literal(s):
    """A C string with its NUL; bytes that are not plain text in octal."""
    plain = lambda c: chr(c) if 32 <= c < 127 and c not in b'"\\?' else f"\\{c:03o}"
    return '"' + "".join(plain(c) for c in s.encode()) + '\\0"'


class Tables:
    """The tables that all services share: names, shapes, members, operations' errors.

    What is found by its place must have one that fits: shapes and a service's errors are counted in
    16 bits, and 0 is none.
    """

    def __init__(self):
        self.names, self.n_bytes, self.places = [""], 1, {}
        self.shapes = [("none", []), ("stream", [
            f".name = {self.name('Stream')}", ".type = SHAPE_STREAM",
            ".size = sizeof(struct body)"])]
        self.members, self.errors, self.error_places = [], [], {}

    def add(self, strings):
        place = self.n_bytes
        self.names += strings
        self.n_bytes += sum(len(s.encode()) + 1 for s in strings)
        return place

    def name(self, s):
        """Where s is in wire_names; 0 for none."""
        if s is None:
            return 0
        if s not in self.places:
            self.places[s] = self.add([s])
        return self.places[s]

    def operation_errors(self, indices):
        if any(i >= PLACES for i in indices):
            sys.exit(f"modelgen: a service has more errors than {PLACES}")
        key = tuple(indices)
        if key not in self.error_places:
            self.error_places[key] = len(self.errors)
            self.errors += indices
        return self.error_places[key]

    def check(self):
        for what, n in (("shapes", len(self.shapes)), ("errors of operations", len(self.errors))):
            if n > PLACES:
                sys.exit(f"modelgen: {n} {what}: a place in their table has 16 bits (shape.h)")

    def source(self, services):
        self.check()
        out = ["const char wire_names[] ="]
        out += ["    " + literal(s) for s in self.names]
        out.append("    ;")
        out.append("const struct shape wire_shapes[] = {")
        out += [f"    /* {i}: {name} */ {{{', '.join(fields) or '0'}}},"
                for i, (name, fields) in enumerate(self.shapes)]
        out.append("};")
        out.append("const struct member wire_members[] = {")
        out += [f"    {{{', '.join(fields)}}}," for fields in self.members]
        out.append("};")
        out.append("const uint16_t wire_operation_errors[] = {")
        out.append("    " + ", ".join(map(str, self.errors or [0])))
        out.append("};")
        out.append("const struct service_model *const wire_services[] = {"
                   + ", ".join(f"&{s}_model" for s in services) + "};")
        return out
