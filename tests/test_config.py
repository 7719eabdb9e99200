"""Configuration: loaded once, everything that is wrong told together, nothing insecure by accident."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharegate.client import address
from sharegate.config import MOST, Config, load
from sharegate.errors import Faults
from sharegate.settings import SETTINGS


def faults(path: Path | None = None, environ: dict[str, str] | None = None, **overrides: Any) -> dict[str, str]:
    """Field → problem of everything that is wrong."""
    with pytest.raises(Faults) as caught:
        load(path, environ or {}, overrides)
    for fault in caught.value.faults:
        assert fault.field and fault.problem and fault.remedy, fault
    return {fault.field: fault.problem for fault in caught.value.faults}


def written(folder: Path, text: str) -> Path:
    file = folder / "gate.toml"
    file.write_text(text)
    return file


def test_without_anything_the_gate_is_for_this_computer() -> None:
    """Defaults: loopback, two host names, nothing insecure."""
    config = load(None, {})
    assert (config.gate_host, config.dashboard_host) == ("127.0.0.1", "localhost")
    assert config.reach == "this computer" and not config.insecure and not config.lan
    assert config.gate_url == "http://127.0.0.1:8870"
    assert config.data_dir.is_absolute()


def test_the_command_line_wins_over_the_environment_over_the_file(tmp_path: Path) -> None:
    """Each layer covers the one below, setting by setting."""
    file = written(tmp_path, 'gate_port = 1111\nowner = "File"\ndashboard_port = 4444\n')
    environ = {"SHAREGATE_GATE_PORT": "2222", "SHAREGATE_OWNER": "Environment", "HOME": "/nowhere"}
    config = load(file, environ, {"gate_port": 3333, "owner": None})
    assert (config.gate_port, config.owner, config.dashboard_port) == (3333, "Environment", 4444)


def test_the_environment_may_name_the_file(tmp_path: Path) -> None:
    """SHAREGATE_CONFIG is the path, and no setting."""
    file = written(tmp_path, "gate_port = 1111\n")
    assert load(None, {"SHAREGATE_CONFIG": str(file)}).gate_port == 1111


def test_all_faults_are_told_together_with_field_and_remedy(tmp_path: Path) -> None:
    """One round of corrections is enough."""
    file = written(tmp_path, 'gate_prot = 1\ngate_port = "x"\nlan = 1\nretention_days = 0\n')
    found = faults(file, {"SHAREGATE_LOG_LEVEL": "loud", "SHAREGATE_NOTHING": "1"}, owner="x" * 61)
    assert set(found) == {
        *(f"gate_prot in {file}", f"gate_port in {file}", f"lan in {file}", "retention_days"),
        *("log_level", "SHAREGATE_NOTHING", "owner"),
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [("gate_port =\n", "is not TOML"), ("a = 1\na = 2\n", "is not TOML"), ("[gate]\nport = 1\n", "is no setting")],
)
def test_a_file_that_does_not_read_is_a_fault(tmp_path: Path, text: str, problem: str) -> None:
    """Never half a configuration."""
    assert any(problem in said for said in faults(written(tmp_path, text)).values())


def test_a_file_that_is_not_there_or_not_text_is_a_fault(tmp_path: Path) -> None:
    """A misspelt --config does not start a gate with defaults."""
    assert "there is no such file" in faults(tmp_path / "none.toml").popitem()[1]
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in faults(tmp_path / "binary.toml").popitem()[1]
    assert "cannot be read" in faults(tmp_path).popitem()[1]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"gate_port": 65536}, "gate_port"),
        ({"gate_port": -1}, "gate_port"),
        ({"dashboard_port": 70000}, "dashboard_port"),
        ({"gate_port": True}, "--gate-port"),
        ({"owner": 7}, "--owner"),
        ({"owner": "a\x1b[2Jb"}, "owner"),
        ({"owner": "Ann\u202egnp.exe"}, "owner"),
        ({"gate_host": "a b"}, "gate_host"),
        ({"gate_host": ""}, "gate_host"),
        ({"dashboard_host": "127.0.0.1"}, "dashboard_host"),
        ({"dashboard_host": "192.0.2.1"}, "dashboard_host"),
        ({"dashboard_host": "share.example.org"}, "dashboard_host"),
        ({"gate_host": "LOCALHOST"}, "dashboard_host"),
        ({"requests_at_once": 0}, "requests_at_once"),
        ({"channels_per_visit": -5}, "channels_per_visit"),
        ({"gate_host": "0.0.0.0"}, "gate_host"),
        ({"gate_host": "192.0.2.1"}, "gate_host"),
        ({"lan": True}, "lan"),
        ({"lan": True, "insecure": True}, "gate_host"),
        ({"public_url": "share.example.org"}, "public_url"),
        ({"public_url": "ftp://share.example.org"}, "public_url"),
        ({"public_url": "https://"}, "public_url"),
        ({"public_url": "https://share.example.org/below"}, "public_url"),
        ({"public_url": "https://u:p@share.example.org"}, "public_url"),
        ({"public_url": "https://share.example.org?x=1"}, "public_url"),
        ({"public_url": "https://share.example.org:99999"}, "public_url"),
        ({"public_url": "https://[::1"}, "public_url"),
        ({"public_url": "http://share.example.org"}, "public_url"),
        ({"public_url": "https://localhost"}, "public_url"),
        *(
            ({"share_hosts": base}, "share_hosts")
            for base in (
                *(
                    "*.localhost",
                    "local_host",
                    "localhost.",
                    ".localhost",
                    "a..localhost",
                    "-a.localhost",
                    "http://x.y",
                ),
                *("127.0.0.1", "::1", "[::1]", "localhost:8870", "a.0x7f", "localhost/x", " ", "bücher.example", "1"),
                *(f"{'a' * 64}.localhost", ".".join(["a" * 60] * 4), "share.example.org"),
            )
        ),
        ({"share_hosts": "localhost", "dashboard_host": "x.localhost"}, "share_hosts"),
        ({"share_hosts": "y.x.localhost", "dashboard_host": "x.localhost"}, "share_hosts"),
        ({"share_hosts": "x.localhost", "dashboard_host": "X.localhost"}, "share_hosts"),
        ({"share_hosts": "b.x.localhost", "dashboard_host": "a.x.localhost"}, "share_hosts"),
        ({"share_hosts": "localhost", "gate_host": "gate.localhost"}, "share_hosts"),
        ({"share_hosts": "localhost", "gate_host": "192.0.2.1", "insecure": True}, "share_hosts"),
        ({"share_hosts": "localhost", "gate_host": "192.0.2.1", "lan": True, "insecure": True}, "share_hosts"),
        ({"share_hosts": "localhost", "public_url": "https://share.example.org"}, "share_hosts"),
        ({"share_hosts": "share.example.net", "public_url": "https://share.example.org"}, "share_hosts"),
        ({"share_hosts": "example.org", "public_url": "https://share.example.org"}, "share_hosts"),
        ({"share_hosts": "ashare.example.org", "public_url": "https://share.example.org"}, "share_hosts"),
        ({"tls_certificate": "cert.pem"}, "tls_key"),
        ({"tls_key": "key.pem"}, "tls_certificate"),
        ({"tls_certificate": " ", "tls_key": "key.pem"}, "tls_certificate"),
        (
            {"tls_certificate": "c", "tls_key": "k", "public_url": "http://share.example.org", "insecure": True},
            "public_url",
        ),
        ({"trusted_forwarders": ["127.0.0.1", "proxy.example.org"]}, "trusted_forwarders"),
        ({"trusted_forwarders": "0.0.0.0/0"}, "trusted_forwarders"),
        ({"trusted_forwarders": "::/0"}, "trusted_forwarders"),
        ({"trusted_forwarders": "10.0.0.1/8"}, "trusted_forwarders"),
        ({"trusted_forwarders": "all"}, "trusted_forwarders"),
        ({"trusted_forwarders": [7]}, "--trusted-forwarders"),
        ({"trusted_forwarders": 7}, "--trusted-forwarders"),
        ({"data_dir": "  "}, "data_dir"),
        ({"policy_dir": "\t"}, "policy_dir"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_field(values: dict[str, Any], field: str) -> None:
    """Ports, names, counts and addresses are checked; plain http off this computer and shared host names too."""
    assert field in faults(**values)


@pytest.mark.parametrize(
    ("values", "reach", "url"),
    [
        ({}, "this computer", "http://127.0.0.1:8870"),
        ({"gate_host": "::1"}, "this computer", "http://[::1]:8870"),
        (
            {"lan": True, "insecure": True, "gate_host": "192.168.1.20"},
            "local network",
            "http://192.168.1.20:8870",
        ),
        ({"public_url": "https://share.example.org/"}, "public", "https://share.example.org"),
        ({"public_url": "http://127.0.0.1:9000"}, "this computer", "http://127.0.0.1:9000"),
        ({"public_url": "http://share.example.org", "insecure": True}, "public", "http://share.example.org"),
        (
            {"lan": True, "gate_host": "192.168.1.20", "tls_certificate": "c", "tls_key": "k"},
            "local network",
            "https://192.168.1.20:8870",
        ),
    ],
)
def test_who_can_reach_the_gate_is_said_in_words(values: dict[str, Any], reach: str, url: str) -> None:
    """The address in links and the words for it follow from the settings."""
    config = load(None, {}, values)
    assert (config.reach, config.gate_url) == (reach, url)


@pytest.mark.parametrize(
    "values",
    [
        {"share_hosts": "localhost"},
        {"share_hosts": "LOCALHOST", "gate_host": "::1"},
        {"share_hosts": "gate.localhost", "dashboard_host": "owner.localhost"},
        {"share_hosts": "localhost", "dashboard_host": "127.0.0.2"},
        {"share_hosts": "localhost", "public_url": "http://127.0.0.1:9000"},
        {"share_hosts": "share.example.org", "public_url": "https://share.example.org"},
        {"share_hosts": "Of.Share.example.org", "public_url": "https://SHARE.example.org:8443"},
        {"share_hosts": "xn--bcher-kva.example", "public_url": "https://xn--bcher-kva.example"},
        {"share_hosts": "share.lan", "gate_host": "192.0.2.1", "insecure": True},
        {"share_hosts": "share.lan", "public_url": "http://share.lan", "insecure": True},
    ],
)
def test_shares_with_hosts_of_their_own(values: dict[str, Any]) -> None:
    """The base is kept in lower case; such a gate is for any number of owners."""
    config = load(None, {}, values)

    assert config.share_hosts == values["share_hosts"].lower()
    assert not config.one_owner
    assert load(None, {}).one_owner
    assert not load(None, {}, {"accept_shared_origin": True}).one_owner


def test_keys_store_and_socket_lie_in_the_data_folder(tmp_path: Path) -> None:
    """One folder to protect and to back up."""
    config = load(None, {}, {"data_dir": str(tmp_path)})
    for path in (config.keys_dir, config.database):
        assert path.is_relative_to(tmp_path)
    assert len(str(config.socket_path)) <= 107


def test_everything_that_is_shown_is_a_setting() -> None:
    """`config show` lists each setting once; Config has no field that is none, but the passwords and
    the file they were read from."""
    config = load(None, {})
    fields = set(Config.__dataclass_fields__)
    fields -= {"store_password", "smtp_password", "oidc_client_secret", "notices", "file"}
    assert set(config.as_dict()) == {setting.name for setting in SETTINGS} == fields


def test_the_password_of_a_store_is_shown_nowhere(tmp_path: Path) -> None:
    """It comes with the address, from the environment or from a file, and is in no repr and no listing."""
    secret = tmp_path / "password"
    secret.write_text("very secret\n")
    secret.chmod(0o600)
    for environ, values in (
        ({}, {"store": "redis://gate:very%20secret@127.0.0.1/1"}),
        ({"SHAREGATE_STORE_PASSWORD": "very secret"}, {"store": "redis://gate@127.0.0.1:6379/1"}),
        ({"SHAREGATE_STORE": "redis://gate@127.0.0.1/1"}, {"store_password_file": str(secret)}),
    ):
        config = load(None, environ, values)
        assert config.store_password == "very secret"
        assert config.store == "redis://gate@127.0.0.1:6379/1"
        assert "very" not in repr(config) + repr(config.as_dict())


@pytest.mark.parametrize(
    ("environ", "values", "field"),
    [
        ({"SHAREGATE_STORE_PASSWORD": "a"}, {"store": "redis://x:b@127.0.0.1"}, "SHAREGATE_STORE_PASSWORD and store"),
        ({"SHAREGATE_STORE_PASSWORD": "a"}, {}, "SHAREGATE_STORE_PASSWORD"),
        ({}, {"store": "unix:///r.sock", "store_password_file": "/nowhere"}, "store_password_file"),
        ({}, {"store": "unix:///r.sock", "store_password_file": "/etc/passwd"}, "store_password_file"),
        ({}, {"store": "unix:///r.sock", "store_password_file": "\0"}, "store_password_file"),
        ({}, {"store": "unix:///r.sock", "store_password_file": "~nobody-here/x"}, "store_password_file"),
        ({}, {"store": "redis://redis.example.org"}, "store"),
        ({}, {"store": "http://127.0.0.1"}, "store"),
        ({}, {"store": "redis://127.0.0.1", "store_ca_file": "/ca.pem"}, "store_ca_file"),
        ({}, {"store_prefix": "a:b"}, "store_prefix"),
        ({}, {"gate_name": "two words"}, "gate_name"),
    ],
)
def test_settings_of_a_store_that_cannot_be(environ: dict[str, str], values: dict[str, Any], field: str) -> None:
    """Two passwords, one for nothing, one that everybody may read, no TLS on the way, names that would not do."""
    assert list(faults(None, environ, **values)) == [field]


def test_a_store_elsewhere_has_tls_or_is_accepted_without() -> None:
    """Keys may lie where all gates find them."""
    assert load(None, {}, {"store": "rediss://redis.example.org"}).store == "rediss://redis.example.org:6379/0"
    config = load(None, {}, {"store": "redis://redis:6380/2", "store_insecure": True, "keys_dir": "/etc/keys"})
    assert (config.store, config.keys_dir, config.store_socket) == ("redis://redis:6380/2", Path("/etc/keys"), None)
    assert load(None, {}, {"store": "unix:///run/r.sock"}).store_socket == Path("/run/r.sock")


@pytest.mark.parametrize(
    "setting", [one for one in SETTINGS if one.type not in ("str", "list")], ids=lambda one: one.name
)
def test_the_environment_is_read_by_type(setting: Any) -> None:
    """A word where a number or a switch belongs is a fault that names the variable."""
    name = f"SHAREGATE_{setting.name.upper()}"
    assert "must be" in faults(None, {name: "perhaps"})[name]


def test_a_list_is_a_list_in_the_file_and_has_commas_elsewhere(tmp_path: Path) -> None:
    """The same value from TOML, from the environment and from the command line."""
    wanted = ("127.0.0.1", "10.0.3.0/24")
    file = written(tmp_path, 'trusted_forwarders = ["127.0.0.1", "10.0.3.0/24"]\n')
    assert load(file, {}).trusted_forwarders == wanted
    assert load(None, {"SHAREGATE_TRUSTED_FORWARDERS": "127.0.0.1, 10.0.3.0/24,"}).trusted_forwarders == wanted
    assert load(None, {}, {"trusted_forwarders": "127.0.0.1,10.0.3.0/24"}).trusted_forwarders == wanted
    assert load(file, {"SHAREGATE_TRUSTED_FORWARDERS": ""}).trusted_forwarders == ()
    assert load(file, {}).as_dict()["trusted_forwarders"] == list(wanted)


def test_a_text_where_a_list_belongs_in_the_file_is_a_fault(tmp_path: Path) -> None:
    """TOML has lists; what holds for one spelling there holds for all."""
    file = written(tmp_path, 'trusted_forwarders = "127.0.0.1"\n')
    assert "must be a list of texts" in faults(file)[f"trusted_forwarders in {file}"]


@given(st.dictionaries(st.sampled_from([one.name for one in SETTINGS]), st.text(max_size=40) | st.integers()))
def test_no_value_is_a_traceback(values: dict[str, Any]) -> None:
    """Any text and number for any setting is either accepted or a fault."""
    with contextlib.suppress(Faults):
        load(None, {}, values)


@given(st.text(max_size=60))
def test_no_file_is_a_traceback(text: str) -> None:
    """Any TOML and anything else."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8", errors="surrogatepass") as file:
        file.write(text)
        file.flush()
        with contextlib.suppress(Faults):
            load(Path(file.name), {})


