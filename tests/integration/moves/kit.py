"""Kit of the tests of moves, beside nodes and browser: the paths of files, and the messages of a client."""

from pathlib import Path

from integration.moves.node import Session

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "clients" / "typescript" / "dist" / "ringway.min.js"
PAGES = Path(__file__).parent / "pages"


def is_built() -> bool:
    """True if `scripts/test` has built the TypeScript client."""
    return CLIENT.exists()


def numbers(session: Session) -> list[int]:
    """The numbers that the client sent."""
    texts = [message if isinstance(message, str) else message.decode() for message in session.received]
    return [int(text.split(" ")[0]) for text in texts if not text.startswith("end")]
