"""kill -9 in the middle of work, then up again: what was acknowledged is there.

LAMINA_KILLS sets the number of rounds (10).
"""

import hashlib
import os
import random
import threading
import time

import pytest

from cloud import RUNTIME, SOON, Cloud, zipped

ROUNDS = int(os.environ.get("LAMINA_KILLS", "10"))
NOW = int(time.time() * 1000)
CODE = zipped({"app.py": "def handler(e, c):\n    return 1\n"})


class Writer(threading.Thread):
    """Writes as fast as it can until its server is gone; keeps what was acknowledged."""

    def __init__(self, cloud, number, seed):
        super().__init__()
        self.random = random.Random(seed)
        self.number = number
        self.cloud = cloud
        self.started = threading.Event()
        self.objects = {}  # key -> md5 of the newest acknowledged body, or None when deleted
        self.unsure = {}  # what a last write, not acknowledged, may have made of a key
        self.messages = []
        self.functions = set()
        self.failure = None

    def run(self):
        from botocore.exceptions import (
            ClientError,
            ConnectionError,
            HTTPClientError,
            ReadTimeoutError,
        )

        try:
            s3, logs, lam = (self.cloud.client(s, tcp_keepalive=True) for s in ("s3", "logs", "lambda"))
            n = 0
            while True:
                n += 1
                key = "w%d/%d" % (self.number, self.random.randrange(20))
                body = os.urandom(self.random.choice([10, 1000, 100000, 1 << 20]))
                self.unsure[key] = hashlib.md5(body).hexdigest()
                s3.put_object(Bucket="bucket", Key=key, Body=body)
                self.objects[key] = self.unsure.pop(key)
                self.started.set()
                if n % 3 == 0:
                    self.unsure[key] = None
                    s3.delete_object(Bucket="bucket", Key=key)
                    self.objects[key] = self.unsure.pop(key)
                message = "w%d-%d" % (self.number, n)
                logs.put_log_events(
                    logGroupName="group", logStreamName="s%d" % self.number,
                    logEvents=[{"timestamp": NOW + n, "message": message}],
                )
                self.messages.append(message)
                if n % 5 == 0:
                    name = "f%d-%d" % (self.number, n)
                    lam.create_function(
                        FunctionName=name, Runtime=RUNTIME, Handler="app.handler",
                        Role=self.cloud.role_arn, Code={"ZipFile": CODE},
                    )
                    self.functions.add(name)
        except (ConnectionError, HTTPClientError, ReadTimeoutError):
            pass
        except ClientError as e:
            self.failure = e
        finally:
            self.started.set()


def stored(s3, key):
    try:
        body = s3.get_object(Bucket="bucket", Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None
    return hashlib.md5(body).hexdigest()


@pytest.mark.parametrize("round", range(ROUNDS))
def test_kill(tmp_path, round):
    seed = int(os.environ.get("LAMINA_SEED", random.randrange(1 << 30)))
    print("LAMINA_SEED=%d" % seed)
    data = tmp_path / "data"
    cloud = Cloud(data=data).start()
    try:
        cloud.s3.create_bucket(Bucket="bucket")
        cloud.logs.create_log_group(logGroupName="group")
        cloud.role_arn = cloud.role()
        for i in range(3):
            cloud.logs.create_log_stream(logGroupName="group", logStreamName="s%d" % i)
        writers = [Writer(cloud, i, seed + i) for i in range(3)]
        [w.start() for w in writers]
        [w.started.wait(20) for w in writers]
        # The moment: anywhere in the work of the next 300 ms.
        time.sleep(random.Random(seed).random() * 0.3)
    finally:
        cloud.kill()
    [w.join(30) for w in writers]
    assert not any(w.is_alive() for w in writers)
    assert [w.failure for w in writers if w.failure] == []
    assert sum(len(w.objects) for w in writers) > 0

    cloud = Cloud(data=data).start()
    try:
        for w in writers:
            for key, digest in w.objects.items():
                allowed = {digest} | ({w.unsure[key]} if key in w.unsure else set())
                assert stored(cloud.s3, key) in allowed, key
            r = cloud.logs.get_log_events(
                logGroupName="group", logStreamName="s%d" % w.number, startFromHead=True
            )
            found = [e["message"] for e in r["events"]]
            assert found[: len(w.messages)] == w.messages
            assert len(found) <= len(w.messages) + 1
        pages = cloud.lambda_.get_paginator("list_functions").paginate()
        names = {f["FunctionName"] for p in pages for f in p["Functions"]}
        assert set().union(*(w.functions for w in writers)) <= names
        if names:
            name = sorted(names)[0]
            cloud.lambda_.get_waiter("function_active_v2").wait(
                FunctionName=name, WaiterConfig=SOON
            )
            assert cloud.invoke(name).payload == 1
        # Unfinished work of the dead daemon takes no space.
        assert not [p for p in data.rglob("*.tmp")]
    finally:
        cloud.stop()


def test_kill_in_the_middle_of_a_stack(tmp_path):
    """A stack that was being made is not half there for good: it can be deleted."""
    import json

    data = tmp_path / "data"
    cloud = Cloud(data=data).start()
    resources = {"G%d" % i: {"Type": "AWS::Logs::LogGroup"} for i in range(100)}
    cloud.cfn.create_stack(StackName="s", TemplateBody=json.dumps({"Resources": resources}))
    cloud.kill()
    cloud = Cloud(data=data).start()
    try:
        cloud.cfn.get_waiter("stack_exists").wait(StackName="s", WaiterConfig=SOON)
        cloud.cfn.delete_stack(StackName="s")
        cloud.cfn.get_waiter("stack_delete_complete").wait(
            StackName="s", WaiterConfig=SOON
        )
        assert cloud.logs.describe_log_groups()["logGroups"] == []
    finally:
        cloud.stop()


def test_a_full_disk_is_said_and_loses_nothing(tmp_path):
    """On a file system of 16 MB: an error of the service, not a crash, and room again later."""
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(disk)],
                       stderr=subprocess.PIPE)
    if r.returncode:
        pytest.skip("may not mount: " + r.stderr.decode().strip())
    try:
        cloud = Cloud(data=disk / "data").start()
        try:
            cloud.s3.create_bucket(Bucket="bucket")
            kept, error = [], None
            for i in range(40):
                try:
                    cloud.s3.put_object(Bucket="bucket", Key=str(i), Body=bytes([i]) * (1 << 20))
                    kept.append(i)
                except Exception as e:
                    error = e
                    break
            assert error is not None and kept
            assert error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
            for i in kept:
                body = cloud.s3.get_object(Bucket="bucket", Key=str(i))["Body"].read()
                assert body == bytes([i]) * (1 << 20)
            for i in kept:
                cloud.s3.delete_object(Bucket="bucket", Key=str(i))
            cloud.s3.put_object(Bucket="bucket", Key="again", Body=b"x" * 1000)
        finally:
            cloud.stop()
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def _records(data, *prefix):
    """Last parts of the keys below a prefix, read without the daemon."""
    import sqlite3

    begin = b"".join(p.encode() + b"\0" for p in prefix)
    with sqlite3.connect("file:%s?mode=ro" % (data / "lamina.db"), uri=True) as db:
        keys = [bytes(k) for (k,) in db.execute("SELECT key FROM kv")]
    return {k[len(begin):].rstrip(b"\0").decode() for k in keys if k.startswith(begin)}


