import typing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import never
    a = 1
else:
    a = 2
if typing.TYPE_CHECKING:
    import neither
b = 1
