import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connectPlugin, type PluginCall, type PluginClient, type PluginTls, parsePluginAddress } from '../client';
import {
  AnswerTooLarge,
  exchange,
  NoAnswer,
  openExchange,
  type PluginAnswer,
  readWholeAnswer,
} from '../client/exchange';
import { parsedJson, readAnswer } from '../client/read-answer';
import { EngineError } from '../errors';
import { withDeadline } from '../lifecycle';
import {
  activateMethod,
  decodeActivate,
  decodeKind,
  field,
  logDriverMethods,
  networkDriverMethods,
  stringField,
} from '../wire';
import { answerRules } from './answer-rules';
import type { RuleId } from './rules';
import { ProtocolBreach } from './suite';

/** A request as some engine or other might send it. */
export interface OddRequest {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** A way to a plugin on which every answer is judged by the rules that hold for all calls. */
export interface JudgedPlugin extends PluginClient {
  /** What was broken so far, in the order it was seen. */
  readonly breaches: readonly ProtocolBreach[];
  /** Sends a request with headers of the caller's choice; the answer is not judged. */
  send(request: OddRequest): Promise<PluginAnswer>;
}

/** Where the plugin is, and how long each of its answers may take. */
export interface JudgedPluginOptions {
  readonly name?: string;
  readonly address: string;
  readonly tls?: PluginTls;
  /** For every call; 10,000 when absent. */
  readonly timeoutMs?: number;
}

/** These may fail in any way (P-CALL-9). */
const mayFail = new Set(['VolumeDriver.Capabilities', 'IpamDriver.GetCapabilities', 'LogDriver.Capabilities']);

const mayBeMissing = new Set([
  ...mayFail,
  logDriverMethods.readLogs.method,
  networkDriverMethods.allocateNetwork.method,
  networkDriverMethods.freeNetwork.method,
  networkDriverMethods.gwAllocCheck.method,
  networkDriverMethods.programExternalConnectivity.method,
  networkDriverMethods.revokeExternalConnectivity.method,
  networkDriverMethods.discoverNew.method,
  networkDriverMethods.discoverDelete.method,
]);

const maxAnswerBytes = 16 * 1024 * 1024;

/** A judging client. Nothing is repeated: what goes wrong once has gone wrong. */
export function connectJudgedPlugin(options: JudgedPluginOptions): JudgedPlugin {
  const endpoint = parsePluginAddress(options.address);
  const name = options.name ?? options.address;
  const timeoutMs = options.timeoutMs ?? 10_000;
  const breaches: ProtocolBreach[] = [];
  const silent = new Map<string, ProtocolBreach>();
  const inner = connectPlugin({ name, address: options.address, tls: options.tls });
  const breach = (rule: RuleId, method: string, what: string): ProtocolBreach => {
    const found = new ProtocolBreach(rule, method, what);
    if (!mayFail.has(method) || !rule.startsWith('P-CALL') || rule === 'P-CALL-6') breaches.push(found);
    return found;
  };

  const raw = async <T>(method: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    // What has not answered once is not waited for again.
    const known = silent.get(method);
    if (known !== undefined) throw known;
    try {
      return await withDeadline(method, timeoutMs, work);
    } catch (error) {
      if (error instanceof EngineError && error.kind === 'deadline') {
        const late = breach('P-CALL-6', method, `was not answered within ${timeoutMs} ms`);
        silent.set(method, late);
        throw late;
      }
      if (error instanceof AnswerTooLarge)
        throw breach('P-CALL-4', method, `was answered with too much: ${error.message}`);
      if (!(error instanceof NoAnswer)) throw error;
      if (/Parse Error/.test(error.message))
        throw breach('P-CALL-1', method, `was not answered in HTTP: ${error.message}`);
      if (/middle of the answer|aborted/.test(error.message))
        throw breach('P-CALL-4', method, 'was answered with half an answer');
      throw breach('P-CALL-5', method, `was not answered: ${error.message}`);
    }
  };
  const open = (call: PluginCall, signal: AbortSignal) =>
    openExchange(endpoint, call.method, bodyOf(call), { agent: false, tls: options.tls, signal });
  const judged = (call: PluginCall, answer: PluginAnswer): unknown => {
    // A case of its own tells what is missing.
    if (isMissing(answer) && !mayBeMissing.has(call.method))
      throw new ProtocolBreach('P-ACT-3', call.method, 'is not there');
    const broken = judgeAnswer(call, answer);
    if (broken !== undefined) throw breach(broken.rule, call.method, broken.what);
    const body = readAnswer(call, answer, call.method);
    const { rule, wrong } = answerRules[call.method] ?? {};
    const what = wrong?.(body);
    if (rule !== undefined && what !== undefined) throw breach(rule, call.method, `was answered wrongly: it ${what}`);
    return body;
  };
  const call = async (one: PluginCall): Promise<unknown> =>
    judged(
      one,
      await raw(one.method, (signal) =>
        exchange(endpoint, one.method, bodyOf(one), { agent: false, tls: options.tls, signal, maxAnswerBytes }),
      ),
    );

  return {
    name,
    address: options.address,
    breaches,
    call,
    async stream(one) {
      const head = await raw(one.method, (signal) =>
        open(one, one.signal === undefined ? signal : AbortSignal.any([signal, one.signal])),
      );
      if (head.statusCode !== 200) judged(one, await readWholeAnswer(head, maxAnswerBytes));
      return head;
    },
    async activate() {
      const answer = await call({ method: activateMethod, timeoutMs, repeatable: true });
      return decodeActivate(answer, name);
    },
    send: (request) =>
      raw(
        request.method,
        (signal) =>
          new Promise((resolve, reject) => {
            const body = request.body ?? '';
            const common = {
              method: 'POST',
              path: `/${request.method}`,
              headers: { 'Content-Length': String(Buffer.byteLength(body)), ...request.headers },
              agent: false as const,
              signal,
            };
            const sent =
              endpoint.kind === 'unix'
                ? httpRequest({ ...common, socketPath: endpoint.path })
                : (endpoint.tls ? httpsRequest : httpRequest)({
                    ...common,
                    ...options.tls,
                    rejectUnauthorized: options.tls?.insecureSkipVerify !== true,
                    host: endpoint.host,
                    port: endpoint.port,
                  });
            sent.on('response', (answer) => resolve(readWholeAnswer(answer, maxAnswerBytes)));
            sent.on('error', (error) => reject(new NoAnswer(error.message, true, false, { cause: error })));
            sent.end(body);
          }),
      ),
    close: () => inner.close(),
  };
}

const bodyOf = (call: PluginCall): Buffer | undefined =>
  call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));

