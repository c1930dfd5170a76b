"""The files in deploy/: they parse, hold no secret, name what exists, and belong to the versions in the lock."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from effectmeter.errors import EffectmeterError, UsageError
from pipelines.cluster import ONE_AT_A_TIME
from pipelines.services import SECRETS, SERVICES, service_command, service_environment
from pipelines.webserver import NAMES

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and "secrets" not in path.parts)
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
OUTSIDE_THE_CODE = {"EFFECTMETER_VERSION", "EFFECTMETER_DATA", "EFFECTMETER_PLANS"}
"""Read by compose itself: image tag and folders on the host."""


def documents() -> dict[str, list[Any]]:
    return {str(path.relative_to(DEPLOY)): list(yaml.safe_load_all(path.read_text())) for path in FILES
            if path.suffix == ".yaml"}  # fmt: skip


def values_in(found: Any) -> Iterator[tuple[str, str]]:
    """Yield every text with the key under which it stands."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield from ((str(key), value),) if isinstance(value, str) else values_in(value)
    elif isinstance(found, list):
        for each in found:
            yield from (("", each),) if isinstance(each, str) else values_in(each)


def locked(package: str) -> str:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    return next(str(each["version"]) for each in lock["package"] if each["name"] == package)


def test_every_file_parses_and_none_holds_a_secret() -> None:
    assert len(documents()) >= 5
    for path in FILES:
        assert not re.search(r"\b[0-9a-fA-F]{32,}\b|BEGIN [A-Z ]*PRIVATE|password\s*[:=]\s*['\"]?\w+['\"]?\s*$",
                             path.read_text(), re.MULTILINE), path  # fmt: skip
    for name, found in documents().items():
        for key, value in values_in(found):
            assert "assword" not in key or value.startswith(("EFFECTMETER_", "effectmeter-", "/run/secrets/", "./")), (
                f"{name}: {key}"
            )


def test_every_variable_named_there_is_read_by_the_code() -> None:
    code = "\n".join(
        path.read_text()
        for room in ("pipelines", "effectmeter", "vault", "assets")
        for path in (ROOT / room).glob("*.py")
    )
    shipped = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    known = {value for key, value in values_in(shipped) if key == "env"} | OUTSIDE_THE_CODE
    for path in FILES:
        for name in set(re.findall(r"EFFECTMETER_[A-Z_]*[A-Z]", path.read_text())):
            assert name in known or f'"{name}"' in code, f"{path.name}: {name} is read by nothing"


def test_dagster_takes_its_settings_as_they_ship(tmp_path: Path) -> None:
    from dagster._config import validate_config
    from dagster._core.instance.config import dagster_instance_config
    from dagster._core.workspace.config_schema import WORKSPACE_CONFIG_SCHEMA

    shutil.copy(DEPLOY / "dagster.yaml", tmp_path)
    settings, _ = dagster_instance_config(str(tmp_path))
    assert settings["storage"]["postgres"]["postgres_db"]["scheme"] == "postgresql+psycopg2"
    assert not settings["telemetry"]["enabled"]
    limits = settings["concurrency"]["runs"]["tag_concurrency_limits"]
    one_at_a_time = {"programme", "dagster/backfill", *ONE_AT_A_TIME}
    assert {limit["key"]: limit["limit"] for limit in limits} == dict.fromkeys(one_at_a_time, 1)
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text())
    checked = validate_config(WORKSPACE_CONFIG_SCHEMA, workspace)
    assert checked.success, checked.errors


def test_services_listen_on_this_machine_only_unless_somebody_says_otherwise() -> None:
    environment = service_environment({"EFFECTMETER_HOME": "/x"})
    assert "127.0.0.1" in service_command("code", environment)
    assert "127.0.0.1" in service_command("webserver", environment)
    for service in SERVICES:
        assert service_command(service, environment)[0] == sys.executable
    with pytest.raises(UsageError, match="no login"):
        service_command("webserver", environment | {"EFFECTMETER_UI_HOST": "0.0.0.0"})
    opened = environment | {"EFFECTMETER_UI_HOST": "0.0.0.0", "EFFECTMETER_WITHOUT_LOGIN": "yes"}
    assert "0.0.0.0" in service_command("webserver", opened)
    with pytest.raises(UsageError, match="no service 'nginx'"):
        service_command("nginx", environment)


