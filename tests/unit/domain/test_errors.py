"""What limbo raises stands in one tree, and the tree names it all."""

import importlib
import inspect
import pkgutil

import pytest

import limbo
from limbo.domain import errors
from limbo.domain.errors import LimboError


def all_exceptions():
    """Return the exception classes that the modules of limbo define."""
    modules = [
        importlib.import_module(found.name)
        for found in pkgutil.walk_packages(limbo.__path__, "limbo.")
    ]
    return sorted(
        {
            member
            for module in modules
            for member in vars(module).values()
            if inspect.isclass(member)
            and issubclass(member, BaseException)
            and member.__module__.startswith("limbo.")
        },
        key=lambda exception: exception.__name__,
    )


@pytest.mark.parametrize("exception", all_exceptions(), ids=lambda found: found.__name__)
def test_stands_in_the_tree_under_its_own_base(exception):
    assert issubclass(exception, LimboError)
    if exception is not LimboError:
        assert tree()[exception.__name__] == exception.__base__.__name__


def test_the_tree_names_nothing_that_is_not_there():
    assert {*tree()} == {found.__name__ for found in all_exceptions()} - {"LimboError"}


def tree():
    """Read the drawing: each name with the one it stands under."""
    bases, parents = {}, ["LimboError"]
    for line in (errors.__doc__ or "").splitlines():
        branch, found, rest = line.partition("── ")
        if found:
            depth = len(branch) // 4
            name = rest.split()[0]
            bases[name] = parents[depth]
            parents[depth + 1 :] = [name]
    return bases
