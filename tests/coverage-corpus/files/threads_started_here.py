import threading


def work(n):
    for i in range(n):
        if i == 5:
            return
    done.append(n)


done = []
threads = [threading.Thread(target=work, args=(n,)) for n in (3, 9)]
for t in threads:
    t.start()
for t in threads:
    t.join()
