"""Films, which take minutes: each is made in the background, and whoever asks is told how far it is."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.events import MadeFile
from poe2openai.core.request import ModelRequest
from poe2openai.gateway.attempts import Waiting
from poe2openai.gateway.catalog import Route
from poe2openai.gateway.keys import Caller
from poe2openai.gateway.making import Made, Making, Progress, Steps, files_of_kind
from poe2openai.gateway.record import RequestRecord
from poe2openai.store.videos import VideoJob, VideoJobs

KEPT_SECONDS = 24 * 3600.0
"""Poe may keep a film longer; who makes many needs an end of the list."""

LOST_SECONDS = 60.0
"""A film of which its worker has said nothing for so long is lost: the worker was ended."""

_SAY_SECONDS = 1.0  # between two notes of progress
_STILL_ALIVE_SECONDS = 15.0
_LAST_TRIES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)  # seconds after each try in vain

log = logging.getLogger(__name__)

Finish = Callable[[RequestRecord], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asked for, as it is told again."""

    prompt: str
    size: str | None
    seconds: str | None
    remixed_from: str | None = None


class Videos:
    """One a worker."""

    def __init__(self, making: Making, jobs: VideoJobs) -> None:
        self._making = making
        self._jobs = jobs

    def start(
        self,
        request: ModelRequest,
        route: Route,
        caller: Caller,
        record: RequestRecord,
        *,
        wish: Wish,
        on_end: Finish,
    ) -> dict[str, Any]:
        """The video object of OpenAI's API, queued; `on_end` takes the record once all is over."""
        job_id = f"video_{secrets.token_hex(16)}"
        now = time.time()
        video: dict[str, Any] = {
            "id": job_id,
            "object": "video",
            "model": request.model,
            "status": "queued",
            "progress": 0,
            "created_at": int(now),
            "completed_at": None,
            "expires_at": int(now + KEPT_SECONDS),
            "prompt": wish.prompt,
            "size": wish.size or "auto",
            "seconds": wish.seconds or "auto",
            "remixed_from_video_id": wish.remixed_from,
            "error": None,
        }
        self._jobs.add(job_id, caller.account, {"video": video})
        work = _Work(self._making, self._jobs, video, record)
        work.request, work.route = request, route
        threading.Thread(target=work.run, args=(caller, on_end), daemon=True).start()
        return video

    def find(self, caller: Caller, job_id: str) -> dict[str, Any]:
        return _video(self._job(caller, job_id))

    def all(self, caller: Caller) -> list[dict[str, Any]]:
        """The latest first."""
        return [_video(job) for job in self._jobs.all(caller.account)]

    def file(self, caller: Caller, job_id: str) -> MadeFile:
        """The film itself; raises `GatewayError` as long as there is none."""
        job = self._job(caller, job_id)
        video = _video(job)
        match video["status"]:
            case "completed":
                return MadeFile(**job.job["file"])
            case "failed":
                raise GatewayError(ErrorKind.NO_FILE, f"This video failed: {video['error']['message']}")
            case _:
                message = f"This video is not done yet ({video['progress']} %)."
                raise GatewayError(ErrorKind.INVALID_REQUEST, message)

    def delete(self, caller: Caller, job_id: str) -> None:
        """One that is being made is given up; Poe keeps what is done."""
        if not self._jobs.delete(caller.account, job_id):
            raise _unknown(job_id)

    def _job(self, caller: Caller, job_id: str) -> VideoJob:
        job = self._jobs.find(caller.account, job_id)
        if job is None:
            raise _unknown(job_id)
        return job


class _Deleted(BaseException):
    """The client does not want this film any more."""


class _Work:
    """One film on its way, in a thread (a greenlet) of its own."""

    def __init__(self, making: Making, jobs: VideoJobs, video: dict[str, Any], record: RequestRecord) -> None:
        self._making = making
        self._jobs = jobs
        self._video = video
        self._record = record
        self._said = self._progressed = 0.0
        self._is_told = True
        # Let go of once the bot is asked: a film to begin with may be large, and the bot takes minutes.
        self.request: ModelRequest | None = None
        self.route: Route | None = None

    def run(self, caller: Caller, on_end: Finish) -> None:
        try:
            self._say(status="in_progress")
            file = self._made(caller)
            done = {"status": "completed", "progress": 100, "completed_at": int(time.time())}
            self._say_at_last({"file": {"url": file.url, "media_type": file.media_type, "name": file.name}}, **done)
        except _Deleted:
            self._record.notes.append("deleted")
        except GatewayError as error:
            self._fail(error)
        except Exception:
            log.exception("an error of our own while video %s was made", self._video["id"])
            self._fail(GatewayError(ErrorKind.INTERNAL, "The gateway failed on this video; its log says why."))
        finally:
            on_end(self._record)

    def _made(self, caller: Caller) -> MadeFile:
        with closing(self._steps(caller)) as steps:
            for step in steps:
                match step:
                    case Progress(_, percent) if percent is not None and percent > self._video["progress"]:
                        self._video["progress"] = percent
                        self._is_told = False
                        self._stay_alive()
                    case Made():
                        return files_of_kind(step, "video", self._video["model"])[0]
                    case _:
                        self._stay_alive()
        raise AssertionError("the answer has no end")

    def _steps(self, caller: Caller) -> Steps:
        request, route = self.request, self.route
        self.request = self.route = None
        assert request is not None and route is not None  # noqa: S101, PT018 (set where the work is begun)
        return self._making.make(request, route, caller, self._record, Waiting(None, self._stay_alive))

    def _stay_alive(self) -> None:
        """Notes what is not told yet, and now and then that this worker is there."""
        now = time.monotonic()
        if not self._is_told and now - self._progressed > _SAY_SECONDS:
            self._progressed = now
            self._say()
        elif now - self._said > _STILL_ALIVE_SECONDS:
            self._say()

    def _fail(self, error: GatewayError) -> None:
        self._record.error = error.kind.code
        with suppress(_Deleted):
            self._say_at_last(status="failed", error={"code": error.kind.code, "message": error.message})

    def _say(self, **changes: Any) -> None:
        """A storage that fails for a while costs a note of progress, and no film."""
        self._video.update(changes)
        self._said, self._is_told = time.monotonic(), True
        with suppress(GatewayError):
            self._write({})

    def _say_at_last(self, also: dict[str, Any] | None = None, **changes: Any) -> None:
        """What a film has become is paid for, and worth several tries."""
        self._video.update(changes)
        for pause in _LAST_TRIES:
            try:
                self._write(also or {})
            except GatewayError:
                time.sleep(pause)
            else:
                return
        log.error("video %s is %s, and the storage does not take it", self._video["id"], self._video["status"])

    def _write(self, also: dict[str, Any]) -> None:
        if not self._jobs.update(self._video["id"], {"video": self._video, **also}):
            raise _Deleted


def _video(job: VideoJob) -> dict[str, Any]:
    video: dict[str, Any] = job.job["video"]
    if video["status"] in ("queued", "in_progress") and time.time() - job.updated > LOST_SECONDS:
        message = "The gateway was restarted while this video was made: ask for it again."
        return video | {"status": "failed", "error": {"code": "interrupted", "message": message}}
    return video


def _unknown(job_id: str) -> GatewayError:
    return GatewayError(ErrorKind.NOT_FOUND, f"There is no video '{job_id[:100]}' here.")
