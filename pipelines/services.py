"""The three processes of an installation that works by itself: ``python -m pipelines.services NAME``.

``code`` loads the definitions, starts runs and alone sees data and keys; ``daemon`` keeps schedule, sensors and queue;
``webserver`` serves the interface, behind our guard. A service manager or a container runs each (``deploy/``); before
they start, ``migrate`` brings Dagster's storage to the version that is installed, and ends. Here: which command a
service is, and what it is told. Not here: `effectmeter ui`, which is all three for one person.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from effectmeter.errors import EffectmeterError, UsageError
from effectmeter.home import Home
from pipelines.ui import LOCAL, WARNING, require_local

SECRETS = {
    "effectmeter-key": "EFFECTMETER_KEY",
    "postgres-password": "EFFECTMETER_POSTGRES_PASSWORD",
    "smtp-password": "EFFECTMETER_ALERT_SMTP_PASSWORD",
}
"""Files in the folder of secrets, and the variable that each one fills when it is not set."""
FOLDERS = ("EFFECTMETER_SECRETS", "CREDENTIALS_DIRECTORY")
"""Variables that name the folder of secrets: ours, else the one that systemd sets for ``LoadCredential=``."""
HOST, PORT = "EFFECTMETER_UI_HOST", "EFFECTMETER_UI_PORT"
CODE_HOST, CODE_PORT = "EFFECTMETER_CODE_HOST", "EFFECTMETER_CODE_PORT"
BIND = "EFFECTMETER_CODE_BIND"
"""Address at which the code location listens, when it is another than the one at which the others find it."""
OPEN = "EFFECTMETER_WITHOUT_LOGIN"
"""``yes``: the interface may listen elsewhere than on this machine, as in a container of its own."""
WORKSPACE = Path(__file__).resolve().parents[1] / "deploy" / "workspace.yaml"
SERVICES = ("code", "daemon", "webserver", "migrate")


def service_environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a service: what was given, with secrets from their files and Dagster's own folder.

    Parameters
    ----------
    given
        The environment of this process.

    Raises
    ------
    EffectmeterError
        A secret's file cannot be read or is empty.
    """
    environment = {
        "DAGSTER_HOME": str(Home.from_environment().dagster),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        CODE_HOST: LOCAL,
        CODE_PORT: "4000",
        **given,
    }
    folder = next((given[name] for name in FOLDERS if given.get(name)), None)
    for file, variable in SECRETS.items() if folder is not None else ():
        path = Path(str(folder)) / file
        if variable not in environment and path.exists():
            environment[variable] = _secret(path)
    return environment


def _secret(path: Path) -> str:
    try:
        secret = path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        raise EffectmeterError(
            f"this secret cannot be read ({os.strerror(error.errno or 0)})",
            where=str(path),
            next_step="give the account of this service, and no other, the right to read it",
        ) from None
    if not secret:
        raise EffectmeterError("this secret is empty", where=str(path), next_step="put the secret in, on one line")
    return secret


def service_command(service: str, environment: Mapping[str, str]) -> list[str]:
    """Return the command that a service is.

    Raises
    ------
    UsageError
        There is no such service, or the interface would be reachable from elsewhere without anybody having said so.
    """
    if service == "code":
        where = ["-h", environment.get(BIND) or environment[CODE_HOST], "-p", environment[CODE_PORT]]
        name = ["--location-name", "effectmeter"]
        return [sys.executable, "-m", "dagster", "api", "grpc", "-m", "pipelines.definitions", *where, *name]
    if service == "daemon":
        return [sys.executable, "-m", "dagster._daemon", "run", "-w", str(WORKSPACE)]
    if service == "migrate":
        return [sys.executable, "-m", "dagster", "instance", "migrate"]
    if service == "webserver":
        host, port = environment.get(HOST, LOCAL), environment.get(PORT, "3000")
        if not require_local(host, is_open=environment.get(OPEN) == "yes"):
            sys.stderr.write(WARNING.format(host=host, port=port) + "\n")
        return [sys.executable, "-m", "pipelines.webserver", "-w", str(WORKSPACE), "-h", host, "-p", port]
    raise UsageError(f"there is no service '{service[:40]}'", where="services", allowed=", ".join(SERVICES))


def main() -> None:
    """Become the service that the command line names."""
    try:
        if len(sys.argv) != 2:
            raise UsageError("one service is wanted", where="services", allowed=", ".join(SERVICES))
        environment = service_environment(os.environ)
        command = service_command(sys.argv[1], environment)
    except EffectmeterError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    os.chdir(WORKSPACE.parents[1])
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    main()
