"""The one table from our exceptions to HTTP statuses, and the one document every error is answered with."""

import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response

from coverslip import readers
from coverslip.errors import (
    BudgetError,
    BuildError,
    BusyError,
    CatalogError,
    ConflictError,
    CoverslipError,
    ExportError,
    ImageLoadError,
    InvalidRequestError,
    MislabelledFileError,
    MissingAnnotationError,
    MissingChannelError,
    MissingDependencyError,
    MissingFieldError,
    MissingMaskError,
    MissingPartError,
    NotFoundError,
    OutsideImageError,
    ReadError,
    RefusedAddressError,
    RegionError,
    RevisionConflictError,
    ScaleBarError,
    SettingsError,
    StorageError,
    TooLargeError,
    UnreadableFileError,
    UnsupportedFormatError,
)

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
"""When a client may ask again for what could not be answered just now."""


class Answer(NamedTuple):
    """How one kind of error is answered."""

    status: int
    type: str
    title: str


ANSWERS: Mapping[type[CoverslipError], Answer] = {
    MislabelledFileError: Answer(400, "unsupported-format", "This is not the kind of file that its name says"),
    UnsupportedFormatError: Answer(400, "unsupported-format", "This file format is not supported"),
    InvalidRequestError: Answer(400, "invalid-request", "The request makes no sense"),
    RefusedAddressError: Answer(403, "refused-address", "This address may not be read from here"),
    RegionError: Answer(400, "outside-image", "The request lies outside the image"),
    NotFoundError: Answer(404, "not-found", "There is nothing here"),
    RevisionConflictError: Answer(409, "saved-meanwhile", "Somebody else saved first"),
    ConflictError: Answer(409, "conflict", "The request contradicts the present state"),
    TooLargeError: Answer(413, "too-large", "This is larger than the server accepts"),
    BudgetError: Answer(422, "beyond-budget", "The file asks for more than one file may cost"),
    BusyError: Answer(503, "busy", "Nobody is free to look at the file now"),
    UnreadableFileError: Answer(422, "unreadable-file", "The file could not be looked at"),
    ReadError: Answer(422, "unreadable-file", "The file is damaged, incomplete or unreadable"),
    MissingDependencyError: Answer(500, "missing-dependency", "A package that this needs is not installed"),
    ImageLoadError: Answer(422, "unreadable-file", "The file cannot be read as an image"),
    BuildError: Answer(503, "not-built-yet", "The picture could not be built now"),
    OutsideImageError: Answer(422, "outside-image", "The region lies outside the image"),
    MissingFieldError: Answer(422, "missing-field", "There is no such field of view"),
    MissingChannelError: Answer(422, "missing-channel", "The field of view has no such channel"),
    MissingMaskError: Answer(422, "missing-mask", "The field of view has no such mask"),
    MissingAnnotationError: Answer(422, "missing-annotation", "The field of view has no such annotation"),
    MissingPartError: Answer(422, "missing-part", "The field of view does not have what is asked for"),
    ScaleBarError: Answer(422, "no-scale-bar", "No true scale bar can be drawn"),
    ExportError: Answer(422, "not-exported", "This item cannot be exported"),
    CatalogError: Answer(503, "catalog-unavailable", "The catalog does not answer"),
    StorageError: Answer(503, "storage-unavailable", "The storage does not answer"),
    SettingsError: Answer(500, "wrong-setting", "A setting of the server is wrong"),
    CoverslipError: Answer(500, "failed", "The request failed"),
}
"""Looked up by the nearest class; a test holds that every exception we raise is in it."""

UNDRAWABLE = Answer(422, "undrawable", "No picture can be made of this image")
INVALID = Answer(422, "invalid-parameter", "A parameter is wrong")
UNEXPECTED = Answer(500, "unexpected", "Something went wrong in the server")
FRAMEWORK = {
    403: Answer(403, "only-from-here", "This is done on the machine of the server alone"),
    404: ANSWERS[NotFoundError],
    405: Answer(405, "method-not-allowed", "This address does not take that method"),
}


