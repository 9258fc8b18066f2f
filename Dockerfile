# One image for every role: docker run … limbo api | worker | check
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/limbo
COPY requirements.txt ./
RUN /opt/limbo/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY limbo ./limbo
RUN /opt/limbo/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/limbo limbo
COPY --from=build /opt/limbo /opt/limbo
ENV PATH=/opt/limbo/bin:$PATH LIMBO_HOST=0.0.0.0
USER limbo
# The embedded queue, if it is used, is kept here.
WORKDIR /var/lib/limbo
VOLUME /var/lib/limbo
EXPOSE 8000 9100
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s CMD ["limbo", "health"]
ENTRYPOINT ["limbo"]
CMD ["api"]
