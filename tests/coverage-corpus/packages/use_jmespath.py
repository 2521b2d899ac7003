"""Queries as the AWS CLI's users write them."""
import jmespath

DATA = {
    "Stacks": [{"Name": "a", "Size": 3, "Tags": ["x", "y"]}, {"Name": "b", "Size": 1, "Tags": []}],
    "Count": 2,
}
for query in (
    "Stacks[].Name",
    "Stacks[?Size > `1`].Name | [0]",
    "Stacks[*].{n: Name, t: Tags[0]}",
    "sort_by(Stacks, &Size)[-1].Name",
    "length(Stacks[].Tags[])",
    "Stacks[0:1]",
    "Stacks[?contains(Tags, 'x') && Size != `2` || !Size]",
    "max_by(Stacks, &Size).[Name, Size]",
    "join(', ', Stacks[].Name)",
    "not_null(Missing, Count)",
    "keys(@)",
    '"Count"',
    "to_string(Count)",
):
    jmespath.search(query, DATA)
for query in ("Stacks[", "a..b", "length(", "nope(@)", "length(`1`)", "'open", "a =", "[?a"):
    try:
        jmespath.search(query, DATA)
    except Exception as e:
        str(e)
