r = []
for x in (1, 2, 3):
    match x:
        case 1:
            continue
        case 2:
            r.append(x)
        case _:
            break