def test_kill_leaves_nothing_behind(tmp_path):
    """Uploads in parts, code that changes and stacks, killed again and again on one folder: every
    answer holds, and no file stays that no record names."""
    import json
    from concurrent.futures import ThreadPoolExecutor

    from botocore.exceptions import BotoCoreError, ClientError

    data = tmp_path / "data"
    seed = int(os.environ.get("LAMINA_SEED", random.randrange(1 << 30)))
    print("LAMINA_SEED=%d" % seed)
    chance = random.Random(seed)
    sizes, uploads, codes, stacks = {}, {}, {}, set()
    part = os.urandom(5 << 20)

    def upload(cloud, n):
        s3, key = cloud.s3, "mp%d" % n
        i = s3.create_multipart_upload(Bucket="bucket", Key=key)["UploadId"]
        uploads[key] = i
        parts = []
        for number, body in enumerate((part, b"rest%d" % n), 1):
            tag = s3.upload_part(Bucket="bucket", Key=key, UploadId=i, PartNumber=number, Body=body)
            parts.append({"PartNumber": number, "ETag": tag["ETag"]})
        s3.complete_multipart_upload(
            Bucket="bucket", Key=key, UploadId=i, MultipartUpload={"Parts": parts}
        )
        sizes[key] = len(part) + len(b"rest%d" % n)

    def recode(cloud, n):
        codes["begun"] = n
        cloud.lambda_.update_function_code(
            FunctionName="f", ZipFile=zipped({"app.py": "def handler(e, c):\n    return %d\n" % n})
        )
        codes["done"] = n

    def stack(cloud, n):
        name = "s%d" % n
        body = {"Resources": {"G%d" % i: {"Type": "AWS::Logs::LogGroup"} for i in range(20)}}
        cloud.cfn.create_stack(StackName=name, TemplateBody=json.dumps(body))
        stacks.add(name)

    def work(cloud, what, first):
        try:
            for n in range(first, first + 1000):
                what(cloud, n)
        except (BotoCoreError, OSError):
            pass  # it has been killed

    for life in range(5):
        cloud = Cloud(data=data).start()
        try:
            if life == 0:
                cloud.s3.create_bucket(Bucket="bucket")
                cloud.function("def handler(e, c):\n    return -1\n", name="f")
            cloud.cfn, cloud.lambda_, cloud.s3  # made here: making clients takes long
            before = len(sizes)
            with ThreadPoolExecutor(3) as pool:
                jobs = [pool.submit(work, cloud, w, life * 1000) for w in (upload, recode, stack)]
                deadline = time.monotonic() + 20
                while len(sizes) == before and time.monotonic() < deadline:
                    time.sleep(0.01)
                time.sleep(chance.random() * 0.3)
                cloud.kill()
            for job in jobs:
                job.result()
        finally:
            if cloud.running():
                cloud.kill()

    cloud = Cloud(data=data).start()
    try:
        assert sizes and stacks and "done" in codes
        for key, size in sizes.items():
            assert cloud.s3.head_object(Bucket="bucket", Key=key)["ContentLength"] == size
        open_uploads = cloud.s3.list_multipart_uploads(Bucket="bucket").get("Uploads", [])
        assert {u["UploadId"] for u in open_uploads} >= {
            i for key, i in uploads.items() if key not in sizes
        } - {i for key, i in uploads.items() if cloud_has(cloud, key)}
        cloud.lambda_.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig=SOON)
        assert codes["done"] <= cloud.invoke("f").payload <= codes["begun"]
        pages = cloud.cfn.get_paginator("describe_stacks").paginate()
        assert stacks <= {s["StackName"] for p in pages for s in p["Stacks"]}
    finally:
        cloud.stop()
    files = {p.name for p in (data / "blobs").rglob("*") if p.is_file()}
    assert files == _records(data, "blob")
    folders = {p.name for p in (data / "code").iterdir()}
    assert folders == _records(data, "lambda", "code")


