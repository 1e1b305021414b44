"""Functions that tests name in `call:`."""


def by_load(node):
    return node.load / 100


async def soon(node):
    return 0.5


def text(node):
    return "much"


def failing(node):
    raise OSError(f"no sensor on {node.host}")


async def failing_soon(node):
    raise OSError(f"no sensor on {node.host}")


class Meter:
    def __call__(self, node):
        return soon(node)


meter = Meter()
NUMBER = 7
