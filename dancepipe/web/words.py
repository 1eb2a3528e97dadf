"""What the page says of a job, as HTML."""

import html

from dancepipe.web.job_queue import JobState

STYLE = """
.gradio-container { width: 100% !important; max-width: 64rem !important;
  margin: 0 auto !important; }
#consent, #work { width: 100%; }
#state .bar { height: .7rem; border-radius: .35rem; overflow: hidden;
  background: var(--border-color-primary); margin: .4rem 0; }
#state .bar span { display: block; height: 100%; background: var(--primary-500);
  transition: width .5s; }
#state .bar .unknown { width: 25%; animation: dancepipe-wait 1.6s infinite alternate ease-in-out; }
@keyframes dancepipe-wait { to { margin-left: 75%; } }
@media (prefers-reduced-motion: reduce) { #state .bar .unknown { animation: none; } }
#state .failed { color: var(--error-text-color, #b3261e); }
#title h1 { margin: 0 0 .2rem; } #title p { margin: 0; opacity: .8; }
#driver .video-container { height: calc(100% - 2.5rem) !important; }
#driver [aria-label^="Trim"], #driver [aria-label^="Reset"] { display: none; }
footer { display: none !important; }
"""
_FIRST = "the first video on a computer takes half a minute longer"


def state_words(job: JobState | None) -> str:
    """One job, from waiting to done."""
    if job is None:
        return ""
    name = html.escape(job.name)
    if job.state == "waiting":
        ahead = "1 video is" if job.ahead == 1 else f"{job.ahead} videos are"
        return f"<p><b>{name}</b>: waiting; {ahead} made before it</p>{_bar(None)}"
    if job.state == "begun":
        return _at_work(job, name)
    if job.state == "done":
        return f"<p><b>{name}</b>: done</p>"
    if job.state == "cancelled":
        return f"<p><b>{name}</b>: cancelled</p>"
    return f'<p class="failed" role="alert"><b>{name}</b>: {html.escape(job.words)}</p>'


def _at_work(job: JobState, name: str) -> str:
    if not job.frames_done:
        return f"<p><b>{name}</b>: looking at photo and video; {_FIRST}</p>{_bar(None)}"
    words = [f"frame {job.frames_done}" + (f" of {job.frames_total}" if job.frames_total else "")]
    if job.frames_per_second:
        words.append(f"{job.frames_per_second:.1f} frames a second")
    if job.seconds_left is not None:
        words.append(f"{_time(job.seconds_left)} left")
    share = job.frames_done / job.frames_total if job.frames_total else None
    return f"<p><b>{name}</b>: {', '.join(words)}</p>{_bar(share)}"


def _bar(share: float | None) -> str:
    if share is None:
        return '<div class="bar"><span class="unknown"></span></div>'
    return f'<div class="bar"><span style="width:{100 * min(share, 1):.1f}%"></span></div>'


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
