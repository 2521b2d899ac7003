import collections

P = collections.namedtuple("P", "x y")
namespace = {}
exec("def made():\n    return 1\n", namespace)
namespace["made"]()
eval("1 + 1")
P(1, 2)
