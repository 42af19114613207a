"""What every end-to-end test stands on: servers, homes, the built program.

$POSTRIDER_PREFIX names the installed program to test (with sanitizers) and
$POSTRIDER_PLAIN_PREFIX the one whose memory is measured; what is not named is
built first. `--part 1/2` runs every second test, and `--part 2/2` the others.
"""

import os
import pathlib
import subprocess
import sys

import pytest

LIB = pathlib.Path(__file__).resolve().parent.parent / "lib"
sys.path.insert(0, str(LIB))

import dovecot as dovecot_module  # noqa: E402
import exim as exim_module  # noqa: E402
import otherpop as otherpop_module  # noqa: E402
import postfix as postfix_module  # noqa: E402
import postrider  # noqa: E402
import proxy as proxy_module  # noqa: E402
import server as server_module  # noqa: E402
from smtpd import Smtpd  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--part", default="1/1", metavar="N/OF",
                     help="run the Nth of so many parts of the tests")


def pytest_collection_modifyitems(config, items):
    part, _, parts = config.getoption("--part").partition("/")
    items[:] = items[int(part) - 1::int(parts)]


def built(variable, variant):
    if os.environ.get(variable):
        return pathlib.Path(os.environ[variable])
    done = subprocess.run([str(LIB / "build"), variant], check=True,
                          stdout=subprocess.PIPE, text=True)
    return pathlib.Path(done.stdout.strip())


@pytest.fixture(scope="session")
def prefix():
    return built("POSTRIDER_PREFIX", "asan")


@pytest.fixture(scope="session")
def plain_prefix():
    return built("POSTRIDER_PLAIN_PREFIX", "crash")


@pytest.fixture(scope="session")
def measure(plain_prefix):
    """The program that tells what another one cost."""
    build = plain_prefix.parent
    subprocess.run(["make", "-s", "-C", str(build), "tests/lib/measure"],
                   check=True, stdout=subprocess.DEVNULL)
    return build / "tests" / "lib" / "measure"


def starter(kind):
    """A fixture that starts servers of one kind, which end with the test. One
    that cannot be had skips it."""
    def fixture():
        servers = []

        def make(**options):
            try:
                servers.append(kind(**options))
            except server_module.Unavailable as lack:
                pytest.skip(str(lack))
            return servers[-1].start()

        yield make
        for one in servers:
            one.close()

    return pytest.fixture(fixture)


make_server = starter(dovecot_module.Dovecot)
make_exim = starter(exim_module.Exim)
make_postfix = starter(postfix_module.Postfix)
make_otherpop = starter(otherpop_module.OtherPop)


@pytest.fixture
def server(make_server):
    return make_server()


@pytest.fixture
def make_home(prefix):
    homes = []

    def make(which=None):
        homes.append(postrider.Home(which or prefix))
        return homes[-1]

    yield make
    for home in homes:
        home.close()


@pytest.fixture
def home(make_home):
    return make_home()


@pytest.fixture
def make_proxy():
    proxies = []

    def make(port):
        proxies.append(proxy_module.Proxy(port))
        return proxies[-1]

    yield make
    for one in proxies:
        one.close()


@pytest.fixture
def make_smtpd():
    servers = []

    def make(*args, **options):
        servers.append(Smtpd(*args, **options))
        return servers[-1]

    yield make
    for one in servers:
        one.close()
