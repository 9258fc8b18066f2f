"""The settings, for a command that needs no container, nor the libraries of one."""

from functools import partial

from limbo.entrypoints.settings.settings import load
from limbo.entrypoints.wiring.backends import BACKENDS
from limbo.entrypoints.wiring.senders import SENDER_KINDS

load_settings = partial(load, backends=BACKENDS, kinds=SENDER_KINDS, defaults={})
