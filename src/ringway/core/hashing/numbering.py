"""Numbering of names by small numbers, as tables hold them; the number of a node that left is given again."""

from ringway.types import NodeName


class Numbering:
    """The numbers of names. `names` is by number, and holds a name that left until its number is given again."""

    def __init__(self) -> None:
        self.names: list[NodeName] = []
        self._numbers: dict[NodeName, int] = {}
        self._unused: list[int] = []

    def __getitem__(self, name: NodeName) -> int:
        return self._numbers[name]

    def give(self, name: NodeName) -> int:
        """Give `name` a number that no other name has."""
        if self._unused:
            number = self._unused.pop()
            self.names[number] = name
        else:
            number = len(self.names)
            self.names.append(name)
        self._numbers[name] = number
        return number

    def take_back(self, name: NodeName) -> int:
        """Let the number of `name` be given again, and return it."""
        number = self._numbers.pop(name)
        self._unused.append(number)
        return number
