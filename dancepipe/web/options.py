"""The options of web."""

from dataclasses import dataclass

from dancepipe.config import option


@dataclass(frozen=True)
class WebOptions:
    port: int = option(7860, "port of the page", minimum=0, maximum=65535)
    host: str = option(
        "127.0.0.1",
        "address to listen on; 0.0.0.0 lets everyone in the network in (then set a password)",
    )
    password: str | None = option(
        None, "ask for it (user name: dance); also read from DANCEPIPE_WEB_PASSWORD"
    )
    folder: str | None = option(
        None, "where uploads and results are kept (default: web/ in dancepipe's cache folder)"
    )
    max_upload_mb: int = option(512, "largest file that may be uploaded, in MB", minimum=1)
    max_waiting: int = option(
        20, "jobs that one visitor may have waiting at a time", minimum=1, maximum=10_000
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:1 ...")
