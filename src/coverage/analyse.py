#!/usr/bin/env python3
"""analyse - what Python source files could run: statements, exclusions, branches, regions."""
