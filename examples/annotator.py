"""An annotator's session against a running server: ``python examples/annotator.py http://127.0.0.1:8000``.

Needs httpx alone. It marks ranges of frames of a time-lapse, video or z-stack, moves their boundaries, presses
"Save & Next" and never waits; at the end it shows how the combined images become fresh by themselves.
"""

import argparse
import time
import uuid
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import httpx

MARKED_FRAMES = 120
"""Frames that are annotated, at most."""


def frames_of(client: httpx.Client, image_id: str) -> tuple[str, int]:
    """Return the axis that an image has most frames along, ``t`` or ``z``, and how many."""
    image = client.get(f"/api/images/{image_id}").raise_for_status().json()
    times, depth = image["metadata"]["size_t"], image["depth"]
    return ("t", times) if times >= depth else ("z", depth)


def first_film(client: httpx.Client) -> str:
    """Return the first image of the library that has more than three frames."""
    for image in client.get("/api/images/").raise_for_status().json()["images"]:
        if frames_of(client, image["id"])[1] > 3:
            return str(image["id"])
    raise SystemExit("no image of this library has frames to annotate")


def annotate(
    client: httpx.Client, image_id: str, axis: str, first: int, last: int, author: str, *, track: str = "events"
) -> dict[str, Any]:
    """Mark a range of frames on a track. The id of the save makes it safe to send again."""
    frames = {"axis": axis, "first": first, "last": last}
    body = {"frames": frames, "track": track, "author": author, "save_id": str(uuid.uuid4())}
    answer = client.post(f"/api/images/{image_id}/annotations", json=body)
    annotation: dict[str, Any] = answer.raise_for_status().json()["annotation"]
    return annotation


def save(client: httpx.Client, annotation_id: str, author: str, **changes: Any) -> dict[str, Any]:
    """Save an annotation; where somebody else was quicker, look at theirs and save again."""
    annotation = client.get(f"/api/annotations/{annotation_id}").raise_for_status().json()
    while True:
        body = {**changes, "revision": annotation["revision"], "author": author, "save_id": str(uuid.uuid4())}
        answer = client.patch(f"/api/annotations/{annotation_id}", json=body)
        if answer.status_code != httpx.codes.CONFLICT or "current" not in answer.json():
            saved: dict[str, Any] = answer.raise_for_status().json()["annotation"]
            return saved
        annotation = answer.json()["current"]


def work(client: httpx.Client, image_id: str, ranges: int, author: str, track: str = "events") -> list[str]:
    """Mark ranges that tile the first frames, look at them and move each boundary by one; return the annotations."""
    axis, number = frames_of(client, image_id)
    number = min(number, MARKED_FRAMES)
    ranges = max(1, min(ranges, number // 2))
    starts = [round(number * index / ranges) for index in range(ranges + 1)]
    ids = [
        str(annotate(client, image_id, axis, first, after - 1, author, track=track)["id"])
        for first, after in pairwise(starts)
    ]
    for annotation_id in ids[1:]:
        frames = client.get(f"/api/annotations/{annotation_id}").raise_for_status().json()["frames"]
        z, at = (0, frames["first"]) if axis == "t" else (frames["first"], 0)
        client.get(f"/api/images/{image_id}/slice/{z}", params={"t": at}).raise_for_status()
        moved = {**frames, "first": frames["first"] - 1}
        saved = save(client, annotation_id, author, frames=moved, stages={"boundaries": "done", "text": "annotate"})
        print(f"saved {annotation_id}: frames {saved['frames']['first']} to {saved['frames']['last']}")
    return ids


def stale(client: httpx.Client, image_id: str) -> set[str]:
    """Return the annotations of an image whose combined image is not fresh. Asking builds nothing."""
    choice: dict[str, str | int] = {"state": "stale", "kind": "combined", "image_id": image_id, "limit": 500}
    found = client.get("/api/artifacts/", params=choice).raise_for_status().json()["artifacts"]
    return {artifact["annotation_id"] for artifact in found}


def becoming_fresh(client: httpx.Client, image_id: str, ids: list[str], seconds: float) -> Iterator[str]:
    """Yield the annotations as their combined images become fresh; ends when all are, or the time is over."""
    waiting, deadline = set(ids), time.monotonic() + seconds
    while waiting and time.monotonic() < deadline:
        fresh = waiting - stale(client, image_id)
        yield from (annotation_id for annotation_id in ids if annotation_id in fresh)
        waiting -= fresh
        if not fresh:
            time.sleep(0.1)


def session(client: httpx.Client, asked: argparse.Namespace) -> int:
    """Play a session; return 0 when every combined image became fresh in time."""
    image_id = asked.image or first_film(client)
    started = time.monotonic()
    ids = work(client, image_id, asked.ranges, asked.author, asked.track or f"session {uuid.uuid4().hex[:8]}")
    print(f"{len(ids)} ranges of image {image_id} marked in {time.monotonic() - started:.1f} s, without waiting")
    started = time.monotonic()
    fresh = 0
    for annotation_id in becoming_fresh(client, image_id, ids, asked.seconds):
        fresh += 1
        address = f"{asked.address.rstrip('/')}/api/annotations/{annotation_id}/combined"
        print(f"{time.monotonic() - started:5.1f} s: fresh: {address}")
    print(f"{fresh} of {len(ids)} combined images are fresh")
    return 0 if fresh == len(ids) else 1


def reason_of(response: httpx.Response) -> str:
    """Return what the server says about a refusal."""
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.text


def main(arguments: list[str] | None = None) -> int:
    """Play a session against the server that the arguments name."""
    parser = argparse.ArgumentParser(description="Play an annotator's session against a Coverslip server.")
    parser.add_argument("address", help="such as http://127.0.0.1:8000")
    parser.add_argument("image", nargs="?", help="id of an image; left out: the first one with frames")
    parser.add_argument("--ranges", type=int, default=6, help="how many ranges to mark")
    parser.add_argument("--author", default="annotator")
    parser.add_argument("--track", help="left out: one of its own for each session")
    parser.add_argument("--seconds", type=float, default=60, help="how long to wait for fresh images")
    asked = parser.parse_args(arguments)
    try:
        with httpx.Client(base_url=asked.address, timeout=60) as client:
            return session(client, asked)
    except httpx.HTTPStatusError as error:
        raise SystemExit(f"{error.request.url}: {reason_of(error.response)}") from error
    except httpx.TransportError as error:
        raise SystemExit(f"no answer from {asked.address}: {error}") from error


if __name__ == "__main__":
    raise SystemExit(main())
