#!/usr/bin/env python3
"""analyse - what Python source files could run: statements, exclusions, branches, regions.

    python3 -I -S analyse.py WORKERS < requests > results

Only the standard library, Python 3.8 and later. A source is tokenized, parsed and compiled, never
imported or run. Requests: one line of JSON with the patterns, {"exclude": [...], "partial": [...]},
then for each file a line {"id": 0, "size": 123} followed by that many bytes. Results: a line of JSON
each, in any order; {"id": -1, "error": ...} when a pattern is no regular expression. More than one
worker needs results to be a file that is opened for appending.

The rules are those of coverage.py 7, which docs/coverage-analysis.md tells one by one. In short: what
the compiler gives a line to is a statement; lines of one logical line count as its first; a match of
an exclusion pattern takes the clause with it that it opens; a branch is a line from which the syntax
tree knows more than one way on.
"""

import ast
import bisect
import dis
import io
import json
import operator
import os
import re
import sys
import token
import tokenize

EXCLUDE = [
    r"#\s*(pragma|PRAGMA)[:\s]?\s*(no|NO)\s*(cover|COVER)",
    r"^\s*(((async )?def .*?)?[\])]+(\s*->.*?)?:\s*)?\.\.\.\s*(#|$)",
    r"if (typing\.)?TYPE_CHECKING:",
]
PARTIAL = [
    r"#\s*(pragma|PRAGMA)[:\s]?\s*(no|NO)\s*(branch|BRANCH)",
    r"while (True|1|False|0):",
    r"if (True|1|False|0):",
]

# No match of the pattern is without one of these words: looking for words is quicker.
CONSTANTS = ("True:", "1:", "False:", "0:")
WORDS = {
    EXCLUDE[0]: ("pragma", "PRAGMA"),
    EXCLUDE[1]: ("...",),
    EXCLUDE[2]: ("TYPE_CHECKING:",),
    PARTIAL[0]: ("pragma", "PRAGMA"),
    PARTIAL[1]: tuple("while " + c for c in CONSTANTS),
    PARTIAL[2]: tuple("if " + c for c in CONSTANTS),
}

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = FUNCTIONS + (ast.ClassDef,)
# Tokens that begin no statement.
WHITE = {
    token.NEWLINE, token.INDENT, token.DEDENT, token.ENDMARKER, tokenize.NL, tokenize.COMMENT,
    tokenize.ENCODING,
}


# What makes or ends logical lines of several lines: comments, strings, brackets, ends of lines.
LAYOUT = re.compile(
    r"""\#[^\n]*
    | (?P<string> \"{3} [^"\\]* (?: (?: \\. | "(?!"") ) [^"\\]* )* \"{3}
                | '{3} [^'\\]* (?: (?: \\. | '(?!'') ) [^'\\]* )* '{3}
                | " [^"\\]* (?: \\. [^"\\]* )* " | ' [^'\\]* (?: \\. [^'\\]* )* ' )
    | (?P<open> [(\[{] ) | (?P<close> [)\]}] ) | (?P<joined> \\\n ) | (?P<end> \n )""",
    re.DOTALL | re.VERBOSE,
)


def plain_lines():
    """Matches lines that are logical lines by themselves: whatever they open, they close, two deep."""
    rest = r"[^\#\"'()\[\]{}\\\n]*"
    string = r"""(?:"(?!"")[^"\\\n]*"|'(?!'')[^'\\\n]*')"""
    inner = string
    for _ in range(2):
        within = "%s(?:%s%s)*" % (rest, inner, rest)
        inner = r"(?:%s|\(%s\)|\[%s\]|{%s})" % (string, within, within, within)
    return re.compile(r"(?:%s(?:%s%s)*(?:\#[^\n]*)?\n){1,500}" % (rest, inner, rest))


PLAIN = plain_lines()


class CannotParse(Exception):
    """What the source says that this Python does not understand, and in which line."""

    def __init__(self, message, line=0):
        super().__init__(message)
        self.line = line or 0


