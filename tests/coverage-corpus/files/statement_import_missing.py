try:
    import there_is_no_such_module
except ImportError:
    there_is_no_such_module = None
