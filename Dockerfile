# dancepipe for machines without a GPU:
#   docker build -t dancepipe --build-arg TORCH_INDEX=ADDRESS .
# ADDRESS: where torch's CPU builds lie, as pytorch.org names it for pip; without it
# pip's own torch comes, which runs here too and takes 5 GB more.
FROM python:3.12-slim

ARG TORCH_INDEX=""
ENV PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
COPY requirements.lock /
# requirements.lock names the versions.
# hadolint ignore=DL3013
RUN pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} --constraint /requirements.lock torch torchvision

COPY . /src
RUN pip install --constraint /requirements.lock "/src[web]" && rm -rf /src

# Not root. What is found, compiled and uploaded is kept in the volume.
RUN useradd --create-home --uid 1000 dance && mkdir /cache /work && chown dance /cache /work
USER 1000
ENV DANCEPIPE_CACHE=/cache NUMBA_CACHE_DIR=/cache/numba
RUN dancepipe models
VOLUME /cache
WORKDIR /work

EXPOSE 7860
ENTRYPOINT ["dancepipe"]
CMD ["web", "--host", "0.0.0.0"]
