"""mashumaro's code for a class is made when it is first used, not when the class is.

dbt and its parts define some 350 classes that mashumaro can read and write, each as a dictionary
and as msgpack, and a command uses a tenth of those ways: making them all is a quarter of the time
that importing dbt takes (0.4 s of CPU). mashumaro's own option, ``lazy_compilation``, makes a piece
of code for each all the same. The code does not depend on when it is made: mashumaro provides for
classes that are dataclasses already, which they are by then.

Source: ``DataClassDictMixin.__init_subclass__`` in mashumaro/mixins/dict.py, 3.14 and 3.17.
"""

from __future__ import annotations

from typing import Any


def install() -> None:
    """Before dbt is imported; left out where mashumaro is not as it is known."""
    try:
        from mashumaro.core.meta.code.builder import CodeBuilder
        from mashumaro.mixins import dict as mixin

        reading = mixin.compile_mixin_unpacker
        writing = mixin.compile_mixin_packer
        name_of_reading = CodeBuilder.get_unpack_method_name
        name_of_writing = CodeBuilder.get_pack_method_name
    except (ImportError, AttributeError):
        return

    def read_late(
        cls: Any, format_name: str = "dict", dialect: Any = None, decoder: Any = None
    ) -> None:
        name = name_of_reading((), format_name, decoder)

        def first_read(called: Any, *args: Any, **options: Any) -> Any:
            reading(cls, format_name, dialect, decoder)
            return _made(cls, name, first).__get__(None, called)(*args, **options)

        first = classmethod(first_read)
        _set(cls, name, first)

    def write_late(
        cls: Any,
        format_name: str = "dict",
        dialect: Any = None,
        encoder: Any = None,
        encoder_kwargs: Any = None,
    ) -> None:
        name = name_of_writing((), format_name, encoder)

        def first_write(self: Any, *args: Any, **options: Any) -> Any:
            writing(cls, format_name, dialect, encoder, encoder_kwargs)
            return _made(cls, name, first_write).__get__(self, type(self))(*args, **options)

        _set(cls, name, first_write)

    mixin.compile_mixin_unpacker = read_late
    mixin.compile_mixin_packer = write_late


def _set(cls: Any, name: Any, method: Any) -> None:
    """As ``CodeBuilder`` does: a method under its inner and its public name."""
    setattr(cls, name, method)
    setattr(cls, name.public, method)


def _made(cls: Any, name: str, first: Any) -> Any:
    """The method that was made in place of ``first``."""
    made = cls.__dict__[name]
    if made is first:
        raise RuntimeError(f"mashumaro made no {name} of {cls.__qualname__}")
    return made
