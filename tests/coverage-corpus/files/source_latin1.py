# -*- coding: latin-1 -*-
a = "grüße"
if not a:
    b = "é"
