def f(x):
    match x:
        case 1:
            return "one"
        case 2 | 3:
            return "few"
        case "s":
            return "text"
    return "none"


f(1)
f(3)
