// Rows about builds: a Dockerfile of ten steps, and four stages that do not depend on each other.
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { tarOf } from '../../core/setup/hello/image.mjs';
import { image } from './engine.mjs';

const sources = Array.from({ length: 100 }, (_, i) => ({
  name: `src/f${i}`,
  mode: 0o644,
  data: Buffer.from(`${i}`.repeat(500)),
}));

const steps = (mark) => `FROM ${image}
ARG MARK=${mark}
ENV A=1 B=2
WORKDIR /app
COPY package.json .
RUN echo installed > /app/installed
COPY src src
RUN cat src/* > built
EXPOSE 8080
CMD ["cat", "built"]
`;

const stages = (mark) =>
  ['a', 'b', 'c', 'd']
    .map((name) => `FROM ${image} AS ${name}\nRUN echo ${mark}; sleep 0.3; echo ${name} > /${name}\n`)
    .join('') + `FROM ${image}\n${['a', 'b', 'c', 'd'].map((name) => `COPY --from=${name} /${name} /\n`).join('')}`;

async function build(engine, dockerfile, files = []) {
  const body = tarOf([{ name: 'Dockerfile', mode: 0o644, data: Buffer.from(dockerfile) }, ...files]);
  const startedAt = performance.now();
  const answer = await engine.call('POST', '/build?rm=1', { body, type: 'application/x-tar' });
  const took = performance.now() - startedAt;
  if (answer.includes('"errorDetail"')) throw new Error(`${engine.label}: the build failed: ${answer.slice(-500)}`);
  return took;
}

const context = (mark) => [
  { name: 'package.json', mode: 0o644, data: Buffer.from('{}') },
  ...sources,
  { name: 'src/mark', mode: 0o644, data: Buffer.from(mark) },
];
const newMark = () => randomBytes(8).toString('hex');

export const buildRows = [
  {
    name: 'build of 10 steps: cold',
    also: 'build of 10 steps: cached',
    unit: 'ms',
    better: 'lower',
    times: 1,
    async sample(engine) {
      const mark = newMark();
      const cold = await build(engine, steps(mark), context(mark));
      return [cold, await build(engine, steps(mark), context(mark))];
    },
  },
  {
    name: 'build of 10 steps: one file changed',
    unit: 'ms',
    better: 'lower',
    times: 3,
    async sample(engine) {
      await build(engine, steps('same'), context('same'));
      return build(engine, steps('same'), context(newMark()));
    },
  },
  {
    name: 'build of four stages of 0.3 s',
    unit: 'ms',
    better: 'lower',
    times: 1,
    sample: (engine) => build(engine, stages(newMark())),
  },
];
