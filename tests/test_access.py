"""Who can reach what: the interface stays on this machine, its folder is private, keys stay out of every text."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from workbench import QUARTER, ROOT, Workbench

from assets.bundled import write_deliveries
from effectmeter.errors import EffectmeterError, UsageError
from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.plan_io import load_plan
from pipelines.cli import main
from pipelines.guard import LOOPBACK, Guard, why_refused
from pipelines.instance import open_instance, prepare_dagster_home
from pipelines.ui import require_local, ui_command, ui_environment
from pipelines.webserver import NAMES, served_names
from vault.keys import Key

HERE = b"localhost:3000"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "localhost", "::1"])
def test_this_machine_is_served_without_more(host: str) -> None:
    assert require_local(host, is_open=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "vault.example.org", ""])
def test_another_address_is_refused_unless_asked_in_so_many_words(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        require_local(host, is_open=False)
    assert "put-behind-a-login" in str(caught.value)
    assert "--without-login" in str(caught.value)
    assert not require_local(host, is_open=True)


def run_cli(*arguments: object) -> int:
    """Run the command line in this process, and return its exit code."""
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_the_command_refuses_or_warns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[list[str]] = []
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(os, "execve", lambda _, command, environment: started.append([*command, environment[NAMES]]))
    asked = ("ui", "--home", tmp_path, "--host", "0.0.0.0")
    assert run_cli(*asked) == 2
    assert "this machine only" in capsys.readouterr().err
    assert started == []
    assert run_cli(*asked, "--without-login") == 0
    assert "WARNING" in capsys.readouterr().err
    assert started[0][-1] == "0.0.0.0"
    assert run_cli("ui", "--home", tmp_path, "--read-only", "--public-name", "effect.example.org") == 0
    assert (started[1][-2:], "127.0.0.1" in started[1]) == (["--read-only", "effect.example.org"], True)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("is_read_only", [True, False])
def test_the_interface_is_told_where_to_listen_and_is_guarded(is_read_only: bool) -> None:
    command = ui_command("127.0.0.1", 3000, is_read_only=is_read_only)
    assert command[command.index("-h") + 1] == "127.0.0.1"
    assert command[1:3] == ["-m", "pipelines.webserver"]
    assert ("--read-only" in command) == is_read_only
    assert ("dev" in command) != is_read_only


def test_no_recipe_or_page_starts_an_interface_without_the_guard() -> None:
    texts = [ROOT / "Makefile", ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    starting = [path.name for path in texts if "dagster dev" in path.read_text(encoding="utf-8")]
    assert starting == []


def test_the_interface_answers_to_names_of_this_machine_and_to_those_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAMES, raising=False)
    assert served_names() == LOOPBACK
    environment = ui_environment(Home(Path("x")), Path("y"), ["Effect.example.org"])
    assert environment["DAGSTER_DISABLE_TELEMETRY"] == "yes"
    monkeypatch.setenv(NAMES, environment[NAMES])
    assert served_names() == LOOPBACK | {"effect.example.org"}


def headers(**given: str) -> list[tuple[bytes, bytes]]:
    """Return headers as ASGI has them; localhost is asked for unless said otherwise."""
    named = {name.replace("_", "-"): value for name, value in given.items()}
    return [(name.encode(), value.encode()) for name, value in ({"host": HERE.decode()} | named).items()]


@pytest.mark.parametrize(
    "given",
    [
        headers(),
        headers(host="127.0.0.1:3977"),
        headers(host="[::1]:3000"),
        headers(origin="http://localhost:3000", sec_fetch_site="same-origin"),
        headers(sec_fetch_site="none", sec_fetch_mode="navigate"),
    ],
)
def test_its_own_pages_and_programs_are_let_in(given: list[tuple[bytes, bytes]]) -> None:
    assert why_refused(given, "/graphql", LOOPBACK) == ""


@pytest.mark.parametrize(
    "given",
    [
        headers(host="evil.example"),
        headers(host="localhost.evil.example:3000"),
        headers(host=""),
        headers(origin="http://evil.example"),
        headers(origin="null"),
        headers(origin="http://localhost:8000"),
        headers(sec_fetch_site="cross-site", sec_fetch_mode="no-cors"),
        headers(sec_fetch_site="same-site", sec_fetch_mode="cors"),
        headers(sec_fetch_site="cross-site", sec_fetch_mode="navigate"),
    ],
)
@pytest.mark.parametrize("path", ["/graphql", "/study/graphql", "/logs/x", "/report_asset_check/tarp"])
def test_another_sites_page_gets_no_data_and_changes_nothing(given: list[tuple[bytes, bytes]], path: str) -> None:
    assert why_refused(given, path, LOOPBACK)


def test_a_link_from_another_site_opens_the_page() -> None:
    assert why_refused(headers(sec_fetch_site="cross-site", sec_fetch_mode="navigate"), "/runs", LOOPBACK) == ""


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:3000"])
def test_the_guard_passes_on_what_it_may_and_nothing_else(kind: str, origin: str) -> None:
    reached: list[str] = []
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.append(scope["path"])

    async def receive() -> Any:
        return {"type": f"{kind}.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": kind, "path": "/graphql", "headers": headers(origin=origin)}
    asyncio.run(Guard(app)(scope, receive, send))
    is_ours = "evil" not in origin
    assert reached == (["/graphql"] if is_ours else [])
    if not is_ours:
        assert sent[0].get("status", sent[0].get("code")) in {403, 1008}


def test_dagsters_server_takes_the_guard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The class and the command line of Dagster have the places where ours goes in."""
    import dagster_webserver.cli
    from dagster._cli import dev
    from dagster_webserver.webserver import DagsterWebserver

    from pipelines import webserver

    monkeypatch.setattr(DagsterWebserver, "build_middleware", DagsterWebserver.build_middleware)
    monkeypatch.setattr(dagster_webserver.cli, "main", lambda: None)
    webserver.run_webserver()
    built = DagsterWebserver.build_middleware(None)  # type: ignore[arg-type]
    assert built[0].cls is Guard
    started: list[list[str]] = []
    monkeypatch.setattr(dev, "open_ipc_subprocess", lambda parts, **_: started.append(parts))
    monkeypatch.setattr("dagster._cli.main", lambda: dev.open_ipc_subprocess(["python", "-m", "dagster_webserver"]))
    webserver.run_dev()
    assert started == [["python", "-m", "pipelines.webserver"]]
    assert "dagster_webserver" in Path(dev.__file__).read_text(encoding="utf-8")


