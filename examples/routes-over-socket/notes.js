#!/usr/bin/env node
const { EventEmitter, on } = require('node:events');
const { invalidParameter, notFound, reply } = require('@gantry/sdk');
const { serve } = require('@gantry/sdk/serve');

/** @type {Map<string, string>} forgotten when this program ends: keep yours on disk */
const notes = new Map();
const news = new EventEmitter().setMaxListeners(0);

/** @param {string} name */
const find = (name) => {
  const text = notes.get(name);
  if (text === undefined) throw notFound(`there is no note on ${name}`);
  return { Name: name, Text: text };
};

/** @type {import('@gantry/sdk').ApiRoute[]} */
const routes = [
  { method: 'GET', path: '/notes', handle: async () => reply.json(200, [...notes.keys()].map(find)) },
  { method: 'GET', path: '/notes/{name}', handle: async ({ params }) => reply.json(200, find(params.name)) },
  {
    method: 'PUT',
    path: '/notes/{name}',
    async handle({ params, json }) {
      const { Text } = (await json()) ?? {};
      if (typeof Text !== 'string') throw invalidParameter('"Text" is missing: send {"Text": "what to remember"}');
      notes.set(params.name, Text);
      news.emit(params.name);
      return reply.empty(204);
    },
  },
  {
    method: 'GET',
    path: '/notes/{name}/follow',
    async handle({ params, query }) {
      find(params.name);
      const last = Number(query.get('lines') ?? Infinity);
      return reply.stream(200, 'application/x-ndjson', async (out, signal) => {
        const changes = on(news, params.name, { signal });
        const tell = () => out.write(`${JSON.stringify(find(params.name))}\n`);
        tell();
        try {
          for (let line = 1; line < last; line++, tell()) await changes.next();
        } catch (error) {
          if (!signal.aborted) throw error;
        }
      });
    },
  },
];

const [socketPath = '/run/docker/plugins/notes.sock'] = process.argv.slice(2);
serve({ drivers: { routes: { routes } }, socketPath }).then((served) => {
  console.log(`listening on ${served.address}`);
  process.once('SIGTERM', () => served.close({ graceMs: 100 }));
});
