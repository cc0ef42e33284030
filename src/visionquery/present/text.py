"""Plain text: numbers, sizes and file names as a person reads them, safe for a terminal."""

__all__ = ["count", "duration", "escaped", "fragment_text", "percents",
           "place_text", "printable", "size"]


def escaped(name: str) -> str:
    """Return a file name with control characters and undecodable bytes as backslash escapes,
    so that no name can move the cursor, forge a line or break the output's encoding."""
    return "".join(c if c.isprintable() else _escape(c) for c in name.replace("\\", "\\\\"))


def printable(text: str) -> str:
    """Return text on one line, only what a terminal would act on, or could not show, as
    backslash escapes: for reading, not for turning back."""
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def count(number: int, noun: str) -> str:
    """Return "1 image", "2,000 images"."""
    return f"{number:,} {noun if number == 1 else noun + 's'}"


def percents(one: float, other: float) -> tuple[str, str]:
    """Return two shares, 0..1, as percent, with as many digits as it takes to tell them apart."""
    for digits in range(10):
        shown = (f"{one * 100:.{digits}f} %", f"{other * 100:.{digits}f} %")
        if shown[0] != shown[1] or one == other:
            break
    return shown


def fragment_text(fragment: str) -> str:
    """Return which part of its file an image is, as one says it: "at 1:02:03", "page 3"; "" for
    the whole file."""
    name, _, value = fragment.partition("=")
    if name == "t":
        whole = int(float(value))
        minutes = f"{whole // 60 % 60}:{whole % 60:02}"
        return f"at {minutes}" if whole < 3600 else f"at {whole // 3600}:{minutes:0>5}"
    return f"page {value}" if name == "page" else escaped(value)


def place_text(path: str, fragment: str) -> str:
    """Return where an image lies: its file, and which part of it it is where it is one."""
    return f"{escaped(path)} ({fragment_text(fragment)})" if fragment else escaped(path)


def duration(seconds: float) -> str:
    """Return "0.4 s", "12 s", "3 min 20 s" or "2 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def size(size_bytes: int) -> str:
    """Return a size in decimal units: "512 B", "1.4 MB"."""
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            digits = 0 if unit == "B" or amount >= 100 else 1
            return f"{amount:.{digits}f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
