import type { BuildCase } from './case';

/** Images that stand in for those of the real world: the tools do as much as the Dockerfiles need. */
export const shapeBases: Readonly<Record<string, string>> = {
  'node:20': tool(
    'node',
    'npm',
    'mkdir -p node_modules/left-pad; echo "module" > node_modules/left-pad/index.js; [ "$1" = run ] && { mkdir -p dist; cat src/*.js > dist/app.js; } || true',
  ),
  'python:3.12': tool(
    'python',
    'pip',
    'mkdir -p /usr/lib/python3; for p in $(cat "${@: -1}" 2>/dev/null); do echo "$p" >> /usr/lib/python3/site; done',
  ),
  'golang:1.22': tool(
    'go',
    'go',
    'case $1 in mod) mkdir -p /go/pkg && touch /go/pkg/mod;; build) { echo "#!/bin/sh"; cat *.go; } > "$3"; chmod 755 "$3";; esac',
  ),
  'maven:3': tool('java', 'mvn', 'mkdir -p target && cat $(find src -name "*.java") > target/app.jar'),
  'debian:12': tool(
    'debian',
    'apt-get',
    'case $1 in update) mkdir -p /var/lib/apt/lists && touch /var/lib/apt/lists/index;; install) for p in "$@"; do touch "/usr/bin/$p"; done;; esac',
  ),
  'nginx:1':
    'FROM busybox\nRUN mkdir -p /usr/share/nginx/html /etc/nginx/conf.d && echo default > /usr/share/nginx/html/index.html\nEXPOSE 80\nSTOPSIGNAL SIGQUIT\nCMD ["nginx", "-g", "daemon off;"]',
};

function tool(name: string, command: string, script: string): string {
  const body = ['#!/bin/sh', script]
    .join('\n')
    .replace(/\\/g, '\\\\')
    .replace(/'/g, "'\\''")
    .replace(/\n/g, '\\n')
    .replace(/%/g, '%%');
  return `FROM busybox\nRUN mkdir -p /usr/bin /usr/local/bin && printf '${body}\\n' > /usr/local/bin/${command} && chmod 755 /usr/local/bin/${command} && touch /usr/local/bin/${name}\nENV PATH=/usr/local/bin:/usr/bin:/bin`;
}

/** Dockerfiles as people write them. */
export const shapeCases: readonly BuildCase[] = [
  {
    name: 'node: dependencies first, a slim last stage, a user of its own',
    dockerfile: `# syntax=docker/dockerfile:1
ARG NODE_VERSION=20
FROM node:\${NODE_VERSION} AS base
WORKDIR /usr/src/app

FROM base AS deps
COPY package.json package-lock.json ./
RUN npm ci --omit=dev

FROM deps AS build
COPY . .
RUN npm run build

FROM base AS final
ENV NODE_ENV=production
RUN echo node:x:1000:1000::/home/node:/bin/sh >> /etc/passwd && echo node:x:1000: >> /etc/group
USER node
COPY package.json .
COPY --from=deps --chown=node:node /usr/src/app/node_modules ./node_modules
COPY --from=build /usr/src/app/dist ./dist
EXPOSE 3000
HEALTHCHECK CMD wget -qO- localhost:3000 || exit 1
CMD ["node", "dist/app.js"]
`,
    context: {
      'package.json': '{}',
      'package-lock.json': '{}',
      'src/app.js': 'app();\n',
      '.dockerignore': 'node_modules\n',
    },
    config: {
      User: 'node',
      WorkingDir: '/usr/src/app',
      Cmd: ['node', 'dist/app.js'],
      ExposedPorts: { '3000/tcp': {} },
    },
  },
  {
    name: 'python: requirements first, unbuffered, a module as command',
    dockerfile: `FROM python:3.12
ENV PYTHONDONTWRITEBYTECODE=1 \\
    PYTHONUNBUFFERED=1
WORKDIR /code
COPY requirements.txt /code/
RUN pip install --no-cache-dir -r requirements.txt
COPY . /code/
EXPOSE 8000
ENTRYPOINT ["python", "-m"]
CMD ["gunicorn", "app:app", "--bind", "0.0.0.0:8000"]
`,
    context: { 'requirements.txt': 'flask==3\n', 'app.py': 'app = 1\n' },
    config: {
      Entrypoint: ['python', '-m'],
      Cmd: ['gunicorn', 'app:app', '--bind', '0.0.0.0:8000'],
      WorkingDir: '/code',
    },
  },
  {
    name: 'go: a static program on scratch',
    dockerfile: `FROM golang:1.22 AS builder
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY *.go ./
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -o /app
FROM scratch
COPY --from=builder /app /app
USER 65534:65534
ENTRYPOINT ["/app"]
`,
    context: { 'go.mod': 'module x', 'go.sum': '', 'main.go': 'main\n' },
    config: { Entrypoint: ['/app'], User: '65534:65534' },
    files: { '/app': '0755 0:0 #!/bin/sh\nmain\n' },
  },
  {
    name: 'java: built with maven, run by a shell entrypoint',
    dockerfile: `FROM maven:3 AS build
WORKDIR /workspace
COPY pom.xml .
COPY src src
RUN mvn -B package -DskipTests
FROM busybox
VOLUME /tmp
ARG JAR=/workspace/target/*.jar
COPY --from=build /workspace/target/*.jar app.jar
ENV JAVA_OPTS=""
ENTRYPOINT exec java $JAVA_OPTS -jar /app.jar
`,
    context: { 'pom.xml': '<p/>', 'src/main/java/A.java': 'class A\n' },
    config: { Entrypoint: ['/bin/sh', '-c', 'exec java $JAVA_OPTS -jar /app.jar'], Volumes: { '/tmp': {} } },
    files: { '/app.jar': 'class A\n' },
  },
  {
    name: 'nginx: static files and a configuration over the defaults',
    dockerfile: `FROM nginx:1
LABEL maintainer="web <web@example>"
COPY nginx.conf /etc/nginx/conf.d/default.conf
COPY html/ /usr/share/nginx/html
`,
    context: { 'nginx.conf': 'server {}\n', 'html/index.html': '<h1>\n', 'html/css/a.css': 'a{}\n' },
    config: { StopSignal: 'SIGQUIT', Cmd: ['nginx', '-g', 'daemon off;'], ExposedPorts: { '80/tcp': {} } },
  },
  {
    name: 'debian: packages installed and lists removed in one step',
    dockerfile: `FROM debian:12
SHELL ["/bin/sh", "-e", "-c"]
RUN apt-get update && apt-get install -y --no-install-recommends \\
      curl \\
      git \\
    # the lists are not wanted in the image
    && rm -rf /var/lib/apt/lists/*
WORKDIR /srv
ONBUILD COPY . /srv
`,
    config: { Shell: ['/bin/sh', '-e', '-c'], WorkingDir: '/srv', OnBuild: ['COPY . /srv'] },
  },
  {
    name: 'a build for development and one for production by target',
    dockerfile: `FROM node:20 AS dev
WORKDIR /app
COPY . .
CMD ["npm", "run", "dev"]
FROM dev AS test
RUN test -e src/app.js && echo tested > /tested
FROM dev AS prod
RUN npm run build
CMD ["node", "dist/app.js"]
`,
    context: { 'src/app.js': 'x\n', 'package.json': '{}' },
    query: { target: 'test' },
    config: { Cmd: ['npm', 'run', 'dev'], WorkingDir: '/app' },
  },
];
