# PostgreSQL's official image with the extension, by the same commands as anywhere:
#
#   docker build -t market_investor_fdw .
#   docker run -d --name flows -e POSTGRES_PASSWORD=... -v flows:/var/lib/postgresql/data \
#       -v kis:/var/lib/postgresql/kis market_investor_fdw
#   docker exec -it flows /usr/share/postgresql/17/market_investor_fdw/keys
#
# --build-arg PG=15-bookworm chooses another image; 15 and 16 must be run with
# -c shared_preload_libraries=market_investor_fdw besides.
#
# The extension alone, which CloudNativePG mounts beside a PostgreSQL 18 or later
# of the same Debian (doc/operations.md):
#
#   docker build --target extension --build-arg PG=18-trixie -t market_investor_fdw:18-trixie .
ARG PG=17-trixie

FROM postgres:${PG} AS build
COPY . /usr/src/market_investor_fdw
RUN /usr/src/market_investor_fdw/scripts/package /packages

FROM postgres:${PG} AS build-extension
COPY . /usr/src/market_investor_fdw
RUN /usr/src/market_investor_fdw/scripts/package --image /image

FROM scratch AS extension
COPY --from=build-extension /image /
USER 65532:65532

FROM postgres:${PG}
RUN --mount=from=build,source=/packages,target=/packages \
	apt-get update && \
	apt-get install --yes --no-install-recommends "/packages/postgresql-$PG_MAJOR-market-investor-fdw_"*.deb && \
	rm -rf /var/lib/apt/lists/* && \
	install -d -o postgres -g postgres -m 700 /var/lib/postgresql/kis