def decode(data):
    """The text of a source file: its own encoding, line ends as \\n, a last line end."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, LookupError, UnicodeDecodeError) as e:
        raise CannotParse(str(e)) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if not text or text.endswith("\n") else text + "\n"


class Joined:
    """Where any of the patterns matches; words, one of which is in every match, when they are known."""

    def __init__(self, patterns):
        self.words = None
        if all(p in WORDS for p in patterns):
            self.words = {word for p in patterns for word in WORDS[p]}
        self.finditer = re.compile("|".join("(?:%s)" % p for p in patterns), re.MULTILINE).finditer

    def matches(self, text):
        if self.words is not None and not any(word in text for word in self.words):
            return ()
        return self.finditer(text)


def joined(patterns):
    """What finds the matches of all patterns; None without any."""
    return Joined(patterns) if patterns else None


LINE_OF = operator.itemgetter(2)


def code_lines(code):
    """Lines that the compiler has given code to, of a code object and all that are in it."""
    lines, todo = set(), [code]
    while todo:
        code = todo.pop()
        if hasattr(code, "co_lines"):
            lines.update(map(LINE_OF, code.co_lines()))
        else:
            # Of the lines that the optimizer left behind the end, nothing is run.
            lines.update(line for at, line in dis.findlinestarts(code) if at < len(code.co_code))
        for const in code.co_consts:
            # Annotations of 3.14 that nobody may ever evaluate.
            if hasattr(const, "co_consts") and const.co_name != "__annotate__":
                todo.append(const)
    lines.discard(None)
    lines.discard(0)
    return lines


class Source:
    """One file: its tokens, tree and code, and the sets of lines that follow from them."""

    def __init__(self, data, exclude, partial):
        self.text = decode(data)
        self.first = {}  # a line of a logical line of several -> the first of them
        self.spans = []  # (first, last) of those
        try:
            self.tree = ast.parse(self.text)
            code = compile(self.text, "source", "exec", dont_inherit=True)
        except SyntaxError as e:
            raise CannotParse(e.msg, e.lineno) from None
        except (ValueError, RecursionError, MemoryError, OverflowError) as e:
            raise CannotParse(str(e) or type(e).__name__) from None
        self.raw = code_lines(code) if self.tree.body else set()
        # What leaves a module leaves it for this line.
        self.begin = 1 if sys.version_info >= (3, 10) else code.co_firstlineno
        for begin, end in self.layout() if sys.version_info < (3, 12) else self.token_spans():
            self.spans.append((begin, end))
            for line in range(begin, end + 1):
                self.first[line] = begin
        self.matched = self.matching(exclude)
        self.no_branch = self.matching(partial)
        self.definitions = list(definitions(self.tree))
        self.excluded = self.firsts(self.exclude_suites(set(self.matched)))
        self.exclude_definitions(self.excluded)
        self.docstrings = self.find_docstrings()
        ignored = self.excluded | self.docstrings
        self.statements = self.firsts(self.raw - ignored) - ignored

    def line(self, line):
        """The first line of the logical line that this one is in; -line likewise."""
        return -self.first.get(-line, -line) if line < 0 else self.first.get(line, line)

    def firsts(self, lines):
        get = self.first.get
        return {get(line, line) for line in lines}

    def tokens(self):
        return tokenize.generate_tokens(io.StringIO(self.text).readline)

    def token_spans(self):
        """(first, last) of each logical line of several lines."""
        begin = 0
        for t in self.tokens():
            if t.type == token.NEWLINE:
                if begin and t.end[0] != begin:
                    yield begin, t.start[0]
                begin = 0
            elif not begin and t.type not in WHITE:
                begin = t.start[0]

    def layout(self):
        """As token_spans(), without tokens, which Python made slowly before 3.12. Strings that have
        strings inside came with that one as well."""
        text, line, at = self.text, 1, 0
        while at < len(text):
            plain = PLAIN.match(text, at)
            if plain:
                line += text.count("\n", at, plain.end())
                at = plain.end()
                continue
            begin, last, at = self.logical_line(line, at)
            if begin and begin != last:
                yield begin, last
            line = last + 1

    def logical_line(self, line, at):
        """The line in which the one at that place begins, in which it ends, and the next one's place."""
        start, begin, nesting = at, 0, 0
        for m in LAYOUT.finditer(self.text, at):
            kind = m.lastgroup
            if kind == "end":
                if not nesting:
                    return begin, line, m.end()
                line += 1
                start = m.end()
            elif kind == "joined":
                if not begin and self.text[start : m.start()].strip():
                    begin = line
                line += 1
                start = m.end()
            elif kind:
                begin = begin or line
                if kind == "string":
                    line += m.group().count("\n")
                else:
                    nesting += 1 if kind == "open" else -1
        return 0, line, len(self.text)

    def matching(self, pattern):
        """First lines of all lines that a match of the pattern touches."""
        found = set()
        if pattern is None:
            return found
        starts = None
        for m in pattern.matches(self.text):
            if starts is None:
                starts = [0] + [i.end() for i in re.finditer("\n", self.text)]
            begin = bisect.bisect_right(starts, m.start())
            end = bisect.bisect_right(starts, m.end())
            found.update(range(begin, end + 1))
        return self.firsts(found)

    def exclude_suites(self, excluded):
        """Adds the suites that hang on a clause which is excluded."""
        if not excluded:
            return excluded
        begin = indent = nesting = 0
        limit = None  # indent of the clause whose suite is being excluded
        for t in self.tokens():
            kind = t.type
            if kind == token.INDENT:
                indent += 1
            elif kind == token.DEDENT:
                indent -= 1
            elif kind == token.NEWLINE:
                begin = 0
            elif kind in WHITE:
                continue
            else:
                if not begin:
                    begin = t.start[0]
                    if limit is not None and indent <= limit:
                        limit = None
                    if limit is not None:
                        excluded.add(begin)
                if kind != token.OP:
                    continue
                if t.string in "([{":
                    nesting += 1
                elif t.string in ")]}":
                    nesting -= 1
                elif t.string == ":" and not nesting and limit is None:
                    if any(line in excluded for line in range(begin, t.end[0] + 1)):
                        excluded.add(t.end[0])
                        limit = indent
        return excluded

    def exclude_definitions(self, excluded):
        """A function or class one of whose first lines is excluded is so as a whole."""
        if not excluded:
            return
        for node in self.definitions:
            begin = first_line(node)
            if any(line in excluded for line in range(begin, node.lineno + 1)):
                excluded.update(range(begin, node.end_lineno + 1))

    def find_docstrings(self):
        lines = set()
        for node in [self.tree] + self.definitions:
            if not node.body or not isinstance(node.body[0], ast.Expr):
                continue
            value = node.body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                lines.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
        return lines


