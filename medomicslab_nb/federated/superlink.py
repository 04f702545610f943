"""The federation's server: Flower's SuperLink with everything closed that need not be open.

Sites prove who they are with their key; what starts runs and registers keys needs the federation's secret, which never
leaves the coordinator's folder. Without the two, Flower's interfaces are open to whoever reaches the port.
"""

from __future__ import annotations

import hmac
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from flwr.common.constant import ISOLATION_MODE_PROCESS, TRANSPORT_TYPE_GRPC_RERE
from flwr.supercore.auth.typing import AccountInfo
from flwr.superlink.auth_plugin import NoOpControlAuthnPlugin
from flwr.superlink.cli.flower_superlink import SuperLinkLifespan
from flwr.superlink.config_loader import SuperLinkLifespanConfig
from flwr.superlink.main import create_app

from medomicslab_nb.federated.server_home import SETTINGS, read_secret

_SHOWN = "flwr-oidc-access-token"  # where Flower puts what a request shows
_DESCRIPTIONS = ("/docs", "/docs/oauth2-redirect", "/openapi.json")


class SecretPlugin(NoOpControlAuthnPlugin):
    """Lets in who knows the federation's secret."""

    def __init__(self, secret: bytes) -> None:
        super().__init__()
        self._secret = secret

    def validate_tokens_in_metadata(self, metadata: Sequence[tuple[str, str | bytes]]
                                    ) -> tuple[bool, AccountInfo | None]:
        shown = dict(metadata).get(_SHOWN, "")
        shown = shown if isinstance(shown, bytes) else shown.encode()
        if not hmac.compare_digest(shown, self._secret):
            return False, None
        return super().validate_tokens_in_metadata(metadata)


def serve(home: Path) -> None:
    """Run the server until it is ended."""
    settings = json.loads((home / SETTINGS).read_bytes())
    ca, certificate, key = (str(settings[name]) for name in ("ca", "certificate", "key"))
    secret = read_secret(home)
    config = SuperLinkLifespanConfig(
        control_address="", health_server_address=None, host=settings["host"], port=settings["port"], insecure=False,
        certificates=(Path(ca).read_bytes(), Path(certificate).read_bytes(), Path(key).read_bytes()),
        superexec_auth_secret=secret, authn_plugin=SecretPlugin(secret), event_log_plugin=None,
        fleet_event_log_plugin=None, enable_event_log=False, artifact_provider=None, enable_supernode_auth=True,
        fleet_api_type=TRANSPORT_TYPE_GRPC_RERE, fleet_api_address=None, simulation=False, ssl_ca_certfile=ca,
        ssl_certfile=certificate, ssl_keyfile=key, database=str(home / "state.db"), isolation=ISOLATION_MODE_PROCESS,
        runtime_dependency_install=False)
    app = create_app(config, SuperLinkLifespan)
    app.router.routes = [route for route in app.router.routes if getattr(route, "path", "") not in _DESCRIPTIONS]
    uvicorn.run(app, host=config.host, port=config.port, ssl_certfile=certificate,
                ssl_keyfile=key, access_log=False, log_level="warning")


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
