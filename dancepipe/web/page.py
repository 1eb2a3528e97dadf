"""The page's parts and what they do."""

import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from dancepipe.config import options_from
from dancepipe.errors import DancepipeError
from dancepipe.rendering.options import AnimateOptions
from dancepipe.web.folder import check_upload, samples, secret_of
from dancepipe.web.job_queue import ENDED, JobQueue, JobState
from dancepipe.web.looks import Looks
from dancepipe.web.words import state_words

log = logging.getLogger(__name__)

_CONSENT = (
    "### Before you begin\n"
    "Animate only people who agreed to it, and say where you show the result that it is "
    "synthetic. Do not use it to deceive or harass anybody, or to put people into situations that "
    "they did not choose. Each result carries a tag that says *synthetic media*; leave it there. "
    "Photos, videos and results stay on the computer that this page comes from."
)
_OWN_BACKGROUND = "my own picture or video"
_BACKGROUNDS = {
    "white": "white",
    "black": "black",
    "green, to be keyed out": "#00b140",
    "that of the photo": "reference",
    "that of the video": "driver",
    "that of the video, blurred": "blur",
    _OWN_BACKGROUND: "",
}
_SIZES = {"as the video": 0, "1080": 1080, "720": 720, "480": 480}
_POLL_SECONDS = 1.0
_TO_STATE = """(...given) => {
    document.querySelector("#state").scrollIntoView({block: "center", behavior: "smooth"});
    return given;
}"""
_KEPT = {"token": "", "agreed": False}  # in the visitor's browser


