"""What sending a parcel costs, in cents."""

FREE_FROM = 5000
NEAR = {"DE": 490, "FR": 690, "AT": 690}


def cost(country, total):
    if total >= FREE_FROM and country in NEAR:
        return 0
    try:
        return NEAR[country]
    except KeyError:
        return 1990
