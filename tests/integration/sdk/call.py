"""A client of the official Python SDK calls methods (RPC): `python call.py URL`. Prints what came as JSON."""

import asyncio
import json
import sys
from typing import Any

from centrifuge import CentrifugeError, Client
from centrifuge.exceptions import ReplyError


async def main() -> None:
    client = Client(sys.argv[1], timeout=20.0, proxy=None)
    await client.connect()
    await client.ready()
    order: list[str] = []

    async def call(method: str, data: Any) -> Any:
        try:
            result = await client.rpc(method, data)
        except ReplyError as error:
            return {"code": error.code, "message": error.message, "temporary": error.temporary}
        except CentrifugeError as error:
            return str(error)
        order.append(method)
        return result.data

    slow = asyncio.create_task(call("slow", 1))
    asked = [("echo", {"ü": [1, None]}), ("nothing", None), ("refuse", 1), ("none:m", 1)]
    answers = [await call(*each) for each in asked]
    await client.rpc("release", {})
    answers.append(await slow)
    print(json.dumps({"answers": answers, "order": order}))  # noqa: T201
    await client.disconnect()


asyncio.run(main())
