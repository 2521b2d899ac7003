"""Versions, specifiers, markers and requirements."""
from packaging import markers, requirements, specifiers, tags, utils, version

versions = sorted(version.parse(v) for v in ("1.0", "1.0rc1", "2!0.1", "1.0.post2", "1.0+local.1"))
assert versions[0] < versions[-1]
for text in ("nope", "1.0.dev", ""):
    try:
        version.Version(text)
    except version.InvalidVersion:
        pass
s = specifiers.SpecifierSet(">=1.0,!=1.5.*,<2,~=1.2")
assert "1.2" in s and "1.5.1" not in s
list(s.filter(["1.2", "1.3rc1", "2.0"]))
requirements.Requirement('name[extra1,extra2]>=1.0; python_version > "3.6" and os_name == "posix"')
requirements.Requirement("name @ https://example.org/name.zip")
for text in ("name[", "name >= ", "-x", "name; nope == 1"):
    try:
        requirements.Requirement(text)
    except requirements.InvalidRequirement:
        pass
markers.Marker("python_version < '3' or platform_system == 'Linux'").evaluate()
utils.canonicalize_name("A.b_C")
utils.canonicalize_version("1.0.0")
utils.parse_wheel_filename("name-1.0-py3-none-any.whl")
list(tags.sys_tags())[:3]