def first_line(node):
    """Line at which a definition begins: that of its first decorator."""
    return min([d.lineno for d in node.decorator_list] + [node.lineno])


def suites(node):
    """Lists of statements right below a statement."""
    for name in ("body", "orelse", "finalbody"):
        suite = getattr(node, name, None)
        if isinstance(suite, list):
            yield suite
    for name in ("handlers", "cases"):
        for part in getattr(node, name, ()):
            yield part.body


def definitions(tree):
    """All functions and classes; what is further out comes first."""
    level = [tree]
    while level:
        below = []
        for node in level:
            for suite in suites(node):
                for child in suite:
                    if isinstance(child, DEFINITIONS):
                        yield child
                    if hasattr(child, "body") or hasattr(child, "cases"):
                        below.append(child)
        level = below


def constant_test(node):
    """True or False for a condition that the compiler decides; None for others."""
    if isinstance(node, ast.Constant):
        return bool(node.value)
    if isinstance(node, ast.Name) and node.id == "__debug__":
        return True
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        value = constant_test(node.operand)
        return None if value is None else not value
    if isinstance(node, ast.BoolOp):
        values = [constant_test(v) for v in node.values]
        if None in values:
            return None
        return all(values) if isinstance(node.op, ast.And) else any(values)
    return None


# What tells that an arc was taken where only the sides of branches are measured: the compiler makes no
# branch of some of them, or several in the lines of one statement.
IF_TARGET = 1  # its end was run
IF_SOURCE = 2  # its begin was run
DEFINED = ""  # why nothing comes between a def and what follows it: no reason that can be told


class Loop:
    """What break and continue find."""

    def __init__(self, top):
        self.top = top
        self.left = []  # exits by break


class Handled:
    """What raise finds: the first handler, or None when the exception goes on from here."""

    def __init__(self, handler):
        self.handler = handler


