import pytest

from kerasdenoise.runtime import prepare_keras

prepare_keras()


@pytest.fixture(autouse=True)
def _run_here(run_here: None) -> None:
    """Models that tests write are in no index."""
