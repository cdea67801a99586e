from __future__ import annotations

import pytest

from kerasdenoise.models import _facts, describe_architectures, get_architecture, list_architectures


def test_each_preset_is_described_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(_facts, "list_architectures", lambda: ["hourglass", "unet"])
    facts = list(describe_architectures())
    presets = [(each.architecture, each.preset) for each in facts]
    assert presets == [
        (name, preset)
        for name in ("hourglass", "unet")
        for preset in get_architecture(name).PRESETS
    ]


def test_all_architectures_can_be_counted(monkeypatch: pytest.MonkeyPatch):
    """By their smallest preset: no layer hides what it multiplies by."""
    for name in list_architectures():
        module = get_architecture(name)
        first = dict(list(module.PRESETS.items())[:1])
        monkeypatch.setattr(module, "PRESETS", first)
    facts = list(describe_architectures())
    assert [each.architecture for each in facts] == list_architectures()
    for each in facts:
        assert 0 < each.trainable <= each.parameters, each
        assert each.mac_per_pixel > 0, each
        assert each.stride >= 1, each
