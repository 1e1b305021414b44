"""Small numbers for names, as tables hold them; those of nodes that left are given again."""

from ringway.types import NodeName


class Numbering:
    """Who has which number. `names` is by number, and keeps names that left until their number is given again."""

    def __init__(self) -> None:
        self.names: list[NodeName] = []
        self._numbers: dict[NodeName, int] = {}
        self._unused: list[int] = []

    def __getitem__(self, name: NodeName) -> int:
        return self._numbers[name]

    def give(self, name: NodeName) -> int:
        """Give `name` a number that no other has."""
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
