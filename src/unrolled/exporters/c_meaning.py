"""What the numbers of a program stand for, as C: names of symbols, scaling, whole forecasts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

from .meaning import Forecasting, Meaning


@final
class CMeaning:
    """Writes what a model reads and answers.

    Args:
        meaning: that is written.
        name: of the program.
        dtype: float or double.
    """

    def __init__(self, meaning: Meaning, name: str, dtype: str) -> None:
        self.meaning, self.name, self.dtype = meaning, name, dtype

    def header(self) -> list[str]:
        """Return the lines of the header."""
        meaning, name, upper = self.meaning, self.name, self.name.upper()
        lines = []
        if meaning.symbols:
            lines += [
                "/* What each symbol that is read stands for, in UTF-8. */",
                f"extern const char *const {name}_symbols[{upper}_SYMBOLS];",
                "",
            ]
        if meaning.characters:
            lines += [
                "/* The symbol of the first character of a text in UTF-8, and its bytes; "
                f"{meaning.unknown} if it is none. */",
                f"int {name}_symbol(const char *text, int *bytes);",
                "",
            ]
        if meaning.answers:
            lines += [
                "/* What each answer stands for, in UTF-8. */",
                f"extern const char *const {name}_answers[{upper}_OUTPUT];",
                "",
            ]
        if meaning.mean:
            lines += [
                f"/* Scale the numbers of a step as in training: values[{upper}_INPUT] into x. */",
                f"void {name}_encode(const double *values, {self.dtype} *x);",
                "",
            ]
        if meaning.forecasting is not None:
            lines += self._forecast_header(meaning.forecasting)
        return lines

    def _forecast_header(self, about: Forecasting) -> list[str]:
        upper, own = self.name.upper(), len(about.columns)
        names = ", ".join(map(_comment, about.columns))
        lines = [
            f"#define {upper}_WINDOW {about.window}",
            f"#define {upper}_COLUMNS {own}",
            f"#define {upper}_HORIZON {about.horizon}",
            f"#define {upper}_SERIES {len(about.names)}",
        ]
        if about.known:
            lines.append(f"#define {upper}_KNOWN {about.known}")
        lines += [
            "",
            f"/* Forecast {upper}_HORIZON values after values[{upper}_WINDOW][{upper}_COLUMNS],",
            f"   the oldest first, of {names}",
        ]
        if about.known:
            lines.append(f"   with known[{upper}_HORIZON][{upper}_KNOWN] of the last of these.")
        if len(about.names) > 1:
            lines.append(f"   Series are numbered as in {self.name}_series.")
        lines += [
            f"   Returns 0, or -1 for a series that is none. */\nint {self._forecast_call(about)};",
            "",
        ]
        if len(about.names) > 1:
            lines += [f"extern const char *const {self.name}_series[{upper}_SERIES];", ""]
        return lines

    def _forecast_call(self, about: Forecasting) -> str:
        known = ", const double *known" if about.known else ""
        return (
            f"{self.name}_forecast({self.name}_state *state, int series, const double *values"
            f"{known}, double *forecast)"
        )

    def code(self) -> Iterator[str]:
        """Give the parts of the code."""
        meaning, name = self.meaning, self.name
        if meaning.symbols:
            yield _strings(f"{name}_symbols", meaning.symbols)
        if meaning.characters:
            yield self._symbol()
        if meaning.answers:
            yield _strings(f"{name}_answers", meaning.answers)
        if meaning.mean:
            yield f"""\
void {name}_encode(const double *values, real *x)
{{
    static const double mean[] = {{{_doubles(meaning.mean)}}};
    static const double scale[] = {{{_doubles(meaning.scale)}}};
    for (int k = 0; k < {len(meaning.mean)}; k++) x[k] = (real)((values[k] - mean[k]) / scale[k]);
}}"""
        if meaning.forecasting is not None:
            if len(meaning.forecasting.names) > 1:
                yield _strings(f"{name}_series", meaning.forecasting.names)
            yield self._forecast(meaning.forecasting)

    def _symbol(self) -> str:
        name, upper = self.name, self.name.upper()
        return f"""\
