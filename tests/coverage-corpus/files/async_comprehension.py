import asyncio


async def numbers(n):
    for i in range(n):
        yield i
        await asyncio.sleep(0)


async def f():
    a = [i async for i in numbers(3)]
    b = [
        i
        async for i in numbers(2)
        if i
    ]
    return a + b


asyncio.run(f())
