"""What a hostile function may try to get out of its environment. Every attempt is made for real, inside
of a running function; each must be refused by the kernel, or find nothing there.

An attempt is python code that runs in the function. It passes when it ends with one of the errors named
in its row ("EPERM EACCES": any of these), or with a result that equals the row's value.
"""

import time

import pytest

from cloud import unique

# `sys(name, ...)` makes a system call and raises OSError as os functions do.
SOURCE = r"""
import ctypes, errno, os, platform, socket, stat, struct, subprocess, sys as _sys
libc = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
NUMBERS = {  # (x86-64, arm64)
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "ptrace": (101, 117), "bpf": (321, 280),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "open_by_handle_at": (304, 265), "name_to_handle_at": (303, 264),
    "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "userfaultfd": (323, 282), "init_module": (175, 105), "finit_module": (313, 273),
    "delete_module": (176, 106), "kexec_load": (246, 104), "reboot": (169, 142),
    "swapon": (167, 224), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "sethostname": (170, 161), "setdomainname": (171, 162),
    "syslog": (103, 116), "quotactl": (179, 60), "fanotify_init": (300, 262), "acct": (163, 89),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "process_madvise": (440, 440),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "kcmp": (312, 272),
    "move_pages": (279, 239), "migrate_pages": (256, 238), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "mount_setattr": (442, 442),
    "clone": (56, 220), "clone3": (435, 435), "capset": (126, 91), "ioprio_set": (251, 30),
    "vhangup": (153, 58), "lookup_dcookie": (212, 18), "kexec_file_load": (320, 294),
}

def number(name):
    return NUMBERS[name][0 if X86 else 1]

def raw(*args):
    r = libc.syscall(*[a if isinstance(a, (bytes, ctypes.Array)) or a is None else ctypes.c_long(a)
                       for a in args])
    if r < 0:
        raise OSError(ctypes.get_errno(), "")
    return r

def sys(name, *args):
    return raw(number(name), *args)

def read(path, n=1):
    with open(path, "rb") as f:
        return f.read(n) and None

def write(path, data=b"x"):
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)

def run(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=10)

def http(port, request):
    with socket.create_connection(("169.254.100.1", port), timeout=5) as s:
        s.sendall(request)
        return int(s.recv(1000).split()[1])

def prctl(*args):
    if libc.prctl(*map(ctypes.c_ulong, args)) < 0:
        raise OSError(ctypes.get_errno(), "")

def handler(event, context):
    scope = dict(globals(), context=context)
    try:
        exec(event, scope)
    except OSError as e:
        return {"error": errno.errorcode.get(e.errno, str(e))}
    return {"result": scope.get("result")}
"""

NO = "EPERM EACCES"
NOTHING = "EPERM EACCES ENOENT ENXIO EROFS ENOTDIR"

