import os
import os.path as path
from os import (
    getcwd,
    sep,
)
from collections import OrderedDict as D, deque
