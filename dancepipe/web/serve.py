"""Serving the page: local, without telemetry, and with nothing from elsewhere."""

import ipaddress
import logging
import os
import socket
from pathlib import Path

from dancepipe.errors import ConfigError, MissingExtraError
from dancepipe.files.lock import lock_folder
from dancepipe.web.folder import web_folder
from dancepipe.web.job_queue import JobQueue
from dancepipe.web.looks import Looks
from dancepipe.web.options import WebOptions
from dancepipe.web.words import STYLE

log = logging.getLogger(__name__)

_USER = "dance"
# The browser itself then asks nobody else for anything, whatever the page's library would like.
_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'self'; form-action 'self'"
)


def serve(options: WebOptions) -> None:
    """Until Ctrl-C. MissingExtraError without Gradio; ConfigError for a port in use; BusyError when
    another page has the folder."""
    folder = web_folder(options.folder)
    _without_telemetry(folder)
    try:
        import fastapi
        import gradio as gr
        import uvicorn
        from gradio.themes import Default
    except ImportError as error:
        raise MissingExtraError("gradio", "web", "the page") from error
    from dancepipe.web.page import build_page

    listener = _listener(options)
    password = options.password or os.environ.get("DANCEPIPE_WEB_PASSWORD")
    with lock_folder(folder), listener:
        jobs, looks = JobQueue(folder, options.max_waiting), Looks(folder)
        try:
            app = fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
            app.middleware("http")(_with_policy)
            page = build_page(folder, jobs, looks, options.device)
            fonts = ["system-ui", "sans-serif"]
            gr.mount_gradio_app(
                app, page, path="/", footer_links=[], run_history=False, ssr_mode=False,
                allowed_paths=[str(folder / "jobs"), str(folder / "looks")],
                auth=(_USER, password) if password else None,
                max_file_size=options.max_upload_mb * 10**6, show_error=False,
                enable_monitoring=False, css=STYLE,
                theme=Default(font=fonts, font_mono=["ui-monospace", "monospace"]),
            )  # fmt: skip
            host, port = listener.getsockname()[:2]
            log.info(f"the page: http://{'localhost' if _is_local(host) else host}:{port}/")
            log.info(f"uploads and results: {folder} (emptied by `dancepipe web --empty`)")
            if not _is_local(host):
                _warn(password is not None)
            config = uvicorn.Config(
                app, log_level="warning", access_log=False, timeout_graceful_shutdown=2
            )  # open pages hold a stream, and would hold it for ever
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            looks.close()
            jobs.close()


def _without_telemetry(folder: Path) -> None:
    """Before Gradio is loaded, which reads these."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")


async def _with_policy(request, call_next):
    answer = await call_next(request)
    answer.headers["Content-Security-Policy"] = _POLICY
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def _listener(options: WebOptions) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((options.host, options.port))
        listener.listen(128)  # who comes before the page is ready waits
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {options.host}, port {options.port}: {error.strerror or error}; "
            "name another with --port"
        ) from error
    return listener


def _is_local(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback


def _warn(has_password: bool) -> None:
    guard = f"they need the password (user name: {_USER})" if has_password else "without a password"
    log.warning(
        f"everyone who reaches this address can use the page, {guard}; what is typed and uploaded "
        "travels unencrypted: put a proxy with TLS before it"
        + ("" if has_password else ", and set --password")
    )