def build_page(folder: Path, jobs: JobQueue, looks: Looks, device: str) -> gr.Blocks:
    """The page; its uploads lie in folder/uploads."""
    doing = _Doing(folder, jobs, looks, device)
    with gr.Blocks(
        title="dancepipe", analytics_enabled=False, delete_cache=(3600, 24 * 3600)
    ) as page:
        kept = gr.BrowserState(_KEPT, storage_key="dancepipe", secret=secret_of(folder))
        shown, seen = gr.State(""), gr.State("")
        gr.HTML(
            "<h1>dancepipe</h1><p>One photo and one dance video in; a video of that person "
            "dancing out.</p>",
            elem_id="title",
        )

        # 1. Consent, once.
        with gr.Column(visible=False, elem_id="consent") as gate:
            gr.Markdown(_CONSENT)
            agree = gr.Button("Everyone shown agreed: begin", variant="primary", elem_id="agree")

        # 2. What goes in.
        with gr.Column(visible=False, elem_id="work") as work:
            with gr.Row():
                photo = gr.Image(
                    label="Photo",
                    sources=["upload", "webcam", "clipboard"], type="filepath", image_mode=None,
                    height=360, elem_id="photo", buttons=[],
                    placeholder="One person, whole, from the front",
                )  # fmt: skip
                driver = gr.Video(
                    label="Video", sources=["upload", "webcam"], height=360,
                    webcam_options=gr.WebcamOptions(mirror=False), elem_id="driver", buttons=[],
                )  # fmt: skip
            with gr.Row():
                sample = gr.Button("Try the sample", size="sm", elem_id="sample")
                sample.visible = samples() is not None
            with gr.Accordion("More photos of the same person", open=False):
                more = gr.File(
                    label="From behind, from the side: each part takes its colour from the photo "
                    "that shows it best",
                    file_count="multiple", file_types=["image"], height=140,
                )  # fmt: skip
            with gr.Row():
                background = gr.Dropdown(
                    list(_BACKGROUNDS), value="white", label="Background", elem_id="background"
                )
                size = gr.Dropdown(list(_SIZES), value="as the video", label="Size (longer side)")
            with gr.Row():
                start = gr.Textbox(
                    "", label="From (seconds, or 1:30)", placeholder="the video's beginning",
                    elem_id="start", max_lines=1,
                )  # fmt: skip
                duration = gr.Textbox(
                    "", label="For how long", placeholder="to its end",
                    elem_id="duration", max_lines=1,
                )  # fmt: skip
            place = gr.File(
                label="Background: a picture or a video", file_types=["image", "video"],
                visible=False, height=140,
            )  # fmt: skip

            # 3. Who dances, and how it will look.
            with gr.Column(visible=False, elem_id="look") as look_part:
                person = gr.Radio(
                    [], label="Who is followed? The number stands over the head", elem_id="person"
                )
                with gr.Row():
                    people = gr.Image(
                        label="People found", interactive=False, height=360, elem_id="people",
                        buttons=[],
                    )  # fmt: skip
                    made = gr.Image(
                        label="One frame of it", interactive=False, height=360,
                        elem_id="made", buttons=[], format="png",
                    )  # fmt: skip
            note = gr.Markdown(elem_id="note")
            animate = gr.Button("Animate", variant="primary", size="lg", elem_id="animate")

            # 4. The result.
            state = gr.HTML(elem_id="state")
            cancel = gr.Button("Cancel", variant="stop", visible=False, elem_id="cancel")
            with gr.Row(visible=False, elem_id="results") as results:
                beside = gr.Video(
                    label="The dance", interactive=False, height=480, buttons=[], elem_id="beside"
                )
                result = gr.Video(
                    label="The result", interactive=False, height=480, buttons=["download"],
                    elem_id="result", autoplay=True,
                )  # fmt: skip
            download = gr.DownloadButton(
                "Download", visible=False, elem_id="download", variant="primary"
            )
            with gr.Accordion("Your videos", open=False, visible=False, elem_id="yours") as yours:
                listed = gr.Radio([], label="Choose one to see it", elem_id="listed")
                forget = gr.Button("Delete all of them", size="sm", elem_id="forget")
        timer = gr.Timer(_POLL_SECONDS, active=False)

        wishes = [kept, photo, more, driver, background, place, size, person, start, duration]
        looked = [look_part, person, people, made, note]
        shows = [state, cancel, results, beside, result, download, yours, listed, seen]
        private: dict[str, Any] = {"api_visibility": "private"}
        at_once: dict[str, Any] = {"queue": False, "show_progress": "hidden", **private}
        looking: dict[str, Any] = {
            "trigger_mode": "always_last",
            "concurrency_limit": None,
            **private,
        }
        page.load(doing.arrive, [kept], [kept, gate, work, shown, timer], **at_once)
        agree.click(doing.agree, [kept], [kept, gate, work, timer], **at_once)
        sample.click(doing.sample, None, [photo, driver], **at_once)
        background.change(
            lambda name: gr.update(visible=name == _OWN_BACKGROUND), background, place, **at_once
        )
        gr.on(
            [photo.change, driver.change, more.change],
            doing.look_anew, wishes, looked, **looking,
        )  # fmt: skip
        gr.on(
            [person.input, background.input, place.change],
            doing.look, wishes, looked, **looking,
        )  # fmt: skip
        gr.on(
            [start.submit, start.blur, duration.submit, duration.blur],
            doing.look, wishes, looked, **looking,
        )  # fmt: skip
        animate.click(doing.animate, wishes, [shown, note], concurrency_limit=None, **private).then(
            doing.refresh, [kept, shown, seen], shows, js=_TO_STATE, **at_once
        )
        cancel.click(doing.cancel, [kept, shown], None, **at_once)
        listed.input(lambda name: name, listed, shown, **at_once).then(
            doing.refresh, [kept, shown, seen], shows, **at_once
        )
        forget.click(doing.forget, [kept], [shown], **at_once)
        timer.tick(doing.refresh, [kept, shown, seen], shows, **at_once)
    return page


