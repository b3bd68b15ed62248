"""How text gets to a terminal or a file."""

from rich.console import Console, RenderableType
from rich.text import Text


def print_trimmed(console: Console, *blocks: RenderableType) -> None:
    """Print without the blanks that fill lines up, which would end up in files and diffs."""
    for block in blocks:
        for segments in console.render_lines(block, pad=False):
            line = Text()
            for segment in segments:
                line.append(segment.text, segment.style)
            line.rstrip()
            console.print(line, no_wrap=True, overflow="ignore", crop=False)
