def f(a):
    if a:  #pragma:no branch
        a = 1
    if a:  # PRAGMA: NO BRANCH
        a = 1
    if a:  # pragma: nobranch
        a = 1
    if a:  # pragma: no  branch
        a = 1
    return a


f(1)
