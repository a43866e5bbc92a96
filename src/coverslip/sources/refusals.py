"""What obstore raises, in words for people."""

import re

_ATTEMPTS = re.compile(r".*Error performing [A-Z]+ \S+ in \S+( after .*retry_timeout: \S+)? ?- ")
_REFUSAL = re.compile(r"Server returned non-2xx status code: (\d+ [^:<]+)(?::(?:.*?<Code>(\w+)</Code>.*|.*))?")
_IDENTITY_SERVICES = ("169.254.169.254", "169.254.170.2", "metadata.google.internal")
"""Where clouds give credentials to their own machines; asked where nobody has named any."""


def reason_of(error: Exception) -> str:
    """Return what a person needs of the library's long sentence: what the server said, or that it said nothing."""
    whole = " ".join(str(error).split("\n\nDebug source")[0].split())
    if any(host in whole for host in _IDENTITY_SERVICES):
        return (
            "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or for a public bucket "
            "AWS_SKIP_SIGNATURE=true"
        )
    reason = _ATTEMPTS.sub("", whole) or type(error).__name__
    if refusal := _REFUSAL.fullmatch(reason):
        status, code = refusal.groups()
        return f"the server answered {status}" + (f" ({code})" if code else "")
    return reason.replace("HTTP error: error sending request", "the server does not answer")
