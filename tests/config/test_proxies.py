from pathlib import Path

import pytest

from config.loader import loads
from config.proxies import proxy_for
from policies.errors import OperatorError

PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("url", "environ", "expected"),
    [
        ("https://api.example.com/v1", {"HTTPS_PROXY": PROXY}, PROXY),
        ("https://api.example.com/v1", {"https_proxy": PROXY, "HTTPS_PROXY": "http://other:1"}, PROXY),
        ("https://api.example.com/v1", {"HTTP_PROXY": PROXY}, None),
        ("http://api.example.com/v1", {"HTTP_PROXY": PROXY}, PROXY),
        ("http://api.example.com/v1", {"all_proxy": PROXY}, PROXY),
        ("http://api.example.com/v1", {"ALL_PROXY": "http://other:1", "http_proxy": PROXY}, PROXY),
        ("http://api.example.com/v1", {"http_proxy": "proxy:3128"}, PROXY),
        ("http://api.example.com/v1", {"http_proxy": ""}, None),
        ("http://api.example.com:99999/v1", {"http_proxy": PROXY}, None),
        ("http://localhost:1/v1", {"http_proxy": PROXY}, None),
        ("http://a.localhost/v1", {"http_proxy": PROXY}, None),
        ("http://127.8.8.8/v1", {"http_proxy": PROXY}, None),
        ("http://[::1]:1/v1", {"http_proxy": PROXY}, None),
    ],
)
def test_which_variable_counts(url: str, environ: dict[str, str], expected: str | None) -> None:
    assert proxy_for(url, environ) == expected


@pytest.mark.parametrize(
    ("url", "exceptions", "direct"),
    [
        ("https://api.example.com/v1", "*", True),
        ("https://api.example.com/v1", "other.com, example.com", True),
        ("https://api.example.com/v1", ".example.com", True),
        ("https://api.example.com/v1", "*.example.com", True),
        ("https://example.com/v1", ".example.com", True),
        ("https://example.com./v1", "example.com", True),
        ("https://API.Example.com/v1", "api.eXample.com", True),
        ("https://badexample.com/v1", "example.com", False),
        ("https://example.com.evil.org/v1", "example.com", False),
        ("https://api.example.com/v1", "example.com:443", True),
        ("https://api.example.com:8443/v1", "example.com:443", False),
        ("https://10.1.2.3/v1", "10.0.0.0/8", True),
        ("https://11.1.2.3/v1", "10.0.0.0/8", False),
        ("https://10.1.2.3/v1", "10.1.2.3", True),
        ("https://10.1.2.3:8/v1", "10.1.2.3:9", False),
        ("https://[fd00::1]/v1", "fd00::/8", True),
        ("https://[fd00::1]:8/v1", "[fd00::1]:8", True),
        ("https://[fd00::1]:8/v1", "[fd00::1]:9", False),
        ("https://10.1.2.3/v1", "example.com", False),
        ("https://api.example.com/v1", "10.0.0.0/8", False),
        ("https://api.example.com/v1", ", ,.", False),
    ],
)
def test_exceptions(url: str, exceptions: str, direct: bool) -> None:
    assert (proxy_for(url, {"https_proxy": PROXY, "NO_PROXY": exceptions}) is None) is direct


UPSTREAMS = """\
upstreams:
  far: {base_url: "https://api.example.com/v1"}
  near: {base_url: "http://127.0.0.1:1/v1"}
  never: {base_url: "https://api.example.com/v1", proxy: null}
  own: {base_url: "https://api.example.com/v1", proxy: "http://own:1"}
"""


def test_upstreams_know_their_proxy() -> None:
    settings = loads(UPSTREAMS, {"https_proxy": "http://u:s3cr3t@proxy:3128", "http_proxy": PROXY})
    proxies = {name: up.proxy and up.proxy.get_secret_value() for name, up in settings.upstreams.items()}
    assert proxies == {"far": "http://u:s3cr3t@proxy:3128", "near": None, "never": None, "own": "http://own:1"}
    assert "s3cr3t" not in repr(settings)


@pytest.mark.parametrize("proxy", ["socks5://u:s3cr3t@proxy", "https://u:s3cr3t@proxy", "http://", "http://p:99999"])
def test_a_proxy_that_can_not_be_used_is_told_without_its_password(proxy: str, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"upstreams\.far\.proxy") as caught:
        loads(UPSTREAMS, {"https_proxy": proxy})
    assert "s3cr3t" not in str(caught.value)
