def f(a):
    try:
        r = 1 / a
    except ZeroDivisionError:
        r = 0
    except TypeError:
        r = -1
    except (ValueError,
            KeyError):
        r = -2
    except:
        r = -3
    return r


f(0)
f("a")
