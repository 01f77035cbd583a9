"""The fixtures."""

import pytest

from .cloud import Cloud


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "cloud(seed=None, faults_seed=0, hubs=('hub-1',), options=()): how the cloud of `new_cloud` begins"
    )


@pytest.fixture(scope="session")
def cloud():
    """One cloud for the whole run."""
    with Cloud() as running:
        yield running


@pytest.fixture
def new_cloud(request):
    """A cloud of this test's own, as its marker `cloud` says. Paths are from the file of the test."""
    marker = request.node.get_closest_marker("cloud")
    wanted = dict(marker.kwargs) if marker else {}
    if wanted.get("seed") is not None:
        wanted["seed"] = request.path.parent / wanted["seed"]
    with Cloud(**wanted) as running:
        yield running
