"""The structures that recurrent layers of any cell are put in, from one to many to many to many."""

from .attention import Attention
from .decoding import Decoded
from .encoder_decoder import EncoderDecoder
from .generative import Carried
from .kind import Kind, Symbols, Vectors
from .many_to_many import ManyToMany
from .many_to_one import ManyToOne
from .one_to_many import OneToMany

__all__ = [
    "Attention",
    "Carried",
    "Decoded",
    "EncoderDecoder",
    "Kind",
    "ManyToMany",
    "ManyToOne",
    "OneToMany",
    "Symbols",
    "Vectors",
]