class Problem(BaseModel):
    """The answer to every request that failed (RFC 9457)."""

    type: str
    """Stable name of the kind of problem, such as ``unsupported-format``."""
    title: str
    """The kind of problem in words; the same for every occurrence."""
    detail: str
    """What happened this time, for a person, and what to do."""
    errors: list[str]
    """All single problems at once, or what would have been accepted; may be empty."""


class SavedMeanwhile(Problem):
    """The answer to a save of what somebody else has saved meanwhile."""

    current: Any
    """The record as it is now."""


def problem(
    answer: Answer, detail: str, errors: Sequence[str] = (), headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return the error document as a response."""
    # file names may hold bytes that are no text
    detail = detail.encode(errors="surrogateescape").decode(errors="replace")
    document = Problem(type=answer.type, title=answer.title, detail=detail, errors=list(errors))
    return JSONResponse(document.model_dump(), answer.status, headers=headers, media_type=MEDIA_TYPE)


def answer_to(error: CoverslipError) -> Answer:
    """Return how this error is answered: by its own class or the nearest one above."""
    if isinstance(error, BuildError) and not error.retryable:
        return UNDRAWABLE
    return next(ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries of error answers; all others are the same document."""
    words = {answer.status: answer.title for answer in (*ANSWERS.values(), INVALID)}
    content = {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}
    described: dict[int | str, str] = {status: words[status] for status in statuses}
    described["default"] = "Any other error"
    return {status: {"description": text, "content": content} for status, text in described.items()}


def install(app: FastAPI) -> None:
    """Answer every error of the app with the one document."""
    app.add_exception_handler(CoverslipError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _of_the_framework)
    app.add_exception_handler(ClientDisconnect, _nobody_listens)
    app.add_exception_handler(Exception, _unexpected)


async def _ours(_request: Request, error: Exception) -> Response:
    assert isinstance(error, CoverslipError)
    answer = answer_to(error)
    if answer.status >= 500:
        log.warning("%s: %s", type(error).__name__, error)
    headers = {"Retry-After": str(RETRY_SECONDS)} if answer.status == 503 else None
    if isinstance(error, RevisionConflictError):
        answered = SavedMeanwhile(
            type=answer.type, title=answer.title, detail=str(error), errors=[], current=error.current
        )
        return JSONResponse(answered.model_dump(mode="json"), answer.status, media_type=MEDIA_TYPE)
    return problem(answer, str(error) or answer.title, _details(error), headers)


def _details(error: CoverslipError) -> Sequence[str]:
    match error:
        case UnsupportedFormatError():
            return [f"{known.title} ({', '.join(known.extensions)})" for known in readers.formats()]
        case MissingDependencyError():
            return [f"pip install {error.package}"]
        case BudgetError():
            return [f"{error.budget}: {error.allowed:,} may be"] if error.allowed is not None else ()
        case InvalidRequestError():
            return error.errors
        case _:
            return ()


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = [
        # pydantic announces the sentences that our own checks raise, once for each model they pass
        f"{'.'.join(str(part) for part in item['loc'])}: {item['msg'].replace('Value error, ', '')}"
        for item in error.errors()
    ]
    return problem(INVALID, "; ".join(problems), problems)


async def _of_the_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = FRAMEWORK.get(error.status_code, Answer(error.status_code, "refused", "The request was refused"))
    detail = f"{request.method} {request.url.path}: {error.detail}"
    return problem(answer, detail, headers=error.headers)


async def _nobody_listens(_request: Request, _error: Exception) -> Response:
    return Response(status_code=499)  # the client has gone: this line is for the access log only


async def _unexpected(request: Request, _error: Exception) -> Response:
    # the traceback itself is logged by the server, which this exception is passed on to
    number = uuid.uuid4().hex[:12]
    log.error("unexpected error %s in %s %s", number, request.method, request.url.path)
    return problem(UNEXPECTED, f"The server's log has the reason; look for {number}.")
