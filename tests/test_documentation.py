"""What is written agrees with what is there: commands, links, lists, generated pages, words."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import get_args

import pytest
import typer.main
from workbench import QUARTER, ROOT

from effectmeter.home import Home
from effectmeter.plan import Plan
from effectmeter.plan_io import load_plans
from effectmeter.schema import DESIGN_TABLES
from pipelines.cli import app, main
from pipelines.commands_page import commands
from pipelines.generated import write_generated

COMMANDS = dict(commands())


def tracked(*patterns: str) -> list[Path]:
    """Return the files that are in the repository, or would be by the next commit."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def text_of(path: str | Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


PAGES = sorted(path.relative_to(ROOT).as_posix() for path in tracked("*.md"))


def code_lines(page: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", text_of(page), re.DOTALL)
    return [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]


def shown_commands() -> list[tuple[str, str]]:
    """Return page and command line of everything that the pages tell a reader to run."""
    lines = {(page, line) for page in PAGES for line in code_lines(page) if "effectmeter " in line}
    inline = {
        (page, found)
        for page in PAGES
        for found in re.findall(r"`((?:\.venv/bin/)?effectmeter [a-z][^`]*)`", text_of(page))
    }
    return sorted(lines | inline)


@pytest.mark.parametrize(("page", "line"), shown_commands())
def test_a_command_in_the_documentation_exists_with_those_options(page: str, line: str) -> None:
    words = shlex.split(line)[1:]
    name = next((known for known in COMMANDS if words[: len(known.split())] == known.split()), None)
    assert name is not None, f"{page}: {line}"
    options = {option for param in COMMANDS[name].params for option in param.opts}
    assert {word for word in words if word.startswith("--")} <= options | {"--help"}, f"{page}: {line}"


def test_the_ten_minutes_of_the_readme_begin_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EFFECTMETER_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("EFFECTMETER_PROGRAMMES", str(tmp_path / "programmes"))
    lines = [shlex.split(line)[1:] for line in code_lines("README.md") if "/effectmeter " in line]
    assert [words[0] for words in lines] == ["plan", "check", "refresh", "effects"]
    codes = []
    for words in lines[:2]:
        with pytest.raises(SystemExit) as ended:
            main(words)
        codes.append(ended.value.code or 0)
    said = capsys.readouterr()
    assert codes == [0, 1]
    assert "plan my-programme: sound" in said.err
    assert "put persons.csv (table persons), events.csv (table events) in this folder" in said.err


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_resolve(page: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", text_of(page))
    relative = [link.split("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]
    assert [link for link in relative if not ((ROOT / page).parent / link).exists()] == []


def test_the_index_of_the_documentation_reaches_every_page() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md", ROOT / "docs/README.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page in reached:
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^):\s#]+\.md)\)", page.read_text(encoding="utf-8"))
        waiting += [page.parent / link for link in links]
    aside = ("SOURCE.md",)  # stands beside the data that it describes
    unreached = {path for path in tracked("*.md") if path.resolve() not in reached and path.name not in aside}
    assert {path.relative_to(ROOT).as_posix() for path in unreached} == set()


def test_generated_files_are_current(tmp_path: Path) -> None:
    made = write_generated(tmp_path)
    assert {path.name for path in made} >= {"commands.md", "plan.md", "tables.md", "expectations.md"}
    stale = [
        name.as_posix()
        for name in (path.relative_to(tmp_path) for path in made)
        if not (ROOT / name).exists() or text_of(name) != (tmp_path / name).read_text(encoding="utf-8")
    ]
    assert stale == [], "run `make docs`"


def test_every_generated_page_says_so() -> None:
    pages = tracked("docs/reference/*.md")
    assert pages
    assert [path.name for path in pages if "Made by `make docs`" not in text_of(path)] == []


def test_every_command_has_a_section_an_example_and_explained_options() -> None:
    page = text_of("docs/reference/commands.md")
    assert set(typer.main.get_command(app).commands) == {name.split()[0] for name in COMMANDS}  # type: ignore[attr-defined]
    for name, command in COMMANDS.items():
        assert f"## effectmeter {name}\n" in page
        assert f"Example: effectmeter {name}" in command.help
        assert [param.name for param in command.params if not param.help] == []


def test_every_design_has_a_row_in_the_plan_reference() -> None:
    page = text_of("docs/reference/plan.md")
    assert [design for design in DESIGN_TABLES if f"| `{design}` |" not in page] == []
    assert set(get_args(Plan.model_fields["design"].annotation)) == set(DESIGN_TABLES)


def test_every_asset_and_check_is_described() -> None:
    from pipelines.definitions import build_definitions

    graph = build_definitions(ROOT / "programmes", Home(ROOT / "data")).resolve_asset_graph()
    nodes = [graph.get(key) for key in graph.get_all_asset_keys()]
    assert len(nodes) > 20
    assert [node.key.to_user_string() for node in nodes if not node.description] == []
    checks = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    assert len(checks) > 100
    assert [check.name for check in checks if not check.description] == []


def test_make_lists_every_recipe() -> None:
    makefile = text_of("Makefile")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    recipes = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert recipes == set(phony[1].split())
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make ([a-z]+) +\S", listed, re.MULTILINE)) == recipes


@pytest.mark.parametrize("page", PAGES)
def test_recipes_that_are_named_exist(page: str) -> None:
    recipes = set(re.findall(r"^([a-z]+):", text_of("Makefile"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)`|^make ([a-z]+)", text_of(page), re.MULTILINE))
    assert {first or second for first, second in named} <= recipes


def test_the_list_of_decisions_is_complete() -> None:
    index = text_of("docs/adr/README.md")
    decisions = sorted(tracked("docs/adr/0*.md"))
    assert len({path.name[:4] for path in decisions}) == len(decisions), "a number is given once"
    for path in decisions:  # numbers are handed out when a decision is begun, so that one may be missing for a while
        number = int(path.name[:4])
        title = path.read_text(encoding="utf-8").splitlines()[0]
        assert title.startswith(f"# {number}. ")
        assert f"{number}. [{title.partition('. ')[2]}]({path.name})" in index


def test_every_dependency_has_its_line() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))
    needed = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    page = text_of("docs/dependencies.md")
    names = [re.split(r"[=<>\[]", need)[0] for need in needed]
    stubs = {name for name in names if name.endswith("-stubs") or name.startswith("types-")}
    assert "stubs" in page
    assert [name for name in names if name not in stubs and not re.search(rf"\b{re.escape(name)}\b", page)] == []


def test_no_machine_paths_in_tracked_files() -> None:
    path_of_a_machine = re.compile("(?<![A-Za-z0-9._])/" + r"(?:home|Users|work|root)/[a-z]|(?<![\w.])/" + r"tmp/\w")
    found = []
    for path in tracked():
        if path.suffix in {".png", ".lock", ".parquet", ".xlsx"}:
            continue
        text = path.read_text(encoding="utf-8")
        found += [f"{path.relative_to(ROOT)}: {hit[0]}" for hit in path_of_a_machine.finditer(text)]
    assert found == []


def test_the_glossary_is_one_word_per_thing() -> None:
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \|[^|]*\|$", text_of("GLOSSARY.md"), re.MULTILINE)[1:]
    words = [word.strip(" `") for row in rows for word in row.split(",")]
    assert len(words) == len(set(words)) > 30
    everything = "\n".join(text_of(path) for path in tracked("*.py", "*.sql", "*.md") if path.name != "GLOSSARY.md")
    unused = [word for word in words if not re.search(re.escape(word).replace("\\ ", "[ _]"), everything, re.I)]
    assert unused == []


def test_bundled_plans_are_those_of_the_readme() -> None:
    readme = text_of("README.md")
    plans = load_plans(ROOT / "programmes")
    assert set(re.findall(r"^\| `([a-z-]+)` \|", readme, re.MULTILINE)) == set(plans)
    for name, plan in plans.items():
        row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}`"))
        assert row.endswith("| synthetic |") == plan.synthetic
    assert str(QUARTER) in readme


def test_every_estimator_and_error_that_the_code_can_name_is_explained() -> None:
    """The contract lets the lists grow, and asks that they are documented."""
    page = (ROOT / "docs" / "explanation" / "estimators.md").read_text(encoding="utf-8")
    named: set[str] = set()
    for folder in ("estimators", "designs"):
        for path in (ROOT / "effectmeter" / folder).glob("*.py"):
            named |= set(re.findall(r'\b(?:estimator|variance)="([a-z_0-9]+)"', path.read_text(encoding="utf-8")))
    assert len(named) > 10
    assert not {name for name in named if f"`{name}`" not in page}
