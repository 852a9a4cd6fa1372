# Server, worker and the command line in one image. README.md says how to run it.

FROM python:3.13-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/dockrev
ENV PATH=/opt/dockrev/bin:$PATH
WORKDIR /build
# The dependencies first: their layer stays while the code changes.
COPY requirements.lock .
RUN pip install --require-hashes -r requirements.lock
COPY . .
RUN pip install --no-deps --no-build-isolation . \
    # What the pages load, under names that carry a hash. The keys made here stay in this stage.
    && DOCKREV_DATA_DIR=/tmp/build DOCKREV_STATIC_ROOT=/opt/dockrev/static \
    dockrev shell --command 'from dockrev import static_files; static_files.collect_if_changed()' \
    # Maps for people who debug other people's scripts: 14 MB.
    && find /opt/dockrev/static -name '*.map*' -delete \
    && pip uninstall --yes setuptools pip

FROM python:3.13-slim-trixie
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates docker-cli docker-compose \
    openssh-client tini tzdata \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/* \
    && groupadd --gid 1000 dockrev \
    && useradd --uid 1000 --gid 1000 --home-dir /data --no-create-home \
    --shell /usr/sbin/nologin dockrev \
    && install --directory --owner dockrev --group dockrev --mode 0750 /data
COPY image/dockrev-container image/healthcheck.py /usr/local/bin/
COPY --from=build /opt/dockrev /opt/dockrev

ENV PATH=/opt/dockrev/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DOCKREV_DATA_DIR=/data \
    DOCKREV_HTTP_ADDR=0.0.0.0:50883 \
    DOCKREV_STATIC_ROOT=/opt/dockrev/static
WORKDIR /data
VOLUME /data
EXPOSE 50883
# The owner of /data. Any other user will do who may write to what is mounted there.
USER dockrev
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "/usr/local/bin/healthcheck.py"]
# tini takes in the orphans of killed workers, and passes a signal to its one child only.
ENTRYPOINT ["tini", "--", "dockrev-container"]
CMD ["run"]

ARG DOCKREV_COMMIT=""
ENV DOCKREV_COMMIT=$DOCKREV_COMMIT
LABEL org.opencontainers.image.title="Dockrev" \
    org.opencontainers.image.description="Says which Docker Compose services have a newer image, and updates them" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="0.1.0" \
    org.opencontainers.image.revision=$DOCKREV_COMMIT
