def f(): return 1
def g(): return 2
class C: pass
class D: x = 1


f()
