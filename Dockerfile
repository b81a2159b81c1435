# The project with everything that its commands need, for a processor or for NVIDIA GPUs.
#
#   docker build -t qrlib .
#   docker run --rm -v "$PWD/out:/qrlib/_build" qrlib                    # make book, into out/html
#   docker run --rm qrlib make test
#   docker build --build-arg DEVICE=cuda -t qrlib:cuda .
#   docker run --rm --gpus all -v /data:/data -v "$PWD/out:/out" -e QRLIB_DATA=/data \
#       -e QRLIB_RESULTS=/out/results -e QRLIB_RUNS=/out/runs qrlib:cuda make profile PROFILE=caltech101
#
# The locked wheels of torch bring CUDA with them and run without it too: what differs is only what the
# container asks its host for.
ARG DEVICE=cpu

FROM debian:bookworm-slim AS cpu

FROM debian:bookworm-slim AS cuda
# The NVIDIA container toolkit reads these.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

# hadolint ignore=DL3006
FROM ${DEVICE}
# Versions are the release's; those that decide a result are in requirements.lock.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates chromium fonts-dejavu fonts-liberation git make python3 python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /qrlib
# The environment first: it takes minutes, and changes with these files alone.
COPY LICENSE Makefile pyproject.toml requirements.lock ./
COPY qrlib/__init__.py qrlib/
COPY web/package.json web/package-lock.json web/
RUN make setup && rm -rf ~/.cache ~/.npm
COPY . .
CMD ["make", "book"]
