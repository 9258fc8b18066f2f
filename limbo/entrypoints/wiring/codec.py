"""How this process stores mails: in plain, or sealed with the keys of the settings."""

from collections.abc import Mapping

from limbo.adapters.encoding.mail_codec import PLAIN, MailCodec
from limbo.domain.errors import SettingsError
from limbo.entrypoints.settings.variables import BODY_KEYS


def mail_codec(body_keys: Mapping[str, bytes]) -> MailCodec:
    """Return a codec with these keys, by id; the first one seals. Raises SettingsError."""
    if not body_keys:
        return PLAIN
    try:
        from limbo.adapters.encryption.aes_gcm import AesGcmSeal  # noqa: PLC0415 - may be missing
    except ImportError:
        raise SettingsError(
            f"{BODY_KEYS.name} must not be set without cryptography: pip install cryptography"
        ) from None
    return MailCodec(AesGcmSeal(body_keys))
