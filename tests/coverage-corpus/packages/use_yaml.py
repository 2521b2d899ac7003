"""What a small program does with PyYAML's own loader and dumper."""
import io

import yaml

TEXT = """
- &a [1, 2.5, true, null, ~, 0x1f, 2001-12-14]
- {key: value, other: *a, "quoted": 'single'}
- |
  literal
  block
- >-
  folded
  block
- !!set {x, y}
- !!binary aGVsbG8=
? complex
: value
"""
loaded = list(yaml.safe_load_all("---\n%s\n---\nsecond: true\n" % TEXT.replace("? complex\n: value\n", "")))
again = yaml.safe_dump(loaded[0], default_flow_style=False, indent=4)
assert yaml.safe_load(again) == loaded[0]
for text in ("a: [1", "a: b: c", "\tx", "!!nope 1", "*missing", "a: 'x", "%YAML 9.9\n---\n"):
    try:
        yaml.safe_load(text)
    except yaml.YAMLError as e:
        str(e)
yaml.dump({"text": "über\n two", "n": [1, [2, {"x": ()}]], "f": float("nan")}, io.StringIO(), allow_unicode=True)
list(yaml.scan("a: 1"))
list(yaml.parse("a: [b]"))
yaml.serialize(yaml.compose("a: 1"))
