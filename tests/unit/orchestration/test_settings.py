import pytest

from orchestration.settings import Settings, SettingsError, load_settings
from orchestration.sources.datasets.exchanges import EXCHANGES


def test_a_key_alone_leaves_the_rest_of_its_provider_as_it_is(monkeypatch):
    monkeypatch.setenv("TIDEMARK_COINGECKO__API_KEY", "canary-5e0c2b71")

    settings = load_settings()

    assert settings.coingecko.base_url == Settings().coingecko.base_url
    assert settings.secrets() == ("canary-5e0c2b71",)
    assert "canary" not in repr(settings)


@pytest.mark.parametrize(
    "more",
    [
        {"TIDEMARK_COINGECKO__MIN_INTERVAL_SECONDS": "-1"},
        {"TIDEMARK_COINGECKO__API_KEY__X": "canary-5e0c2b71"},
        {"TIDEMARK_LIVE_UNIVERSE": "all"},
    ],
    ids=["interval", "nested", "universe"],
)
def test_a_bad_value_is_named_and_no_key_is_shown(monkeypatch, more):
    monkeypatch.setenv("TIDEMARK_REDDIT__API_SECRET", "canary-5e0c2b71")
    for name, value in more.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as refused:
        load_settings()

    assert "TIDEMARK_" in str(refused.value)
    assert "canary" not in str(refused.value)


def test_which_exchanges_are_asked_and_in_which_order_is_a_setting(monkeypatch):
    monkeypatch.setenv("TIDEMARK_EXCHANGES", '["kraken", "binance"]')

    assert load_settings().exchanges == ("kraken", "binance")


@pytest.mark.parametrize("value", ['["kraken", "kraken"]', '["mtgox"]'])
def test_unknown_and_repeated_exchanges_are_refused_with_those_there_are(monkeypatch, value):
    monkeypatch.setenv("TIDEMARK_EXCHANGES", value)

    with pytest.raises(SettingsError, match=", ".join(EXCHANGES)):
        load_settings()


def test_every_address_can_be_pointed_elsewhere(monkeypatch):
    providers = [name for name, value in Settings() if hasattr(value, "base_url")]
    for name in providers:
        monkeypatch.setenv(f"TIDEMARK_{name.upper()}__BASE_URL", "http://127.0.0.1:9")

    settings = load_settings()

    assert len(providers) > 15
    assert {getattr(settings, name).base_url for name in providers} == {"http://127.0.0.1:9"}


@pytest.mark.parametrize("text", ["binance,okx", "[", '{"a": canary-5e0c2b71}'])
@pytest.mark.parametrize("name", ["TIDEMARK_EXCHANGES", "TIDEMARK_BINANCE", "TIDEMARK_RSS__HOSTS"])
def test_a_list_or_table_that_is_no_json_is_refused_without_its_value(monkeypatch, name, text):
    monkeypatch.setenv(name, text)

    with pytest.raises(SettingsError, match=r"TIDEMARK_\w+: is no JSON|TIDEMARK_\w+: ") as caught:
        load_settings()

    assert "canary" not in str(caught.value)


def test_brackets_without_end_are_refused_by_the_name_of_the_setting(monkeypatch):
    monkeypatch.setenv("TIDEMARK_LIVE_UNIVERSE", "500")
    monkeypatch.setenv("TIDEMARK_EXCHANGES", "[" * 5000)

    with pytest.raises(SettingsError, match="TIDEMARK_EXCHANGES: brackets within brackets without end"):
        load_settings()