@pytest.mark.parametrize("url", ["https://bücher.example", "https://a_b.example", "https://", "https://a b.example"])
def test_an_address_that_no_browser_sends_as_host_is_refused(url: str) -> None:
    """It would let `config check` pass and then refuse every visitor."""
    with pytest.raises(Faults) as caught:
        load(None, {}, {"public_url": url})

    assert "public_url" in str(caught.value)


def test_what_programs_are_told_in_the_environment_is_no_setting() -> None:
    """Whoever has a share's token there for sharegate.client can still use the command line."""
    told = dict.fromkeys((address.LINK, address.URL, address.TOKEN, address.TOKEN_FILE), "x")
    assert load(None, told) == load(None, {})


@pytest.mark.parametrize("name", [setting.name for setting in SETTINGS if setting.type == "int"])
@pytest.mark.parametrize("value", ["1" + "0" * 400, "9" * 5000, "0x" + "f" * 5000, "-1" + "0" * 400])
def test_numbers_that_nobody_means(tmp_path: Path, name: str, value: str) -> None:
    """Are faults with the field or the file in them, however they are written."""
    file = tmp_path / "settings.toml"
    file.write_text(f"{name} = {value}\n")
    with pytest.raises(Faults) as told:
        load(file, {})
    assert [fault.field for fault in told.value.faults] == [str(file) if value[0] == "9" else name]
    assert len(str(told.value)) < 600


def test_a_number_where_a_text_belongs(tmp_path: Path) -> None:
    """However long it is, and however deep what cannot be read."""
    file = tmp_path / "settings.toml"
    for text in ("owner = 0x" + "f" * 5000, "trusted_forwarders = [0x" + "f" * 5000 + "]", "owner = " + "[" * 100_000):
        file.write_text(text)
        with pytest.raises(Faults) as told:
            load(file, {})
        assert len(told.value.faults) == 1 and len(str(told.value)) < 600


def test_the_largest_numbers_work(tmp_path: Path) -> None:
    """The bound itself is a value of every count."""
    counts = [setting.name for setting in SETTINGS if setting.type == "int" and "port" not in setting.name]
    assert all(getattr(load(None, {}, dict.fromkeys(counts, MOST)), name) == MOST for name in counts)
