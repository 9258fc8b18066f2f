# One image for every role: docker run … limbo api | worker | check
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.txt ./
# What is installed comes from these files alone, each of which is checked against its hash here.
RUN pip download --no-cache-dir --require-hashes --no-deps --dest /wheels --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY limbo ./limbo
RUN pip wheel --no-cache-dir --no-index --find-links /wheels --no-deps --wheel-dir /wheels .
# limbo and what it needs, without what built it, and without pip.
RUN python -m venv --without-pip /opt/limbo \
 && pip --python /opt/limbo/bin/python install --no-cache-dir --no-index --find-links /wheels 'limbo[postgres]'

FROM python:3.13-slim
RUN pip uninstall --yes --root-user-action ignore pip \
 && groupadd --system --gid 10001 limbo \
 && useradd --system --uid 10001 --gid 10001 --create-home --home-dir /var/lib/limbo limbo
COPY --from=build /opt/limbo /opt/limbo
ENV PATH=/opt/limbo/bin:$PATH LIMBO_HOST=0.0.0.0
# By number: Kubernetes' runAsNonRoot knows no names.
USER 10001:10001
# The embedded queue, if it is used, is kept here.
WORKDIR /var/lib/limbo
VOLUME /var/lib/limbo
EXPOSE 8000 9100
HEALTHCHECK --interval=15s --timeout=5s --start-period=15s CMD ["limbo", "health"]
ENTRYPOINT ["limbo"]
CMD ["api"]
