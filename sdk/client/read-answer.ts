import { EngineError, type ErrorKind, systemError } from '../errors';
import { decodeError, decodeKind, stringField } from '../wire';
import type { PluginAnswer } from './exchange';
import type { PluginCall } from './plugin-client';

/** The plugin itself said no, as opposed to: it could not be reached, or it answered junk. */
export class PluginRefusal extends EngineError {
  constructor(
    kind: ErrorKind,
    message: string,
    /** HTTP status of the answer; 404 may mean that the plugin does not have the method (P-CALL-9). */
    readonly status: number,
  ) {
    super(kind, message);
  }
}

/**
 * Judges a complete answer: success is exactly status 200 (P-CALL-7), with a JSON object that carries no error
 * (P-CALL-8).
 *
 * @param where names method and plugin in messages
 * @throws PluginRefusal  the plugin told an error. @throws system  its answer is no JSON object
 */
export function readAnswer(call: PluginCall, answer: PluginAnswer, where: string): unknown {
  const body = parsedJson(answer.body);
  if (answer.status !== 200) {
    const said = stringField(body, 'Err') || answer.body.toString('utf8').trim();
    throw new PluginRefusal(
      decodeKind(body) ?? 'system',
      refusal(call.method, answer.status, said, where),
      answer.status,
    );
  }
  if (call.ignoresBody) return {};
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw systemError(`${where} answered ${quoted(answer.body)}, which is not a JSON object; ${advice}`);
  const error = decodeError(body, call.errorField, 'system', call.errorPrefix);
  if (error !== undefined) throw new PluginRefusal(error.kind, error.message, 200);
  return body;
}

/** The plugin's own words alone, unless they do not show what is wrong. */
function refusal(method: string, status: number, said: string, where: string): string {
  if (said !== '' && status >= 300) return `${method}: ${said}`;
  const text = said === '' ? `answered with status ${status} and an empty body` : said;
  return `${method}: ${text} (status ${status} of ${where.slice(method.length + 2)}): only status 200 with a JSON object is success; ${advice}`;
}

const advice = '"gantry-plugin test" shows how its methods should answer';

const QUOTED_CHARACTERS = 60;

/** The beginning of an answer that nobody understands, on one line. */
function quoted(body: Buffer): string {
  if (body.length === 0) return 'an empty body';
  const start = body.subarray(0, 4 * QUOTED_CHARACTERS).toString('utf8');
  const shown = start.slice(0, QUOTED_CHARACTERS);
  return shown.length < start.length ? `${JSON.stringify(shown)} … (${body.length} bytes)` : JSON.stringify(shown);
}

/** undefined when it is not JSON. */
export function parsedJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
