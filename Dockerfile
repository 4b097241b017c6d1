# Both stages stand on the same release: the virtual environment of the first runs in the second.
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends make python3 python3-venv && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN .ci/setup run
RUN PATH="/src/.venv/bin:$PATH" maturin build --release --locked --compatibility off --out dist
RUN python3 -m venv /opt/spillway \
    && /opt/spillway/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
    && /opt/spillway/bin/pip install --no-cache-dir --no-index --no-deps dist/*.whl

# The HLS edge of docker-compose.yml; its configuration is mounted from docs/deploy.
FROM debian:12-slim AS edge
RUN apt-get update \
    && apt-get install -y --no-install-recommends nginx varnish \
    && rm -rf /var/lib/apt/lists/*

FROM debian:12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --create-home spillway
COPY --from=build /opt/spillway /opt/spillway
ENV PATH="/opt/spillway/bin:$PATH" SPILLWAY_DATA_DIR=/data
USER spillway
WORKDIR /data
VOLUME /data
EXPOSE 8080/tcp 7882/udp 7882/tcp
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
    CMD ["python3", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
# SIGTERM drains within 10 s, the time that `docker stop` gives.
ENTRYPOINT ["spillway"]
CMD ["serve"]
