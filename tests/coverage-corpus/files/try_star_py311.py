def f(e):
    try:
        raise e
    except* ValueError:
        a = 1
    except* (TypeError, KeyError):
        a = 2
    else:
        a = 3
    finally:
        b = 4
    return b


f(ExceptionGroup("g", [ValueError()]))
f(ExceptionGroup("g", [TypeError(), KeyError()]))
