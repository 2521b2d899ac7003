import asyncio


async def task(n):
    for i in range(n):
        await asyncio.sleep(0)
        if i == 5:
            return i
    return n


async def main():
    return await asyncio.gather(task(1), task(3))


asyncio.run(main())
