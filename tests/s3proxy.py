"""A real S3 server for tests: s3proxy from Maven Central, over a directory."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VERSION = "2.6.0"
LIBRARIES = Path(__file__).parent.parent / "build" / "s3proxy"
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>spillway</groupId><artifactId>s3proxy-run</artifactId><version>1</version>
<packaging>pom</packaging><dependencies><dependency><groupId>org.gaul</groupId>
<artifactId>s3proxy</artifactId><version>{VERSION}</version></dependency></dependencies></project>"""


def libraries() -> Path:
    """The folder with s3proxy's jars; fetched by Maven the first time."""
    if not any(LIBRARIES.glob("s3proxy-*.jar")):
        assert shutil.which("mvn"), "s3proxy needs Maven and Java: apt-get install maven default-jre-headless"
        LIBRARIES.mkdir(parents=True, exist_ok=True)
        (LIBRARIES / "pom.xml").write_text(POM)
        goal = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
        command = ["mvn", "-q", "-B", goal, f"-DoutputDirectory={LIBRARIES}", "-DincludeScope=runtime"]
        subprocess.run(command, cwd=LIBRARIES, check=True)
    return LIBRARIES


@contextmanager
def s3_server(directory: Path, port: int = 0) -> Iterator[str]:
    """Runs until the context ends; gives its URL. Any credentials do."""
    if port == 0:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    (directory / "objects").mkdir(exist_ok=True)
    properties = directory / "s3proxy.conf"
    properties.write_text(
        f"s3proxy.endpoint=http://127.0.0.1:{port}\ns3proxy.authorization=none\n"
        "jclouds.provider=filesystem\njclouds.identity=x\njclouds.credential=x\n"
        f"jclouds.filesystem.basedir={directory / 'objects'}\n"
    )
    command = ["java", "-Xmx256m", "-cp", f"{libraries()}/*", "org.gaul.s3proxy.Main"]
    with open(directory / "s3proxy.log", "ab") as log:
        process = subprocess.Popen([*command, "--properties", str(properties)], stdout=log, stderr=log)
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, (directory / "s3proxy.log").read_text()
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()
