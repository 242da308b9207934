import { deepEqual, equal, ok } from 'node:assert/strict';
import { errorMessage } from '../errors';
import { activateMethod, type PluginKind } from '../wire';
import { answerRules } from './answer-rules';
import type { JudgedPlugin } from './judged-plugin';
import type { RuleId } from './rules';
import { type ConformanceCase, skip } from './suite';

/** What the wire cases of a kind need to know about it. */
export interface KindOnTheWire {
  /** First part of the cases' ids. */
  readonly prefix: string;
  readonly kind: PluginKind;
  /** Every method a plugin of this kind must have, with a body that leaves nothing behind when all were called. */
  readonly methods: readonly (readonly [method: string, body: object | undefined])[];
  /** Of these, those that are called with an empty body. */
  readonly emptyBodies: readonly string[];
  /** Methods a plugin may have, whose answers are judged. */
  readonly optional?: readonly string[];
}

interface OnTheWire {
  readonly client?: JudgedPlugin;
}

const ask = (client: JudgedPlugin, method: string, headers: Record<string, string> = {}, body?: string) =>
  client.send({ method, headers, body });

/** Expectations about the wire itself, the same for every kind. `first` are judged before, `last` after all others. */
export function wireCases(kind: KindOnTheWire): {
  readonly first: readonly ConformanceCase<OnTheWire>[];
  readonly last: readonly ConformanceCase<OnTheWire>[];
} {
  const one = (
    id: string,
    rule: RuleId,
    title: string,
    run: (client: JudgedPlugin) => Promise<void>,
  ): ConformanceCase<OnTheWire> => ({
    id: `${kind.prefix}.wire.${id}`,
    title,
    rule,
    async run({ client }) {
      if (client === undefined) skip('in process there is no wire');
      await run(client);
    },
  });
  const unbroken = (id: string, rule: RuleId, title: string) =>
    one(id, rule, title, async ({ breaches }) => {
      const messages = breaches.filter((breach) => breach.rule === rule).map(errorMessage);
      ok(messages.length === 0, [...new Set(messages)].join('\n'));
    });
  const kindOf = async (client: JudgedPlugin, headers: Record<string, string>) => {
    const { status, body } = await ask(client, activateMethod, headers);
    equal(status, 200, `the handshake with ${JSON.stringify(headers)} was answered with status ${status}: ${body}`);
  };

  const first = [
    one('handshake', 'P-ACT-1', 'the handshake answers a list of kinds', async (client) => {
      ok((await client.activate()).implements.length > 0, 'the list "Implements" is empty');
    }),
    one('kind', 'P-ACT-2', `the handshake names ${kind.kind}`, async (client) => {
      const { implements: kinds } = await client.activate().catch(() => skip('the handshake failed'));
      ok(kinds.includes(kind.kind), `it names ${kinds.map((it) => `"${it}"`).join(', ') || 'nothing'}`);
    }),
    one('headers', 'P-CALL-2', 'no version of the Accept header is insisted on, nor a Content-Type', async (client) => {
      for (const version of ['v1', 'v1.1', 'v1.2'])
        await kindOf(client, { Accept: `application/vnd.docker.plugins.${version}+json` });
      await kindOf(client, { 'Content-Type': 'application/json' });
    }),
    one('host', 'P-CALL-3', 'any Host header will do', async (client) => {
      for (const Host of ['plugin', 'docker', 'localhost', '%2Frun%2Fdocker%2Fplugins%2Fx.sock'])
        await kindOf(client, { Host });
    }),
    one('unknown-method', 'P-CALL-9', 'a method that nobody has is answered with an error status', async (client) => {
      const { status } = await ask(client, `${kind.kind}.NoSuchMethod`, {}, '{}');
      ok(status >= 400, `it was answered with status ${status}`);
    }),
    one('methods', 'P-ACT-3', 'every method of the kind is there', async (client) => {
      const shape = async (method: string, body: object | undefined) => {
        const answer = await ask(client, method, {}, body && JSON.stringify(body));
        return { status: answer.status, text: answer.body.toString('utf8').replaceAll(method, 'METHOD') };
      };
      const unknown = await shape(`${kind.kind}.NoSuchMethod`, {});
      const missing: string[] = [];
      for (const [method, body] of kind.methods) {
        const answer = await shape(method, body);
        if (answer.status === 404 && answer.status === unknown.status && answer.text === unknown.text)
          missing.push(method);
      }
      deepEqual(missing, [], `not there: ${missing.join(', ')}`);
    }),
    ...(kind.emptyBodies.length === 0
      ? []
      : [
          one('empty-body', 'P-CALL-4', 'calls without parameters have an empty body', async (client) => {
            for (const method of kind.emptyBodies) {
              const { status, body } = await ask(client, method);
              ok(status < 400 || status === 404, `${method} was answered with status ${status}: ${body}`);
            }
          }),
        ]),
  ];
  const last = [
    unbroken('http', 'P-CALL-1', 'every answer was HTTP'),
    unbroken('answered', 'P-CALL-5', 'every call was answered'),
    unbroken('in-time', 'P-CALL-6', 'every call was answered in time'),
    unbroken('status', 'P-CALL-7', 'every success had the status 200'),
    unbroken('json', 'P-CALL-4', 'every answer was one whole JSON object'),
    unbroken('error-form', 'P-CALL-8', 'every error was told as a text where engines look for it'),
    ...[
      ...new Set([...kind.methods.map(([method]) => method), ...(kind.optional ?? [])].map((it) => answerRules[it])),
    ].flatMap((answers) => (answers === undefined ? [] : [unbroken(answers.id, answers.rule, answers.title)])),
  ];
  return { first, last };
}
