"""What the tests of moves share beside nodes and browser: where things are, and what a client has sent."""

from pathlib import Path

from integration.moves.node import Session

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / "clients" / "typescript" / "dist" / "ringway.min.js"
PAGES = Path(__file__).parent / "pages"


def is_built() -> bool:
    """Whether `scripts/test` has built the TypeScript client."""
    return CLIENT.exists()


def numbers(session: Session) -> list[int]:
    """What the client sent, as its numbers."""
    texts = [message if isinstance(message, str) else message.decode() for message in session.received]
    return [int(text.split(" ")[0]) for text in texts if not text.startswith("end")]
