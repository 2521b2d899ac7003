"""bootstrap.py - started for every python function, as /var/runtime/bootstrap.py is on AWS.

Kept to a few lines because a script is compiled at every start; the modules beside it
have their byte code cached.
"""

import sys

# With -I or -S python leaves the folder of the script out.
if __file__.rpartition("/")[0] not in sys.path:
    sys.path.append(__file__.rpartition("/")[0])

from _lamina_runtime import main  # noqa: E402

main()
