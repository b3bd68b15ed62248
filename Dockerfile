# The operator as an image. Every package is pinned and checked by its hash.
FROM python:3.11-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /src
RUN python -m venv /opt/build && python -m venv /opt/nodemix

# Dependencies first: they change less often than the code. The build backend is one of the
# development pins, so that nothing is ever resolved while building.
COPY requirements/ requirements/
RUN /opt/nodemix/bin/pip install --require-hashes --no-deps -r requirements/runtime.txt
RUN /opt/build/bin/pip install --require-hashes --no-deps -r requirements/build.txt

COPY pyproject.toml README.md LICENSE ./
COPY operator/ operator/
COPY forecasting/ forecasting/
COPY optimizer/ optimizer/
COPY simulator/ simulator/
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/nodemix/bin/pip install --no-deps --no-index /wheels/*.whl


FROM python:3.11-slim-bookworm

LABEL org.opencontainers.image.title="nodemix" \
      org.opencontainers.image.licenses="Apache-2.0"

# Whatever is compiled or cached at run time goes to /tmp, the only place that may be written.
# One thread each: the matrices are small, and idle threads spin away a pod's CPU limit.
ENV OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    PATH=/opt/nodemix/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    NUMBA_CACHE_DIR=/tmp/numba \
    MPLCONFIGDIR=/tmp/matplotlib

COPY --from=build /opt/nodemix /opt/nodemix

USER 65532:65532
EXPOSE 8080 9090
ENTRYPOINT ["python", "-m", "nodemix.operator.main"]
