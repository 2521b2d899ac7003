import asyncio


class Items:
    def __init__(self, n):
        self.n = n

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self.n:
            raise StopAsyncIteration
        self.n -= 1
        return self.n

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exc):
        return False


async def f():
    r = []
    async for i in Items(3):
        if i == 1:
            r.append(i)
    else:
        r.append("done")
    async with Items(1) as items:
        if items.n:
            r.append(2)
    return r


asyncio.run(f())
