"""The operator on the real control plane: one process a module, one scene a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.control_plane.operator_process import OperatorProcess, install
from tests.control_plane.scene import Scene
from tools.local_cluster import LocalCluster


@pytest.fixture(scope="session")
def installed(local_cluster: LocalCluster, repository: Path) -> LocalCluster:
    """The control plane with the custom resources and the operator's rights."""
    install(local_cluster, repository)
    return local_cluster


@pytest.fixture(scope="module")
def running_operator(
    installed: LocalCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """The operator, leading; modules run one after the other, so it is the only one."""
    folder = tmp_path_factory.mktemp("operator")
    with OperatorProcess(installed.operator_kubeconfig, folder) as process:
        yield process
        process.terminate()


@pytest.fixture
def scene(installed: LocalCluster, namespace: str) -> Iterator[Scene]:
    """A namespace with nodes and policies of its own."""
    scene = Scene(installed, namespace)
    yield scene
    scene.clear()