/** The first rule of all calls that an answer breaks. */
function judgeAnswer(call: PluginCall, answer: PluginAnswer): { rule: RuleId; what: string } | undefined {
  const { status } = answer;
  const body = parsedJson(answer.body);
  if (status !== 200) {
    if (status < 400) return { rule: 'P-CALL-7', what: `was answered with status ${status}` };
    if (status === 404) return undefined;
    if (answer.body.toString('utf8').trim() === '')
      return { rule: 'P-CALL-8', what: `failed with status ${status} and without a text` };
    return undefined;
  }
  if (call.ignoresBody) return undefined;
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return {
      rule: 'P-CALL-4',
      what: `was answered with ${answer.body.length === 0 ? 'nothing' : 'something that is not a JSON object'}`,
    };
  const errorField = call.errorField ?? 'Err';
  const told = field(body, errorField);
  if (told !== undefined && told !== null && typeof told !== 'string')
    return { rule: 'P-CALL-8', what: `tells its error in "${errorField}" as ${JSON.stringify(told)}, not as a text` };
  const other = errorField === 'Err' ? 'Error' : 'Err';
  const elsewhere = field(body, other);
  if (!told && typeof elsewhere === 'string' && elsewhere !== '')
    return { rule: 'P-CALL-8', what: `tells its error in "${other}", where engines read "${errorField}"` };
  return undefined;
}

/** 404 about a volume or a network says which one in `Err`; 404 about the method is whatever the HTTP library says. */
function isMissing({ status, body }: PluginAnswer): boolean {
  const parsed = parsedJson(body);
  return status === 404 && (stringField(parsed, 'Err') === '' || decodeKind(parsed) === 'not-implemented');
}
