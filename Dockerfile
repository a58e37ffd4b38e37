# Posthorn as a container. Built with `docker build -t posthorn .`; run with a configuration mounted at
# /etc/posthorn/posthorn.yaml (docker-compose.yml shows it).

FROM node:22.23.2-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No dependency needs an install script here, so none gets to run.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM node:22.23.2-bookworm-slim
ENV NODE_ENV=production
COPY --from=build /app/package.json /app/
COPY --from=build /app/node_modules /app/node_modules/
COPY --from=build /app/dist /app/dist/
COPY bin /app/bin/
COPY schemas /app/schemas/
RUN ln -s /app/bin/posthorn.js /usr/local/bin/posthorn
# The image's user `node`, by number: an orchestrator can tell that it is not root.
USER 1000:1000
# `posthorn` looks for posthorn.yaml in the working directory, so `docker exec … posthorn tail mail.inbound` finds it.
WORKDIR /etc/posthorn
# Posthorn holds connections to its brokers (and mail servers) for as long as it works. The container's network is its
# own, so one established connection (state 01) means that; none means that it can't reach Kafka. A process that is
# gone needs no check: the container ends with it. `posthorn check` would log in everywhere each time, and says
# nothing of the running process. It can't tell a process that hangs: that is for an HTTP health endpoint.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
  CMD ["sh", "-c", "grep -qs ' 01 ' /proc/net/tcp /proc/net/tcp6 || exit 1"]
ENTRYPOINT ["node", "/app/bin/posthorn.js"]
CMD ["run", "--config", "/etc/posthorn/posthorn.yaml"]
