try: a = 1 / 0
except ZeroDivisionError: a = 1
finally: b = 2