ATTEMPTS = [
    # ---- files ----
    ("shadow", "read('/etc/shadow')", NOTHING),
    ("root's home", "result = os.listdir('/root')", NOTHING + " []"),
    ("homes", "result = os.listdir('/home')", NOTHING + " []"),
    ("host by proc root", "read('/proc/1/root/etc/shadow')", NOTHING),
    ("host by own root", "read('/proc/self/root/../../../../root/.bashrc')", NOTHING),
    ("host by init's cwd", "os.listdir('/proc/1/cwd/')", NOTHING),
    ("chroot", "sys('chroot', b'/tmp')", NO),
    ("mount tmpfs", "sys('mount', b'x', b'/tmp', b'tmpfs', 0, None)", NO),
    ("mount proc", "os.makedirs('/tmp/p', exist_ok=True)\nsys('mount', b'p', b'/tmp/p', b'proc', 0, None)", NO),
    ("remount writable", "sys('mount', None, b'/', None, 32 | 4096, None)", NO),
    ("bind mount", "sys('mount', b'/', b'/tmp', None, 4096, None)", NO),
    ("pivot root", "sys('pivot_root', b'/tmp', b'/tmp')", NO),
    ("unmount /tmp", "sys('umount2', b'/tmp', 2)", NO),
    ("unmount /proc", "sys('umount2', b'/proc', 2)", NO),
    ("open_tree", "sys('open_tree', -100, b'/', 1)", NO),
    ("move_mount", "sys('move_mount', -100, b'/', -100, b'/tmp', 0)", NO),
    ("fsopen", "sys('fsopen', b'tmpfs', 0)", NO),
    ("mount_setattr", "sys('mount_setattr', -100, b'/', 0, bytes(32), 32)", NO),
    ("file handles", "sys('open_by_handle_at', 3, bytes(64), 0)", NO),
    ("names of handles", "sys('name_to_handle_at', -100, b'/', bytes(64), bytes(8), 0)", NO),
    ("disk device", "os.mknod('/tmp/disk', 0o600 | stat.S_IFBLK, os.makedev(254, 0))", NO),
    ("memory device", "os.mknod('/tmp/mem', 0o600 | stat.S_IFCHR, os.makedev(1, 1))", NO),
    ("fuse device", "os.mknod('/tmp/fuse', 0o600 | stat.S_IFCHR, os.makedev(10, 229))", NO),
    ("devices", "result = sorted(os.listdir('/dev'))",
     [["fd", "full", "null", "random", "shm", "stderr", "stdin", "stdout", "urandom", "zero"]]),
    ("write the task", "write('/var/task/app.py')", NOTHING),
    ("make in the task", "open('/var/task/new', 'w')", NOTHING),
    ("write the runtime", "write('/var/runtime/bootstrap.py')", NOTHING),
    ("write the interpreter", "write(os.path.realpath(_sys.executable))", NOTHING + " ETXTBSY"),
    ("write by proc exe", "write('/proc/self/exe')", NOTHING + " ETXTBSY"),
    ("write passwd", "write('/etc/passwd')", NOTHING),
    ("write hosts", "write('/etc/hosts')", NOTHING),
    ("rename the root", "os.rename('/usr', '/usr2')", NOTHING + " EXDEV EBUSY"),
    ("remove /etc", "os.unlink('/etc/hosts')", NOTHING),
    ("link to a host file", "os.link('/usr/lib/os-release', '/tmp/linked')", NO + " EXDEV"),
    ("link to the task", "os.link('/var/task/app.py', '/tmp/linked')", NO + " EXDEV"),
    ("symlink to shadow", "os.path.lexists('/tmp/s') and os.unlink('/tmp/s')\n"
     "os.symlink('/etc/shadow', '/tmp/s')\nread('/tmp/s')", NOTHING),
    ("proc of others", "result = [p for p in os.listdir('/proc') if p.isdigit() and int(p) > 30000]", [[]]),
    ("file attributes of trust", "os.setxattr('/tmp', 'trusted.x', b'1')", NO + " EOPNOTSUPP ENOTSUP"),
    ("file capabilities", "open('/tmp/c', 'w').close()\n"
     "os.setxattr('/tmp/c', 'security.capability', bytes.fromhex('0000000200000001000000000000000000000000'))",
     NO + " EOPNOTSUPP ENOTSUP EINVAL"),
    ("give a file away", "open('/tmp/c', 'w').close()\nos.chown('/tmp/c', 0, 0)", NO + " EINVAL"),
    # ---- the kernel's own files ----
    ("core pattern", "write('/proc/sys/kernel/core_pattern', b'|/tmp/x')", NOTHING),
    ("modprobe path", "write('/proc/sys/kernel/modprobe', b'/tmp/x')", NOTHING),
    ("sysrq", "write('/proc/sysrq-trigger', b'b')", NOTHING),
    ("drop caches", "write('/proc/sys/vm/drop_caches', b'3')", NOTHING),
    ("binary formats", "os.listdir('/proc/sys/fs/binfmt_misc')\nwrite('/proc/sys/fs/binfmt_misc/register')", NOTHING),
    ("kernel memory", "read('/proc/kcore')", NOTHING),
    ("kernel messages", "read('/proc/kmsg')", NOTHING),
    ("/dev/kmsg", "read('/dev/kmsg')", NOTHING),
    ("/dev/mem", "read('/dev/mem')", NOTHING),
    ("kernel keys", "result = open('/proc/keys').read()", NOTHING + " ''"),
    ("uevent helper", "write('/sys/kernel/uevent_helper', b'/tmp/x')", NOTHING),
    ("control groups", "result = os.listdir('/sys/fs/cgroup')", NOTHING + " []"),
    ("mount control groups", "sys('mount', b'c', b'/tmp', b'cgroup2', 0, None)", NO),
    ("place among control groups",
     "result = {l.strip().split(':', 2)[2] for l in open('/proc/self/cgroup')} - {'/'}\n"
     "result = [p for p in result if 'lamina' in p]", [[]]),
    ("protect from the out-of-memory killer", "write('/proc/self/oom_score_adj', b'-1000')", NO),
    ("score of init", "write('/proc/1/oom_score_adj', b'1000')", NOTHING),
    # ---- other processes ----
    ("init's variables", "read('/proc/1/environ')", NO),
    ("init's memory", "read('/proc/1/mem')", NO),
    ("init's map", "read('/proc/1/maps')", NO),
    ("init's descriptors", "os.listdir('/proc/1/fd')", NO),
    ("trace init", "sys('ptrace', 16, 1, 0, 0)", NO),
    ("trace itself", "sys('ptrace', 0, 0, 0, 0)", NO),
    ("read memory of init", "sys('process_vm_readv', 1, bytes(16), 1, bytes(16), 1, 0)", NO),
    ("write memory of init", "sys('process_vm_writev', 1, bytes(16), 1, bytes(16), 1, 0)", NO),
    ("a descriptor of init", "sys('pidfd_getfd', sys('pidfd_open', 1, 0), 3, 0)", NO),
    ("compare with init", "sys('kcmp', os.getpid(), 1, 0, 0, 0)", NO),
    ("advise init", "sys('process_madvise', sys('pidfd_open', 1, 0), bytes(16), 1, 4, 0)", NO),
    ("move pages", "sys('move_pages', 1, 0, None, None, None, 0)", NO),
    ("migrate pages", "sys('migrate_pages', 1, 1, bytes(8), bytes(8))", NO),
    ("inherited descriptors",
     "result = []\n"
     "for f in os.listdir('/proc/self/fd'):\n"
     "    try:\n"
     "        to = os.readlink('/proc/self/fd/' + f)\n"
     "    except OSError:\n"
     "        continue\n"
     "    if int(f) > 2 and not to.startswith(('socket:', '/proc/', 'pipe:', 'anon_inode:')):\n"
     "        result.append(to)", [[]]),
    # ---- namespaces and privileges ----
    ("user namespace", "sys('unshare', 0x10000000)", NO),
    ("mount namespace", "sys('unshare', 0x20000)", NO),
    ("network namespace", "sys('unshare', 0x40000000)", NO),
    ("pid namespace", "sys('unshare', 0x20000000)", NO),
    ("cgroup namespace", "sys('unshare', 0x02000000)", NO),
    ("clone into a user namespace", "sys('clone', 0x10000000 | 17, 0, 0, 0, 0)", NO),
    ("clone into a mount namespace", "sys('clone', 0x20000 | 17, 0, 0, 0, 0)", NO),
    ("clone3", "sys('clone3', bytes(88), 88)", "ENOSYS"),
    ("join init's mounts", "sys('setns', os.open('/proc/1/ns/mnt', os.O_RDONLY), 0)", NO),
    ("join init's users", "sys('setns', os.open('/proc/1/ns/user', os.O_RDONLY), 0)", NO),
    ("be root", "os.setuid(0)", NO + " EINVAL"),
    ("be root's group", "os.setgid(0)", NO + " EINVAL"),
    ("more groups", "os.setgroups([0])", NO + " EINVAL"),
    ("capabilities", "sys('capset', struct.pack('II', 0x20080522, 0), struct.pack('6I', *[0xffffffff] * 6))", NO),
    ("ambient capability", "prctl(47, 2, 21, 0, 0)", NO),
    ("new privileges again", "prctl(38, 0, 0, 0, 0)", "EINVAL"),
    ("secure bits", "prctl(28, 0)", NO),
    ("clear the bounding set", "prctl(24, 21, 0, 0, 0)", NO),
    ("su", "r = run('/usr/bin/su', '-c', 'id -u')\nresult = b'0' in r.stdout.split()", NOTHING + " False"),
    ("setuid programs",
     "result = []\n"
     "for folder in ('/usr/bin', '/usr/sbin', '/usr/lib/openssh'):\n"
     "    for name in (os.listdir(folder) if os.path.isdir(folder) else []):\n"
     "        s = os.lstat(folder + '/' + name)\n"
     "        if stat.S_ISREG(s.st_mode) and s.st_mode & 0o6000:\n"
     "            result.append(bool(os.statvfs(folder).f_flag & os.ST_NOSUID))\n"
     "result = all(result)", [True]),
    ("an own setuid program",
     "import shutil\n"
     "shutil.copy('/usr/bin/id', '/tmp/id')\n"
     "os.chmod('/tmp/id', 0o6755)\n"
     "result = run('/tmp/id', '-u').stdout.decode().strip()", ["993"]),
    ("real-time priority", "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))", NO),
    ("higher priority", "os.nice(-5)", NO),
    ("real-time disk", "sys('ioprio_set', 1, 0, 1 << 13)", NO),
    ("more descriptors", "import resource\n"
     "try:\n"
     "    resource.setrlimit(resource.RLIMIT_NOFILE, (9999, 9999))\n"
     "except ValueError:\n"
     "    result = resource.getrlimit(resource.RLIMIT_NOFILE)", [[1024, 1024]]),
    # ---- parts of the kernel that nobody needs ----
    ("bpf", "sys('bpf', 5, bytes(120), 120)", NO),
    ("userfaultfd", "sys('userfaultfd', 1)", NO),
    ("io_uring", "sys('io_uring_setup', 4, bytes(120))", NO),
    ("io_uring enter", "sys('io_uring_enter', 3, 1, 1, 0, None, 0)", NO),
    ("perf", "sys('perf_event_open', bytes(120), 0, -1, -1, 0)", NO),
    ("keyrings", "sys('keyctl', 0, -3, 1, 0, 0)", NO),
    ("add a key", "sys('add_key', b'user', b'x', b'y', 1, -3)", NO),
    ("request a key", "sys('request_key', b'user', b'x', None, -3)", NO),
    ("modules", "sys('init_module', b'', 0, b'')", NO),
    ("modules by descriptor", "sys('finit_module', 0, b'', 0)", NO),
    ("remove modules", "sys('delete_module', b'x', 0)", NO),
    ("kexec", "sys('kexec_load', 0, 0, None, 0)", NO),
    ("reboot", "sys('reboot', 0xfee1dead - (1 << 32), 672274793, 0, None)", NO),
    ("swap", "sys('swapon', b'/tmp/s', 0)", NO),
    ("time", "sys('settimeofday', bytes(16), None)", NO),
    ("clock", "sys('clock_settime', 0, bytes(16))", NO),
    ("tick", "sys('adjtimex', bytes(208))", NO),
    ("host name", "sys('sethostname', b'x', 1)", NO),
    ("domain name", "sys('setdomainname', b'x', 1)", NO),
    ("kernel log", "sys('syslog', 3, bytes(16), 16)", NO),
    ("quotas", "sys('quotactl', 0, b'/', 0, None)", NO),
    ("fanotify", "sys('fanotify_init', 0, 0)", NO),
    ("accounting", "sys('acct', b'/tmp/a')", NO),
    ("hang up", "sys('vhangup')", NO),
    ("calls of 32 bits", "raw(0x40000000 | number('mount'), b'x', b'/tmp', b'tmpfs', 0, None)", "ENOSYS EPERM"),
    # ---- the network ----
    ("packets", "socket.socket(17, socket.SOCK_RAW, 0)", NO),
    ("raw sockets", "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)", NO),
    ("the hypervisor", "socket.socket(40, socket.SOCK_STREAM)", NO),
    ("kernel crypto", "socket.socket(38, socket.SOCK_SEQPACKET)", NO),
    ("bluetooth", "socket.socket(31, socket.SOCK_RAW, 1)", NO),
    ("own addresses",
     "s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)\n"
     "s.bind((0, 0))\n"
     "s.send(struct.pack('IHHIIBBBBI', 40, 20, 5 | 0x600, 1, 0, 2, 32, 0, 0, 1) + struct.pack('HH4sHH4s', 8, 1,"
     " bytes([10, 0, 0, 1]), 8, 2, bytes([10, 0, 0, 1])))\n"
     "code = struct.unpack_from('i', s.recv(4096), 16)[0]\n"
     "raise OSError(-code, '') if code else None", NO),
    ("docker", "socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')", NOTHING),
    ("descriptors for who serves the Runtime API",  # who would have to close them
     "import array\n"
     "s = socket.socket(socket.AF_UNIX)\n"
     "s.connect(chr(0) + 'lamina-runtime-api')\n"
     "s.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0]))])", "EPERM ECONNREFUSED"),
    ("somebody's port 9001",
     "s = socket.socket()\n"
     "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
     "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n"
     "s.bind(('169.254.100.1', 9001))\n"
     "s.listen()", "EADDRINUSE"),
    ("everybody's port 4566",
     "s = socket.socket()\n"
     "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
     "s.bind(('0.0.0.0', 4566))\n"
     "s.listen()", "EADDRINUSE"),
    ("privileged ports", "s = socket.socket()\ns.bind(('127.0.0.1', 80))", NO),
    ("the world", "socket.create_connection(('192.0.2.1', 80), timeout=3)", "ENETUNREACH EHOSTUNREACH ECONNREFUSED"),
    ("the machine's metadata", "socket.create_connection(('169.254.169.254', 80), timeout=3)",
     "ENETUNREACH EHOSTUNREACH ECONNREFUSED"),
    ("the cloud without a signature",
     "result = http(4566, b'GET / HTTP/1.1\\r\\nHost: 169.254.100.1:4566\\r\\n"
     "Authorization: AWS4-HMAC-SHA256 x\\r\\n\\r\\n') in (400, 403)", [True]),
    ("the cloud's figures",
     "result = [http(4566, ('GET /_lamina/%s HTTP/1.1\\r\\nHost: 169.254.100.1:4566\\r\\n\\r\\n' % path).encode())"
     " in (403, 404) for path in ('lambda', 'lambda/inspect', 'lambda/figures', 'lambda/code/x')]", [[True] * 4]),
    ("another host's name",
     "result = http(4566, b'GET / HTTP/1.1\\r\\nHost: example.com\\r\\n\\r\\n')", [403]),
]