def cloud_has(cloud, key):
    try:
        cloud.s3.head_object(Bucket="bucket", Key=key)
        return True
    except cloud.s3.exceptions.ClientError:
        return False


def test_a_full_disk_is_said_by_every_operation(tmp_path):
    import json
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "none", str(disk)],
                       stderr=subprocess.PIPE)
    if r.returncode:
        pytest.skip("may not mount: " + r.stderr.decode().strip())
    cloud = None
    try:
        cloud = Cloud(data=disk / "data").start()
        s3, lam, logs = cloud.s3, cloud.lambda_, cloud.logs
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="small", Body=b"s" * 1000)
        upload = s3.create_multipart_upload(Bucket="bucket", Key="mp")["UploadId"]
        part = {"Bucket": "bucket", "Key": "mp", "UploadId": upload}
        tag = s3.upload_part(PartNumber=1, Body=b"p" * 1000, **part)["ETag"]
        logs.create_log_group(logGroupName="g")
        logs.create_log_stream(logGroupName="g", logStreamName="s")
        function = cloud.function("def handler(e, c):\n    return 1\n")
        role = cloud.lambda_role()
        code = zipped({"app.py": "def handler(e, c):\n    return 2\n", "big": os.urandom(300000)})
        filler = os.open(str(disk / "filler"), os.O_WRONLY | os.O_CREAT)
        try:
            while True:
                os.write(filler, b"z" * 4096)
        except OSError:
            os.close(filler)
        tries = {
            "put": lambda: s3.put_object(Bucket="bucket", Key="k", Body=b"x" * 1000),
            "put big": lambda: s3.put_object(Bucket="bucket", Key="k", Body=b"x" * 3000000),
            "copy": lambda: s3.copy_object(Bucket="bucket", Key="k", CopySource="bucket/small"),
            "part": lambda: s3.upload_part(PartNumber=2, Body=b"q" * 100000, **part),
            "bucket": lambda: s3.create_bucket(Bucket="another-bucket"),
            "log": lambda: logs.put_log_events(
                logGroupName="g", logStreamName="s",
                logEvents=[{"timestamp": int(time.time() * 1000), "message": "m" * 10000}]),
            "function": lambda: lam.create_function(
                FunctionName="f", Runtime=RUNTIME, Handler="app.handler", Role=role,
                Code={"ZipFile": code}),
            "code": lambda: lam.update_function_code(FunctionName=function, ZipFile=code),
            "layer": lambda: lam.publish_layer_version(LayerName="l", Content={"ZipFile": code}),
            "stack": lambda: cloud.cfn.create_stack(StackName="st", TemplateBody=json.dumps(
                {"Resources": {"G%d" % i: {"Type": "AWS::Logs::LogGroup"} for i in range(50)}})),
        }
        for name, call in tries.items():
            with pytest.raises(s3.exceptions.ClientError) as e:
                call()
            assert e.value.response["ResponseMetadata"]["HTTPStatusCode"] == 507, name
        assert cloud.invoke(function).payload == 1
        (disk / "filler").unlink()
        s3.complete_multipart_upload(
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]}, **part)
        assert [o["Key"] for o in s3.list_objects_v2(Bucket="bucket")["Contents"]] == ["mp", "small"]
        assert [f["FunctionName"] for f in lam.list_functions()["Functions"]] == [function]
        assert cloud.cfn.describe_stacks()["Stacks"] == []
        tries["code"]()
        lam.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig=SOON)
        assert cloud.invoke(function).payload == 2
        assert not [p for p in (disk / "data" / "code").iterdir() if p.name.startswith(".")]
    finally:
        if cloud and cloud.running():
            cloud.stop()
        subprocess.run(["umount", "-l", str(disk)], check=True)
