"""Run inside the look-alike: coverage's shipper in an environment as AWS makes it, whose bucket is a
host of its own, behind TLS."""

import os
import sys

from shipper_world import Arena, Environment


def main():
    at, bucket, authorities, source = sys.argv[1:]
    shared = os.path.join(at, "shared")
    env = Environment(shared, AWS_ENDPOINT_URL=None, AWS_CA_BUNDLE=authorities,
                      COVERAGE_S3_BUCKET=bucket, AWS_SESSION_TOKEN=None).start()
    arena = Arena(shared)
    try:
        arena.file(source, 100)
        env.invoke("one", arena, (source, [1]))
        env.invoke("two", arena, (source, [2]))
        env.shutdown()
        sys.stdout.write(open(env.log_path).read())
    finally:
        for one in env, arena:
            if one.process and one.process.poll() is None:
                one.process.kill()
        env.api.events.put("hang up")
        env.api.server.shutdown()


if __name__ == "__main__":
    main()
