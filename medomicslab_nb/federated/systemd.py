"""A site as a service of its machine: started with it, started again when it ends, shut off from the rest of it."""

from __future__ import annotations

import sys

from medomicslab_nb.federated.site_folder import SiteFolder

_UNIT = """\
# Site {site} of the federation {federation}. As root:
#   cp {service} /etc/systemd/system/
#   systemctl daemon-reload
#   systemctl enable --now {service}
# What it does:  journalctl -u {service} -f
[Unit]
Description=medomicslab: site {site} of the federation {federation}
Wants=network-online.target
After=network-online.target
# It never gives up: a server that is away for a week is found again.
StartLimitIntervalSec=0

[Service]
Type=exec
User={user}
ExecStart={python} -m medomicslab_nb site start {study}
Restart=always
RestartSec=10
TimeoutStopSec=30
UMask=0077
# It reads the machine and the study, and writes into the study's folder "site" only.
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={folder}
PrivateTmp=yes
PrivateDevices=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictSUIDSGID=yes
LockPersonality=yes

[Install]
WantedBy=multi-user.target
"""


def service_name(folder: SiteFolder) -> str:
    """Name of the site's service."""
    return f"medomicslab-{folder.site}.service"


def unit(folder: SiteFolder) -> str:
    """The unit file of a site. The service runs as the owner of the site's folder."""
    return _UNIT.format(site=folder.site, federation=_plain(folder.federation), service=service_name(folder),
                        user=folder.path.owner(), python=_quoted(sys.executable),
                        study=_quoted(str(folder.study_path)).replace("$", "$$"),
                        folder=_quoted(str(folder.path)))


def _plain(text: str) -> str:
    """One line in which systemd finds nothing to put in."""
    return " ".join(text.split()).replace("%", "%%")


def _quoted(text: str) -> str:
    """A path as systemd reads it back. In commands ``$`` has a meaning, too."""
    for sign, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%")):
        text = text.replace(sign, escaped)
    return f'"{text}"'