int {name}_symbol(const char *text, int *bytes)
{{
    for (int k = 0; k < {upper}_SYMBOLS; k++) {{
        const char *const symbol = {name}_symbols[k];
        int same = 0;
        while (symbol[same] != 0 && symbol[same] == text[same]) same++;
        if (same > 0 && symbol[same] == 0) {{
            *bytes = same;
            return k;
        }}
    }}
    *bytes = text[0] != 0;
    while (*bytes > 0 && ((unsigned char)text[*bytes] & 0xc0) == 0x80) (*bytes)++;
    return {self.meaning.unknown};
}}"""

    def _forecast(self, about: Forecasting) -> str:
        upper, known = self.name.upper(), about.known
        count, series = len(about.columns), len(about.names)
        level = f"values[({upper}_WINDOW - 1) * {upper}_COLUMNS]"
        relative = [f"    level[0] = {level};"] if about.relative else []
        lines = [
            f"    static const double mean[{series}][{count}] = {{{_rows(about.mean, count)}}};",
            f"    static const double scale[{series}][{count}] = {{{_rows(about.scale, count)}}};",
            f"    double level[{upper}_COLUMNS];",
            f"    real x[{upper}_INPUT], y[{upper}_OUTPUT];",
            f"    if (series < 0 || series >= {upper}_SERIES) return -1;",
            f"    {self.name}_reset(state);",
            f"    for (int k = 0; k < {upper}_COLUMNS; k++) level[k] = mean[series][k];",
            *relative,
            f"    for (int t = 0; t < {upper}_WINDOW; t++) {{",
            f"        for (int k = 0; k < {upper}_COLUMNS; k++)",
            f"            x[k] = (real)((values[t * {upper}_COLUMNS + k] - level[k]) / "
            "scale[series][k]);",
            *([f"        x[{upper}_COLUMNS] = 0;"] if known else []),
            f"        {self.name}_step(state, x, y);",
            "    }",
        ]
        if known:
            first = f"{upper}_COLUMNS - {upper}_KNOWN"
            lines += [
                f"    for (int t = 0; t < {upper}_HORIZON; t++) {{",
                f"        for (int k = 0; k < {first}; k++) x[k] = 0;",
                f"        for (int k = {first}; k < {upper}_COLUMNS; k++)",
                f"            x[k] = (real)((known[t * {upper}_KNOWN + k - ({first})] - level[k])",
                "                          / scale[series][k]);",
                f"        x[{upper}_COLUMNS] = 1; /* of the future */",
                f"        {self.name}_step(state, x, y);",
                "        forecast[t] = y[0] * scale[series][0] + level[0];",
                "    }",
            ]
        else:
            lines += [
                f"    for (int t = 0; t < {upper}_HORIZON; t++)",
                "        forecast[t] = y[t] * scale[series][0] + level[0];",
            ]
        return "\n".join([f"int {self._forecast_call(about)}", "{", *lines, "    return 0;", "}"])


def _doubles(values: Sequence[float]) -> str:
    return ", ".join(repr(float(value)) for value in values)


def _rows(values: Sequence[float], count: int) -> str:
    """Return numbers as rows of so many."""
    rows = [values[start : start + count] for start in range(0, len(values), count)]
    return ", ".join(f"{{{_doubles(row)}}}" for row in rows)


def _strings(name: str, texts: Sequence[str]) -> str:
    lines = ",\n".join(f"    {_string(text)}" for text in texts)
    return f"const char *const {name}[{len(texts)}] = {{\n{lines}\n}};"


def _string(text: str) -> str:
    """Return a text as C has it, in UTF-8.

    >>> print(_string('a"b?'), _string("é"))
    "a\\042b\\077" "\\303\\251"
    """
    plain = set(b" !#$%&'()*+,-./:;<=>@[]^_`{|}~") | set(range(48, 58))
    plain |= set(range(65, 91)) | set(range(97, 123))
    return '"' + "".join(chr(b) if b in plain else f"\\{b:03o}" for b in text.encode()) + '"'


def _comment(text: str) -> str:
    """Return a text that can stand in a comment."""
    return "".join(sign if sign.isprintable() else "?" for sign in text).replace("*/", "* /")