# The module that forks a runtime's zygote is mapped into its children alone.
FROM_SPARE = "result = '_lamina_zygote' in open('/proc/self/maps').read()"


def function_in(cloud, spare):
    """A function whose environment was started by exec, or is a spare that its runtime had ready."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:  # spares come behind the functions that want them
        name = cloud.function(files={"app.py": SOURCE}, MemorySize=256, Timeout=20, name=unique("prison"))

        def attempt(code):
            r = cloud.invoke(name, code)
            assert r.error is None, r.body.decode()
            return r.payload

        if attempt(FROM_SPARE)["result"] == spare:
            attempt.cloud = cloud
            return attempt
        time.sleep(0.05)
    raise AssertionError("no environment from a spare\n" + cloud.log_text())


@pytest.fixture(scope="module", params=["exec", "spare"])
def prison(request):
    """Both ways of starting lead to the same walls."""
    from cloud import Cloud

    spare = request.param == "spare"
    cloud = Cloud(["--spares", "2" if spare else "0"]).start()
    try:
        yield function_in(cloud, spare)
    finally:
        if cloud.running():
            cloud.stop()


@pytest.mark.parametrize("what, code, expected", ATTEMPTS, ids=[a[0].replace(" ", "-") for a in ATTEMPTS])
def test_attempt(prison, what, code, expected):
    answer = prison(code)
    if isinstance(expected, list):
        assert answer == {"result": expected[0]}
        return
    words = expected.split(" ")
    if "result" in answer and answer["result"] is not None:
        assert repr(answer["result"]).replace(" ", "") in words, answer
    else:
        assert answer.get("error") in words, answer


def test_there_are_many():
    assert len(ATTEMPTS) >= 60


def test_nothing_was_harmed(prison):
    """Behind all of these the environment is the same, and answers."""
    assert prison("result = 1") == {"result": 1}
    assert prison.cloud.sts.get_caller_identity()["Account"]


# ---- from one environment to another ---------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(prison):
    """Two functions of one cloud, each with an environment of its own."""
    cloud = prison.cloud
    spare = prison(FROM_SPARE)["result"]
    return prison, function_in(cloud, spare)


def test_shared_memory_is_not_shared(pair):
    one, other = pair
    made = one("result = libc.shmget(4711, 4096, 0o1666)")
    assert made["result"] >= 0
    assert other("result = libc.shmget(4711, 4096, 0o666)") == {"result": -1}
    one("open('/dev/shm/mine', 'w').close()\nresult = 1")
    assert other("result = os.path.exists('/dev/shm/mine')")["result"] is False


def test_abstract_sockets_are_not_shared(pair):
    one, other = pair
    assert one(
        "import builtins\nbuiltins.kept = socket.socket(socket.AF_UNIX)\n"
        "kept.bind(chr(0) + 'name')\nkept.listen()\nresult = 1"
    ) == {"result": 1}
    assert other("socket.socket(socket.AF_UNIX).connect(chr(0) + 'name')") == {"error": "ECONNREFUSED"}


def test_ports_are_not_shared(pair):
    one, other = pair
    assert one(
        "import builtins\nbuiltins.kept2 = socket.socket()\n"
        "kept2.bind(('0.0.0.0', 7777))\nkept2.listen()\nresult = 1"
    ) == {"result": 1}
    assert other("socket.create_connection(('169.254.100.1', 7777), timeout=3)") == {"error": "ECONNREFUSED"}


def test_message_queues_are_not_shared(pair):
    one, other = pair
    assert one("result = libc.msgget(4712, 0o1666)")["result"] >= 0
    assert other("result = libc.msgget(4712, 0o666)") == {"result": -1}


def test_files_are_not_shared(pair):
    one, other = pair
    one("open('/tmp/mine', 'w').write('x')\nresult = 1")
    assert other("read('/tmp/mine')") == {"error": "ENOENT"}


def test_signals_reach_own_processes_only(pair):
    one, other = pair
    cloud = one.cloud
    with open("/proc/%d/stat" % cloud.process.pid) as f:
        pid = int(f.read().split()[0])
    assert one("os.kill(%d, 9)" % pid) == {"error": "ESRCH"}
    assert cloud.running()
    assert other("result = 1") == {"result": 1}


def test_other_environments_credentials_are_not_there(pair):
    one, other = pair
    keys = [f("result = os.environ['AWS_ACCESS_KEY_ID']")["result"] for f in (one, other)]
    assert keys[0] != keys[1]