class _Doing:
    """What happens on a click. A visitor is known by the token that the browser keeps; nobody sees
    another's jobs."""

    def __init__(self, folder: Path, jobs: JobQueue, looks: Looks, device: str):
        self._folder, self._jobs, self._looks, self._device = folder, jobs, looks, device

    def arrive(self, kept):
        """Also after a reload: the newest job is shown again."""
        kept = kept if isinstance(kept, dict) and kept.get("token") else dict(_KEPT)
        kept["token"] = kept["token"] or secrets.token_hex(16)
        own = self._jobs.of_owner(kept["token"])
        agreed = bool(kept.get("agreed"))
        return (
            kept,
            gr.update(visible=not agreed),
            gr.update(visible=agreed),
            own[0].id if own else "",
            gr.Timer(active=agreed),
        )

    def agree(self, kept):
        kept = {**kept, "agreed": True}
        return kept, gr.update(visible=False), gr.update(visible=True), gr.Timer(active=True)

    def sample(self):
        found = samples()
        return [str(one) for one in found] if found else [None, None]

    def look_anew(
        self, kept, photo, more, driver, background, place, size, person, start, duration
    ):
        """Other files: whoever was chosen before is somebody else."""
        return self.look(kept, photo, more, driver, background, place, size, None, start, duration)

    def look(self, kept, photo, more, driver, background, place, size, person, start, duration):
        if not photo or not driver:
            return gr.update(visible=False), gr.update(choices=[]), None, None, ""
        found = self._told(
            lambda: self._looks.look(
                *self._files(photo, more, driver),
                self._options(background, place, size, person, start, duration),
            )
        )
        if isinstance(found, str):
            hidden = gr.update(visible=False) if person is None else gr.update()
            return hidden, gr.update(), None, None, found
        several = found.people > 1  # one alone is followed as without a number, which is quicker
        numbers = [str(number) for number in range(1, found.people + 1)] if several else []
        whom = str(found.followed) if several else None
        return (
            gr.update(visible=True),
            gr.update(choices=numbers, value=whom, visible=several),
            str(found.people_picture),
            found.made_picture and str(found.made_picture),
            "",
        )

    def animate(self, kept, photo, more, driver, background, place, size, person, start, duration):
        if not kept.get("agreed"):
            return gr.skip(), "Say first that everyone shown agreed: load the page again."
        if not photo or not driver:
            lacks = "a photo" if not photo else "a video of the dance"
            return gr.skip(), f"**{lacks.capitalize()} is missing**: drop it in above."

        def submit() -> tuple[str]:
            photos, dance = self._files(photo, more, driver)
            options = self._options(background, place, size, person, start, duration)
            extra = {"background": Path(place)} if background == _OWN_BACKGROUND else {}
            return (self._jobs.submit(kept["token"], photos, dance, options, extra),)

        made = self._told(submit)
        return (gr.skip(), made) if isinstance(made, str) else (made[0], "")

    def cancel(self, kept, shown):
        if job := self._own(kept, shown):
            self._jobs.cancel(job.id)

    def forget(self, kept):
        for job in self._jobs.of_owner(kept["token"]):
            self._jobs.remove(job.id)
        return ""

    def refresh(self, kept, shown, seen):
        """Every second: what has changed of the job that is shown."""
        job = self._own(kept, shown)
        own = self._jobs.of_owner(kept["token"]) if kept.get("token") else []
        now = repr([(one.id, one.state) for one in own] + [job and job.id])
        words = state_words(job)
        if now == seen:  # what plays goes on playing
            return (words, *[gr.skip()] * 8)
        is_over = job is None or job.state in ENDED
        done = job if job is not None and job.state == "done" else None
        marks = {"done": "✓", "failed": "✗", "cancelled": "–", "begun": "…", "waiting": "…"}
        choices = [
            (f"{marks[one.state]} {len(own) - number}: {one.name}", one.id)
            for number, one in enumerate(own)
        ]
        return (
            words,
            gr.update(visible=not is_over),
            gr.update(visible=done is not None),
            done and str(done.driver),
            done and str(done.out),
            gr.update(visible=done is not None, value=done and str(done.out)),
            gr.update(visible=bool(own)),
            gr.update(choices=choices, value=job.id if job else None),
            now,
        )

    def _own(self, kept, shown) -> JobState | None:
        job = self._jobs.state(shown) if shown else None
        return job if job is not None and job.owner == kept.get("token") else None

    def _files(self, photo, more, driver) -> tuple[list[Path], Path]:
        photos = [check_upload(self._folder, Path(photo), is_video=False)]
        photos += [check_upload(self._folder, Path(one), is_video=False) for one in more or ()]
        return photos, check_upload(self._folder, Path(driver), is_video=True)

    def _options(self, background, place, size, person, start, duration) -> dict:
        times = {"start": start, "duration": duration}
        times = {name: text.strip() for name, text in times.items() if text and text.strip()}
        options_from(AnimateOptions, times, "the page").stretch()  # says what is no time
        return {
            **times,
            "background": self._background(background, place),
            "max_side_px": _SIZES.get(size, 0),
            "person": person or "largest",
            "device": self._device,
        }

    def _background(self, name, place) -> str:
        if name != _OWN_BACKGROUND:
            return _BACKGROUNDS.get(name, "white")
        if not place:
            raise DancepipeError("the background is missing: drop in a picture or a video")
        if not Path(place).resolve().is_relative_to(self._folder / "uploads"):
            raise DancepipeError("this background was not uploaded here; choose it again")
        return str(place)

    def _told(self, do: Callable):
        """What do() gives, or why it cannot: the words of its error, without places of this
        machine."""
        try:
            return do()
        except DancepipeError as error:
            return f"**That did not work**: {_without_folders(str(error), self._folder)}"


def _without_folders(words: str, folder: Path) -> str:
    """A visitor knows a file by its name."""
    return " ".join(
        Path(word).name + word[len(word.rstrip(":,;")) :] if str(folder) in word else word
        for word in words.split(" ")
    )
