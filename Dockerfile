# Posthorn as a container. Built with `docker build -t posthorn .`; run with a configuration mounted at
# /etc/posthorn/posthorn.yaml (docker-compose.yml shows it).

FROM node:22.23.2-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No dependency needs an install script here, so none gets to run.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/bundle.mjs ./scripts/
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
# `posthorn` looks for posthorn.yaml in the working directory: the health check and `docker exec … posthorn tail` find it.
WORKDIR /etc/posthorn
# Asks Kafka for its topics, with the configuration of the running process, in about half a second. That the process is
# there needs no check: the container ends with it. Where the configuration has an `http` section, ask /readyz instead, as
# docker-compose.yml does. `posthorn check` would log in at every mail server each time.
HEALTHCHECK --interval=30s --timeout=20s --start-period=60s --retries=3 \
  CMD ["posthorn", "topics", "describe"]
ENTRYPOINT ["node", "/app/bin/posthorn.js"]
CMD ["run", "--config", "/etc/posthorn/posthorn.yaml"]
