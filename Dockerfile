# A small image with everything in it; without DATABASE_URL it keeps its runs in a SQLite file in /data.
#
#   docker build -t runboard .
#   docker run -p 3000:3000 -v runboard:/data -e AUTH=user:password \
#     --cap-drop ALL --security-opt no-new-privileges --read-only --tmpfs /tmp:exec runboard
#
# Give a password of your own, of at least 8 characters. The server needs no capability. Base images are pinned to exact
# versions; docker buildx imagetools inspect IMAGE shows a digest to pin, if your registry may change what a version is.

FROM node:22.12.0-slim AS assets
WORKDIR /static
COPY static/package.json static/package-lock.json ./
RUN npm ci --no-audit --no-fund

FROM golang:1.26.8-bookworm AS build
# The init of the image: it forwards signals, and reaps what commands leave behind.
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=assets /static/node_modules static/node_modules
# Static, so that it runs on any system, or none.
RUN go run ./.ci/licenses > static/node_modules/NOTICES.txt \
 && CGO_ENABLED=1 go build -tags sqlite_fts5,sqlite_omit_load_extension,netgo,osusergo -trimpath \
    -ldflags '-s -w -linkmode external -extldflags -static' -o /runboard . \
 && mkdir /data

# For the shell that commands may need.
FROM busybox:1.37.0-musl
COPY --from=build /usr/bin/tini-static /bin/tini
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /runboard /bin/
COPY --from=build --chown=65534:65534 /data /data
USER 65534:65534
VOLUME /data
ENV ADDR=:3000 DATABASE_URL=sqlite:/data/runboard.db
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s CMD wget -q -O /dev/null http://127.0.0.1:3000/up
STOPSIGNAL SIGTERM
ENTRYPOINT ["/bin/tini", "--", "/bin/runboard"]
