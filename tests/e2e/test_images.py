"""Functions of PackageType Image: OCI layouts and docker save tars, unpacked and run."""

import json
import os
import tarfile

import pytest
from cloud import SOON, error_of, lamina, unique, zipped
from image import Layout, docker_save, entry, layer, program, sha


@pytest.fixture(scope="session")
def runtime(tmp_path_factory):
    return program(tmp_path_factory.mktemp("program"))


@pytest.fixture
def base(runtime):
    """The layer that every image here begins with."""
    return layer({"app/run*": runtime, "var/task/data.txt": "from the image\n"})


def create(cloud, uri, name=None, **options):
    name = name or unique("img")
    options.setdefault("Timeout", 5)
    cloud.lambda_.create_function(
        FunctionName=name,
        PackageType="Image",
        Code={"ImageUri": uri},
        Role=cloud.lambda_role(),
        **options
    )
    cloud.lambda_.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=SOON)
    return name


def refusal(cloud, uri, **options):
    return error_of(
        cloud.lambda_.create_function,
        FunctionName=unique("img"),
        PackageType="Image",
        Code={"ImageUri": uri},
        Role=cloud.lambda_role(),
        **options
    )


def read(cloud, name, path):
    return cloud.invoke(name, "cat:" + path).payload


def test_layout_folder_runs(cloud, base, tmp_path):
    layout = Layout()
    d = layout.image(
        [base],
        tag="v1",
        Entrypoint=["/app/run", "one"],
        Cmd=["two"],
        Env=["PATH=/app", "COLOR=red", "MINE=image", "AWS_REGION=nowhere"],
        WorkingDir="/var/task",
        User="root",
    )
    uri = layout.write(tmp_path) + ":v1"
    name = create(cloud, uri, Environment={"Variables": {"MINE": "function"}})
    r = cloud.invoke(name, {"a": 1})
    assert r.error is None, r.body
    assert r.log.startswith("START RequestId: ") and "Init Duration" in r.log
    seen = r.payload
    assert seen["event"] == {"a": 1}
    assert seen["argv"] == ["/app/run", "one", "two"]
    assert seen["cwd"] == "/var/task"
    assert seen["uid"] != 0
    assert seen["tmp"] == "written"
    assert seen["task"] == "Read-only file system" and seen["root"] == "Read-only file system"
    env = seen["env"]
    assert env["COLOR"] == "red" and env["MINE"] == "function" and env["PATH"] == "/app"
    assert env["AWS_REGION"] == "us-east-1" and env["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert "_HANDLER" not in env and "AWS_EXECUTION_ENV" not in env and "LANG" not in env
    assert read(cloud, name, "/var/task/data.txt") == "from the image\n"
    assert "sandbox.localdomain" in read(cloud, name, "/etc/hosts")

    c = cloud.lambda_.get_function_configuration(FunctionName=name)
    digest = d["digest"].split(":")[1]
    assert c["PackageType"] == "Image" and c["CodeSize"] == 0 and c["CodeSha256"] == digest
    assert "Runtime" not in c and "Handler" not in c and "ImageConfigResponse" not in c
    code = cloud.lambda_.get_function(FunctionName=name)["Code"]
    assert code["RepositoryType"] == "ECR" and code["ImageUri"] == uri
    assert code["ResolvedImageUri"] == "file://%s@sha256:%s" % (tmp_path, digest)
    assert "Location" not in code
    # and what is resolved can be asked for again
    again = create(cloud, code["ResolvedImageUri"])
    assert cloud.invoke(again, 1).payload["event"] == 1


def test_nothing_of_the_host_is_seen(cloud, base, tmp_path):
    layout = Layout()
    layout.image([base], Entrypoint=["/app/run"])
    name = create(cloud, layout.write(tmp_path))
    assert read(cloud, name, "/usr/bin/env") == "No such file or directory"
    assert read(cloud, name, "/etc/passwd") == "No such file or directory"
    assert read(cloud, name, "/proc/1/environ") == "Permission denied"
    assert cloud.invoke(name, "stat:/dev/null").payload.startswith("2")
    assert cloud.invoke(name, None).payload["cwd"] == "/"


def test_image_config_overrides(cloud, base, tmp_path):
    layout = Layout()
    layout.image([base], Entrypoint=["/app/run"], Cmd=["image"], WorkingDir="/app")
    config = {"EntryPoint": ["/app/run", "mine"], "WorkingDirectory": "/var/task"}
    name = create(cloud, layout.write(tmp_path), ImageConfig=config)
    seen = cloud.invoke(name, {}).payload
    assert seen["argv"] == ["/app/run", "mine"] and seen["cwd"] == "/var/task"
    shown = cloud.lambda_.get_function_configuration(FunctionName=name)["ImageConfigResponse"]
    assert shown == {"ImageConfig": config}
    cloud.lambda_.update_function_configuration(FunctionName=name, ImageConfig={"Command": ["c"]})
    assert cloud.invoke(name, {}).payload["argv"] == ["/app/run", "c"]
    cloud.lambda_.update_function_configuration(FunctionName=name, ImageConfig={})
    assert cloud.invoke(name, {}).payload["argv"] == ["/app/run", "image"]


def test_docker_save_tar_and_update(cloud, base, tmp_path):
    one = docker_save(
        tmp_path / "one.tar", [base, layer({"etc/v": "1"})], Entrypoint=["/app/run"]
    )
    two = docker_save(
        tmp_path / "two.tar",
        [base, layer({"etc/v": "2"})],
        tags=["app:a", "app:b"],
        Entrypoint=["/app/run"],
    )
    name = create(cloud, one)
    assert read(cloud, name, "/etc/v") == "1"
    version = cloud.lambda_.publish_version(FunctionName=name)["Version"]
    r = cloud.lambda_.update_function_code(FunctionName=name, ImageUri=two + ":b")
    assert r["PackageType"] == "Image" and len(r["CodeSha256"]) == 64
    assert read(cloud, name, "/etc/v") == "2"
    assert cloud.invoke(name, "cat:/etc/v", Qualifier=version).payload == "1"
    assert error_of(cloud.lambda_.update_function_code, FunctionName=name, ImageUri=two + ":c")[
        :2
    ] == (400, "InvalidParameterValueException")


def test_oci_tar_and_platforms(cloud, base, tmp_path):
    layout = Layout()
    arm = layout.image([base, layer({"etc/a": "arm"})], arch="arm64", top=False, Cmd=["/app/run"])
    amd = layout.image([base, layer({"etc/a": "amd"})], top=False, Cmd=["/app/run"])
    index = json.dumps({"schemaVersion": 2, "manifests": [arm, amd]}).encode()
    layout.manifests.append(
        dict(layout.blob(index), mediaType="application/vnd.oci.image.index.v1+json")
    )
    uri = layout.write_tar(tmp_path / "image.tar")
    assert read(cloud, create(cloud, uri), "/etc/a") == "amd"
    sha_shown = {}
    for arch in ("x86_64", "arm64"):
        name = create(cloud, uri, Architectures=[arch])
        sha_shown[arch] = cloud.lambda_.get_function_configuration(FunctionName=name)["CodeSha256"]
    assert "sha256:" + sha_shown["arm64"] == arm["digest"]
    assert "sha256:" + sha_shown["x86_64"] == amd["digest"]


def test_layers_whiteouts_and_links(cloud, base, tmp_path):
    one = layer(
        {"d/keep": "1", "d/gone": "1", "o/lower": "1", "o/sub/deep": "1", "usr/lib/x": "lib"},
        entry("lib", type=tarfile.SYMTYPE, target="usr/lib"),
        entry("file-then-folder", b"x"),
        entry("setuid", b"x", 0o6755),
        entry("null", type=tarfile.CHRTYPE),
        entry("abs", type=tarfile.SYMTYPE, target="/d/keep"),
    )
    two = layer(
        {"d/.wh.gone": "", "o/upper": "2", "o/.wh..wh..opq": "", "lib/y": "through a link"},
        entry("file-then-folder", type=tarfile.DIRTYPE, mode=0o755),
        {"file-then-folder/in": "2"},
        entry("hard", type=tarfile.LNKTYPE, target="d/keep"),
        {"x" * 180 + "/" + "y" * 120: "long"},
    )
    layout = Layout()
    layout.image([base, one, two], Entrypoint=["/app/run"])
    name = create(cloud, layout.write(tmp_path))
    missing = "No such file or directory"
    for path, text in {
        "/d/keep": "1",
        "/d/gone": missing,
        "/d/.wh.gone": missing,
        "/o/lower": missing,
        "/o/sub/deep": missing,
        "/o/upper": "2",
        "/usr/lib/y": "through a link",
        "/lib/x": "lib",
        "/file-then-folder/in": "2",
        "/hard": "1",
        "/abs": "1",
        "/null": missing,
        "/" + "x" * 180 + "/" + "y" * 120: "long",
    }.items():
        assert read(cloud, name, path) == text, path
    assert cloud.invoke(name, "stat:/setuid").payload == "100755"


@pytest.mark.parametrize(
    "bad",
    [
        entry("../outside", b"x"),
        entry("a/../../outside", b"x"),
        entry("hard", type=tarfile.LNKTYPE, target="../../../etc/passwd"),
        entry("hard", type=tarfile.LNKTYPE, target="etc/no-such-file"),
        entry("d/.wh...", b""),
        entry("d/" * 300 + "x", b"x"),
    ],
    ids=["dots", "dots-inside", "hardlink-out", "hardlink-nowhere", "whiteout-dots", "deep"],
)
def test_hostile_layers_are_refused(cloud, base, tmp_path, bad):
    layout = Layout()
    layout.image([base, layer(bad)], Entrypoint=["/app/run"])
    status, code, message = refusal(cloud, layout.write(tmp_path / "image"))
    assert (status, code) == (400, "InvalidParameterValueException"), message
    assert "is not valid. Provide a valid source image." in message
    assert os.listdir(str(tmp_path)) == ["image"]


def test_links_do_not_lead_out(cloud, base, tmp_path):
    """A link to the host's root is a link to the image's own."""
    secret = tmp_path / "secret"
    secret.mkdir()
    out = str(secret)
    evil = layer(
        entry("out", type=tarfile.SYMTYPE, target=out),
        entry("up", type=tarfile.SYMTYPE, target="../../../../../.." + out),
        {"out/by-link": "x", "up/by-dots": "x"},
    )
    layout = Layout()
    layout.image([base, evil], Entrypoint=["/app/run"])
    status, code, message = refusal(cloud, layout.write(tmp_path / "image"))
    assert status == 400, message
    assert os.listdir(out) == []


def test_extensions_are_those_of_the_image(cloud, base, tmp_path):
    """A link to a folder of the host does not tell what is in that."""
    host = tmp_path / "host"
    host.mkdir()
    (host / "not-an-extension").write_text("")
    link = entry("opt/extensions", type=tarfile.SYMTYPE, target=str(host))
    layout = Layout()
    layout.image([base, layer(link)], tag="link", Entrypoint=["/app/run"])
    broken = layer({"opt/extensions/broken*": "\x7fELF not"})
    layout.image([base, broken], tag="broken", Entrypoint=["/app/run"])
    uri = layout.write(tmp_path / "image")
    r = cloud.invoke(create(cloud, uri + ":link"), 1)
    assert r.error is None and r.payload["event"] == 1
    r = cloud.invoke(create(cloud, uri + ":broken"), 1)
    assert r.error == "Unhandled" and r.payload["errorType"] == "Extension.LaunchError"


@pytest.mark.parametrize("part", ["layer", "config", "manifest"])
def test_damage_is_noticed(cloud, base, tmp_path, part):
    layout = Layout()
    d = layout.image([base], pack=None, Entrypoint=["/app/run"])
    manifest = json.loads(layout.files["blobs/sha256/" + d["digest"][7:]])
    digest = {
        "layer": manifest["layers"][0]["digest"],
        "config": manifest["config"]["digest"],
        "manifest": d["digest"],
    }[part]
    member = "blobs/sha256/" + digest[7:]
    layout.files[member] = layout.files[member].replace(b"o", b"0", 1)
    message = refusal(cloud, layout.write(tmp_path))[2]
    assert "does not have its digest" in message, message


def test_what_is_not_supported_is_named(cloud, base, tmp_path):
    layout = Layout()
    zstd = "application/vnd.oci.image.layer.v1.tar+zstd"
    layout.image([base], tag="zstd", media=zstd, Entrypoint=["/app/run"])
    layout.image([base], tag="magic", pack=lambda d: b"\x28\xb5\x2f\xfd" + d, Entrypoint=["/x"])
    layout.image([base], tag="arm", arch="arm64", Entrypoint=["/app/run"])
    layout.image([base], tag="windows", os_name="windows", Entrypoint=["/app/run"])
    uri = layout.write(tmp_path)
    assert zstd in refusal(cloud, uri + ":zstd")[2]
    assert "compressed with zstd, which is not supported" in refusal(cloud, uri + ":magic")[2]
    assert "arm64, not for amd64" in refusal(cloud, uri + ":arm")[2]
    assert refusal(cloud, uri + ":windows")[0] == 400
    missing = refusal(cloud, uri + ":nothing")[2]
    assert "does not exist. Provide a valid source image." in missing and "magic" in missing
    assert "does not exist" in refusal(cloud, "file:///no/such/image.tar")[2]
    for registry in ("https://example.com/x", "123456789012.dkr.ecr.us-east-1.amazonaws.com/a:b"):
        message = refusal(cloud, registry)[2]
        assert registry in message and "registries are not reached" in message


def test_members_that_do_not_go_together(cloud, base, tmp_path):
    layout = Layout()
    layout.image([base], Entrypoint=["/app/run"])
    uri = layout.write(tmp_path)
    wrong = "Please don't provide Handler or Runtime or Layer when the intended function"
    assert wrong in refusal(cloud, uri, Handler="x.y", Runtime="python3.11")[2]
    arn = "arn:aws:lambda:us-east-1:000000000000:layer:x:1"
    assert wrong in refusal(cloud, uri, Layers=[arn])[2]
    zip_name = cloud.function("def handler(e, c): return e")
    for call, options in (
        ("update_function_code", {"ImageUri": uri}),
        ("update_function_configuration", {"ImageConfig": {"Command": ["x"]}}),
    ):
        error = error_of(getattr(cloud.lambda_, call), FunctionName=zip_name, **options)
        assert error[:2] == (400, "InvalidParameterValueException"), error
    name = create(cloud, uri)
    update = cloud.lambda_.update_function_code
    message = error_of(update, FunctionName=name, ZipFile=zipped({"a": "b"}))[2]
    assert "packageType Image" in message
    assert wrong in error_of(
        cloud.lambda_.update_function_configuration, FunctionName=name, Handler="a.b"
    )[2]


@pytest.mark.parametrize(
    "config, type, text",
    [
        ({"EntryPoint": ["/no/such"]}, "Runtime.InvalidEntrypoint",
         "fork/exec /no/such: no such file or directory"),
        ({"EntryPoint": ["/var/task/data.txt"]}, "Runtime.InvalidEntrypoint",
         "fork/exec /var/task/data.txt: permission denied"),
        ({"EntryPoint": ["/bad"]}, "Runtime.InvalidEntrypoint", "fork/exec /bad: exec format error"),
        ({"WorkingDirectory": "/nowhere"}, "Runtime.InvalidWorkingDir",
         "chdir /nowhere: no such file or directory"),
    ],
)
def test_start_errors(cloud, base, tmp_path, config, type, text):
    layout = Layout()
    layout.image([base, layer({"bad*": "\x7fELF not"})], Entrypoint=["/app/run"])
    name = create(cloud, layout.write(tmp_path), ImageConfig=config)
    r = cloud.invoke(name, {})
    assert r.error == "Unhandled"
    assert r.payload["errorType"] == type
    assert r.payload["errorMessage"] == "RequestId: %s Error: %s" % (r.id, text)
    assert "Error Type: " + type in r.log


def test_bombs_are_limited(cloud, base, tmp_path):
    """A layer that promises more than it has, and one that never ends, do not fill the disk."""
    import gzip

    huge, _ = entry("huge", b"")
    huge.size = 11 << 30
    cut = huge.tobuf(tarfile.GNU_FORMAT) + b"\0" * 65536
    layout = Layout()
    layout.image([base, cut], Entrypoint=["/app/run"], pack=gzip.compress)
    message = refusal(cloud, layout.write(tmp_path))[2]
    assert "cut off" in message, message


def test_folders_are_shared_and_removed(new_cloud, base, tmp_path):
    data = tmp_path / "data"
    cloud = new_cloud(data=data)
    layout = Layout()
    digest = layout.image([base], Entrypoint=["/app/run"])["digest"][7:]
    uri = layout.write(tmp_path / "image")
    one, two = create(cloud, uri), create(cloud, uri)
    folder = data / "code" / digest
    assert (folder / "app" / "run").exists()
    assert cloud.invoke(one, 1).payload["event"] == 1
    assert cloud.invoke(two, 2).payload["event"] == 2
    cloud.lambda_.delete_function(FunctionName=one)
    assert cloud.invoke(two, 3).payload["event"] == 3

    cloud.stop()
    cloud.start()
    assert cloud.invoke(two, 4).payload["event"] == 4
    cloud.stop()
    os.rename(str(folder), str(tmp_path / "away"))
    cloud.start()  # somebody has tidied up: it is unpacked again
    assert cloud.invoke(two, 5).payload["event"] == 5

    cloud.lambda_.delete_function(FunctionName=two)
    import time

    deadline = time.monotonic() + 20
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()


def test_cloudformation_and_sam(cloud, base, tmp_path):
    layout = Layout()
    layout.image([base], tag="v1", Entrypoint=["/app/run"], Cmd=["image"])
    layout.write(tmp_path / "image")
    template = tmp_path / "template.yaml"
    stack = unique("stack")
    template.write_text(
        """
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Resources:
  Sam:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
      ImageUri: file://%s:v1
      ImageConfig:
        Command: [sam]
""" % (tmp_path / "image")
    )
    cloud.lamina("build", cwd=str(tmp_path))
    cloud.lamina(
        "deploy", "--stack-name", stack, "--capabilities", "CAPABILITY_IAM", cwd=str(tmp_path)
    )
    resource = cloud.cfn.describe_stack_resource(StackName=stack, LogicalResourceId="Sam")
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    assert cloud.invoke(name, {}).payload["argv"] == ["/app/run", "sam"]
    cloud.cfn.delete_stack(StackName=stack)


def test_images_are_not_built(cloud, tmp_path):
    template = tmp_path / "template.yaml"
    template.write_text(
        """
Transform: AWS::Serverless-2016-10-31
Resources:
  Sam:
    Type: AWS::Serverless::Function
    Properties:
      PackageType: Image
    Metadata:
      Dockerfile: Dockerfile
      DockerContext: .
"""
    )
    r = cloud.lamina("build", cwd=str(tmp_path), check=False)
    assert r.returncode == 1
    assert "Dockerfile" in r.stderr and "Sam" in r.stderr and "ImageUri" in r.stderr


def test_files_do_not_go_to_aws(cloud, tmp_path):
    (tmp_path / "image.tar").write_bytes(b"")
    (tmp_path / "template.yaml").write_text(
        "Transform: AWS::Serverless-2016-10-31\n"
        "Resources:\n"
        "  Img:\n"
        "    Type: AWS::Serverless::Function\n"
        "    Properties: {PackageType: Image, ImageUri: image.tar}\n"
    )
    r = cloud.lamina("package", cwd=str(tmp_path))
    assert "file://%s/image.tar" % tmp_path in r.stdout
    # Nothing is sent: the check comes before the first call.
    r = lamina("package", "--target", "aws", "--resolve-s3", cwd=str(tmp_path), check=False)
    assert r.returncode == 1 and "push it to Amazon ECR" in r.stderr


def _lying(member, **pax):
    """A whole archive whose member says something of itself that is not so."""
    member, data = member
    member.pax_headers = pax
    return member.tobuf(tarfile.PAX_FORMAT) + data + b"\0" * 2048


def _numbered(size):
    """The size as GNU writes large ones: base 256."""
    head = bytearray(entry("a", b"")[0].tobuf(tarfile.GNU_FORMAT))
    head[124:136] = size
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + b"\0" * 1024


LIES = {
    "size": _lying(entry("a", b"x"), size=str(2**63 - 513)),
    "largest": _lying(entry("a", b"x"), size=str(2**63 - 1)),
    "beyond": _lying(entry("a", b"x"), size=str(2**64)),
    "negative": _lying(entry("a", b"x"), size="-512"),
    "sparse": _lying(entry("a", b"x"), **{"GNU.sparse.realsize": "1000000000000"}),
    "base 256": _numbered(b"\x80" + b"\xff" * 11),
    "half": _numbered(b"\x80\0\0\0\x40" + b"\0" * 7),
    "less than nothing": _numbered(b"\xff" * 12),
}


@pytest.mark.parametrize("what", LIES)
@pytest.mark.parametrize("where", ["layer", "archive"])
def test_tars_that_lie_about_sizes(cloud, base, tmp_path, what, where):
    if where == "layer":
        layout = Layout()
        layout.image([base, LIES[what]], Entrypoint=["/app/run"])
        uri = layout.write(tmp_path / "image")
    else:
        path = tmp_path / "image.tar"
        path.write_bytes(LIES[what])
        uri = "file://%s" % path
    status, code, message = refusal(cloud, uri)
    assert (status, code) == (400, "InvalidParameterValueException"), message
    assert "is not valid. Provide a valid source image." in message, message


def test_links_of_an_archive_go_in_circles(cloud, base, tmp_path):
    """Members that are links to each other, or to files of the host, are none."""
    path = tmp_path / "image.tar"
    for target in ("index.json", "manifest.json", "../../../../etc/passwd", "/etc/passwd"):
        with tarfile.open(str(path), "w") as t:
            for name in ("index.json", "manifest.json", "oci-layout"):
                link, _ = entry(name, type=tarfile.SYMTYPE, target=target)
                t.addfile(link)
        status, code, message = refusal(cloud, "file://%s" % path)
        assert (status, code) == (400, "InvalidParameterValueException"), message
        assert "root:" not in message
