from pathlib import Path

import pytest
from nodemix.operator.settings import Settings
from pydantic import ValidationError


def test_nothing_set_keeps_every_default() -> None:
    assert Settings.from_environment({}) == Settings()


def test_settings_are_read_from_their_variables() -> None:
    environment = {
        "NODEMIX_KUBECONFIG": "/etc/kubeconfig",
        "NODEMIX_METRICS_PORT": "9100",
        "NODEMIX_LEADER_ELECTION": "false",
        "NODEMIX_VIEW_LIMIT_S": "30",
        "NODEMIX_UNKNOWN": "ignored",
        "PATH": "/bin",
    }

    settings = Settings.from_environment(environment)

    assert settings.kubeconfig == Path("/etc/kubeconfig")
    assert settings.metrics_port == 9100
    assert not settings.leader_election
    assert settings.view_limit_s == 30.0


def test_empty_variable_keeps_the_default() -> None:
    assert Settings.from_environment({"NODEMIX_NAMESPACE": ""}).namespace == "nodemix-system"


def test_bad_value_is_named() -> None:
    with pytest.raises(ValidationError, match="health_port"):
        Settings.from_environment({"NODEMIX_HEALTH_PORT": "no port"})