def test_dagsters_folder_is_ours_alone_and_nothing_is_sent_away(tmp_path: Path) -> None:
    home = Home(tmp_path / "data")
    home.dagster.mkdir(parents=True)
    home.dagster.chmod(0o755)  # as a careless restore leaves it
    prepare_dagster_home(home)
    assert stat.S_IMODE(home.dagster.stat().st_mode) == 0o700
    with open_instance(home) as instance:
        assert instance.telemetry_enabled is False
        manager = instance.compute_log_manager
        assert type(manager).__name__ == "LocalComputeLogManager"
        path = Path(manager.get_captured_local_path(["run", "compute_logs", "step"], "out"))  # type: ignore[attr-defined]
        assert home.dagster in path.parents
        with pytest.raises(ValueError, match="Invalid path"):
            manager.get_captured_local_path(["..", "..", "keys", "tarp"], "key")  # type: ignore[attr-defined]
    settings = yaml.safe_load((home.dagster / "dagster.yaml").read_text(encoding="utf-8"))
    assert settings["telemetry"] == {"enabled": False}
    assert not {"compute_logs", "storage", "run_launcher"} & set(settings)


def models_below(model: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """Return a model and every model that its fields can hold."""
    if model in seen:
        return seen
    seen.add(model)
    waiting: list[Any] = [field.annotation for field in model.model_fields.values()]
    while waiting:
        each = waiting.pop()
        if isinstance(each, type) and issubclass(each, BaseModel):
            models_below(each, seen)
        waiting += getattr(each, "__args__", ())
    return seen


def test_a_plan_has_no_place_for_a_key() -> None:
    models = models_below(Plan, set())
    assert len(models) > 10
    assert [model.__name__ for model in models if model.model_config.get("extra") != "forbid"] == []
    telling = ("key", "secret", "password", "token_", "credential")
    fields = [f"{model.__name__}.{name}" for model in models for name in model.model_fields]
    assert [field for field in fields if any(word in field.split(".")[1] for word in telling)] == []


@pytest.mark.parametrize("where", ["key", "encryption_key", "vault", "disclosure.key", "source.key"])
def test_a_key_in_a_plan_is_refused_and_not_repeated(tmp_path: Path, where: str) -> None:
    secret = secrets.token_hex(32)
    plan = yaml.safe_load((ROOT / "programmes" / "tarp.yaml").read_text(encoding="utf-8"))
    *above, name = where.split(".")
    place = plan
    for part in above:
        place = place.setdefault(part, {})
    place[name] = secret
    path = tmp_path / "tarp.yaml"
    path.write_text(yaml.safe_dump(plan, allow_unicode=True), encoding="utf-8")
    with pytest.raises(EffectmeterError) as caught:
        load_plan(path)
    assert name in str(caught.value)
    assert secret not in str(caught.value)


def files_with(secret: str, folders: Iterable[Path]) -> list[str]:
    """Return the files that hold a secret: as it is written, in capitals, or as its bytes."""
    forms = (secret.encode(), secret.upper().encode(), bytes.fromhex(secret))
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [path.name for path in paths if any(form in path.read_bytes() for form in forms)]


@pytest.mark.parametrize("origin", ["environment", "file"])
def test_a_key_is_nowhere_but_where_it_was_put(
    tmp_path: Path, origin: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    bench = Workbench(tmp_path)
    bench.add_bundled("tarp")
    write_deliveries(bench.home, QUARTER, ["tarp"])
    secret = secrets.token_hex(32)
    for name in [name for name in os.environ if name.startswith("EFFECTMETER_KEY")]:
        monkeypatch.delenv(name)
    own = bench.home.key("tarp")
    if origin == "environment":
        monkeypatch.setenv("EFFECTMETER_KEY_TARP", secret)
    else:
        own.parent.mkdir(parents=True, mode=0o700)
        own.write_text(f"{secret}\n", encoding="ascii")
        own.chmod(0o600)
    where = ("--home", bench.home.root, "--programmes", bench.plans, "--programme", "tarp", "--quarter", QUARTER)
    assert run_cli("refresh", *where) == 0
    assert run_cli("effects", *where, "--json") == 0
    said = capfd.readouterr()
    assert bench.home.vault("tarp", QUARTER).is_file()
    assert (bench.home.dagster / "history").is_dir()
    assert own.exists() == (origin == "file")
    own.unlink(missing_ok=True)  # the one place where it may be
    key = Key(bytes.fromhex(secret), "test")
    for each in (secret, *(key.derived(purpose).hex() for purpose in ("vault file", "pseudonyms"))):
        assert each not in said.out + said.err
        assert files_with(each, [tmp_path]) == []


def test_a_wrong_key_is_refused_without_repeating_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vault.connection import open_vault

    path = Home(tmp_path).vault("tarp", QUARTER)
    right, wrong = secrets.token_hex(32), secrets.token_hex(32)
    monkeypatch.setenv("EFFECTMETER_KEY_TARP", right)
    with open_vault(path) as connection:
        connection.execute("create table kept as select 1 as x")
    for other in (wrong, "no-key-at-all-7351"):
        monkeypatch.setenv("EFFECTMETER_KEY_TARP", other)
        with pytest.raises(EffectmeterError) as caught, open_vault(path, read_only=True):
            pass
        assert other not in repr(caught.value) + str(caught.value)
        assert right not in str(caught.value)


def audit() -> Any:
    """Load the recipe's program, which is not part of a room."""
    spec = importlib.util.spec_from_file_location("audit_recipe", ROOT / "benchmarks" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass looks its module up
    spec.loader.exec_module(module)
    return module


def test_every_locked_package_has_a_licence_that_fits() -> None:
    recipe = audit()
    told = {name: recipe.licence_of(name) for name, _ in recipe.locked()}
    assert len(told) > 100
    assert [name for name, licence in told.items() if licence is not None and not recipe.fits(name, licence)] == []
    assert not recipe.fits("x", "SSPL-1.0")
    assert not recipe.fits("x", "MIT AND Proprietary")


def test_an_audit_that_found_nothing_out_is_not_taken_for_a_clean_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = audit()
    skipping = {"dependencies": [{"name": "jinja2", "skip_reason": "not found"}], "fixes": []}
    monkeypatch.setattr(recipe, "PAGE", tmp_path / "audit.md")
    monkeypatch.setattr(recipe, "pip_audit", lambda service, _: (skipping, "") if service == "pypi" else ({}, "no way"))
    assert recipe.main() == 2
    assert "NOT looked up" in capsys.readouterr().err
    assert "**Not looked up**" in (tmp_path / "audit.md").read_text(encoding="utf-8")

    def knowing(_: str, wanted: Path) -> tuple[dict[str, Any], str]:
        hole = {"id": "CVE-2024-22195", "fix_versions": ["3.1.3"]}
        is_canary = "jinja2==3.1.2" in wanted.read_text(encoding="utf-8")
        return {"dependencies": [{"name": "jinja2", "version": "3.1.2", "vulns": [hole] if is_canary else []}]}, ""

    monkeypatch.setattr(recipe, "pip_audit", knowing)
    assert recipe.main() == 0


def test_the_committed_audit_is_about_what_is_locked() -> None:
    page = (ROOT / "benchmarks" / "audit.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| ([\w.-]+) \| ([\w.+!-]+) \| .+ \|$", page, re.MULTILINE)) - {("package", "version")}
    locked = set(audit().locked())
    assert rows <= locked, "run `make audit`: these are no longer locked"
    assert len(rows) > 0.9 * len(locked), "run `make audit`: most of what is locked is not in it"
