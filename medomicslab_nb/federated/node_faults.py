"""What keeps a site's node from the federation's server, in words for who runs the site."""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime

import httpx
from flwr.supercore.error import ApiErrorCode, FlowerError

from medomicslab_nb.errors import MedomicsError

_CLOCK_S = 5.0  # as far as a site's clock may be ahead of the server's

_REASONS: dict[int, str] = {
    ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED:
        "the server does not know this site's key (or another program uses it at this moment). Send keys/public.pem to "
        "the coordinator to register it",
}


def in_words(error: BaseException) -> str:
    """What keeps the site from the federation's server, for who runs the site."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return ("what answers there is not the federation's server: its certificate is not signed by the federation's "
                "authority (site/ca.pem), or is for another address. Nothing was sent")
    if isinstance(error, httpx.HTTPStatusError):
        told = FlowerError.from_json(error.response.text)
        if told is not None and told.code in _REASONS:
            return _REASONS[told.code]
        if error.response.status_code == httpx.codes.UNAUTHORIZED:
            return _clock(error.response) or _REASONS[ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED]
        return f"the server refuses: {told.message if told is not None else error.response.status_code}"
    if isinstance(error, httpx.TransportError):
        return f"the server does not answer ({type(error).__name__})"
    return str(error) if isinstance(error, MedomicsError) else f"{type(error).__name__}: {error}"


def _clock(response: httpx.Response) -> str:
    """What is to be said of this machine's clock, when that is why a signature is not accepted."""
    try:
        ahead_s = (dt.datetime.now(dt.UTC) - parsedate_to_datetime(response.headers["date"])).total_seconds()
    except (KeyError, ValueError, TypeError):
        return ""
    if abs(ahead_s) < _CLOCK_S:
        return ""
    return (f"this machine's clock is {abs(ahead_s):.0f} s {'ahead of' if ahead_s > 0 else 'behind'} the server's, "
            "which takes no signature from another time: set it by a time server")