class Arcs:
    """Ways from line to line, out of the tree.

    An exit is a pair (line, why it was not taken); every method for a kind of statement returns the
    exits by which control goes on to the next statement.
    """

    def __init__(self, source):
        self.line = source.line
        self.live = source.firsts(source.raw)
        self.arcs = {}  # (from, to) -> [(why not, what)]
        self.sure = {}  # (from, to) -> IF_TARGET, IF_SOURCE
        self.blocks = []
        self.withs = set()  # lines
        self.open_withs = []  # those whose body is being looked at
        self.with_bodies = set()  # arcs from a with into its body
        self.with_ends = set()  # arcs from the end of the body back to the with
        if self.live:
            self.code(source.tree, source.begin, "exit the module")
        for node in source.definitions:
            if isinstance(node, ast.ClassDef):
                self.code(node, self.start(node), "exit class %r" % node.name)
            else:
                self.code(node, self.start(node), "return from function %r" % node.name, node.name)
        self.fixers = self.find_fixers()
        self.possible = self.fix(set(self.arcs))

    def add(self, begin, end, cause=None, action=None):
        texts = self.arcs.setdefault((begin, end), [])
        if cause or action:
            texts.append((cause, action))
        if cause == DEFINED:
            self.sure[begin, end] = IF_SOURCE
        if begin in self.open_withs:
            self.with_bodies.add((begin, end))

    def start(self, node):
        """The line that control comes to first."""
        if isinstance(node, DEFINITIONS):
            return self.line(first_line(node))
        return self.line(node.lineno)

    def code(self, node, start, action, function=None):
        """A module, class or function."""
        self.function = (start, function, action) if function is not None else None
        self.blocks = []
        for line, cause in self.suite(node.body, []):
            self.add(line, -start, cause, action)

    def suite(self, body, exits, entered=False):
        """Statements one after another; exits lead to the first. The compiler drops dead ones.

        entered: there is no other way to the first one, not even by an exception.
        """
        for node in body:
            start = self.start(node)
            if start not in self.live:
                continue
            for line, cause in exits:
                self.add(line, start, cause)
                if entered:
                    self.sure[line, start] = IF_TARGET
            exits = self.statement(node, start)
            entered = False
        return exits

    def statement(self, node, start):
        handler = self.KINDS.get(type(node))
        return handler(self, node, start) if handler else [(start, None)]

    def definition(self, node, start):
        """Decorators, each on its line, then the def itself."""
        for d in node.decorator_list[1:]:
            line = self.line(d.lineno)
            if line != start:
                self.add(start, line)
            start = line
        line = self.line(node.lineno)
        if line != start:
            self.add(start, line)
        return [(line, DEFINED)]

    def condition(self, node, start):
        value = constant_test(node.test)
        exits = []
        if value is not False:
            why = "the condition on line {} was never true"
            exits += self.suite(node.body, [(start, why)], True)
        if value is not True:
            why = "the condition on line {} was always true"
            exits += self.suite(node.orelse, [(start, why)], True)
        return exits

    def loop(self, node, start, never, always, ends):
        loop = Loop(start)
        self.blocks.append(loop)
        for line, cause in self.suite(node.body, [(start, never)], True):
            self.add(line, start, cause)
        self.blocks.pop()
        if node.orelse:
            return loop.left + self.suite(node.orelse, [(start, always)], True)
        return loop.left + ([(start, always)] if ends else [])

    def while_loop(self, node, start):
        return self.loop(
            node, start, "the condition on line {} was never true",
            "the condition on line {} was always true", constant_test(node.test) is None,
        )

    def for_loop(self, node, start):
        return self.loop(
            node, start, "the loop on line {} never started",
            "the loop on line {} didn't complete", True,
        )

    def match(self, node, start):
        exits, last = [], (start, None)
        for case in node.cases:
            line = self.line(case.pattern.lineno)
            self.add(last[0], line, last[1])
            why = "the pattern on line {} never matched"
            exits += self.suite(case.body, [(line, why)], True)
            last = (line, "the pattern on line {} always matched")
        pattern = case.pattern
        while isinstance(pattern, ast.MatchOr):
            pattern = pattern.patterns[-1]
        while isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
            pattern = pattern.pattern
        if case.guard is not None or not isinstance(pattern, ast.MatchAs):
            exits.append(last)
        return exits

    def try_block(self, node, start):
        block = Handled(self.line(node.handlers[0].lineno) if node.handlers else None)
        self.blocks.append(block)
        exits = self.suite(node.body, [(start, None)])
        block.handler = None  # from here on, only `finally` is still to come
        if not node.finalbody:
            self.blocks.pop()
        handled = []
        for handler in node.handlers:
            why = "the exception caught by line {} didn't happen"
            handled += self.suite(handler.body, [(self.line(handler.lineno), why)])
        if node.orelse:
            exits = self.suite(node.orelse, exits)
        exits = exits + handled
        if node.finalbody:
            self.blocks.pop()
            after = self.suite(node.finalbody, exits)
            exits = after if exits else []
        return exits

    def with_block(self, node, start):
        # Since 3.10 control comes back to the with, to leave it, and goes on from there.
        self.withs.add(start)
        self.open_withs.append(start)
        exits = self.suite(node.body, [(start, None)], True)
        self.open_withs.pop()
        if sys.version_info < (3, 10):
            return exits
        for end, cause in exits:
            self.add(end, start, cause)
            self.with_ends.add((end, start))
        return [(start, None)] if exits else []

    def leave_loop(self, node, start):
        for block in reversed(self.blocks):
            if isinstance(block, Loop):
                block.left.append((start, "the break on line {} wasn't executed"))
                break
        return []

    def next_turn(self, node, start):
        for block in reversed(self.blocks):
            if isinstance(block, Loop):
                self.add(start, block.top, "the continue on line {} wasn't executed")
                break
        return []

    def leave_function(self, node, start):
        if self.function:
            why = "the return on line {} wasn't executed"
            self.add(start, -self.function[0], why, self.function[2])
        return []

    def throw(self, node, start):
        why = "the raise on line {} wasn't executed"
        for block in reversed(self.blocks):
            if isinstance(block, Handled):
                if block.handler is not None:
                    self.add(start, block.handler, why)
                return []
        if self.function:
            self.add(start, -self.function[0], why, "except from function %r" % self.function[1])
        return []

    KINDS = {
        ast.FunctionDef: definition, ast.AsyncFunctionDef: definition, ast.ClassDef: definition,
        ast.If: condition, ast.While: while_loop, ast.For: for_loop, ast.AsyncFor: for_loop,
        ast.Try: try_block, ast.With: with_block, ast.AsyncWith: with_block,
        ast.Break: leave_loop, ast.Continue: next_turn, ast.Return: leave_function,
        ast.Raise: throw,
    }
    if hasattr(ast, "Match"):
        KINDS[ast.Match] = match
    if hasattr(ast, "TryStar"):
        KINDS[ast.TryStar] = try_block

    def find_fixers(self):
        """What ways back to a with stand for: {(end, with): ((end, next), {arcs that are none})}."""
        onward = {
            begin: (begin, end)
            for begin, end in self.arcs
            if begin in self.withs and (begin, end) not in self.with_bodies
        }
        fixers = {}
        for back in self.with_ends:
            seen, arc = {back}, back
            while arc in self.with_ends and arc[1] in onward:
                step = onward[arc[1]]
                if arc != back:
                    seen.add((arc[0], step[1]))  # what a with says by itself that ends another
                arc = step
                if arc in seen:
                    break
                seen.add(arc)
            if arc != back:
                instead = (back[0], arc[1])
                fixers[back] = (instead, seen)
                if back[0] in self.withs:
                    self.sure[instead] = IF_TARGET
        return fixers

    def fix(self, arcs):
        gone, new = set(), set()
        for arc in arcs:
            if arc in self.fixers:
                instead, none = self.fixers[arc]
                new.add(instead)
                gone |= none
        return (arcs | new) - gone

    def branches(self):
        """Exits of the lines that have several: [(from, to, what, what it means to miss it)]."""
        exits = {}
        for begin, end in self.possible:
            begin, end = self.line(begin), self.line(end)
            if begin != end and begin > 0:
                exits.setdefault(begin, set()).add(end)
        for begin, ends in sorted(exits.items()):
            if len(ends) > 1:
                for end in sorted(ends):
                    yield (begin, end) + self.texts(begin, end)

    def texts(self, begin, end):
        general = "jump to line %d" % end if end > 0 else "jump to the function exit"
        misses, texts = [], self.arcs.get((begin, end)) or [(None, None)]
        for cause, action in texts:
            text = "line %d didn't %s" % (begin, action or general)
            if cause:
                text += " because " + cause.format(begin)
            misses.append(text)
        return texts[0][1] or general, " or ".join(misses)


