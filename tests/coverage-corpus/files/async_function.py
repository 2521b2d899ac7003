import asyncio


async def f(a):
    if a:
        await asyncio.sleep(0)
        return 1
    return 2


asyncio.run(f(1))
