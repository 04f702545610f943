"""The commands ``medomicslab federation`` and ``medomicslab site``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medomicslab_nb.cli_parts import add_command, add_settings, assign, given_settings, run_stage
from medomicslab_nb.stages import load

if TYPE_CHECKING:
    from medomicslab_nb.federated.site_folder import SiteFolder

_FEDERATION = "medomicslab_nb.federated.federation_commands"
_SITE = "medomicslab_nb.federated.site_commands"


def add_federated(commands: Any) -> None:
    """Declare the commands of federated learning, of both sides."""
    _add_federation(commands)
    _add_site(commands)


def _add_federation(commands: Any) -> None:
    """The coordinator's side of federated learning."""
    text = "federated learning over hospitals, at the coordinator"
    actions = commands.add_parser("federation", help=text, description=text).add_subparsers(metavar="ACTION",
                                                                                            required=True)
    command = add_command(actions, "new", federation_new, "make a federation: its authority and its server's "
                          "certificate")
    command.add_argument("dir", metavar="DIR")
    command.add_argument("--address", required=True, metavar="HOST:PORT", help="where the hospitals reach the server")
    command.add_argument("--name", default="", help="default: the folder's name")

    command = add_command(actions, "invite", federation_invite, "write the file that a hospital joins with")
    command.add_argument("dir", metavar="DIR")
    command.add_argument("site", metavar="SITE", help="the hospital's name in the federation, e.g. CHUM")

    command = add_command(actions, "register", federation_register, "take the public key that a hospital has sent")
    command.add_argument("dir", metavar="DIR")
    command.add_argument("site", metavar="SITE")
    command.add_argument("key", metavar="PUBLIC_KEY", help="the file public.pem of 'medomicslab site init'")

    command = add_command(actions, "remove", federation_remove, "forget a hospital: its key is refused from then on")
    command.add_argument("dir", metavar="DIR")
    command.add_argument("site", metavar="SITE")

    command = add_command(actions, "plan", federation_plan, "write a run down for the hospitals to approve")
    command.add_argument("dir", metavar="DIR")
    add_settings(command, "the federated stage")
    command.add_argument("--out", metavar="FILE.yaml", help="default: in the federation's folder 'plans'")

    command = add_command(actions, "start", federation_start, "start the server that the hospitals connect to")
    command.add_argument("dir", metavar="DIR")
    command.add_argument("--listen", metavar="HOST:PORT", help="where the server listens, when it is not the address "
                         "that hospitals use (default: all of this machine's addresses, with that port)")

    for name, function, text in (("stop", federation_stop, "stop the server"),
                                 ("status", federation_status, "which hospitals have registered and are connected")):
        command = add_command(actions, name, function, text)
        command.add_argument("dir", metavar="DIR")

    command = add_command(actions, "run", federation_run, "run the federated stage over the hospitals")
    command.add_argument("dir", metavar="DIR")
    command.add_argument("--study", required=True, metavar="DIR", help="the study that keeps the run; it needs no "
                         "patients")
    add_settings(command, "the federated stage")
    command.add_argument("--timeout", type=float, metavar="SECONDS", help="stop the run after so long")


def _add_site(commands: Any) -> None:
    """The hospital's side of federated learning."""
    text = "federated learning over hospitals, at a hospital"
    actions = commands.add_parser("site", help=text, description=text).add_subparsers(metavar="ACTION", required=True)
    command = add_command(actions, "init", site_init, "make a study a site of a federation: keys, and rules of what "
                          "may leave")
    command.add_argument("study", metavar="STUDY")
    command.add_argument("--invitation", required=True, metavar="FILE", help="what the coordinator has sent")
    command.add_argument("-s", dest="rules", action="append", default=[], metavar="rule=value",
                         help="one rule of what may leave, e.g. minimum_count=10; all stand in site/site.yaml")

    command = add_command(actions, "keys", site_keys, "make a new pair of keys, in place of one that was lost or seen")
    command.add_argument("study", metavar="STUDY")

    command = add_command(actions, "approve", site_approve, "read a plan in words, and allow it or not")
    command.add_argument("study", metavar="STUDY")
    command.add_argument("plan", metavar="PLAN", help="what the coordinator has sent")
    command.add_argument("--yes", action="store_true", help="allow it without being asked")
    command.add_argument("--by", default="", metavar="NAME", help="who allows it (default: your account's name)")

    command = add_command(actions, "revoke", site_revoke, "take back what was allowed")
    command.add_argument("study", metavar="STUDY")
    command.add_argument("plan", metavar="PLAN", help="its file, or the first digits of its hash")

    command = add_command(actions, "check", site_check, "look at rules, keys, certificates, the connection, and the "
                          "patients for each plan that was approved")
    command.add_argument("study", metavar="STUDY")

    command = add_command(actions, "start", site_start, "take part, until it is stopped with Ctrl+C")
    command.add_argument("study", metavar="STUDY")
    command.add_argument("--systemd", action="store_true", help="instead print a unit file, for a service of this "
                         "machine")

    command = add_command(actions, "audit", site_audit, "what was asked and what has left, in words")
    command.add_argument("study", metavar="STUDY")
    command.add_argument("--known", default="", metavar="HASH", help="the last line's hash that was noted earlier: it "
                         "must still be there")