def ranges(lines):
    """[first, last, first, last ...] of a set of lines."""
    flat = []
    for line in sorted(lines):
        if flat and flat[-1] == line - 1:
            flat[-1] = line
        else:
            flat += [line, line]
    return flat


def regions(tree):
    """Functions and classes: [(kind, qualified name, line, first, last, its own lines)].

    A function's lines are those of its body, without inner functions; a class's those of its
    methods, without inner classes. What stands in an else, except or case is not looked for.
    """
    found = []

    def visit(node, names, around):
        for child in getattr(node, "body", ()):
            if not isinstance(child, DEFINITIONS):
                if isinstance(getattr(child, "body", None), list):
                    visit(child, names, around)
                continue
            inner, own = names + [child.name], set()
            first, last = child.body[0].lineno, child.body[-1].end_lineno
            is_class = isinstance(child, ast.ClassDef)
            found.append(("class" if is_class else "function", inner, child.lineno, first, last, own))
            if not is_class:
                own.update(range(first, last + 1))
                if around and around[-1][0]:
                    around[-1][1].update(own)
                for _, lines in [a for a in around if not a[0]][-1:]:
                    lines -= own
            visit(child, inner, around + [(is_class, own)])
            if is_class:
                for _, lines in [a for a in around if a[0]]:
                    lines -= own

    visit(tree, [], [])
    return [(kind, ".".join(names)) + tuple(rest) for kind, names, *rest in found]


