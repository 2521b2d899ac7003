"""Small container images, made here: a static program that speaks the Runtime API, in layers."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile

# Answers with what it sees. The event "cat:PATH" answers the file's text, "stat:PATH" its mode.
PROGRAM = r"""
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
extern char **environ;
static char in[65536], out[65536], text[49152];
static size_t n;
static void put(const char *f, ...)
{
    va_list ap;
    va_start(ap, f);
    n += vsnprintf(out + n, sizeof(out) - n, f, ap);
    va_end(ap);
}
static void quoted(const char *s)
{
    put("\"");
    for (; *s; s++)
        if (*s == '"' || *s == '\\')
            put("\\%c", *s);
        else if ((unsigned char)*s < 32)
            put("\\u%04x", *s);
        else
            put("%c", *s);
    put("\"");
}
static const char *attempt(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    if (fd < 0)
        return strerror(errno);
    close(fd);
    return "written";
}
static void answer(int argc, char **argv, char *event)
{
    char cwd[4096] = "?";
    n = 0;
    event[strcspn(event, "\n")] = 0;
    char *end = strrchr(event, '"');
    if (end && strncmp(event, "\"cat:", 5) == 0) {
        *end = 0;
        int fd = open(event + 5, O_RDONLY);
        ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        if (got >= 0)
            text[got] = 0;
        quoted(got < 0 ? strerror(errno) : text);
        return;
    }
    if (end && strncmp(event, "\"stat:", 6) == 0) {
        struct stat st;
        *end = 0;
        if (lstat(event + 6, &st) < 0)
            quoted(strerror(errno));
        else
            put("\"%o\"", st.st_mode);
        return;
    }
    if (!getcwd(cwd, sizeof(cwd)))
        cwd[0] = 0;
    put("{\"event\": %s, \"uid\": %d, \"cwd\": ", event, (int)getuid());
    quoted(cwd);
    put(", \"argv\": [");
    for (int i = 0; i < argc; i++) {
        put("%s", i ? ", " : "");
        quoted(argv[i]);
    }
    put("], \"tmp\": \"%s\", \"task\": \"%s\", \"root\": \"%s\", \"env\": {", attempt("/tmp/x"),
        attempt("/var/task/x"), attempt("/x"));
    for (char **e = environ; *e; e++) {
        put("%s", e == environ ? "" : ", ");
        char *is = strchr(*e, '=');
        *is = 0;
        quoted(*e);
        put(": ");
        quoted(is + 1);
        *is = '=';
    }
    put("}}");
}
int main(int argc, char **argv)
{
    char host[64];
    struct sockaddr_in to = {.sin_family = AF_INET};
    snprintf(host, sizeof(host), "%s", getenv("AWS_LAMBDA_RUNTIME_API"));
    char *colon = strchr(host, ':');
    *colon = 0;
    to.sin_port = htons(atoi(colon + 1));
    inet_pton(AF_INET, host, &to.sin_addr);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (void *)&to, sizeof(to)) < 0)
        return 3;
    for (;;) {
        char id[64] = "", head[512];
        dprintf(s, "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n");
        size_t have = 0;
        char *body = NULL;
        long length = 0;
        while (!body || have < (size_t)(body - in) + length) {
            ssize_t got = read(s, in + have, sizeof(in) - 1 - have);
            if (got <= 0)
                return 4;
            have += got;
            in[have] = 0;
            if (!body && (body = strstr(in, "\r\n\r\n"))) {
                body += 4;
                char *l = strcasestr(in, "\r\ncontent-length:");
                length = l ? atol(l + 17) : 0;
                char *r = strcasestr(in, "\r\nlambda-runtime-aws-request-id:");
                sscanf(r + 32, " %63[0-9a-f-]", id);
            }
        }
        body[length] = 0;
        answer(argc, argv, body);
        int m = snprintf(head, sizeof(head),
                         "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: x\r\n"
                         "Content-Length: %zu\r\n\r\n", id, n);
        if (write(s, head, m) != m || write(s, out, n) != (ssize_t)n)
            return 5;
        have = 0;
        while (have < 4 || !strstr(in, "\r\n\r\n") || !strstr(in, "OK")) {
            ssize_t got = read(s, in + have, sizeof(in) - 1 - have);
            if (got <= 0)
                return 6;
            have += got;
            in[have] = 0;
        }
    }
}
"""


def program(folder):
    """The compiled program, as bytes."""
    source, to = os.path.join(str(folder), "program.c"), os.path.join(str(folder), "program")
    with open(source, "w") as f:
        f.write("#define _GNU_SOURCE\n" + PROGRAM)
    subprocess.run(["gcc", "-static", "-O1", "-w", "-o", to, source], check=True)
    with open(to, "rb") as f:
        return f.read()


def entry(name, content=None, mode=0o644, type=tarfile.REGTYPE, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = type, target, mode
    info.size = len(content or b"")
    return info, content


def layer(*entries):
    """A layer's tar of (TarInfo, bytes) pairs or {name: content} dicts; a * makes executable."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as t:
        for e in entries:
            pairs = [e]
            if isinstance(e, dict):
                pairs = [
                    entry(
                        k.rstrip("*"),
                        v if isinstance(v, bytes) else v.encode(),
                        0o755 if k.endswith("*") else 0o644,
                    )
                    for k, v in e.items()
                ]
            for info, content in pairs:
                t.addfile(info, io.BytesIO(content) if content is not None else None)
    return out.getvalue()


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Layout:
    """An OCI layout, in memory."""

    def __init__(self):
        self.files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
        self.manifests = []

    def blob(self, data):
        self.files["blobs/sha256/" + sha(data)] = data
        return {"digest": "sha256:" + sha(data), "size": len(data)}

    def image(self, layers, tag=None, arch="amd64", os_name="linux", media=None, pack=gzip.compress,
              top=True, **config):
        """Adds an image; -> its manifest's digest."""
        described = []
        for data in layers:
            packed = pack(data) if pack else data
            kind = "application/vnd.oci.image.layer.v1.tar" + ("+gzip" if pack else "")
            described.append(dict(self.blob(packed), mediaType=media or kind))
        document = {
            "architecture": arch,
            "os": os_name,
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha(d) for d in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": dict(
                self.blob(json.dumps(document).encode()),
                mediaType="application/vnd.oci.image.config.v1+json",
            ),
            "layers": described,
        }
        d = dict(
            self.blob(json.dumps(manifest).encode()),
            mediaType="application/vnd.oci.image.manifest.v1+json",
            platform={"architecture": arch, "os": os_name},
        )
        if tag:
            d["annotations"] = {"org.opencontainers.image.ref.name": tag}
        if top:
            self.manifests.append(d)
        return d

    def finish(self):
        index = {"schemaVersion": 2, "manifests": self.manifests}
        self.files["index.json"] = json.dumps(index).encode()
        return self

    def write(self, folder):
        """As a folder; -> its URI."""
        self.finish()
        for name, data in self.files.items():
            path = os.path.join(str(folder), name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(data)
        return "file://" + str(folder)

    def write_tar(self, path):
        self.finish()
        with open(str(path), "wb") as f:
            f.write(layer(self.files))
        return "file://" + str(path)


def docker_save(path, layers, tags=("app:latest",), arch="amd64", **config):
    """What `docker save` wrote before it wrote OCI layouts; -> its URI."""
    document = json.dumps(
        {
            "architecture": arch,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha(d) for d in layers]},
        }
    ).encode()
    names = ["%s/layer.tar" % sha(b"%d" % i + d) for i, d in enumerate(layers)]
    manifest = [{"Config": sha(document) + ".json", "RepoTags": list(tags), "Layers": names}]
    files = {sha(document) + ".json": document, "manifest.json": json.dumps(manifest).encode()}
    files.update(dict(zip(names, layers)))
    with open(str(path), "wb") as f:
        f.write(layer(files))
    return "file://" + str(path)
