# docker build -t poe2openai . && docker run -p 8080:8080 -v poe2openai:/data poe2openai
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS packages
# A package index nearer than pip's own: --build-arg PIP_INDEX_URL=…
ARG PIP_INDEX_URL
COPY requirements.txt .
# Every package has a wheel for amd64 and arm64: nothing is compiled.
RUN python -m venv /venv \
    && /venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: \
        -r requirements.txt

FROM python:${PYTHON}-slim
RUN useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin poe2openai \
    && install -d -o poe2openai -g poe2openai /data
COPY --from=packages /venv /venv
COPY . /app
WORKDIR /app
USER poe2openai
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    CONFIG_DIR=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ.get('PORT') or 8080}/health\", timeout=4)"]
CMD ["python", "-m", "tools.serve", "--quiet"]