def bits(lines):
    """A set of lines as hexadecimal digits of bytes: bit n % 8 of byte n / 8."""
    data = bytearray(max(lines, default=-8) // 8 + 1)
    for line in lines:
        data[line // 8] |= 1 << line % 8
    return data.hex()


def analyse(data, exclude, partial):
    """The result for one file's bytes, as it is sent; patterns are compiled (see joined())."""
    try:
        source = Source(data, exclude, partial)
        arcs = Arcs(source)
    except CannotParse as e:
        return {"error": str(e), "line": e.line}
    except RecursionError:
        return {"error": "it is nested too deeply", "line": 0}
    branches = list(arcs.branches())
    return {
        "lines": source.text.count("\n"),
        "statements": bits(source.statements),
        "excluded": bits(source.excluded),
        "no_branch": bits(source.no_branch),
        "spans": [n for span in source.spans for n in span],
        "arcs": [n for begin, end, _, _ in branches for n in (begin, end)],
        "sure": [arcs.sure.get((begin, end), 0) for begin, end, _, _ in branches]
        if sys.version_info >= (3, 10)  # 3.9 gives lines to clean-up code that nobody came to
        else [0] * len(branches),
        "texts": [text for _, _, what, missing in branches for text in (what, missing)],
        "withs": [
            [n for arc in [back, instead] + sorted(none) for n in arc]
            for back, (instead, none) in sorted(arcs.fixers.items())
        ],
        "regions": [r[:5] + (ranges(r[5]),) for r in regions(source.tree)],
    }


def work(requests, numbers, exclude, partial):
    """Answers the requests of these numbers; each line leaves in one piece."""
    for i in numbers:
        number, data = requests[i]
        result = {"id": number}
        result.update(analyse(data, exclude, partial))
        line = json.dumps(result, separators=(",", ":")) + "\n"
        data = line.encode()
        while data:
            data = data[os.write(1, data) :]


def taken(pipe):
    """Numbers out of a pipe that all workers read, until it is empty."""
    while True:
        number = os.read(pipe, 4)
        if len(number) < 4:
            return
        yield int.from_bytes(number, "little")


def read_requests(stream):
    requests = []
    patterns = json.loads(stream.readline())
    for line in stream:
        head = json.loads(line)
        requests.append((head["id"], stream.read(head["size"])))
    return patterns, requests


def main():
    sys.setrecursionlimit(10000)
    import gc
    import warnings

    gc.set_threshold(100000)  # trees go by themselves, when nobody has them any more

    warnings.simplefilter("ignore")  # of the sources, such as "\d"
    patterns, requests = read_requests(sys.stdin.buffer)
    compiled = []
    for name, default in (("exclude", EXCLUDE), ("partial", PARTIAL)):
        for p in patterns.get(name) or ():
            try:
                re.compile(p)
            except re.error as e:
                print(json.dumps({"id": -1, "error": "%s: %s" % (p, e)}))
                return 1
        compiled.append(joined(default if patterns.get(name) is None else patterns[name]))
    workers = min(int(sys.argv[1]) if len(sys.argv) > 1 else 1, len(requests))
    if workers < 2:
        work(requests, range(len(requests)), *compiled)
        return 0
    largest = sorted(range(len(requests)), key=lambda i: -len(requests[i][1]))
    source, sink = os.pipe()
    children = []
    for _ in range(workers):
        pid = os.fork()
        if not pid:
            os.close(sink)
            work(requests, taken(source), *compiled)
            os._exit(0)
        children.append(pid)
    os.close(source)
    try:
        with open(sink, "wb") as f:
            f.write(b"".join(i.to_bytes(4, "little") for i in largest))
    except BrokenPipeError:
        pass  # all workers have ended; what is not answered is missed
    for pid in children:
        os.waitpid(pid, 0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
