"""The structures that recurrent layers of any cell are put in, from one to many to many to many."""

from .answering import Answering
from .attention import Attention
from .decoding import Carried, Decoded
from .encoder_decoder import EncoderDecoder
from .generative import Generative
from .kind import Kind, Symbols, Vectors
from .many_to_many import ManyToMany
from .many_to_one import ManyToOne
from .one_to_many import OneToMany

__all__ = [
    "Answering",
    "Attention",
    "Carried",
    "Decoded",
    "EncoderDecoder",
    "Generative",
    "Kind",
    "ManyToMany",
    "ManyToOne",
    "OneToMany",
    "Symbols",
    "Vectors",
]