def test_secrets_come_from_files_and_what_is_set_goes_before(tmp_path: Path) -> None:
    (tmp_path / "postgres-password").write_text("from a file\n")
    (tmp_path / "effectmeter-key").write_text("also\n")
    found = service_environment({"CREDENTIALS_DIRECTORY": str(tmp_path), "EFFECTMETER_KEY": "set"})
    assert (found["EFFECTMETER_POSTGRES_PASSWORD"], found["EFFECTMETER_KEY"]) == ("from a file", "set")
    (tmp_path / "postgres-password").write_text("\n")
    with pytest.raises(EffectmeterError, match="empty"):
        service_environment({"EFFECTMETER_SECRETS": str(tmp_path)})


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_units_start_our_services_with_few_rights(unit: Path) -> None:
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read(unit)
    service = read["Service"]
    *_, module, name = service["ExecStart"].split()
    assert module == "pipelines.services"
    assert name in SERVICES
    assert service["User"] == "effectmeter"
    assert (service["ProtectSystem"], service["NoNewPrivileges"], service["UMask"]) == ("strict", "yes", "0077")
    assert (service["IPAddressDeny"], service["IPAddressAllow"]) == ("any", "localhost")
    credentials = re.findall(r"^LoadCredential=([a-z-]+):/etc/effectmeter/", unit.read_text(), re.MULTILINE)
    assert set(credentials) <= set(SECRETS)
    assert ("effectmeter-key" in credentials) == (name == "code")
    assert ("vault" in service.get("InaccessiblePaths", "")) == (name != "code")


def test_systemd_knows_every_line_of_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    for path in (DEPLOY / "systemd").iterdir():
        there = path.read_text().replace("/srv/effectmeter/app/.venv/bin/python", sys.executable)
        (tmp_path / path.name).write_text(there)
    checked = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.glob("*.service")))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Unknown" not in checked.stderr, checked.stderr
    assert checked.returncode == 0, checked.stderr


def test_containers_run_without_rights_and_only_one_sees_data() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", [])), name
        if name != "postgres":
            assert service["user"] == "10001:10001"
            assert service["command"][:3] == ["python", "-m", "pipelines.services"]
            assert service["command"][3] in SERVICES
            assert ("effectmeter-key" in service["secrets"]) == (name == "code")
            assert any("EFFECTMETER_DATA" in volume for volume in service["volumes"]) == (name == "code")
    assert compose["networks"]["inside"]["internal"] is True
    assert compose["services"]["code"]["networks"] == ["inside"]
    assert set(compose["secrets"]) <= set(SECRETS)


def test_the_image_holds_what_is_named_and_nothing_else() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    assert "\nUSER 10001:10001\n" in dockerfile
    assert "uv sync --frozen --no-dev" in dockerfile
    (makefile,) = re.findall(r"^UV_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert f"uv:{makefile} " in dockerfile
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split("\n")
    taken = [line[1:] for line in ignored if line.startswith("!")]
    assert "*" in ignored
    assert all((ROOT / name).exists() for name in taken)
    assert not {"data", ".git", ".venv", "build"} & set(taken)
    rooms = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    assert set(rooms) <= set(taken)
    wrapper = DEPLOY / "bin" / "dagster-webserver"
    assert wrapper.stat().st_mode & 0o111
    assert "pipelines.webserver" in wrapper.read_text()


def test_the_chart_is_of_the_locks_version_and_its_pods_have_few_rights() -> None:
    text = (DEPLOY / "kubernetes" / "values.yaml").read_text()
    assert f"--version {locked('dagster')} " in text
    values = yaml.safe_load(text)
    (code,) = values["dagster-user-deployments"]["deployments"]
    run = values["runLauncher"]["config"]["k8sRunLauncher"]["runK8sConfig"]
    pods = [
        *((part["podSecurityContext"], part["securityContext"])
          for part in (code, values["dagsterDaemon"], values["dagsterWebserver"])),
        (run["podSpecConfig"]["securityContext"], run["containerConfig"]["securityContext"]),
    ]  # fmt: skip
    for pod, container in pods:
        assert pod["runAsNonRoot"] is True
        assert container["readOnlyRootFilesystem"] is True
        assert container["allowPrivilegeEscalation"] is False
    for part in (values["dagsterDaemon"], values["dagsterWebserver"]):
        assert "effectmeter-data" not in str(part), "only the code location and runs see data"
        assert "envSecrets" not in part
    assert code["image"]["tag"] == locked("effectmeter")
    assert values["postgresql"]["postgresqlScheme"] == "postgresql+psycopg2"
    assert {each["name"] for each in values["dagsterWebserver"]["env"]} == {NAMES}


def test_nothing_in_the_namespace_speaks_unless_a_policy_says_so() -> None:
    found = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "namespace.yaml").read_text()))
    policies = {each["metadata"]["name"]: each["spec"] for each in found if each["kind"] == "NetworkPolicy"}
    assert policies["nothing"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert all("from" in rule for spec in policies.values() for rule in spec.get("ingress", []))
    assert all("to" in rule for spec in policies.values() for rule in spec.get("egress", []))
