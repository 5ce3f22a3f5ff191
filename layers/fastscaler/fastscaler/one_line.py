"""Text that came from elsewhere, in a line of a message or of a comment."""


def one_line(text: object) -> str:
    """`text` with every character that would end the line, or not show in it, as an escape such as ``\\n``."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in str(text))