# -- the commands -----------------------------------------------------------------------------------------------------


def federation_new(options: argparse.Namespace) -> None:
    folder = load(f"{_FEDERATION}:new")(options.dir, options.address, options.name)
    print(f"The federation {folder.name} is made. Its authority's fingerprint, for hospitals to compare by telephone:\n"
          f"  {load(f'{_FEDERATION}:fingerprint')(folder)}\n"
          f"Next: medomicslab federation invite {options.dir} SITE")


def federation_invite(options: argparse.Namespace) -> None:
    path = load(f"{_FEDERATION}:invite_site")(options.dir, options.site)
    print(f"Invitation: {os.path.relpath(path)}\n"
          "Send it to the hospital; nothing in it is secret. The hospital sends back its file public.pem.\n"
          f"Then: medomicslab federation register {options.dir} {options.site} PUBLIC_KEY")


def federation_register(options: argparse.Namespace) -> None:
    member = load(f"{_FEDERATION}:register_site")(options.dir, options.site, Path(options.key))
    print(f"{options.site} is registered. Compare its key's fingerprint by telephone:\n  {member.key}")


def federation_remove(options: argparse.Namespace) -> None:
    load(f"{_FEDERATION}:remove_site")(options.dir, options.site)
    print(f"{options.site} is no part of the federation any more.")


def federation_plan(options: argparse.Namespace) -> None:
    path, words = load(f"{_FEDERATION}:write_plan")(
        options.dir, given_settings(options), Path(options.out) if options.out else None)
    print(f"{words}\n\nPlan: {os.path.relpath(path)}\n"
          "Send it to every hospital, for: medomicslab site approve STUDY PLAN")


def federation_start(options: argparse.Namespace) -> None:
    for line in load(f"{_FEDERATION}:start_server")(options.dir, options.listen):
        print(line)


def federation_stop(options: argparse.Namespace) -> None:
    print(load(f"{_FEDERATION}:stop_server")(options.dir))


def federation_status(options: argparse.Namespace) -> int:
    lines, well = load(f"{_FEDERATION}:status")(options.dir)
    print("\n".join(lines))
    return int(not well)


def federation_run(options: argparse.Namespace) -> None:
    settings = load(f"{_FEDERATION}:run_settings")(options.dir, given_settings(options))
    run_stage("federated", options.study, settings, options.timeout)


def site_init(options: argparse.Namespace) -> None:
    rules: dict[str, Any] = {}
    for assignment in options.rules:
        assign(rules, assignment)
    folder, fingerprint = load(f"{_SITE}:init")(options.study, Path(options.invitation), rules)
    print(f"{folder.study} is the site {folder.site} of the federation {folder.federation}.\n"
          f"The rules of what may leave stand in {os.path.relpath(folder.path / 'site.yaml')}.\n"
          f"Compare the authority's fingerprint with the coordinator by telephone:\n  {fingerprint}")
    _say_key(folder)


def site_keys(options: argparse.Namespace) -> None:
    print("There is a new pair of keys. The old one is refused as soon as the coordinator has registered it.")
    _say_key(load(f"{_SITE}:renew_keys")(options.study))


def _say_key(folder: SiteFolder) -> None:
    print(f"Send the coordinator this file:\n  {os.path.relpath(folder.public_key)}\n"
          f"Its fingerprint, which the coordinator reads to you:\n  {load(f'{_SITE}:own_fingerprint')(folder)}")


def site_approve(options: argparse.Namespace) -> int:
    plan, words = load(f"{_SITE}:read_plan")(options.study, Path(options.plan))
    print(words)
    if not options.yes and _answer("\nAllow this? Type yes: ") not in ("yes", "oui"):
        print("It is not allowed; nothing was changed.")
        return 1
    approval = load(f"{_SITE}:approve")(options.study, plan, options.by)
    print(f"\nAllowed by {approval.by}. To take it back: medomicslab site revoke {options.study} {approval.plan[:12]}")
    return 0


def _answer(question: str) -> str:
    try:
        return input(question).strip().lower()
    except EOFError:  # no terminal: nobody has said yes
        print()
        return ""


def site_revoke(options: argparse.Namespace) -> None:
    approval = load(f"{_SITE}:revoke")(options.study, options.plan)
    print(f"Plan {approval.plan[:12]} is no longer allowed. Nothing of it is answered from now on.")


def site_check(options: argparse.Namespace) -> int:
    well = True
    for finding in load("medomicslab_nb.federated.site_check:check")(options.study):
        print(f"  {'ok     ' if finding.ok else 'PROBLEM'} {finding.what}: {finding.words}")
        well = well and finding.ok
    return int(not well)


def site_start(options: argparse.Namespace) -> None:
    if options.systemd:
        print(load("medomicslab_nb.federated.systemd:unit")(load("medomicslab_nb.federated.site_folder:read_site")(
            options.study)), end="")
        return
    load(f"{_SITE}:start")(options.study)


def site_audit(options: argparse.Namespace) -> None:
    for line in load(f"{_SITE}:audit")(options.study, options.known):
        print(line)
