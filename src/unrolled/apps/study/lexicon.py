"""The words of the two stories, after the article's two sentences, and of what stands between.

Short: "the clouds are in the *sky*". Long: "I grew up in France … I speak *fluent French*". Each
story gives two facts in its first sentence, and each fact decides one word of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True)
class Story:
    """Sentences with two facts at their beginning and an answer of two words at their end.

    Attributes:
        openings: sentences of equally many words, with ``A`` and ``B`` for the facts.
        closings: the words before the answer, equally many each.
        first: by fact A, the first word of the answer.
        second: by fact B, the second word of the answer.
    """

    openings: tuple[str, ...]
    closings: tuple[str, ...]
    first: dict[str, str]
    second: dict[str, str]


SHORT = Story(
    openings=(
        "at A we saw the B",
        "I saw the B at A",
        "we watched the B at A",
        "at A I drew the B",
        "you found the B at A",
        "at A she met the B",
    ),
    closings=("there in the", "right in the"),
    first={
        "dawn": "grey",
        "sunrise": "pink",
        "breakfast": "fresh",
        "noon": "bright",
        "lunch": "warm",
        "teatime": "mild",
        "dusk": "golden",
        "sunset": "red",
        "supper": "dim",
        "nightfall": "blue",
        "bedtime": "silent",
        "midnight": "dark",
    },
    second={
        "clouds": "sky",
        "fish": "sea",
        "cows": "meadow",
        "books": "library",
        "trains": "station",
        "bees": "garden",
        "boats": "harbour",
        "coins": "purse",
        "roses": "vase",
        "pupils": "school",
        "planes": "airport",
        "horses": "stable",
        "actors": "theatre",
        "apples": "orchard",
        "monks": "abbey",
        "soldiers": "fort",
        "loaves": "bakery",
        "owls": "forest",
        "cars": "garage",
        "lambs": "fold",
        "guests": "hotel",
        "nurses": "clinic",
        "bats": "cave",
        "judges": "court",
    },
)
"""Task A: what, and when; where it is, and in which light."""

LONG = Story(
    openings=(
        "I lived in B for A",
        "we stayed in B for A",
        "for A we lived in B",
        "I spent A abroad in B",
        "my family spent A in B",
        "in B I stayed for A",
    ),
    closings=("I speak", "we speak"),
    first={
        "ages": "perfect",
        "decades": "native",
        "years": "fluent",
        "winters": "good",
        "seasons": "clear",
        "terms": "correct",
        "months": "decent",
        "holidays": "cheerful",
        "weeks": "simple",
        "weekends": "basic",
        "days": "broken",
        "hours": "little",
    },
    second={
        "France": "French",
        "Germany": "German",
        "Italy": "Italian",
        "Spain": "Spanish",
        "Portugal": "Portuguese",
        "Poland": "Polish",
        "Russia": "Russian",
        "China": "Chinese",
        "Japan": "Japanese",
        "Korea": "Korean",
        "Greece": "Greek",
        "Turkey": "Turkish",
        "Sweden": "Swedish",
        "Norway": "Norwegian",
        "Denmark": "Danish",
        "Finland": "Finnish",
        "Hungary": "Hungarian",
        "Romania": "Romanian",
        "Iceland": "Icelandic",
        "Vietnam": "Vietnamese",
        "Thailand": "Thai",
        "Ukraine": "Ukrainian",
        "Bulgaria": "Bulgarian",
        "Estonia": "Estonian",
    },
)
"""Task B: where, and for how long; which language, and how well."""

STORIES = {"short": SHORT, "long": LONG}

FILLERS = (
    "then",
    "it ACTED",
    "we ACTED there",
    "the THING ACTED .",
    "the LOOK THING ACTED .",
    "a PERSON ACTED near the THING",
    "my PERSON ACTED LIKE in the PLACE",
    "the LOOK PERSON ACTED and the THING ACTED",
    "near the PLACE a LOOK THING ACTED LIKE .",
)
"""What stands in the gap, one pattern of every length; a word in capitals stands for a list."""

LISTS = {
    "THING": (
        "lamp door river kettle train window bicycle letter piano clock table engine candle bridge "
        "basket mirror ladder carpet bell stove ribbon bottle curtain hammer wheel parcel radio "
        "blanket pencil bucket"
    ),
    "PERSON": (
        "uncle teacher neighbour doctor cousin painter farmer sister driver singer friend brother "
        "baker sailor porter aunt student lawyer plumber tailor"
    ),
    "PLACE": (
        "kitchen market village attic street cellar office park tunnel square hall yard valley "
        "workshop balcony corridor"
    ),
    "LOOK": (
        "old small quiet red heavy young empty strange warm broad tall yellow narrow pale round "
        "proud lazy shiny rough gentle"
    ),
    "ACTED": (
        "moved fell waited stopped returned sang vanished shone turned slept laughed arrived shook "
        "rested opened smiled paused jumped whistled drifted"
    ),
    "LIKE": (
        "slowly often again quickly softly alone twice outside early together badly gladly calmly "
        "late loudly once"
    ),
}
"""A quarter of each list, its last words, is never seen in training."""
