#!/usr/bin/python3
"""An OCI image of one program, without docker: pack.py PROGRAM IMAGE.tar"""

import gzip
import hashlib
import io
import json
import platform
import sys
import tarfile


def tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            t.addfile(info, io.BytesIO(content))
    return out.getvalue()


def blob(files, content, kind):
    """Adds it under its digest, and describes it."""
    digest = hashlib.sha256(content).hexdigest()
    files["blobs/sha256/" + digest] = content
    kind = "application/vnd.oci.image." + kind
    return {"mediaType": kind, "digest": "sha256:" + digest, "size": len(content)}


program, image = sys.argv[1:]
layer = tar({"app/main": open(program, "rb").read()})
files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
config = {
    "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
    "os": "linux",
    "config": {"Entrypoint": ["/app/main"], "Cmd": ["Hello"]},
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
}
manifest = {
    "schemaVersion": 2,
    "config": blob(files, json.dumps(config).encode(), "config.v1+json"),
    "layers": [blob(files, gzip.compress(layer, mtime=0), "layer.v1.tar+gzip")],
}
index = {
    "schemaVersion": 2,
    "manifests": [blob(files, json.dumps(manifest).encode(), "manifest.v1+json")],
}
files["index.json"] = json.dumps(index).encode()
with open(image, "wb") as f:
    f.write(tar(files))
