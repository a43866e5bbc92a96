"""The servers that other tests lean on really serve, refuse what they should, and leave nothing behind."""

from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import psutil
import pytest
import redis

from tests.services.s3 import HOST, S3Server, serve_s3
from tests.services.valkey import serve_valkey

pytestmark = pytest.mark.service


def client_of(server: S3Server, secret: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=secret,
    )


def test_s3_keeps_objects_and_refuses_wrong_signatures() -> None:
    with serve_s3() as server:
        server.make_bucket("first")
        client, stranger = client_of(server, server.secret_key), client_of(server, "wrong")
        client.put_object(Bucket="first", Key="a/ü.bin", Body=b"pixels")
        assert client.get_object(Bucket="first", Key="a/ü.bin")["Body"].read() == b"pixels"
        with pytest.raises(botocore.exceptions.ClientError, match="SignatureDoesNotMatch"):
            stranger.get_object(Bucket="first", Key="a/ü.bin")
        client.close()
        stranger.close()


def test_s3_listens_on_loopback_only_and_is_gone_afterwards() -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with serve_s3():
        started = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
        listening = {
            str(link.laddr.ip)
            for child in started
            for link in child.net_connections(kind="inet")
            if link.status == psutil.CONN_LISTEN
        }
        assert listening == {HOST}
    assert started
    assert not any(child.is_running() for child in started)


def test_valkey_serves_on_a_socket_that_is_gone_afterwards() -> None:
    with serve_valkey() as url, redis.Redis.from_url(url) as client:
        client.xadd("jobs", {"artifact": "1"})
        assert client.xlen("jobs") == 1
        place = Path(url.removeprefix("unix://"))
        assert place.is_socket()
    assert not place.parent.exists()
